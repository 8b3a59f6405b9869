"""The same grouping as an integer program (HiGHS): a second opinion, and a relaxation.

x_g in {0, 1} chooses group g, y_gt in [0, 1] lets it serve task t:

    max sum_gt s(g, t) y_gt   with  sum_g y_gt = 1,  y_gt <= x_g,  sum_g c_g x_g <= B;

of disjoint groups y_gt = x_g. It proves the same optimum as `partition` by other means,
takes costs of any digits, and is the master problem of `columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from disentangle.errors import UserError


class Program(NamedTuple):
    """The rows of the program over (x of G groups, y of P members); see above.

    Attributes:
      gains: (G + P,) what is maximised.
      served: (n, G + P), the rows that equal 1.
      chosen: (P, G + P), the rows that are at most 0, or None of disjoint groups.
      paid: (1, G + P), the row that is at most the budget.
    """

    gains: np.ndarray
    served: sparse.csr_array
    chosen: sparse.csr_array | None
    paid: sparse.csr_array


def program(
    scores: np.ndarray, costs: Sequence[float] | np.ndarray, disjoint: bool
) -> Program:
    """The program of (G, n) scores, -inf where a task is not in a group."""
    n_groups, n_tasks = scores.shape
    group, task = np.nonzero(np.isfinite(scores))
    n_pairs = 0 if disjoint else len(group)
    width, ones, pair = n_groups + n_pairs, np.ones(len(group)), np.arange(len(group))
    paid = sparse.csr_array(np.concatenate([costs, np.zeros(n_pairs)])[None, :])
    where = (task, group if disjoint else n_groups + pair)
    served = sparse.csr_array((ones, where), (n_tasks, width))
    if disjoint:
        totals = np.where(np.isfinite(scores), scores, 0.0).sum(axis=1)
        return Program(totals, served, None, paid)
    chosen = sparse.csr_array(
        (
            np.concatenate([ones, -ones]),
            (np.tile(pair, 2), np.concatenate([n_groups + pair, group])),
        ),
        (n_pairs, width),
    )
    gains = np.concatenate([np.zeros(n_groups), scores[group, task]])
    return Program(gains, served, chosen, paid)


def best_total(
    scores: np.ndarray,
    costs: Sequence[float] | np.ndarray,
    budget: float,
    disjoint: bool = False,
) -> tuple[float, tuple[int, ...]]:
    """The best total score over tasks, and the groups that reach it.

    Args:
      scores: (G, n), -inf where a task is not in a group. Larger is better.
      costs: (G,) what each group costs.
      budget: in the same unit.
      disjoint: whether a group serves all of its members or is not chosen.

    Returns:
      The optimum and the rows of the chosen groups.

    Raises:
      UserError: the budget cannot pay for groups that serve every task.
    """
    n_groups = len(scores)
    made = program(scores, costs, disjoint)
    rows = [
        LinearConstraint(made.served, 1, 1),
        LinearConstraint(made.paid, -np.inf, budget),
    ]
    if made.chosen is not None:
        rows.append(LinearConstraint(made.chosen, -np.inf, 0))
    whole = np.zeros(len(made.gains))
    whole[:n_groups] = 1
    result = milp(
        -made.gains,
        integrality=whole,
        bounds=Bounds(0, 1),
        constraints=rows,
        options={"mip_rel_gap": 0.0},
    )
    if result.x is None:
        raise UserError(f"no groups within the budget of {budget:g} serve every task")
    chosen = np.flatnonzero(result.x[:n_groups] > 0.5)
    return -float(result.fun), tuple(int(row) for row in chosen)


class Prices(NamedTuple):
    """The dual of the relaxed program.

    Attributes:
      tasks: (n,) what serving each task is worth.
      cost: what a unit of the budget is worth, at least 0.
    """

    tasks: np.ndarray
    cost: float


def prices(
    scores: np.ndarray,
    costs: np.ndarray,
    budget: float,
    disjoint: bool,
    missing: float,
) -> Prices:
    """The dual prices of the program with fractions of groups allowed.

    Args:
      scores, costs, budget, disjoint: as in `best_total`.
      missing: what a task that no group serves takes off the total, so that there
        always is an answer.
    """
    made, n = program(scores, costs, disjoint), scores.shape[1]
    none = sparse.csr_array((1, n))
    below = [sparse.hstack([made.paid, none])]
    limits = [float(budget)]
    if made.chosen is not None:
        wide = sparse.csr_array((made.chosen.shape[0], n))
        below.append(sparse.hstack([made.chosen, wide]))
        limits += [0.0] * made.chosen.shape[0]
    result = linprog(
        np.concatenate([-made.gains, np.full(n, missing)]),
        A_ub=sparse.vstack(below).tocsr(),
        b_ub=np.array(limits),
        A_eq=sparse.hstack([made.served, sparse.eye_array(n)]).tocsr(),
        b_eq=np.ones(n),
        bounds=(0, None),
        method="highs",
    )
    return Prices(
        -result.eqlin.marginals, max(0.0, -float(result.ineqlin.marginals[0]))
    )


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
