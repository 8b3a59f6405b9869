"""IMTL-G: equal projections on the gradients of all tasks (Liu et al. 2021).

"Towards impartial multi-task learning", ICLR 2021: sum_i w_i = 1, and d = sum_i w_i g_i
has the same d . g_i / |g_i| for every i, so

G w = c (|g_1| .. |g_N|).

Weights may be negative. TorchJD solves the same equation by a pseudo-inverse, which is
the solution found here where there are several.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting, read
from disentangle.weightings.precise import corrected, residual, scales

TIMES = 12  # corrections
CANCELLED = 8  # roundings up to which a sum is 0


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """The solution with sum 1 over the active tasks; a gradient of 0 has weight 0.

    Where the solution has sum 0 all weights are 0.
    """
    del key
    tasks = read(gram, losses, active)
    on, scale = tasks.moving, scales(tasks.gram)
    matrix = scale[:, None] * tasks.gram * scale[None, :]
    squares = jnp.where(on, jnp.diagonal(matrix), 1.0)
    lengths = jnp.sqrt(squares)
    rest = residual(squares, jnp.diag(lengths), lengths) / (2.0 * lengths)
    zero = jnp.zeros_like(lengths)
    z = corrected(lengths, matrix, zero, on, rest, times=TIMES)
    w = jnp.where(on, scale / jnp.max(jnp.where(on, scale, 1e-30)) * z, 0.0)
    total, least = w.sum(), CANCELLED * jnp.finfo(w.dtype).eps * jnp.abs(w).sum()
    some = jnp.abs(total) > least
    return jnp.where(some, w / jnp.where(some, total, 1.0), 0.0), memory


WEIGHTING = Weighting(weights)
