"""The same grouping as an integer program (HiGHS): a second opinion.

x_g in {0, 1} chooses group g, y_gt in [0, 1] lets it serve task t:

    max sum_gt s(g, t) y_gt   with  sum_g y_gt = 1,  y_gt <= x_g,  sum_g c_g x_g <= B.

It proves the same optimum as `partition` by other means, and side constraints (a group
to forbid, tasks to keep apart) would be one more row each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from disentangle.errors import UserError


def best_total(
    scores: np.ndarray, costs: Sequence[float], budget: float
) -> tuple[float, tuple[int, ...]]:
    """The best total score over tasks, and the groups that reach it.

    Args:
      scores: (G, n), -inf where a task is not in a group. Larger is better.
      costs: (G,) what each group costs.
      budget: in the same unit.

    Returns:
      The optimum and the rows of the chosen groups.

    Raises:
      UserError: the budget cannot pay for groups that serve every task.
    """
    n_groups, n_tasks = scores.shape
    group, task = np.nonzero(np.isfinite(scores))
    n_pairs = len(group)
    ones, pair = np.ones(n_pairs), np.arange(n_pairs)
    served = sparse.csr_array(
        (ones, (task, n_groups + pair)), (n_tasks, n_groups + n_pairs)
    )
    chosen = sparse.csr_array(
        (
            np.concatenate([ones, -ones]),
            (np.tile(pair, 2), np.concatenate([n_groups + pair, group])),
        ),
        (n_pairs, n_groups + n_pairs),
    )
    paid = sparse.csr_array(np.concatenate([costs, np.zeros(n_pairs)])[None, :])
    result = milp(
        -np.concatenate([np.zeros(n_groups), scores[group, task]]),
        integrality=np.concatenate([np.ones(n_groups), np.zeros(n_pairs)]),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(served, 1, 1),
            LinearConstraint(chosen, -np.inf, 0),
            LinearConstraint(paid, -np.inf, budget),
        ],
        options={"mip_rel_gap": 0.0},
    )
    if result.x is None:
        raise UserError(f"no groups within the budget of {budget:g} serve every task")
    rows = np.flatnonzero(result.x[:n_groups] > 0.5)
    return -float(result.fun), tuple(int(row) for row in rows)


def cheapest_cover(masks: Sequence[int], costs: Sequence[int], n: int) -> int:
    """The least cost of groups that serve all n tasks; each task must be in one."""
    inside = np.array(masks)[None, :] >> np.arange(n)[:, None] & 1
    # HiGHS wants numbers of ordinary size; the chosen groups give the exact sum.
    relative = np.array([cost / max(costs) for cost in costs])
    result = milp(
        relative,
        integrality=np.ones(len(relative)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(inside, 1, np.inf),
        options={"mip_rel_gap": 0.0},
    )
    return sum(cost for cost, x in zip(costs, result.x, strict=True) if x > 0.5)
