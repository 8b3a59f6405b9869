"""The gradient of a player: of a scalar, or combined of the gradients of tasks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.methods.base import Output, Params, TaskGradients

# loss(own parameters) -> what the player's loss gives
OwnLoss = Callable[[Params], Output]


def of_scalar(loss: OwnLoss, own: Params) -> tuple[Output, Params]:
    """The loss at `own` and its gradient there."""

    def scalar(own: Params) -> tuple[jax.Array, Output]:
        found = loss(own)
        return found.loss, found

    (_, found), gradient = jax.value_and_grad(scalar, has_aux=True)(own)
    return found, gradient


def of_tasks(
    how: TaskGradients, loss: OwnLoss, own: Params, memory: Any, *, key: jax.Array
) -> tuple[Output, Params, Any]:
    """The losses at `own`, the combination of their gradients, and the new memory.

    One forward pass, and a pass back for each task in a loop (convolutions with a
    batch axis on their kernels are slow on a CPU) and for the heads. For a weighting
    that reads losses alone there is one pass back, as of a scalar.

    Args:
      how: see `TaskGradients`.
      loss: gives (N,) losses; those of tasks that are not active may be anything.
      own: the parameters of the player.
      memory: of the weighting.
      key: for weightings that draw.

    Returns:
      (what the loss gave, its logs with "task_weights" (N,), the gradient, memory).
    """

    def losses(own: Params) -> tuple[jax.Array, Output]:
        found = loss(own)
        return found.loss, found

    values, pullback, found = jax.vjp(losses, own, has_aux=True)
    if values.shape != (how.tasks,):
        raise TypeError(f"losses of {how.tasks} tasks have shape {values.shape}")
    active = jnp.ones(values.shape, bool) if found.active is None else found.active
    on = active.astype(values.dtype)

    def weigh(gram: jax.Array) -> tuple[jax.Array, Any]:
        weights, new = how.weighting.weights(gram, values, active, memory, key=key)
        return jnp.where(active, weights, 0.0).astype(values.dtype), new

    def of_task(one_hot: jax.Array) -> Params:
        (gradient,) = pullback(one_hot)
        return {net: gradient[net] for net in how.shared}

    (gradient,) = pullback(on)
    if how.weighting.reads == "losses":
        weights, new = weigh(jnp.full((how.tasks, how.tasks), jnp.nan, values.dtype))
        gradient = gradient | of_task(weights)
    else:
        rows = jax.lax.map(of_task, jnp.diag(on))
        weights, new = weigh(gram(rows))
        combine = lambda leaf: jnp.tensordot(weights, leaf, 1)
        gradient = gradient | jax.tree.map(combine, rows)
    logs = {**found.logs, "task_weights": weights}
    return found._replace(logs=logs), gradient, new


def gram(rows: Params) -> jax.Array:
    """The inner products (N, N) of N gradients, each leaf (N, ...)."""
    flat = [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(rows)]
    exact = jax.lax.Precision.HIGHEST
    products = [jnp.matmul(g, g.T, precision=exact) for g in flat]
    return sum(products[1:], start=products[0])
