"""PCGrad: gradients that conflict are projected (Yu et al. 2020, Alg. 1).

"Gradient surgery for multi-task learning", NeurIPS 2020. Each g_i loses, for every
other task j in random order, its part along g_j where the two point apart:

g_i <- g_i - min(g_i . g_j, 0) / |g_j|^2 g_j,

g_j the gradient as it came. The sum over i is the step. Every g_i stays a combination
of the gradients, so its coefficients and the Gram matrix are enough.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.methods.base import Weighting


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
    del losses
    n = gram.shape[0]
    squares = jnp.diagonal(gram)
    can = active & (squares > 0)

    def projected(i: jax.Array, key: jax.Array) -> jax.Array:
        def against(own: jax.Array, j: jax.Array) -> tuple[jax.Array, None]:
            conflict = jnp.minimum(own @ gram[:, j], 0.0)
            part = conflict / jnp.where(can[j], squares[j], 1.0)
            return own.at[j].add(jnp.where(can[j] & (j != i), -part, 0.0)), None

        own = jax.nn.one_hot(i, n, dtype=gram.dtype)
        return jax.lax.scan(against, own, jax.random.permutation(key, n))[0]

    rows = jax.vmap(projected)(jnp.arange(n), jax.random.split(key, n))
    return jnp.where(active[:, None], rows, 0.0).sum(0), memory


WEIGHTING = Weighting(weights)
