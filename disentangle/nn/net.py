"""A network as two pure functions; the only thing the rest of the project sees."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen

Params = Any


class Net(NamedTuple):
    """A network: parameters from a key, outputs from parameters and inputs.

    Attributes:
      init: `init(key) -> params`, a nested dict of float32 arrays. `key` is a
        typed key (`jax.random.key`). Vmap it over keys for a population.
      apply: `apply(params, x) -> y`, pure and differentiable in both arguments;
        `x` has one leading batch axis.
    """

    init: Callable[[jax.Array], Params]
    apply: Callable[[Params, jax.Array], Any]


def from_module(module: linen.Module, shape: tuple[int, ...]) -> Net:
    """The Net of a Linen module whose only variables are parameters.

    Args:
      module: takes one float32 array (B, *shape).
      shape: one input without its batch axis.
    """

    def init(key: jax.Array) -> Params:
        x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        return module.lazy_init(key, x)["params"]  # never runs the network

    def apply(params: Params, x: jax.Array) -> Any:
        return module.apply({"params": params}, x)

    return Net(init, apply)
