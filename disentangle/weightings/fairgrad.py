"""FairGrad: an alpha-fair share of the gain for every task (Ban & Ji 2024).

"Fair resource allocation in multi-task learning", ICML 2024: the direction d of a given
length with the largest sum_i (g_i . d)^(1 - alpha) / (1 - alpha) is sum_i w_i g_i with

G w = w^(-1/alpha).

alpha = 1, as in the authors' code, is the equation of Nash-MTL. The authors, LibMTL and
TorchJD minimise the squared residual; here w is the minimum of the strictly convex

w' G w / 2 - sum_i U(w_i), U'(x) = x^-p, p = 1/alpha,

by Newton's method. A step is shortened to 1 / (1 + (p + 1) m), m the largest share of a
w_i that it takes away: along it U'' grows by less than (1 - m)^-(p + 1), so that every
step goes down and the last ones are full.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Tasks, Weighting, read
from disentangle.weightings.precise import EXACT, back, factor, residual

ALPHA = 1.0
STEPS = 100  # at most


class _Point(NamedTuple):
    w: jax.Array
    step: jax.Array
    change: jax.Array  # the largest |dw_i / w_i| of the last step


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """The solution of G w = w^(-1/alpha) over the active tasks; see `fair`."""
    del key
    return fair(read(gram, losses, active), ALPHA), memory


def fair(tasks: Tasks, alpha: float) -> jax.Array:
    """w (N,) > 0 with G w = w^(-1/alpha) over the active tasks.

    A gradient of 0 has weight 0. Where a combination of the gradients with positive
    weights is 0 there is no solution: w has gone far towards that combination.

    Args:
      tasks: from `read`.
      alpha: above 0; larger is fairer to the tasks that gain little.
    """
    p, on = 1.0 / alpha, tasks.moving
    gram = tasks.gram + jnp.diag(jnp.where(on, 0.0, 1.0))
    everyone = jnp.ones(on.shape, bool)
    tolerance = 8 * jnp.finfo(gram.dtype).eps

    def move(point: _Point) -> _Point:
        w = point.w
        slope = residual(w**-p, gram, w)
        lower = factor(gram + jnp.diag(p * w ** (-p - 1.0)), everyone)
        change = back(lower, slope) / w
        change = jnp.where(jnp.isfinite(change), change, 0.0)
        length = 1.0 / (1.0 + (p + 1.0) * jnp.maximum(jnp.max(-change), 0.0))
        return _Point(
            w * (1.0 + length * change), point.step + 1, jnp.abs(change).max()
        )

    # Exact for orthogonal gradients, then for the best multiple of that.
    w = jnp.diagonal(gram) ** (-1.0 / (1.0 + p))
    across = jnp.matmul(gram, w, precision=EXACT) @ w
    times = (w ** (1.0 - p)).sum() / jnp.where(across > 0, across, 1.0)
    w = w * jnp.clip(times ** (1.0 / (1.0 + p)), 0.01, 10.0)
    start = _Point(w, jnp.int32(0), jnp.full((), jnp.inf, gram.dtype))
    goes_on = lambda point: (point.step < STEPS) & (point.change > tolerance)
    w = jax.lax.while_loop(goes_on, move, start).w
    return jnp.where(on, w, 0.0)


WEIGHTING = Weighting(weights)
