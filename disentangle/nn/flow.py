r"""A multi-scale flow: an image to independent normal numbers, and back, exactly.

L levels (Kingma & Dhariwal 2018, Fig. 2b; Dinh et al. 2017), each: 2x2 pixels become
channels; K steps (flow_steps.py); but for the last, half of the channels leave. What
leaves is N(m, exp(2 s)) with (m, s) of the half that stays, by a convolution that is
zero at the start; what is left at the end is N(m, exp(2 s)) with a learned (m, s) per
channel. Whitened, eps = (z - m) exp(-s), all of it together is N(0, I) to the model, so

    log p(x) = log N(eps; 0, I) - sum s + log-determinants

and an image is as many numbers eps as it has pixels and channels, the last level's
first.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.nn.flow_steps import (
    See,
    as_it_is,
    from_data,
    matrix,
    start_norm,
    start_steps,
    start_zero_conv,
    step,
    step_inverse,
    zero_conv,
)
from disentangle.nn.net import Net, Variables

Size = tuple[int, int, int]


class Flow(NamedTuple):
    """A flow of images of one shape.

    Attributes:
      net: images (B, H, W, C) -> eps (B, H W C).
      density: density(variables, images) -> (eps (B, H W C), log p (B,) nats).
      inverse: inverse(variables, eps) -> images.
      begin: begin(variables, images) -> variables whose actnorms that have not moved
        yet give each channel mean 0 and variance 1 on these images.
    """

    net: Net
    density: Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]]
    inverse: Callable[[Any, jax.Array], jax.Array]
    begin: Callable[[Any, jax.Array], Any]


def squeeze(x: jax.Array) -> jax.Array:
    """2x2 pixels to channels: (B, 2H, 2W, C) -> (B, H, W, 4C)."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(b, h // 2, w // 2, 4 * c)


def unsqueeze(y: jax.Array) -> jax.Array:
    """The inverse of `squeeze`."""
    b, h, w, c = y.shape
    y = y.reshape(b, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(b, 2 * h, 2 * w, c // 4)


def sizes_of(shape: Size, levels: int) -> list[Size]:
    """(H, W, C) of the maps that the steps of each level see."""
    height, width, channels = shape
    found = []
    for _ in range(levels):
        height, width, channels = height // 2, width // 2, 4 * channels
        found.append((height, width, channels))
        channels //= 2
    return found


def flow(shape: Size, *, levels: int, depth: int, width: int, turn: str) -> Flow:
    """The flow of images of `shape`.

    Args:
      shape: (H, W, C), H and W multiples of 2^levels.
      levels: L.
      depth: K, steps per level.
      width: channels of the maps within a coupling.
      turn: a name in flow_steps.TURNS.

    Raises:
      ValueError: H or W is no multiple of 2^levels.
    """
    if shape[0] % 2**levels or shape[1] % 2**levels:
        raise ValueError(f"{levels} levels do not halve images of {shape}")
    sizes = sizes_of(shape, levels)

    def init(key: jax.Array) -> Any:
        params: dict[str, Any] = {}
        fixed: dict[str, Any] = {}
        for i, (_, _, channels) in enumerate(sizes):
            own = jax.random.fold_in(key, i)
            steps = start_steps(own, depth, channels, width, turn)
            params[f"level_{i}"], fixed[f"level_{i}"] = steps
            if i < levels - 1:
                params[f"split_{i}"] = start_zero_conv(channels // 2, channels)
        params["top"] = start_norm(sizes[-1][2])
        return Variables(params, {"fixed": fixed}) if turn == "plu" else params

    def density(variables: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        _, eps, found = passed(sizes, variables, x)
        return eps, found

    def begin(variables: Any, x: jax.Array) -> Any:
        params, _, _ = passed(sizes, variables, x, from_data)
        return with_params(variables, params)

    net = Net(init, lambda variables, x: passed(sizes, variables, x)[1])
    return Flow(net, density, functools.partial(inverse, sizes), begin)


def parts(variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, what never moves) of what `Net.init` gives."""
    if isinstance(variables, Variables):
        return variables.params, variables.state["fixed"]
    return variables, {}


def with_params(variables: Any, params: dict[str, Any]) -> Any:
    """The variables with other parameters."""
    if isinstance(variables, Variables):
        return Variables(params, variables.state, variables.is_frozen)
    return params


def passed(
    sizes: list[Size], variables: Any, x: jax.Array, see: See = as_it_is
) -> tuple[dict[str, Any], jax.Array, jax.Array]:
    """(parameters, eps (B, H W C), log p (B,)) of images x (B, H, W, C)."""
    params, fixed = parts(variables)
    total = jnp.zeros(x.shape[:1], x.dtype)
    found = []
    for i in range(len(sizes)):
        name = f"level_{i}"
        own, x, log = steps(params[name], fixed.get(name, {}), squeeze(x), see)
        params, total = params | {name: own}, total + log
        if i < len(sizes) - 1:
            x, leaves = jnp.split(x, 2, axis=-1)
            mean, logs = jnp.split(zero_conv(params[f"split_{i}"], x), 2, axis=-1)
            eps = (leaves - mean) * jnp.exp(-logs)
            total = total - logs.sum((1, 2, 3))
            found.append(eps.reshape(eps.shape[0], -1))
    mean, logs = top(params, sizes[-1])
    eps = (x - mean) * jnp.exp(-logs)
    found.append(eps.reshape(eps.shape[0], -1))
    code = jnp.concatenate(found[::-1], axis=1)
    squares = 0.5 * jnp.square(code).sum(1)
    constant = 0.5 * math.log(2 * math.pi) * code.shape[1] + logs.sum()
    return params, code, total - squares - constant


def steps(
    params: dict[str, Any], fixed: dict[str, Any], x: jax.Array, see: See
) -> tuple[dict[str, Any], jax.Array, jax.Array]:
    """K steps one after the other: (parameters, y, log-determinant (B,))."""

    def one(carry: Any, held: Any) -> tuple[Any, Any]:
        (x, total), (own, fixed) = carry, held
        own, x, log = step(own, fixed, x, see)
        return (x, total + log), None if see is as_it_is else own

    start = (x, jnp.zeros(x.shape[:1], x.dtype))
    (y, total), seen = jax.lax.scan(one, start, (params, fixed))
    return seen or params, y, total


def steps_inverse(
    params: dict[str, Any], fixed: dict[str, Any], y: jax.Array
) -> jax.Array:
    """The x whose `steps` are y."""
    turned = jnp.linalg.inv(matrix(params["turn"] | fixed))

    def one(y: jax.Array, held: Any) -> tuple[jax.Array, None]:
        own, back = held
        return step_inverse(own, back, y), None

    x, _ = jax.lax.scan(one, y, (params, turned), reverse=True)
    return x


def top(params: dict[str, Any], size: Size) -> tuple[jax.Array, jax.Array]:
    """Mean and log-deviation (1, H, W, C) of what is left at the end."""
    spread = lambda value: jnp.broadcast_to(value[None, None, None], (1, *size))
    return spread(params["top"]["bias"]), spread(params["top"]["logs"])


def inverse(sizes: list[Size], variables: Any, code: jax.Array) -> jax.Array:
    """The images whose eps are `code` (B, H W C)."""
    params, fixed = parts(variables)
    mean, logs = top(params, sizes[-1])
    used = math.prod(sizes[-1])
    x = code[:, :used].reshape(-1, *sizes[-1]) * jnp.exp(logs) + mean
    for i in reversed(range(len(sizes))):
        height, width, channels = sizes[i]
        if i < len(sizes) - 1:
            size = (height, width, channels // 2)
            eps = code[:, used : used + math.prod(size)].reshape(-1, *size)
            used += math.prod(size)
            mean, logs = jnp.split(zero_conv(params[f"split_{i}"], x), 2, axis=-1)
            x = jnp.concatenate([x, eps * jnp.exp(logs) + mean], axis=-1)
        name = f"level_{i}"
        x = unsqueeze(steps_inverse(params[name], fixed.get(name, {}), x))
    return x
