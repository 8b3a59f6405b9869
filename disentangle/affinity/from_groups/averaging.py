"""Higher-order task affinity: the mean over trained groups that hold both tasks.

D. Li, H. L. Nguyen, H. R. Zhang: "Boosting Multitask Learning on Graphs through
Higher-Order Task Affinities", KDD 2023.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from disentangle.affinity.from_groups.trained import loss_of, seen


def predict(
    groups: np.ndarray, losses: np.ndarray, trained: Sequence[int] | np.ndarray
) -> np.ndarray:
    r"""L_t(S) is the mean over i in S of theta_it.

    $$
    \hat L_t(S) = \frac{1}{|S| - 1} \sum_{i \in S \setminus t} \theta_{it}, \qquad
    \theta_{it} = \operatorname{mean} \{ L_t(R) : R \text{ trained}, \; i, t \in R \}
    $$

    The paper draws R at random, all of one size, and clusters theta.

    Args:
      groups, losses, trained: see `trained.seen`.

    Returns:
      (G, N) predicted losses; NaN outside of a group, where no trained group holds a
      pair, and for a task alone that was not trained alone.

    Raises:
      UserError: as `trained.seen`.
    """
    groups, losses, rows = seen(groups, losses, trained)
    n = groups.shape[1]
    theta = np.full((n, n), np.nan)
    for one, task in itertools.permutations(range(n), 2):
        both = rows[groups[rows, one] & groups[rows, task]]
        if both.size:
            theta[one, task] = losses[both, task].mean()
    found = np.full(groups.shape, np.nan)
    for row, inside in enumerate(groups):
        members = np.flatnonzero(inside)
        for task in map(int, members):
            others = members[members != task]
            if others.size:
                found[row, task] = theta[others, task].mean()
            else:
                found[row, task] = loss_of(groups, losses, rows, task)
    return found
