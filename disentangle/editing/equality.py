r"""Whether two values of a factor are the same: up to a tolerance, and to symmetry.

An ordinal value may be a step aside, an angle too, and a square that is turned by a
quarter is the same picture. With m the order of the symmetry of what is turned, n the
steps in a turn and t the tolerance,

$$
u \equiv v \iff \min(r, n - r) \le m t, \qquad r = m (u - v) \bmod n
$$

of a circular factor, and |u - v| <= t of any other.
"""

import numpy as np

from disentangle.data.factor import Factor
from disentangle.data.space import FactorSpace

# Steps that values may be apart, of factors whose neighbours people cannot tell.
STEPS = {"orientation": 1, "x_position": 1, "y_position": 1}


def tolerance(factor: Factor) -> int:
    """Steps up to which two values of a factor count as the same."""
    return max(factor.tolerance, STEPS.get(factor.name, 0))


def equal(space: FactorSpace, found: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Which values are the same as those of `target`.

    Args:
      space: the factors.
      found: (..., F) int values.
      target: (..., F) int values; the symmetry is that of what `target` shows.

    Returns:
      (..., F) bool.
    """
    found, target = np.asarray(found, np.int64), np.asarray(target, np.int64)
    columns = []
    for i, factor in enumerate(space.items):
        gap, most = found[..., i] - target[..., i], tolerance(factor)
        if factor.steps_per_turn is None:
            columns.append(np.abs(gap) <= most)
            continue
        order = np.ones_like(gap)
        if factor.symmetry is not None:
            by = target[..., space.position(factor.symmetry.by)]
            order = np.broadcast_to(np.asarray(factor.symmetry.orders)[by], gap.shape)
        turned = order * gap % factor.steps_per_turn
        least = np.minimum(turned, factor.steps_per_turn - turned)
        columns.append(least <= order * most)
    return np.asarray(np.stack(columns, axis=-1))


def chance(space: FactorSpace) -> np.ndarray:
    """(F,) the chance that two random images of a grid have the same value."""
    found = []
    for i, factor in enumerate(space.items):
        values = np.arange(factor.size)
        others = [0]
        if factor.symmetry is not None:
            by = space.position(factor.symmetry.by)
            others = list(range(space[factor.symmetry.by].size))
        shares = []
        for other in others:
            left, right = np.meshgrid(values, values, indexing="ij")
            rows = np.zeros((2, left.size, len(space.items)), np.int64)
            rows[0, :, i], rows[1, :, i] = left.ravel(), right.ravel()
            if factor.symmetry is not None:
                rows[:, :, by] = other
            shares.append(equal(space, rows[0], rows[1])[:, i].mean())
        found.append(np.mean(shares))
    return np.array(found)
