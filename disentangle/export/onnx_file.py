"""A graph as an ONNX file, opset 17: written with `onnx`, node by node."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.export.graph import BATCH, Graph, Node

OPSET, IR_VERSION = 17, 8  # of 2022: what every runtime of today reads


def onnx_library() -> Any:
    """onnx; UserError without the extra."""
    try:
        import onnx
    except ImportError:
        raise UserError(
            "--format=onnx needs the extra: pip install -e '.[export]'"
        ) from None
    return onnx


def onnx_bytes(graph: Graph, facts: Mapping[str, Any]) -> bytes:
    """The file: input (batch, ...), output (batch, ...), float32.

    Args:
      graph: of `tidied`.
      facts: kept in the file as one JSON string, the property "disentangle".

    Raises:
      UserError: onnx is not installed, or finds the graph wrong.
    """
    onnx = onnx_library()
    writer = _Writer(onnx, graph)
    for node in graph.nodes:
        writer.write(node)
    given, found = graph.shapes
    info = onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    body = onnx.helper.make_graph(
        writer.nodes,
        "disentangle",
        [info(graph.input, kind, ["batch", *given])],
        [info(graph.output, kind, ["batch", *found])],
        [onnx.numpy_helper.from_array(a, n) for n, a in writer.constants.items()],
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(
        body, opset_imports=opset, ir_version=IR_VERSION, producer_name="disentangle"
    )
    onnx.helper.set_model_props(model, {"disentangle": json.dumps(facts)})
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UserError(f"onnx refuses the graph: {error}") from None
    return model.SerializeToString()


class _Writer:
    """The nodes and constants of an ONNX graph; integer inputs are constants there."""

    def __init__(self, onnx: Any, graph: Graph):
        self._onnx, self._graph = onnx, graph
        self.nodes: list[Any] = []
        self.constants = dict(graph.constants)
        self._batch = ""

    def write(self, node: Node) -> None:
        """One node, or the few that it takes."""
        if node.op in _SPECIAL:
            _SPECIAL[node.op](self, node)
            return
        self.add(node, node.inputs, node.attributes)

    def add(
        self, node: Node, inputs: tuple[str, ...], attributes: Mapping[str, Any]
    ) -> None:
        """A node of ONNX under the name of ours."""
        made = self._onnx.helper.make_node(
            node.op, list(inputs), [node.output], name=node.output, **dict(attributes)
        )
        self.nodes.append(made)

    def integers(self, values: Any, name: str) -> str:
        """The name of a constant of whole numbers."""
        array = np.asarray(values, np.int64)
        for known, held in self.constants.items():
            if held.dtype == np.int64 and np.array_equal(held, array):
                return known
        self.constants[name] = array
        return name

    def batch(self) -> str:
        """The name of the (1,) size of the batch."""
        if not self._batch:
            self._batch = "batch_size"
            self.nodes.insert(
                0,
                self._onnx.helper.make_node(
                    "Shape", [self._graph.input], [self._batch], start=0, end=1
                ),
            )
        return self._batch


def _reshape(writer: _Writer, node: Node) -> None:
    shape = writer.integers(node.attributes["shape"], f"{node.output}.shape")
    writer.add(node, (*node.inputs, shape), {})


def _expand(writer: _Writer, node: Node) -> None:
    """To a shape; the batch is read from the input."""
    shape = node.attributes["shape"]
    parts = [
        writer.batch() if size == BATCH else writer.integers([size], f"size.{size}")
        for size in shape
    ]
    name = f"{node.output}.shape"
    made = writer._onnx.helper.make_node("Concat", parts, [name], axis=0)
    writer.nodes.append(made)
    writer.add(node, (*node.inputs, name), {})


def _slice(writer: _Writer, node: Node) -> None:
    spans = node.attributes["spans"]
    columns = [*zip(*spans.values(), strict=True)]
    starts, stops, steps = columns
    rows = {"starts": starts, "ends": stops, "axes": tuple(spans), "steps": steps}
    named = [writer.integers(row, f"{node.output}.{n}") for n, row in rows.items()]
    writer.add(node, (*node.inputs, *named), {})


def _pad(writer: _Writer, node: Node) -> None:
    x, margin = node.inputs
    pads = writer.integers(node.attributes["pads"], f"{node.output}.pads")
    writer.add(node, (x, pads, margin), {})


def _sum(writer: _Writer, node: Node) -> None:
    axes = writer.integers(node.attributes["axes"], f"{node.output}.axes")
    writer.add(node, (*node.inputs, axes), {"keepdims": 0})


def _reduce(writer: _Writer, node: Node) -> None:
    writer.add(node, node.inputs, {"axes": node.attributes["axes"], "keepdims": 0})


def _place(writer: _Writer, node: Node) -> None:
    writer.add(node, node.inputs, {"axis": node.attributes["axis"], "keepdims": 0})


def _cast(writer: _Writer, node: Node) -> None:
    kind = writer._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(node.attributes["to"]))
    writer.add(node, node.inputs, {"to": kind})


_SPECIAL: dict[str, Callable[[_Writer, Node], None]] = {
    "ArgMax": _place,
    "ArgMin": _place,
    "Cast": _cast,
    "Expand": _expand,
    "Pad": _pad,
    "ReduceMax": _reduce,
    "ReduceMin": _reduce,
    "ReduceProd": _reduce,
    "ReduceSum": _sum,
    "Reshape": _reshape,
    "Slice": _slice,
}
