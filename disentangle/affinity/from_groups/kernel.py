"""Groups are alike that share members: a Gaussian process over the groups of a task.

Ours. Measured losses of one seed are noisy, and the best of many noisy numbers is
mostly noise; a smooth function of them chooses better groups than they do themselves
(`disentangle contest`). Kriging of sets as in Li et al. 2023 (TMLR), who smooth by a
linear function.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from disentangle.affinity.from_groups.trained import seen

ALIKE = (0.5, 0.7, 0.85, 0.95)  # k of two groups that differ in one task
NOISE = (0.03, 0.1, 0.3, 1.0)  # variance of the noise over that of the function


def predict(
    groups: np.ndarray, losses: np.ndarray, trained: Sequence[int] | np.ndarray
) -> np.ndarray:
    r"""L_t(S) = m + k(S, R) (K + s I)^-1 (L_t(R) - m), R the trained groups with t.

    $$
    k(S, R) = \rho^{|S \triangle R|}, \qquad
    m = \frac{1^\top (K + s I)^{-1} L}{1^\top (K + s I)^{-1} 1}
    $$

    rho and s are chosen per task by leaving one trained group out (of two or fewer the
    first of ALIKE and NOISE are taken). Trained groups are predicted too, not given
    back.

    Args:
      groups, losses, trained: see `trained.seen`; each task alone, the pairs and all
        together are a good choice.

    Returns:
      (G, N) predicted losses; NaN outside of a group and for tasks that no trained
      group has.

    Raises:
      UserError: as `trained.seen`.
    """
    groups, losses, rows = seen(groups, losses, trained)
    found = np.full(groups.shape, np.nan)
    for task in range(groups.shape[1]):
        own, inside = rows[groups[rows, task]], np.flatnonzero(groups[:, task])
        if own.size:
            apart = (groups[inside, None] != groups[None, own]).sum(axis=2)
            known = (groups[own, None] != groups[None, own]).sum(axis=2)
            found[inside, task] = _smooth(known, apart, losses[own, task])
    return found


def _smooth(known: np.ndarray, apart: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The process through (K,) losses, at (M,) groups.

    Args:
      known: (K, K) in how many tasks trained groups differ.
      apart: (M, K) in how many the groups differ from them.
      y: (K,).
    """
    best, least = y[:0], np.inf
    for alike, noise in itertools.product(ALIKE, NOISE):
        inverse = np.linalg.inv(alike**known + noise * np.eye(len(y)))
        mean = inverse.sum(axis=0) @ y / inverse.sum()
        weights = inverse @ (y - mean)
        error = ((weights / np.diag(inverse)) ** 2).mean() if len(y) > 2 else 0.0
        if error < least:
            best, least = mean + alike**apart @ weights, error
    return best
