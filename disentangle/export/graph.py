"""A network as a graph of named operations: what is written as ONNX or PyTorch.

The operations and their attributes are those of ONNX, opset 17, with two liberties:
what ONNX takes as an integer input (axes, shapes, pads) is an attribute here, and a
size that is the batch is `BATCH`.
"""

import dataclasses
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

BATCH = -1  # in a shape: the number of images


class Node(NamedTuple):
    """One operation: `output = op(*inputs)`."""

    output: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Any] = {}  # noqa: RUF012


@dataclasses.dataclass(frozen=True)
class Graph:
    """A function of one array, (B, ...) -> (B, ...), float32.

    Attributes:
      input: name of the array that it takes.
      output: name of what it gives.
      shapes: (shape of one input, shape of one output), without the batch.
      nodes: the operations, each after those whose outputs it takes.
      constants: the arrays in it, by name.
    """

    input: str
    output: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]

    def uses(self) -> Counter[str]:
        """How often every name is taken by a node, or is the output."""
        taken = [name for node in self.nodes for name in node.inputs]
        return Counter([*taken, self.output])


def pruned(graph: Graph) -> Graph:
    """The graph without what its output does not need."""
    needed, kept = {graph.output}, []
    for node in reversed(graph.nodes):
        if node.output in needed:
            needed |= set(node.inputs)
            kept.append(node)
    constants = {n: array for n, array in graph.constants.items() if n in needed}
    return dataclasses.replace(graph, nodes=tuple(reversed(kept)), constants=constants)
