"""How operations on single elements are written: from JAX's primitives to ONNX."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError
from disentangle.export.values import Builder, Shape, Value, is_one, is_static


def broadcast(values: list[Value]) -> Shape:
    """The shape that values have together."""
    rank = max(len(value.held) for value in values)
    padded = [(1,) * (rank - len(value.held)) + value.held for value in values]
    return tuple(
        next((size for size in sizes if not is_one(size)), 1)
        for sizes in zip(*padded, strict=True)
    )


def elementwise(builder: Builder, equation: Any, values: list[Value]) -> Value:
    """An operation on each element: inputs need not be broadcast first."""
    held = broadcast(values)
    arrays = [value.array for value in values]
    if all(array is not None for array in arrays) and is_static([held]):
        spread = [jnp.broadcast_to(np.asarray(array), held) for array in arrays]
        label = next((value.label for value in values if value.label), "")
        found = equation.primitive.bind(*spread, **equation.params)
        return builder.constant(np.asarray(found), label)
    return ELEMENTWISE[equation.primitive.name](builder, equation, values, held)


def plain(op: str, *kinds: str) -> Callable[..., Value]:
    """The rule of an operation that ONNX has under another name.

    Args:
      op: its name there.
      kinds: of the types that it takes in both: "f", "i", "b"; none: all of them.
    """

    def rule(
        builder: Builder, equation: Any, values: list[Value], held: Shape
    ) -> Value:
        kind = np.dtype(equation.invars[-1].aval.dtype).kind
        if kinds and kind not in kinds:
            name = equation.primitive.name
            raise UserError(f"it computes {name!r} of {equation.invars[-1].aval.dtype}")
        return builder.node(op, values, held)

    return rule


def number(builder: Builder, value: float, like: Any) -> Value:
    """A number of the type of an operation's input."""
    return builder.constant(np.asarray(value, like.aval.dtype))


def maximum(builder: Builder, equation: Any, values: list[Value], held: Shape) -> Value:
    """max(x, 0) is a Relu."""
    for one, other in (values, values[::-1]):
        is_zero = one.array is not None and one.array.ndim == 0 and not one.array
        if is_zero and equation.invars[0].aval.dtype == np.float32:
            return builder.node("Relu", [other], held)
    return builder.node("Max", values, held)


def square(builder: Builder, equation: Any, values: list[Value], held: Shape) -> Value:
    """x x."""
    del equation
    return builder.node("Mul", [values[0], values[0]], held)


def integer_power(
    builder: Builder, equation: Any, values: list[Value], held: Shape
) -> Value:
    """x^n by products, as XLA does it; 1 / x^n for n below 0."""
    power, (x,) = equation.params["y"], values
    if not 1 <= abs(power) <= 8:
        raise UserError(f"it computes the power {power} of its values")
    found = x
    for _ in range(abs(power) - 1):
        found = builder.node("Mul", [found, x], held)
    return found if power > 0 else builder.node("Reciprocal", [found], held)


def reciprocal_root(
    builder: Builder, equation: Any, values: list[Value], held: Shape
) -> Value:
    """1 / sqrt(x)."""
    del equation
    return builder.node("Reciprocal", [builder.node("Sqrt", values, held)], held)


def log_of_1_plus(
    builder: Builder, equation: Any, values: list[Value], held: Shape
) -> Value:
    """log(1 + x)."""
    one = number(builder, 1, equation.invars[0])
    return builder.node("Log", [builder.node("Add", [values[0], one], held)], held)


def rounding(
    builder: Builder, equation: Any, values: list[Value], held: Shape
) -> Value:
    """To the nearest whole number, halves to the even one."""
    if int(equation.params["rounding_method"]) != 1:
        raise UserError("it rounds halves away from zero")
    return builder.node("Round", values, held)


def unequal(builder: Builder, equation: Any, values: list[Value], held: Shape) -> Value:
    """not (x == y)."""
    del equation
    return builder.node("Not", [builder.node("Equal", values, held)], held)


def choice(builder: Builder, equation: Any, values: list[Value], held: Shape) -> Value:
    """The second case where the first input is true, else the first."""
    if len(values) != 3 or equation.invars[0].aval.dtype != np.bool_:
        raise UserError("it chooses among more than two values")
    which, no, yes = values
    return builder.node("Where", [which, yes, no], held)


def clamp(builder: Builder, equation: Any, values: list[Value], held: Shape) -> Value:
    """max(low, min(x, high))."""
    del equation
    low, x, high = values
    return builder.node("Max", [low, builder.node("Min", [x, high], held)], held)


def convert(builder: Builder, equation: Any, values: list[Value], held: Shape) -> Value:
    """To another type."""
    old, new = (v.aval.dtype for v in (equation.invars[0], equation.outvars[0]))
    if old == new:
        return values[0]
    if old.kind == "f" and new.kind != "f":
        raise UserError(f"it converts {old} to {new}")
    return builder.node("Cast", values, held, {"to": str(new)})


def unchanged(
    builder: Builder, equation: Any, values: list[Value], held: Shape
) -> Value:
    """The value itself."""
    del builder, equation, held
    return values[0]


ELEMENTWISE: dict[str, Callable[..., Value]] = {
    "abs": plain("Abs"),
    "add": plain("Add", "f", "i"),
    "and": plain("And", "b"),
    "ceil": plain("Ceil"),
    "clamp": clamp,
    "convert_element_type": convert,
    "copy": unchanged,
    "copy_p": unchanged,
    "cos": plain("Cos"),
    "div": plain("Div", "f"),
    "eq": plain("Equal"),
    "erf": plain("Erf"),
    "exp": plain("Exp"),
    "floor": plain("Floor"),
    "ge": plain("GreaterOrEqual", "f", "i"),
    "gt": plain("Greater", "f", "i"),
    "integer_pow": integer_power,
    "le": plain("LessOrEqual", "f", "i"),
    "log": plain("Log"),
    "log1p": log_of_1_plus,
    "logistic": plain("Sigmoid"),
    "lt": plain("Less", "f", "i"),
    "max": maximum,
    "min": plain("Min", "f", "i"),
    "mul": plain("Mul", "f", "i"),
    "ne": unequal,
    "neg": plain("Neg"),
    "not": plain("Not", "b"),
    "or": plain("Or", "b"),
    "pow": plain("Pow", "f"),
    "round": rounding,
    "rsqrt": reciprocal_root,
    "select_n": choice,
    "sign": plain("Sign"),
    "sin": plain("Sin"),
    "sqrt": plain("Sqrt"),
    "square": square,
    "stop_gradient": unchanged,
    "sub": plain("Sub", "f", "i"),
    "tanh": plain("Tanh"),
}
