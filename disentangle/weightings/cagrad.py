"""CAGrad: the worst task's gain, near the mean gradient (Liu et al. 2021).

"Conflict-averse gradient descent for multi-task learning", NeurIPS 2021:

d = argmax min_i g_i . d over |d - g_0| <= c |g_0|, g_0 the mean of the g_i.

The paper's dual gives the coefficients 1/N + c |g_0| w / |g_w|, w on the simplex with
the least g_w . g_0 + c |g_0| |g_w|, g_w = sum_i w_i g_i. It is solved here as it
stands: the d closest to g_0 with g_i . d >= t for all i has the coefficients 1/N + v,

v(t) = argmin v' G v / 2 - sum_i (t - g_i . g_0) v_i over v >= 0,

and t is the largest at which |sum_i v_i g_i| <= c |g_0|; there v = c |g_0| w / |g_w|.
t is a root of pieces of quadratics, found exactly. d is not divided by 1 + c^2, as in
TorchJD; the authors' code does that by default. Where 0 is a combination of the
gradients, |g_w| = 0, and t = 0 can be reached, we take v(0); TorchJD gives weights 0.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Tasks, Weighting, read
from disentangle.weightings.dualproj import Scaled, scaled
from disentangle.weightings.mgda import shortest
from disentangle.weightings.precise import corrected, residual
from disentangle.weightings.quadratic import bounded

C = 0.5  # c, the paper's for most experiments
STEPS = 40  # at most
DEPENDENT = 8  # roundings up to which a squared length is 0


class _Point(NamedTuple):
    t: jax.Array
    low: jax.Array  # t is in [low, high]
    high: jax.Array
    v: jax.Array
    free: jax.Array
    inside: jax.Array  # t is the root of the piece of `free`
    step: jax.Array
    done: jax.Array


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """1/N + v(t) at the largest t, over the N active tasks."""
    del key
    tasks = read(gram, losses, active)
    units = scaled(tasks)
    return units.unit * (units.mean + worst_gain(tasks, units)), memory


def worst_gain(tasks: Tasks, units: Scaled) -> jax.Array:
    """v (N,) in the units of `units`."""
    matrix, mean, unit = units
    on = tasks.moving
    each = jnp.where(on, unit / jnp.max(jnp.where(on, unit, 1.0)), 0.0)  # t's share
    length = lambda v: -(v * residual(jnp.zeros_like(v), matrix, v)).sum()
    square = C**2 * jnp.maximum(length(mean), 0.0)
    own = jnp.where(on, -residual(jnp.zeros_like(mean), matrix, mean), 0.0)
    over = jnp.where(on, each, 1.0)
    low = jnp.min(jnp.where(on, own / over, jnp.inf))
    reach = own + jnp.sqrt(square * jnp.diagonal(matrix))
    high = jnp.min(jnp.where(on, reach / over, jnp.inf))
    still = length(shortest(matrix, on)) <= DEPENDENT * jnp.finfo(matrix.dtype).eps
    still |= (tasks.active & ~on).any()
    high = jnp.where(still, jnp.minimum(high, 0.0), high)

    def move(point: _Point) -> _Point:
        t, step = point.t, point.step
        z, free = bounded(matrix, t * each, mean, on)
        v = z - mean
        room = square - length(v)
        low = jnp.where(room >= 0, t, point.low)
        high = jnp.where(room < 0, t, point.high)
        slope = (v * each).sum()
        rate = (corrected(each, matrix, jnp.zeros_like(each), free) * each).sum()
        root = slope + jnp.sqrt(jnp.maximum(slope**2 + rate * room, 0.0))
        goal = t + room / jnp.where(root > 0, root, 1.0)
        inside = (root > 0) & (goal >= low) & (goal <= high)
        goal = jnp.where(inside, goal, 0.5 * (low + high))
        # At high it fits only where t cannot be larger; at a root of the same piece.
        done = (step == 0) & (room >= 0)
        done |= point.inside & (free == point.free).all() | (goal == t)
        return _Point(goal, low, high, v, free, inside, step + 1, done)

    none, false = jnp.zeros_like(on), jnp.bool_(False)
    zero = jnp.zeros_like(each)
    start = _Point(high, low, high, zero, none, false, jnp.int32(0), square == 0)
    goes_on = lambda point: ~point.done & (point.step < STEPS)
    v = jax.lax.while_loop(goes_on, move, start).v
    found = length(v)
    longer = jnp.sqrt(square / jnp.where(found > 0, found, 1.0))
    exact = jnp.where(still & (found <= square), v, v * longer)
    return jnp.where((square > 0) & (found > 0), exact, 0.0)


WEIGHTING = Weighting(weights)
