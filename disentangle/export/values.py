"""The values of a trace, and the graph that is built from them."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.export.graph import BATCH, Node

Shape = tuple[Any, ...]  # sizes; one of them may be the symbol of the batch


@dataclasses.dataclass(frozen=True)
class Value:
    """What an operation gives, or a constant.

    Attributes:
      name: of the node or the input; "" of a constant that no node has taken yet.
      held: the shape that it has in the graph: 1 where it is still to be broadcast.
      array: of a constant, of shape `held`; None otherwise.
      label: of a constant, the parameter that it comes from.
    """

    name: str
    held: Shape
    array: np.ndarray | None = None
    label: str = ""


def is_one(size: Any) -> bool:
    """Whether a size is 1, and not the batch."""
    return isinstance(size, int | np.integer) and size == 1


def is_static(shapes: Iterable[Shape]) -> bool:
    """Whether no size in these shapes is the batch."""
    return all(isinstance(size, int | np.integer) for shape in shapes for size in shape)


def same(one: Shape, other: Shape) -> bool:
    """Whether two shapes are equal, the batch being equal to itself only."""
    return [str(size) for size in one] == [str(size) for size in other]


class Builder:
    """A graph in the making.

    Args:
      batch: the symbol of the batch's size.
      given: the name of the input.
    """

    def __init__(self, batch: Any, given: str):
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._batch, self._taken = str(batch), {given}
        self._known: dict[Any, str] = {}

    def constant(self, array: np.ndarray, label: str = "") -> Value:
        """A constant; it enters the graph when a node takes it."""
        return Value("", array.shape, array, label)

    def node(
        self,
        op: str,
        inputs: Sequence[Value],
        held: Shape,
        attributes: dict[str, Any] | None = None,
    ) -> Value:
        """The value of a new node."""
        name = self._fresh(op.lower())
        taken = tuple(self._entered(value) for value in inputs)
        self.nodes.append(Node(name, op, taken, attributes or {}))
        return Value(name, held)

    def whole(self, value: Value, shape: Shape) -> Value:
        """The value broadcast to its shape, where it is not."""
        if same(value.held, shape):
            return value
        if value.array is not None and is_static([shape]):
            array = np.ascontiguousarray(np.broadcast_to(value.array, shape))
            return self.constant(array, value.label)
        spread = self.reshape(value, (1,) * (len(shape) - len(value.held)) + value.held)
        return self.node("Expand", [spread], shape, {"shape": self.sizes(shape)})

    def reshape(self, value: Value, shape: Shape) -> Value:
        """The value, whole, in another shape."""
        if same(value.held, shape):
            return value
        if value.array is not None:
            array = value.array.reshape([int(size) for size in shape])
            return self.constant(array, value.label)
        return self.node("Reshape", [value], shape, {"shape": self.sizes(shape, True)})

    def sizes(self, shape: Shape, inferred: bool = False) -> tuple[int, ...]:
        """The shape in whole numbers, `BATCH` for the batch.

        Args:
          shape: of which one size may depend on the batch.
          inferred: that size may be a multiple of the batch.

        Raises:
          UserError: several sizes do, or one in another way.
        """
        fixed = [isinstance(size, int | np.integer) for size in shape]
        odd = [str(s) for s, is_fixed in zip(shape, fixed, strict=True) if not is_fixed]
        if len(odd) > 1 or (odd and not inferred and odd[0] != self._batch):
            raise UserError(f"it makes an array of shape {shape}, of no fixed form")
        pairs = zip(shape, fixed, strict=True)
        return tuple(int(size) if is_fixed else BATCH for size, is_fixed in pairs)

    def convolution(self, op: str, x: Value, kernel: Value, shape: Shape) -> Value:
        """`Conv` or `ConvTranspose` of stride 2 of (B, H, W, C), kernel ours."""
        if kernel.array is None:
            raise UserError("it convolves with a kernel that is no parameter")
        axes = (3, 2, 0, 1) if op == "Conv" else (2, 3, 0, 1)
        weight = self.constant(
            np.ascontiguousarray(kernel.array.transpose(axes)), kernel.label
        )
        window = kernel.array.shape[0]
        attributes = {
            "kernel_shape": [window] * 2,
            "strides": [2, 2],
            "pads": [(window - 2) // 2] * 4,
        }
        batch, height, width, channels = shape
        first = self.node(
            "Transpose",
            [x],
            (*x.held[:1], x.held[3], *x.held[1:3]),
            {"perm": (0, 3, 1, 2)},
        )
        held = (batch, channels, height, width)
        made = self.node(op, [first, weight], held, attributes)
        return self.node("Transpose", [made], shape, {"perm": (0, 2, 3, 1)})

    def _entered(self, value: Value) -> str:
        """The name of a value, a constant being put into the graph."""
        if value.array is None:
            return value.name
        array = np.ascontiguousarray(value.array)
        key = (value.label, str(array.dtype), array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self._fresh(value.label or "constant")
            self.constants[self._known[key]] = array.reshape(value.array.shape)
        return self._known[key]

    def _fresh(self, stem: str) -> str:
        name, count = stem, 0
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        return name
