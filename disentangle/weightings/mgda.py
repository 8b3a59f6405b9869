"""MGDA: the shortest gradient between those of the tasks (Désidéri 2012).

"Multiple-gradient descent algorithm", and Sener & Koltun 2018 for networks: w is on
the simplex and makes |sum_i w_i g_i| least. Going along that gradient lowers every
loss; it is 0 where no direction does. As the w sum to 1, a step is N times shorter
than one of the plain sum where the gradients agree.

Sener & Koltun solve it by Frank-Wolfe steps. Here w = y / sum_i y_i, y the minimum of
y' G y / 2 - sum_i y_i over y >= 0 (`quadratic`), which is exact.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting, read
from disentangle.weightings.precise import scales
from disentangle.weightings.quadratic import bounded


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """argmin w' G w over w >= 0 with sum 1 over the active tasks; 0 without any.

    A gradient of 0 is the shortest there is: it has all the weight.
    """
    del key
    tasks = read(gram, losses, active)
    found = shortest(tasks.gram, tasks.moving)
    still = tasks.active & ~tasks.moving
    alone = still.astype(found.dtype) / jnp.maximum(still.sum(), 1).astype(found.dtype)
    return jnp.where(still.any(), alone, found), memory


def shortest(gram: jax.Array, on: jax.Array) -> jax.Array:
    """(N,) on the simplex of the tasks `on`, whose gradients are not 0."""
    scale = scales(gram)
    b = jnp.where(on, scale / jnp.max(jnp.where(on, scale, 0.0), initial=1e-30), 0.0)
    y, _ = bounded(scale[:, None] * gram * scale[None, :], b, jnp.zeros_like(b), on)
    y = b * y
    total = y.sum()
    return y / jnp.where(total > 0, total, 1.0)


WEIGHTING = Weighting(weights)
