"""The best groups of tasks under a budget of networks, with a certificate.

C. Fifty et al., "Efficiently Identifying Task Groupings for Multi-Task Learning",
NeurIPS 2021; T. Standley et al., "Which Tasks Should Be Learned Together in Multi-task
Learning?", ICML 2020. Choose groups, at most a budget of them, so that every task is
in one; each task is served by its best group; maximise the mean score over tasks.
Groups may overlap: a task may help in groups that do not serve it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from disentangle.affinity import milp, partition, stability
from disentangle.affinity.accept import scores_of
from disentangle.affinity.base import LARGEST, Affinity
from disentangle.affinity.exact import TIE, solve, tie_rule
from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.pair_scores import PairScores
from disentangle.affinity.scores import Penalty
from disentangle.affinity.table_scores import TableScores, exact_cost
from disentangle.affinity.to_grouping import Grouping, to_grouping
from disentangle.errors import UserError, shown, unknown

MAX_TASKS = 20
SINGLETONS = ("forbid", "diagonal", "value", "stl_zero")

CURVE = 2e8  # additions up to which all budgets are tried


def group_tasks(
    scores: Affinity | GroupTable | Any,
    budget: float,
    *,
    tasks: Sequence[str] | None = None,
    singletons: str = "forbid",
    singleton_value: float | None = None,
    redraws: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Grouping:
    """The best groups within a budget, exactly, for up to 20 tasks.

    Ties (totals equal up to rounding) go to the fewest groups, then to the smallest
    total membership, then to the answer whose served sets, sorted by their first task,
    come first in lexicographic task order.

    Args:
      scores: an Affinity (the score of t in a group is the mean affinity of the other
        members onto t; every set of tasks is a possible group, at cost 1), or a
        GroupTable of measured groups. What means one of them is taken too: a square
        array or a pandas table, a row per SOURCE task; the path of a file that the
        `group` command reads; the dict form of measured groups.
      budget: how many groups, or for a GroupTable how much cost in all.
      tasks: names for a plain array; "task 1", "task 2", ... without.
      singletons: what a task scores in a group of its own, for an Affinity. "forbid":
        there are no such groups; "diagonal": its affinity with itself; "value":
        `singleton_value`; "stl_zero": 0, the gain of training alone over itself.
      singleton_value: for singletons="value".
      redraws: how often the affinity is redrawn within its standard errors for
        `Grouping.stability`; None is 500, fewer for large problems; 0 is not at all.
      seed: of the redraws.
      progress: called with (done, total) additions, now and then.

    Returns:
      The Grouping.

    Raises:
      UserError: `scores` is or means none of these, more than 20 tasks, a budget that
        is not a positive number or cannot pay for groups that serve all tasks, an
        unknown or needless option.
    """
    scores = scores_of(scores, tasks)
    _check_redraws(redraws, seed)
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
        found = solve(scores.tasks, scores.sense, table, table.unit, units, progress)
        return replace(found, unsure="measured groups have no standard errors")
    alone = check_singletons(singletons, singleton_value, scores.tasks, scores.matrix)
    units = min(count_of(budget), len(scores.tasks))
    found = solve(
        scores.tasks,
        "max",
        PairScores(scores.matrix, alone),
        Fraction(1),
        units,
        progress,
    )
    curve = _by_budget(PairScores(scores.matrix, alone), units)
    return _with_stability(
        replace(found, by_budget=curve),
        scores,
        singletons,
        alone,
        units,
        redraws,
        seed,
    )


def _with_stability(
    found: Grouping,
    affinity: Affinity,
    singletons: str,
    alone: np.ndarray | None,
    budget: int,
    redraws: int | None,
    seed: int,
) -> Grouping:
    """The grouping with how often it comes back, or with why that is not known."""
    n = len(affinity.tasks)
    if affinity.standard_error is None:
        return replace(found, unsure="the affinity has no standard errors")
    count = stability.affordable(n, budget) if redraws is None else redraws
    if redraws is None and count < stability.FEWEST:
        words = f"{stability.FEWEST} redraws of {n} tasks take long: ask by redraws="
        return replace(found, unsure=words)
    if not count:
        return replace(found, unsure="redraws=0")

    def again(matrix: np.ndarray) -> tuple[tuple[str, ...], ...]:
        """The groups of a redrawn matrix, by the same tie rule."""
        own = matrix.diagonal().copy() if singletons == "diagonal" else alone
        scores = PairScores(matrix, own)
        rows = tie_rule(scores, budget, TIE * float(np.nanmax(np.abs(matrix))) or TIE)
        certificate = (-math.inf, -math.inf, 0.0)
        return to_grouping(
            affinity.tasks, "max", scores, rows, Fraction(1), certificate
        ).groups

    done = stability.redraw(affinity, found.groups, again, count, seed)
    return replace(found, stability=done, unsure="")


def _by_budget(scores: PairScores, budget: int) -> tuple[float, ...]:
    """The best objective for 1, 2, ... networks; see `Grouping.by_budget`."""
    n = scores.n
    most = n if partition.work(n, (1,), n) <= CURVE else budget
    values = scores.values(Penalty())
    best = partition.levels(values, most)
    tops = [partition.optimum(values, best, units) for units in range(1, most + 1)]
    # Serving sets that are needless in a larger budget: more never is worse.
    return tuple(float(top) / n for top in np.maximum.accumulate(tops))


def _check_redraws(redraws: int | None, seed: int) -> None:
    if redraws is not None and not _is_count(redraws):
        raise UserError(f"redraws={redraws!r} must be a whole number, 0 or more")
    if not _is_count(seed):
        raise UserError(f"seed={seed!r} must be a whole number, 0 or more")


def _is_count(value: object) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and bool(value >= 0)  # type: ignore[operator]


def check_singletons(
    singletons: str,
    value: float | None,
    tasks: Sequence[str],
    matrix: np.ndarray | None = None,
) -> np.ndarray | None:
    """The scores of groups of one task, or None if there are no such groups.

    Args:
      singletons, value: see `group_tasks`.
      tasks: the N names.
      matrix: (N, N) the affinities; None before they are measured.

    Raises:
      UserError: an unknown choice, a value missing or needless or not finite, an
        only task that may not be alone, a diagonal that is asked for and not known.
    """
    if not isinstance(singletons, str) or singletons not in SINGLETONS:
        raise unknown("singletons", singletons, SINGLETONS)
    if (singletons == "value") != (value is not None):
        raise UserError(
            "singleton_value is needed for singletons='value', and only there; got "
            f"singletons={singletons!r} and singleton_value={shown(value)}"
        )
    if value is not None and not (_is_number(value) and abs(value) <= LARGEST):
        raise UserError(f"singleton_value must be a finite number, got {shown(value)}")
    if singletons == "forbid" and len(tasks) == 1:
        raise UserError(
            f"the only task, {tasks[0]!r}, cannot be grouped where groups of "
            "one are forbidden; choose singletons='diagonal', 'value' or 'stl_zero'"
        )
    n = len(tasks)
    own = np.zeros(n) if matrix is None else matrix.diagonal().copy()
    for task in np.flatnonzero(np.isnan(own) & (singletons == "diagonal")):
        raise UserError(
            f"singletons='diagonal' needs the affinity of {tasks[int(task)]!r} with "
            "itself, which is not known"
        )
    choices = {
        "forbid": None,
        "diagonal": own,
        "value": None if value is None else np.full(n, float(value)),
        "stl_zero": np.zeros(n),
    }
    return choices[singletons]


def count_of(budget: float) -> int:
    """A budget of groups as an integer; UserError if it is not one, at least 1."""
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


def _is_number(value: Any) -> bool:
    numbers = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, numbers):
        return False
    return bool(-LARGEST < value < LARGEST)  # no NaN, and no integer beyond every float
