"""The best groups of tasks under a budget of networks, with a certificate.

C. Fifty et al., "Efficiently Identifying Task Groupings for Multi-Task Learning",
NeurIPS 2021; T. Standley et al., "Which Tasks Should Be Learned Together in Multi-task
Learning?", ICML 2020. Choose groups, at most a budget of them, so that every task is
in one; each task is served by its best group; maximise the mean score over tasks.
Groups may overlap: a task may help in groups that do not serve it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from disentangle.affinity import milp, partition
from disentangle.affinity.answer import Grouping, answer
from disentangle.affinity.base import Affinity
from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.pair_scores import PairScores
from disentangle.affinity.runner_up import runner_up
from disentangle.affinity.scores import Penalty, Scores
from disentangle.affinity.table_scores import TableScores, exact_cost
from disentangle.errors import UserError, unknown

MAX_TASKS = 20
SINGLETONS = ("forbid", "diagonal", "value", "stl_zero")

# Of the largest number that the best total is made of: totals that differ by less are
# ties. It is some hundred times the rounding error of a total, and blind to numbers
# that the best answer avoids (say -1e9, to keep two tasks apart).
TIE = 2.0**-42


def group_tasks(
    scores: Affinity | GroupTable,
    budget: float,
    *,
    singletons: str = "forbid",
    singleton_value: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Grouping:
    """The best groups within a budget, exactly, for up to 20 tasks.

    Ties (totals equal up to rounding) go to the fewest groups, then to the smallest
    total membership, then to the answer whose served sets, sorted by their first task,
    come first in lexicographic task order.

    Args:
      scores: an Affinity (the score of t in a group is the mean affinity of the other
        members onto t; every set of tasks is a possible group, at cost 1), or a
        GroupTable of measured groups.
      budget: how many groups, or for a GroupTable how much cost in all.
      singletons: what a task scores in a group of its own, for an Affinity. "forbid":
        there are no such groups; "diagonal": its affinity with itself; "value":
        `singleton_value`; "stl_zero": 0, the gain of training alone over itself.
      singleton_value: for singletons="value".
      progress: called with (done, total) additions, now and then.

    Returns:
      The Grouping.

    Raises:
      UserError: more than 20 tasks, a budget that is not a positive number or cannot
        pay for groups that serve all tasks, an unknown or needless option.
    """
    if len(scores.tasks) > MAX_TASKS:
        raise UserError(
            f"{len(scores.tasks)} tasks are too many: the exact grouping takes up to "
            f"{MAX_TASKS}; leave tasks out, or merge those that surely belong together"
        )
    if isinstance(scores, GroupTable):
        if singletons != "forbid" or singleton_value is not None:
            raise UserError(
                "singletons= is for an affinity matrix; a table of measured groups "
                "lists its own groups of one task"
            )
        table = TableScores(scores)
        units = _table_budget(scores, table, budget)
        return _solve(scores.tasks, scores.sense, table, table.unit, units, progress)
    alone = _alone(scores, singletons, singleton_value)
    pairs = PairScores(scores.matrix, alone)
    units = min(_count(budget), len(scores.tasks))
    return _solve(scores.tasks, "max", pairs, Fraction(1), units, progress)


def _alone(
    affinity: Affinity, singletons: str, value: float | None
) -> np.ndarray | None:
    """The scores of groups of one task, or None if there are no such groups."""
    if singletons not in SINGLETONS:
        raise unknown("singletons", singletons, SINGLETONS)
    n = len(affinity.tasks)
    if (singletons == "value") != (value is not None):
        raise UserError(
            "singleton_value is needed for singletons='value', and only there; got "
            f"singletons={singletons!r} and singleton_value={value!r}"
        )
    if value is not None and not math.isfinite(value):
        raise UserError(f"singleton_value must be a finite number, got {value}")
    if singletons == "forbid" and n == 1:
        raise UserError(
            f"the only task, {affinity.tasks[0]!r}, cannot be grouped where groups of "
            "one are forbidden; choose singletons='diagonal', 'value' or 'stl_zero'"
        )
    choices = {
        "forbid": None,
        "diagonal": affinity.matrix.diagonal().copy(),
        "value": None if value is None else np.full(n, float(value)),
        "stl_zero": np.zeros(n),
    }
    return choices[singletons]


def _count(budget: float) -> int:
    if not _is_number(budget) or budget != int(budget) or budget < 1:
        raise UserError(
            f"the budget must be a whole number of groups, at least 1, got {budget!r}"
        )
    return int(budget)


def _table_budget(scores: GroupTable, table: TableScores, budget: float) -> int:
    """The budget in units of the table, checked to be enough."""
    if not _is_number(budget) or budget <= 0:
        raise UserError(f"the budget must be a number above 0, got {budget!r}")
    listed = {task for group in scores.groups for task in group.members}
    for task in scores.tasks:
        if task not in listed:
            raise UserError(f"the task {task!r} is in no group")
    units = min(int(exact_cost(budget) / table.unit), sum(table.costs))
    least = milp.cheapest_cover(table.masks, table.costs, table.n)
    if units < least:
        raise UserError(
            f"a budget of {budget:g} cannot pay for groups that serve every task: that "
            f"takes at least {float(least * table.unit):g}"
        )
    return units


def _is_number(value: object) -> bool:
    numbers = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, numbers):
        return False
    return bool(np.isfinite(value))


def _solve(
    tasks: tuple[str, ...],
    sense: str,
    scores: Scores,
    unit: Fraction,
    budget: int,
    progress: Callable[[int, int], None] | None,
) -> Grouping:
    """The best answer, its runner-up, and the tie rule where they are equal."""
    values = scores.values(Penalty())
    best = partition.levels(values, budget, _ticker(values, scores.n, budget, progress))
    top = partition.optimum(values, best, budget)
    blocks = partition.trace(values, best, budget, slack=0.0)
    rows = [scores.best_row(block.served, block.cost, Penalty()) for block in blocks]
    scales = [scores.scale(row, b.served) for row, b in zip(rows, blocks, strict=True)]
    tie = TIE * max(scales)
    second = runner_up(scores, values, best, budget, rows, enough=top - tie)
    if second >= top - tie:
        rows = _tie_rule(scores, budget, tie or TIE)
        second = runner_up(scores, values, best, budget, rows, enough=top - tie)
    return answer(tasks, sense, scores, rows, unit, (top, second, tie))


def _tie_rule(scores: Scores, budget: int, tie: float) -> list[int]:
    """The groups that the tie rule chooses among answers equal up to rounding.

    A member costs one `tie`, a group more than all members can: too little to change
    which totals are best, enough to order those that are.
    """
    penalty = Penalty(group=tie * (scores.n**2 + 1), member=tie)
    values = scores.values(penalty)
    best = partition.levels(values, budget)
    blocks = partition.trace(values, best, budget, slack=tie / 2)
    return [scores.best_row(block.served, block.cost, penalty) for block in blocks]


def _ticker(
    values: partition.Values,
    n: int,
    budget: int,
    progress: Callable[[int, int], None] | None,
) -> partition.Tick:
    """Turns the additions just done into calls of progress(done, total)."""
    if progress is None:
        return lambda additions: None
    total, done = partition.work(n, tuple(sorted(values)), budget), 0

    def tick(additions: int) -> None:
        nonlocal done
        done += additions
        progress(done, total)

    return tick
