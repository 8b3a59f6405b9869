"""How other operations of a trace are written: JAX's primitive -> ONNX's operations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.export.values import Builder, Shape, Value

Rule = Callable[[Builder, Any, list[Value]], "Value | list[Value]"]


def shape_of(equation: Any, place: int = 0) -> Shape:
    """The shape of an output."""
    return tuple(equation.outvars[place].aval.shape)


def spread(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """Axes are put into place; the rest is left to whoever takes the value."""
    shape = equation.params["shape"]
    kept = dict(
        zip(equation.params["broadcast_dimensions"], values[0].held, strict=True)
    )
    return builder.reshape(values[0], tuple(kept.get(i, 1) for i in range(len(shape))))


def whole(builder: Builder, equation: Any, values: list[Value]) -> list[Value]:
    """All inputs, broadcast to their shapes."""
    pairs = zip(values, equation.invars, strict=True)
    return [builder.whole(value, atom.aval.shape) for value, atom in pairs]


def reshape(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """Another shape."""
    return builder.reshape(whole(builder, equation, values)[0], shape_of(equation))


def transpose(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """Axes in another order; what is not broadcast yet stays so."""
    perm = tuple(equation.params["permutation"])
    held = tuple(values[0].held[axis] for axis in perm)
    return builder.node("Transpose", values, held, {"perm": perm})


def product(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """(..., k) times (k, n), or (..., l, k) times (..., k, n) matrix by matrix."""
    (left, right), batched = equation.params["dimension_numbers"]
    x, matrix = whole(builder, equation, values)
    last = len(x.held) - 1
    leading = tuple(range(last - 1))
    by_matrix = (tuple(left), tuple(right)) == ((last,), (last - 1,))
    if leading and by_matrix and tuple(map(tuple, batched)) == (leading, leading):
        return builder.node("MatMul", [x, matrix], shape_of(equation))
    is_plain = tuple(left) == (len(x.held) - 1,) and len(matrix.held) == 2
    if tuple(map(tuple, batched)) != ((), ()) or not is_plain or len(right) != 1:
        raise UserError("it multiplies arrays over other axes than a matrix product")
    if tuple(right) == (1,):
        matrix = _transposed(builder, matrix)
    return builder.node("MatMul", [x, matrix], shape_of(equation))


def _transposed(builder: Builder, matrix: Value) -> Value:
    if matrix.array is not None:
        return builder.constant(np.ascontiguousarray(matrix.array.T), matrix.label)
    held = matrix.held[::-1]
    return builder.node("Transpose", [matrix], held, {"perm": (1, 0)})


def reduction(op: str) -> Rule:
    """A sum, maximum, ... over axes."""

    def rule(builder: Builder, equation: Any, values: list[Value]) -> Value:
        axes = tuple(map(int, equation.params["axes"]))
        given = whole(builder, equation, values)
        return builder.node(op, given, shape_of(equation), {"axes": axes})

    return rule


def place_of(op: str) -> Rule:
    """The place of the largest or smallest value along an axis."""

    def rule(builder: Builder, equation: Any, values: list[Value]) -> Value:
        (axis,) = equation.params["axes"]
        given = whole(builder, equation, values)
        held = shape_of(equation)
        found = builder.node(op, given, held, {"axis": int(axis)})
        kind = str(np.dtype(equation.params["index_dtype"]))
        return builder.node("Cast", [found], held, {"to": kind})

    return rule


def pad(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """A margin of one value."""
    rows = [tuple(map(int, row)) for row in equation.params["padding_config"]]
    x, margin = whole(builder, equation, values)
    if (
        margin.array is None
        or min(min(row) for row in rows) < 0
        or any(row[2] for row in rows)
    ):
        raise UserError("it pads in another way than by a margin")
    pads = [low for low, _, _ in rows] + [high for _, high, _ in rows]
    return builder.node("Pad", [x, margin], shape_of(equation), {"pads": tuple(pads)})


def window(
    builder: Builder, x: Value, spans: dict[int, tuple[int, int, int]], held: Shape
) -> Value:
    """x[..., start:stop:step, ...], by axis."""
    return builder.node("Slice", [x], held, {"spans": spans})


def cut(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """A slice with fixed ends."""
    (x,) = whole(builder, equation, values)
    params, spans = equation.params, {}
    strides = params["strides"] or (1,) * len(x.held)
    ends = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    for axis, (start, stop, step) in enumerate(ends):
        if str(stop) != str(x.held[axis]) or start or step != 1:
            spans[axis] = (int(start), int(stop), int(step))
    return window(builder, x, spans, shape_of(equation)) if spans else x


def gather(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """A window at a known place, which is how JAX slices batches of any size."""
    numbers, sizes = (
        equation.params["dimension_numbers"],
        equation.params["slice_sizes"],
    )
    x, place = whole(builder, equation, values)
    if place.array is None or place.array.ndim != 1 or numbers.operand_batching_dims:
        raise UserError("it takes values from places that depend on others ('gather')")
    held, spans = list(x.held), {}
    for axis, start in zip(numbers.start_index_map, place.array.tolist(), strict=True):
        held[axis] = sizes[axis]
        spans[axis] = (start, start + int(sizes[axis]), 1)
    for axis, size in enumerate(sizes):
        if axis not in spans and str(size) != str(x.held[axis]):
            spans[axis], held[axis] = (0, int(size), 1), size
    return builder.reshape(window(builder, x, spans, tuple(held)), shape_of(equation))


def split(builder: Builder, equation: Any, values: list[Value]) -> list[Value]:
    """Consecutive parts along an axis; those that nobody takes are dropped later."""
    (x,), axis, start, found = (
        whole(builder, equation, values),
        equation.params["axis"],
        0,
        [],
    )
    for place, size in enumerate(map(int, equation.params["sizes"])):
        spans = {axis: (start, start + size, 1)}
        found.append(window(builder, x, spans, shape_of(equation, place)))
        start += size
    return found


def concatenate(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """Side by side along an axis."""
    axis = {"axis": int(equation.params["dimension"])}
    given = whole(builder, equation, values)
    return builder.node("Concat", given, shape_of(equation), axis)


def stack(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """Side by side along a new axis."""
    axis, shape = int(equation.params["axis"]), shape_of(equation)
    each = (*shape[:axis], 1, *shape[axis + 1 :])
    given = [builder.reshape(v, each) for v in whole(builder, equation, values)]
    return builder.node("Concat", given, shape, {"axis": axis})


def refused(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """The size of the batch as a number, which no format here can write."""
    raise UserError("it computes with the number of images")


RULES: dict[str, Rule] = {
    "argmax": place_of("ArgMax"),
    "argmin": place_of("ArgMin"),
    "broadcast_in_dim": spread,
    "concatenate": concatenate,
    "dim_as_value": refused,
    "dot_general": product,
    "expand_dims": reshape,
    "gather": gather,
    "pad": pad,
    "reduce_max": reduction("ReduceMax"),
    "reduce_min": reduction("ReduceMin"),
    "reduce_prod": reduction("ReduceProd"),
    "reduce_sum": reduction("ReduceSum"),
    "reshape": reshape,
    "slice": cut,
    "split": split,
    "squeeze": reshape,
    "stack": stack,
    "transpose": transpose,
}

# Not computed of constants: one would only grow, the other is none.
LAZY = ("broadcast_in_dim", "dim_as_value")
