"""Higher-order approximation: groups from their trained pairs.

T. Standley et al.: "Which Tasks Should Be Learned Together in Multi-task Learning?",
ICML 2020, section 6.2.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from disentangle.affinity.from_groups.trained import loss_of, seen


def mean_of_pairs(
    groups: np.ndarray, losses: np.ndarray, trained: Sequence[int] | np.ndarray
) -> np.ndarray:
    r"""L_t(S) is the mean of L_t over the pairs {t, i}, i in S.

    $$
    \hat L_t(S) = \frac{1}{|S| - 1} \sum_{i \in S \setminus t} L_t(\{t, i\})
    $$

    The paper's. It cannot say that a group of four hurts more than its pairs do.

    Args:
      groups, losses, trained: see `trained.seen`; the pairs are to be among `trained`,
        and for groups of one task these.

    Returns:
      (G, N) predicted losses; NaN outside of a group and where a pair is missing.

    Raises:
      UserError: as `trained.seen`.
    """
    return _from_pairs(groups, losses, trained, summed=False)


def sum_of_pairs(
    groups: np.ndarray, losses: np.ndarray, trained: Sequence[int] | np.ndarray
) -> np.ndarray:
    r"""L_t(S) is L_t alone plus what each pair {t, i} changes, i in S.

    $$
    \hat L_t(S) = L_t(\{t\}) + \sum_{i \in S \setminus t}
    \bigl( L_t(\{t, i\}) - L_t(\{t\}) \bigr)
    $$

    Not in the paper: the effects of the members add up, so that size counts.

    Args:
      groups, losses, trained: see `trained.seen`; the pairs and each task alone are to
        be among `trained`.

    Returns:
      (G, N) predicted losses; NaN outside of a group and where one of them is missing.

    Raises:
      UserError: as `trained.seen`.
    """
    return _from_pairs(groups, losses, trained, summed=True)


def _from_pairs(
    groups: np.ndarray,
    losses: np.ndarray,
    trained: Sequence[int] | np.ndarray,
    *,
    summed: bool,
) -> np.ndarray:
    groups, losses, rows = seen(groups, losses, trained)
    n = groups.shape[1]
    alone = np.array([loss_of(groups, losses, rows, t) for t in range(n)])
    pair = np.full((n, n), np.nan)  # [member, task]
    for one, task in itertools.permutations(range(n), 2):
        pair[one, task] = loss_of(groups, losses, rows, task, one)
    found = np.full(groups.shape, np.nan)
    for row, inside in enumerate(groups):
        members = np.flatnonzero(inside)
        for task in map(int, members):
            others = pair[members[members != task], task]
            if not len(others):
                found[row, task] = alone[task]
            elif summed:
                found[row, task] = alone[task] + (others - alone[task]).sum()
            else:
                found[row, task] = others.mean()
    return found
