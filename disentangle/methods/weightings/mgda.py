"""MGDA: the shortest gradient between those of the tasks (Désidéri 2012).

"Multiple-gradient descent algorithm", and Sener & Koltun 2018 for networks: w is on
the simplex and makes |sum_i w_i g_i| least. Going along that gradient lowers every
loss; it is 0 where no direction does. As the w sum to 1, a step is N times shorter
than one of the plain sum where the gradients agree.

Sener & Koltun solve it by Frank-Wolfe steps. Here a step moves weight from the task
with the largest to the one with the smallest derivative (pairwise Frank-Wolfe:
Lacoste-Julien & Jaggi 2015), which is exact for two tasks after one step, and
converges linearly for more.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.methods.base import Weighting

STEPS = 500  # at most
GAP = 1e-6  # of the largest |g_i|^2; the square of the length found is that close


class _Point(NamedTuple):
    step: jax.Array
    weights: jax.Array
    gap: jax.Array


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """argmin w' G w over w >= 0 with sum 1 over the active tasks; 0 without any.

    Where it is not unique, the one found from equal weights.
    """
    del losses, key
    largest = jnp.max(jnp.where(active, jnp.diagonal(gram), 0.0))
    scaled = gram / jnp.where(largest > 0, largest, 1.0)
    count = jnp.maximum(active.sum(), 1).astype(gram.dtype)
    start = jnp.where(active, 1.0 / count, 0.0)

    def move(point: _Point) -> _Point:
        w = point.weights
        slope = scaled @ w
        to = jnp.argmin(jnp.where(active, slope, jnp.inf))
        off = jnp.argmax(jnp.where(active & (w > 0), slope, -jnp.inf))
        gap = slope[off] - slope[to]
        curve = scaled[to, to] + scaled[off, off] - 2.0 * scaled[to, off]
        length = jnp.where(curve > 0, gap / jnp.where(curve > 0, curve, 1.0), jnp.inf)
        length = jnp.clip(length, 0.0, w[off])
        moved = w.at[to].add(length).at[off].add(-length)
        return _Point(point.step + 1, jnp.where(gap > 0, moved, w), gap)

    first = _Point(jnp.int32(0), start, jnp.full((), jnp.inf, gram.dtype))
    goes_on = lambda point: (point.step < STEPS) & (point.gap > GAP)
    return jax.lax.while_loop(goes_on, move, first).weights, memory


WEIGHTING = Weighting(weights)
