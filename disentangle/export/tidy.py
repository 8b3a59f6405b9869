"""Makes a graph smaller without changing what it computes: layouts, biases.

The trace keeps images as (B, H, W, C), convolutions of ONNX and PyTorch are over
(B, C, H, W): each stands between two transposes. `without_transposes` moves these past
everything that works on single elements until they meet and cancel; `with_biases` puts
a sum with a vector into the convolution or product before it.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from disentangle.export.graph import Graph, Node, pruned

SINGLE = frozenset(
    [
        "Abs",
        "Ceil",
        "Cos",
        "Erf",
        "Exp",
        "Floor",
        "Log",
        "Neg",
        "Reciprocal",
        "Relu",
        "Round",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sqrt",
        "Tanh",
        "Cast",
        "Not",
    ]
)
PAIRED = frozenset(
    [
        "Add",
        "And",
        "Div",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Max",
        "Min",
        "Mul",
        "Or",
        "Pow",
        "Sub",
        "Where",
    ]
)


def tidied(graph: Graph) -> Graph:
    """The same function in fewer operations."""
    return without_identities(with_biases(without_transposes(graph)))


class _Layouts:
    """Which values are a known transpose of another, and what was written so far."""

    def __init__(self, graph: Graph):
        self.nodes: list[Node] = []
        self.constants = dict(graph.constants)
        self._moved: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._written: dict[tuple[str, tuple[int, ...]], str] = {}

    def source(self, name: str) -> tuple[str, tuple[int, ...]]:
        """(what a value is a transpose of, its axes); () where of nothing."""
        return self._moved.get(name, (name, ()))

    def move(self, name: str, source: str, perm: tuple[int, ...]) -> None:
        """`name` is `source` with its axes in this order."""
        inner, first = self.source(source)
        axes = tuple(first[axis] for axis in perm) if first else perm
        self._moved[name] = (inner, axes if axes != tuple(sorted(axes)) else ())

    def real(self, name: str) -> str:
        """The value under its own axes; it is transposed where nobody did so yet."""
        inner, perm = self.source(name)
        if not perm:
            return inner
        if (inner, perm) not in self._written:
            self._written[inner, perm] = name
            self.nodes.append(Node(name, "Transpose", (inner,), {"perm": perm}))
        return self._written[inner, perm]

    def under(self, name: str, perm: tuple[int, ...]) -> str | None:
        """What gives `name` when transposed by `perm`; None where it is not at hand."""
        if name not in self.constants:
            inner, own = self.source(name)
            return inner if own == perm else None
        array = self.constants[name]
        if array.ndim == 0 or array.size == 1:
            return name
        full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
        turned = np.ascontiguousarray(full.transpose(np.argsort(perm)))
        key = f"{name}~{''.join(map(str, perm))}"
        self.constants[key] = turned
        return key


def without_transposes(graph: Graph) -> Graph:
    """Transposes pass operations on single elements, and cancel."""
    made = _Layouts(graph)
    for node in graph.nodes:
        if node.op == "Transpose":
            made.move(node.output, node.inputs[0], tuple(node.attributes["perm"]))
        elif node.op not in SINGLE | PAIRED or not _passed(made, node):
            inputs = tuple(made.real(name) for name in node.inputs)
            made.nodes.append(node._replace(inputs=inputs))
    nodes, constants = tuple(made.nodes), made.constants
    return pruned(dataclasses.replace(graph, nodes=nodes, constants=constants))


def _passed(made: _Layouts, node: Node) -> bool:
    """Writes an operation on what its inputs are transposes of, if all are of one."""
    perms = [made.source(name)[1] for name in node.inputs]
    perm = next((perm for perm in perms if perm), ())
    if not perm:
        return False
    inputs = [made.under(name, perm) for name in node.inputs]
    if any(name is None for name in inputs):
        return False
    inner = f"{node.output}_moved"
    taken = tuple(name for name in inputs if name is not None)
    made.nodes.append(Node(inner, node.op, taken, node.attributes))
    made.move(node.output, inner, perm)
    return True


def with_biases(graph: Graph) -> Graph:
    """`Add` of a vector after a convolution or a product becomes its bias."""
    made = {node.output: node for node in graph.nodes}
    uses, constants = graph.uses(), dict(graph.constants)
    nodes: list[Node] = []
    for node in graph.nodes:
        found = _biased(node, made, constants) if node.op == "Add" else None
        if found and uses[found[0].output] == 1:
            before, bias = found
            nodes = [one for one in nodes if one.output != before.output]
            node = _with_bias(before, bias, node.output, constants)
        nodes.append(node)
    return pruned(dataclasses.replace(graph, nodes=tuple(nodes), constants=constants))


def _biased(
    node: Node, made: dict[str, Node], constants: dict[str, np.ndarray]
) -> tuple[Node, str] | None:
    """(the convolution or product that a sum follows, the vector that is added)."""
    for first, second in (node.inputs, node.inputs[::-1]):
        before, vector = made.get(first), constants.get(second)
        if before is None or vector is None or len(before.inputs) != 2:
            continue
        if before.inputs[1] not in constants:
            continue
        kernel = constants[before.inputs[1]]
        axis = {"Conv": (4, 1, 0), "ConvTranspose": (4, 1, 1), "MatMul": (2, 1, 1)}
        if before.op in axis:
            rank, place, outputs = axis[before.op]
            shape = [1] * rank
            shape[place] = kernel.shape[outputs]
            if kernel.ndim == rank and list(vector.shape) == shape:
                return before, second
    return None


def _with_bias(
    before: Node, bias: str, output: str, constants: dict[str, np.ndarray]
) -> Node:
    """The operation with the vector as its third input; a product becomes a Gemm."""
    flat = f"{bias}~flat"
    constants[flat] = constants[bias].reshape(-1)
    if before.op != "MatMul":
        return Node(output, before.op, (*before.inputs, flat), before.attributes)
    x, kernel = before.inputs
    turned = f"{kernel}~turned"
    constants[turned] = np.ascontiguousarray(constants[kernel].T)
    return Node(output, "Gemm", (x, turned, flat), {"transB": 1})


def without_identities(graph: Graph) -> Graph:
    """No `Identity`; constants under short names: the parameters under their own."""
    same: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(same.get(name, name) for name in node.inputs)
        if node.op == "Identity" and inputs[0] not in (*graph.constants, graph.input):
            same[node.output] = inputs[0]
        else:
            nodes.append(node._replace(inputs=inputs))
    output = same.get(graph.output, graph.output)
    return renamed(dataclasses.replace(graph, nodes=tuple(nodes), output=output))


def renamed(graph: Graph) -> Graph:
    """Values are called by their operation and its number, the output by its name."""
    names = {graph.input: graph.input}
    for number, node in enumerate(graph.nodes):
        names[node.output] = f"{node.op.lower()}_{number}"
    constants = _short_names(graph.constants, {*names.values()})
    names |= constants
    nodes = tuple(
        Node(names[n.output], n.op, tuple(names[i] for i in n.inputs), n.attributes)
        for n in graph.nodes
    )
    return dataclasses.replace(
        graph,
        nodes=nodes,
        output=names[graph.output],
        constants={constants[n]: array for n, array in graph.constants.items()},
    )


def _short_names(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Every constant without the mark of a step above, a number where that is taken."""
    found: dict[str, str] = {}
    for name in names:
        stem, count = name.partition("~")[0], 0
        while (short := f"{stem}_{count}" if count else stem) in taken:
            count += 1
        taken.add(short)
        found[name] = short
    return found
