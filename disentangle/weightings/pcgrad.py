"""PCGrad: gradients that conflict are projected (Yu et al. 2020, Alg. 1).

"Gradient surgery for multi-task learning", NeurIPS 2020. Each g_i loses, for every
other task j in random order, its part along g_j where the two point apart:

g_i <- g_i - min(g_i . g_j, 0) / |g_j|^2 g_j,

g_j the gradient as it came. The sum over i is the step (so also in TorchJD). Every g_i
stays a combination of the gradients, so its coefficients and the Gram matrix suffice.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Tasks, Weighting, read
from disentangle.weightings.precise import EXACT


def weights(
    gram: jax.Array,
    losses: jax.Array,
    active: jax.Array,
    memory: Any,
    *,
    key: jax.Array,
) -> tuple[jax.Array, Any]:
    """The sums over tasks of the coefficients of their projected gradients.

    A gradient of 0 conflicts with none, and is not divided by.
    """
    tasks = read(gram, losses, active)
    n, gram, can = len(tasks.gram), tasks.gram, tasks.moving
    squares = jnp.diagonal(gram)

    def projected(i: jax.Array, order: jax.Array) -> jax.Array:
        def against(own: jax.Array, j: jax.Array) -> tuple[jax.Array, None]:
            dot = jnp.matmul(own, gram[:, j], precision=EXACT)
            part = jnp.minimum(dot, 0.0) / jnp.where(can[j], squares[j], 1.0)
            return own.at[j].add(jnp.where(can[j] & (j != i), -part, 0.0)), None

        own = jax.nn.one_hot(i, n, dtype=gram.dtype)
        return jax.lax.scan(against, own, order)[0]

    rows = jax.vmap(projected)(jnp.arange(n), orders(tasks, key))
    return jnp.where(tasks.active[:, None], rows, 0.0).sum(0), memory


def orders(tasks: Tasks, key: jax.Array) -> jax.Array:
    """(N, N) for every task the order of all, the same whoever else is not active."""

    def draw(i: jax.Array, j: jax.Array) -> jax.Array:
        return jax.random.uniform(jax.random.fold_in(jax.random.fold_in(key, i), j))

    places = jax.vmap(jax.vmap(draw, (None, 0)), (0, None))(tasks.rank, tasks.rank)
    return jnp.argsort(jnp.where(tasks.active[None, :], places, jnp.inf), axis=1)


WEIGHTING = Weighting(weights)
