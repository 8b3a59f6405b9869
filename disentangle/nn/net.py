"""A network as two pure functions; the only thing the rest of the project sees."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.errors import UserError

Params = Any


class Net(NamedTuple):
    """A network: parameters from a key, outputs from parameters and inputs.

    Attributes:
      init: `init(key) -> params`, a nested dict of float32 arrays. `key` is a
        typed key (`jax.random.key`). Vmap it over keys for a population.
      apply: `apply(params, x) -> y`, pure and differentiable in both arguments;
        `x` has one leading batch axis.
      layers: `layers(params, x) -> (h_1, ..., y)`, the hidden layers and then the
        output, of a network that has second derivatives everywhere; None for one
        that is piecewise linear, or that does not say.
    """

    init: Callable[[jax.Array], Params]
    apply: Callable[[Params, jax.Array], Any]
    layers: Callable[[Params, jax.Array], tuple[jax.Array, ...]] | None = None


def halved(who: str, shape: tuple[int, int, int], least: int = 16) -> None:
    """Raises UserError for an image that cannot be halved four times.

    Args:
      who: the network, as "encoder 'locatello'".
      shape: (H, W, C) of one image.
      least: the smallest height and width that it takes.
    """
    height, width, channels = shape
    if channels < 1 or any(n < least or n % 16 for n in (height, width)):
        raise UserError(
            f"{who} takes images whose height and width are multiples of 16, at least "
            f"{least}, not {height}x{width}x{channels}: take the network "
            "'padded', or 'chen', which take any size"
        )


def from_module(
    module: linen.Module, shape: tuple[int, ...], *, smooth: bool = False
) -> Net:
    """The Net of a Linen module built of the layers in `layers.py`.

    Args:
      module: takes one float32 array (B, *shape); its only variables are kernels,
        and what starts at zero.
      shape: one input without its batch axis.
      smooth: whether it has second derivatives everywhere; its method `layers` then
        gives the Net's.
    """

    def init(key: jax.Array) -> Params:
        x = jnp.zeros((1, *shape), jnp.float32)
        return glorot_uniform(key, jax.eval_shape(module.init, key, x)["params"])

    def apply(params: Params, x: jax.Array) -> Any:
        return module.apply({"params": params}, x)

    def layers(params: Params, x: jax.Array) -> Any:
        return module.apply({"params": params}, x, method="layers")

    return Net(init, apply, layers if smooth else None)


def output_width(net: Net, shape: tuple[int, ...]) -> int:
    """Size of the last axis of a network's output for inputs of `shape` each.

    Nothing is computed: the shapes are traced.
    """
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    run = lambda seed, x: net.apply(net.init(jax.random.key(seed)), x)
    return jax.eval_shape(run, 0, x).shape[-1]


def glorot_uniform(key: jax.Array, shapes: Params) -> Params:
    """Start values of TensorFlow 1's layers, which Locatello et al. 2019 used.

    A kernel (..., n_in, n_out) is uniform within sqrt(6 / (fan_in + fan_out)), each
    fan counting the kernel's window (Glorot and Bengio 2010, eq. 16); a bias is zero.
    All kernels come from one draw; a separate draw for each takes XLA ten times as
    long to compile.

    Args:
      key: a typed key.
      shapes: pytree with shapes at its leaves: kernels under the name "kernel", all
        others (biases, offsets of a scale from 1) start at zero.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    total = sum(leaf.size for path, leaf in leaves if path[-1].key == "kernel")
    uniform = jax.random.uniform(key, (total,), jnp.float32, -1.0, 1.0)
    values, used = [], 0
    for path, leaf in leaves:
        if path[-1].key == "kernel":
            *window, fan_in, fan_out = leaf.shape
            limit = math.sqrt(6 / (math.prod(window) * (fan_in + fan_out)))
            draw = uniform[used : used + leaf.size]
            values.append(limit * draw.reshape(leaf.shape))
            used += leaf.size
        else:
            values.append(jnp.zeros(leaf.shape, jnp.float32))
    return jax.tree.unflatten(tree, values)
