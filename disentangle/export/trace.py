"""Traces a function of one model, for a batch of any size, into a `Graph`.

JAX traces the function with a batch whose size is a symbol; every operation of the
trace is then written by a rule (elementwise.py, rules.py). Operations on parameters
alone are computed here. The project's convolutions (nn/conv.py), which are many
operations, are known by what they compute and become one `Conv` or `ConvTranspose`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from disentangle.data.precision import float32
from disentangle.errors import UserError
from disentangle.export.elementwise import ELEMENTWISE, elementwise
from disentangle.export.graph import Graph, pruned
from disentangle.export.rules import LAZY, RULES
from disentangle.export.values import Builder, Value, is_static
from disentangle.nn.conv import conv, conv_transpose
from disentangle.nn.conv3 import conv3, products

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_lin": "call_jaxpr",
    "checkpoint": "jaxpr",
}
_CONVOLUTIONS = {"Conv": conv, "ConvTranspose": conv_transpose}


@float32()
def traced(
    function: Callable[[Any, jax.Array], jax.Array],
    params: Any,
    shape: tuple[int, ...],
    names: tuple[str, str],
) -> Graph:
    """The graph of `x -> function(params, x)`.

    Args:
      function: (params, (B, *shape) float32) -> (B, ...) float32, pure.
      params: pytree of arrays; they become constants of the graph.
      shape: of one input, without the batch.
      names: of the input and of the output.

    Raises:
      UserError: the function computes what no rule can write; it is named.
    """
    (batch,) = jax.export.symbolic_shape("batch")
    x = jax.ShapeDtypeStruct((batch, *shape), jnp.float32)
    try:
        closed = jax.make_jaxpr(function)(params, x)
    except jax.core.InconclusiveDimensionOperation:
        raise UserError("it asks for the number of images") from None
    builder = Builder(batch, names[0])
    leaves = [
        builder.constant(np.asarray(leaf), path_name(path))
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    ]
    given = Value(names[0], (batch, *shape))
    (found,) = run(builder, closed, [*leaves, given])
    out = closed.out_avals[0].shape
    node = builder.node("Identity", [builder.whole(found, out)], out)
    graph = Graph(
        input=names[0],
        output=node.name,
        shapes=(shape, tuple(out[1:])),
        nodes=tuple(builder.nodes),
        constants=builder.constants,
    )
    return pruned(graph)


def path_name(path: Sequence[Any]) -> str:
    """The name of a parameter, such as "encoder.Conv_0.kernel"."""
    return jax.tree_util.keystr(tuple(path), simple=True, separator=".")


def run(builder: Builder, closed: Any, inputs: Sequence[Value]) -> list[Value]:
    """Writes every operation of a closed jaxpr; the values that it gives."""
    jaxpr = closed.jaxpr
    held: dict[Any, Value] = {}
    for variable, constant in zip(jaxpr.constvars, closed.consts, strict=True):
        held[variable] = builder.constant(np.asarray(constant))
    held |= dict(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Value:
        if isinstance(atom, jax.extend.core.Literal):
            return builder.constant(np.asarray(atom.val))
        return held[atom]

    for equation in jaxpr.eqns:
        values = [read(atom) for atom in equation.invars]
        found = _outputs(builder, equation, values)
        held |= dict(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _outputs(builder: Builder, equation: Any, values: list[Value]) -> list[Value]:
    """What one operation gives."""
    name, shapes = equation.primitive.name, [v.aval.shape for v in equation.outvars]
    for op, function in _CONVOLUTIONS.items():
        if name == "custom_vjp_call" and _is(function, equation):
            x, kernel = values
            return [builder.convolution(op, x, kernel, shapes[0])]
    if name == "custom_vjp_call" and _is(conv3, equation):  # its product form has rules
        inner = jax.make_jaxpr(products)(*_shapes(equation))
        return run(builder, inner, values)
    if name in _CALLS:
        return run(builder, _closed(equation.params[_CALLS[name]]), values)
    if name in ELEMENTWISE:
        return [elementwise(builder, equation, values)]
    given = [v.aval.shape for v in equation.invars]
    is_known = all(value.array is not None for value in values)
    if is_known and is_static([*given, *shapes]) and name not in LAZY:
        return _computed(builder, equation, values)
    if name not in RULES:
        raise UserError(f"it computes {name!r}, which this format has no rule for")
    found = RULES[name](builder, equation, values)
    return found if isinstance(found, list) else [found]


def _closed(jaxpr: Any) -> Any:
    """A jaxpr with its constants; some calls hold it without."""
    return jaxpr if hasattr(jaxpr, "consts") else jax.extend.core.ClosedJaxpr(jaxpr, ())


def _is(function: Callable[..., Any], equation: Any) -> bool:
    """Whether a call computes exactly what `function` does for inputs of its shapes."""
    shapes = _shapes(equation)
    if [len(one.shape) for one in shapes] != [4, 4] or equation.params.get(
        "name", function.__name__
    ) != function.__name__:
        return False
    try:
        own = jax.make_jaxpr(function)(*shapes).eqns[0]
    except ValueError:
        return False
    return str(own.params["call_jaxpr"]) == str(equation.params["call_jaxpr"])


def _shapes(equation: Any) -> list[jax.ShapeDtypeStruct]:
    """Shapes and types of what an operation is given."""
    return [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]


def _computed(builder: Builder, equation: Any, values: list[Value]) -> list[Value]:
    """The operation on constants alone, done now."""
    arrays = [
        np.broadcast_to(np.asarray(value.array), atom.aval.shape)
        for value, atom in zip(values, equation.invars, strict=True)
    ]
    found = equation.primitive.bind(*map(jnp.asarray, arrays), **equation.params)
    several = found if equation.primitive.multiple_results else [found]
    label = next((value.label for value in values if value.label), "")
    return [builder.constant(np.asarray(one), label) for one in several]
