r"""One step of a flow, and its inverse: actnorm, a linear map of channels, a coupling.

Kingma & Dhariwal 2018, Table 1. A step maps x (B, H, W, C) to y of the same shape, and
its log-determinant is that of dy/dx of each image:

    actnorm    y = (x + b) exp(3 s)                         H W sum_c 3 s_c
    turn       y_ij = x_ij W, W (C, C)                      H W log|det W|
    coupling   y_1 = x_1, y_2 = (x_2 + t) sigmoid(l + 2)    sum log sigmoid(l + 2)
               (t, l) = NN(x_1)

The factor 3 of the logarithms is the authors' code's, so that they move three times as
fast. NN is a 3x3 convolution, a 1x1 one and a 3x3 one, the first two with an actnorm
instead of a bias, then ReLU, the last zero at the start and times exp(3 s'), as there;
t and l are halves of its output, where their code interleaves them.

The parameters of a level's K steps are one tree with a leading axis K, so that a loop
over steps is one program however many there are.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.nn.conv3 import conv3

FASTER = 3.0  # what a stored logarithm is multiplied by
KERNEL = 0.05  # standard deviation of the kernels of NN at the start
TURNS = ("plu", "dense")
Params = dict[str, Any]
# see(norm, h) -> norm: what becomes of an actnorm that is about to normalise h
See = Callable[[Params, jax.Array], Params]


def as_it_is(norm: Params, h: jax.Array) -> Params:
    """The actnorm of training: it does not look at what it normalises."""
    del h
    return norm


def from_data(norm: Params, h: jax.Array) -> Params:
    """An actnorm that has not moved yet so that h (..., C) gets mean 0 and variance 1.

    One that has moved stays, so that a trained flow can be shown data again.
    """
    flat = h.reshape(-1, h.shape[-1])
    spread = jnp.sqrt(jnp.square(flat - flat.mean(0)[None]).mean(0))
    found = {"bias": -flat.mean(0), "logs": -jnp.log(spread + 1e-6) / FASTER}
    is_fresh = (norm["bias"] == 0.0).all() & (norm["logs"] == 0.0).all()
    return {name: jnp.where(is_fresh, found[name], norm[name]) for name in found}


def actnorm(norm: Params, x: jax.Array) -> jax.Array:
    """(x + b) exp(3 s) of the last axis, any number of axes before it."""
    flat = x.reshape(-1, x.shape[-1])
    scale = jnp.exp(FASTER * norm["logs"])
    return ((flat + norm["bias"][None]) * scale[None]).reshape(x.shape)


def actnorm_inverse(norm: Params, y: jax.Array) -> jax.Array:
    """The x whose `actnorm` is y."""
    flat = y.reshape(-1, y.shape[-1])
    scale = jnp.exp(-FASTER * norm["logs"])
    return (flat * scale[None] - norm["bias"][None]).reshape(y.shape)


def matrix(turn: Params) -> jax.Array:
    """W (..., C, C), rows are inputs; see `start_turn`."""
    if "w" in turn:
        return turn["w"]
    shape = turn["lower"].shape
    one = jnp.broadcast_to(jnp.eye(shape[-1], dtype=jnp.float32), shape)
    diagonal = (turn["sign"] * jnp.exp(turn["logs"]))[..., None] * one
    below, above = jnp.tril(turn["lower"], -1) + one, jnp.triu(turn["upper"], 1)
    return turn["rows"] @ (below @ (above + diagonal))


def log_determinant(turn: Params) -> jax.Array:
    """(...,) log|det W|."""
    if "w" in turn:
        return jnp.linalg.slogdet(turn["w"])[1]
    return turn["logs"].sum(-1)


def start_turn(key: jax.Array, count: int, size: int, kind: str) -> tuple[Params, Any]:
    """K random rotations: (parameters, what belongs to them and never moves).

    "dense" is W itself; "plu" is W = P L (U + diag(sign exp(logs))), L and U triangular
    with P and sign fixed, whose determinant needs no decomposition (their Eq. 10).
    """
    free = jax.random.normal(key, (count, size, size), jnp.float32)
    w, _ = jnp.linalg.qr(free)
    if kind == "dense":
        return {"w": w}, {}
    rows, lower, upper = jax.vmap(jax.scipy.linalg.lu)(w)
    diagonal = jnp.diagonal(upper, axis1=-2, axis2=-1)
    params = {"lower": jnp.tril(lower, -1), "upper": jnp.triu(upper, 1)}
    params["logs"] = jnp.log(jnp.abs(diagonal))
    return params, {"rows": rows, "sign": jnp.sign(diagonal)}


def start_norm(*shape: int) -> Params:
    """An actnorm that does nothing."""
    return {
        "bias": jnp.zeros(shape, jnp.float32),
        "logs": jnp.zeros(shape, jnp.float32),
    }


def start_zero_conv(*shape: int) -> Params:
    """A 3x3 convolution (..., inputs, outputs) that gives zeros; see `zero_conv`."""
    *many, inputs, outputs = shape
    kernel = jnp.zeros((*many, 3, 3, inputs, outputs), jnp.float32)
    return {"kernel": kernel} | start_norm(*many, outputs)


def zero_conv(layer: Params, x: jax.Array) -> jax.Array:
    """(x * k + b) exp(3 s), (B, H, W, inputs) -> (B, H, W, outputs)."""
    y = conv3(x, layer["kernel"]) + layer["bias"][None, None, None]
    return y * jnp.exp(FASTER * layer["logs"])[None, None, None]


def start_steps(
    key: jax.Array, count: int, channels: int, width: int, kind: str
) -> tuple[Params, Params]:
    """K steps at the start: (parameters, what never moves), leading axis K.

    Args:
      key: for the rotations and kernels.
      count: K.
      channels: C, even.
      width: of the maps within NN.
      kind: a name in TURNS.
    """
    own, first, second = jax.random.split(key, 3)
    half = channels // 2
    turn, fixed = start_turn(own, count, channels, kind)
    params = {
        "actnorm": start_norm(count, channels),
        "turn": turn,
        "first": KERNEL * jax.random.normal(first, (count, 3, 3, half, width)),
        "first_norm": start_norm(count, width),
        "second": KERNEL * jax.random.normal(second, (count, width, width)),
        "second_norm": start_norm(count, width),
        "last": start_zero_conv(count, width, channels),
    }
    return params, fixed


def affine(
    params: Params, x: jax.Array, see: See = as_it_is
) -> tuple[Params, jax.Array, jax.Array]:
    """(parameters, t, l), both (B, H, W, C/2), of the kept half x."""
    h = conv3(x, params["first"])
    params = params | {"first_norm": see(params["first_norm"], h)}
    h = jax.nn.relu(actnorm(params["first_norm"], h))
    h = (h.reshape(-1, h.shape[-1]) @ params["second"]).reshape(h.shape)
    params = params | {"second_norm": see(params["second_norm"], h)}
    h = jax.nn.relu(actnorm(params["second_norm"], h))
    shift, scale = jnp.split(zero_conv(params["last"], h), 2, axis=-1)
    return params, shift, scale + 2.0


def step(
    params: Params, fixed: Params, x: jax.Array, see: See = as_it_is
) -> tuple[Params, jax.Array, jax.Array]:
    """One step.

    Args:
      params, fixed: of one step, without the axis K.
      x: (B, H, W, C).
      see: what becomes of each actnorm before it is used.

    Returns:
      (parameters, y (B, H, W, C), log-determinant (B,)).
    """
    pixels = float(x.shape[1] * x.shape[2])
    turn = params["turn"] | fixed
    params = params | {"actnorm": see(params["actnorm"], x)}
    x = actnorm(params["actnorm"], x)
    x = (x.reshape(-1, x.shape[-1]) @ matrix(turn)).reshape(x.shape)
    same = FASTER * params["actnorm"]["logs"].sum() + log_determinant(turn)
    kept, moved = jnp.split(x, 2, axis=-1)
    params, shift, scale = affine(params, kept, see)
    moved = (moved + shift) * jax.nn.sigmoid(scale)
    each = jax.nn.log_sigmoid(scale).sum((1, 2, 3))
    return params, jnp.concatenate([kept, moved], axis=-1), each + pixels * same


def step_inverse(params: Params, inverse: jax.Array, y: jax.Array) -> jax.Array:
    """The x whose `step` is y; `inverse` (C, C) is that of its matrix."""
    kept, moved = jnp.split(y, 2, axis=-1)
    _, shift, scale = affine(params, kept)
    moved = moved / jax.nn.sigmoid(scale) - shift
    x = jnp.concatenate([kept, moved], axis=-1)
    x = (x.reshape(-1, x.shape[-1]) @ inverse).reshape(x.shape)
    return actnorm_inverse(params["actnorm"], x)
