"""Quadratic programs with lower bounds: the core of MGDA, CAGrad, UPGrad, DualProj.

minimise w' M w / 2 - b' w subject to w >= low,

M (N, N) positive semidefinite. A primal active-set method (as Lawson & Hanson 1974 for
non-negative least squares): w is the minimum over the entries that are free of their
bound; the one whose bound is most in the way is freed, and one that would fall below
its bound stops there. It ends at the exact minimum, after about as many steps as
entries change. Equations are solved by `precise`, M is best scaled by `precise.scales`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from disentangle.weightings.precise import corrected, residual

TOLERANCE = 4  # roundings by which a slope may have the wrong sign


class _Point(NamedTuple):
    w: jax.Array
    free: jax.Array  # (N,) bool
    barred: jax.Array  # (N,) bool, would fall below their bound at once
    step: jax.Array
    done: jax.Array


def bounded(
    matrix: jax.Array, b: jax.Array, low: jax.Array, on: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The minimum over the tasks `on`, and which of them are free of their bound.

    Args:
      matrix: (N, N), positive semidefinite, its diagonal positive where `on`.
      b, low: (N,).
      on: (N,) bool; elsewhere w = low, and 0 is expected in `matrix`.

    Returns:
      (w (N,), free (N,) bool). Where the minimum is at infinity w has gone far along
      the direction in which it is; where it is not unique, w is one of the minima.
    """
    n = matrix.shape[0]
    slack = TOLERANCE * jnp.finfo(matrix.dtype).eps

    def pull(w: jax.Array) -> jax.Array:
        """How fast the objective falls with w; 0 where that is rounding alone."""
        slope = residual(b, matrix, w)
        size = jnp.abs(b) + jnp.abs(matrix) @ jnp.abs(w)
        return jnp.where(on & (slope > slack * size), slope, 0.0)

    def move(point: _Point) -> _Point:
        w, free, barred, step, _ = point
        best = jnp.where(free, corrected(b, matrix, w, free), low)
        lost = ~jnp.isfinite(best).all()
        below = free & (best < low)
        way = jnp.where(below, (w - low) / jnp.where(below, w - best, 1.0), jnp.inf)
        first, stop = jnp.min(way), jnp.argmin(way)
        stopped = jnp.where(free, jnp.maximum(w + first * (best - w), low), low)
        stopped = stopped.at[stop].set(low[stop])
        at_stop = _Point(
            stopped,
            free.at[stop].set(False),
            jnp.where(first > 0, False, barred.at[stop].set(True)),
            step + 1,
            jnp.bool_(False),
        )
        barred = barred & jnp.isclose(best, w, rtol=1e-4, atol=0.0).all()
        wish = jnp.where(free | barred, 0.0, pull(best))
        more = jnp.any(wish > 0)
        freed = free.at[jnp.argmax(wish)].set(True)
        at_best = _Point(
            jnp.where(lost, w, best),
            jnp.where(more & ~lost, freed, free),
            barred,
            step + 1,
            ~more | lost,
        )
        goes = below.any() & ~lost
        return jax.tree.map(lambda a, b: jnp.where(goes, a, b), at_stop, at_best)

    none = jnp.zeros(n, bool)
    start = _Point(low, pull(low) > 0, none, jnp.int32(0), jnp.bool_(False))
    goes_on = lambda point: ~point.done & (point.step < 6 * n + 20)
    found = jax.lax.while_loop(goes_on, move, start)
    return found.w, found.free
