"""Where affinity is measured: one point of training, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

# (shared, private) -> (N,) task losses of one batch
Losses = Callable[[Any, Any], jax.Array]


class Point(NamedTuple):
    """The parameters of one step, and the losses of its batch. Nothing is computed yet.

    Attributes:
      losses: (shared, private) -> (N,) task losses of the batch.
      shared: pytree of the parameters all tasks use.
      private: pytree of the heads.
      learning_rate: eta of the lookahead step; a scalar, traced or not.
      halves: the same losses of the first and of the second half of the batch, or None.
      update: gradient of the shared parameters -> the shared parameters after a step of
        a copy of the training's own optimiser, its memory included; or None.
      drift: () -> m v, like the shared parameters: what the momentum of the training
        adds to a gradient in its next heavy-ball step; or None.
      key: for estimators that draw; or None.
    """

    losses: Losses
    shared: Any
    private: Any
    learning_rate: jax.typing.ArrayLike
    halves: tuple[Losses, Losses] | None = None
    update: Callable[[Any], Any] | None = None
    drift: Callable[[], Any] | None = None
    key: jax.Array | None = None


# A way to step: (point, gradient of the shared parameters) -> the shared parameters
Move = Callable[[Point, Any], Any]


def descend(point: Point, gradient: Any) -> Any:
    """theta - eta g: plain gradient descent, the lookahead step of the paper."""

    def step(parameter: jax.Array, gradient: jax.Array) -> jax.Array:
        rate = jnp.asarray(point.learning_rate, parameter.dtype)
        return parameter - rate * gradient

    return jax.tree.map(step, point.shared, gradient)


def gain(before: jax.Array, after: jax.Array) -> jax.Array:
    """(L - L') / L: the fraction of each target's loss that a step removes.

    Args:
      before: (N,) losses L of the targets.
      after: (..., N) losses L' after a step.

    Returns:
      (..., N); not finite where L is 0.
    """
    # (L - L') / L is the same number with one rounding less than 1 - L' / L.
    before = jnp.expand_dims(before, tuple(range(after.ndim - 1)))
    return (before - after) / before
