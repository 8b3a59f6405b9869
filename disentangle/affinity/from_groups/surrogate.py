"""Linear surrogate model: a task's loss as a linear function of who else is there.

D. Li, H. L. Nguyen, H. R. Zhang: "Identification of Negative Transfers in Multitask
Learning Using Surrogate Models", TMLR 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disentangle.affinity.from_groups.ridge import ridge
from disentangle.affinity.from_groups.trained import seen


def predict(
    groups: np.ndarray, losses: np.ndarray, trained: Sequence[int] | np.ndarray
) -> np.ndarray:
    r"""L_t(S) = a_t + sum over i in S of b_it, fitted on the trained groups with t.

    $$
    \hat L_t(S) = a_t + \sum_{i \in S \setminus t} b_{it}, \qquad
    \min_{a, b} \sum_{R \ni t} \bigl( L_t(R) - a_t - \textstyle\sum_{i \in R} b_{it}
    \bigr)^2 + \lambda \sum_i b_{it}^2
    $$

    lambda is chosen per task by leaving one trained group out; the paper has none and
    draws many more groups. Trained groups are predicted too, not given back.

    Args:
      groups, losses, trained: see `trained.seen`; any groups, best drawn at random.

    Returns:
      (G, N) predicted losses; NaN outside of a group and for tasks that no trained
      group has.

    Raises:
      UserError: as `trained.seen`.
    """
    groups, losses, rows = seen(groups, losses, trained)
    found = np.full(groups.shape, np.nan)
    for task in range(groups.shape[1]):
        own, inside = rows[groups[rows, task]], groups[:, task]
        if own.size:
            others = np.delete(groups, task, axis=1).astype(np.float64)
            fit = ridge(others[own], losses[own, task])
            found[inside, task] = fit(others[inside])
    return found
