"""Sets of groups within a budget: which is best, who serves whom, what it costs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from disentangle.affinity import GroupTable
from disentangle.affinity.exact import TIE, tie_rule
from disentangle.affinity.group_table import MeasuredGroup
from disentangle.affinity.options import count_of
from disentangle.affinity.table_scores import TableScores
from disentangle.affinity.to_grouping import in_task_order
from disentangle.errors import UserError
from disentangle.oracle.cells import JOIN
from disentangle.oracle.table import TaskTable


class Choice(NamedTuple):
    """Groups, and who serves whom.

    Attributes:
      rows: the chosen groups, as rows of the table, in task order; each serves a task.
      serves: (N,) for each task the row of the group that serves it.
    """

    rows: tuple[int, ...]
    serves: np.ndarray


def choose(table: TaskTable, scores: np.ndarray, budget: int) -> Choice:
    """The best set of at most `budget` groups by these scores, exactly.

    The mean over tasks of the score in the best chosen group is maximal; ties as in
    `group_tasks`.

    Args:
      table: tasks and groups.
      scores: (G, N), larger is better; groups with a NaN for a member are left out.
      budget: a whole number of groups, at least 1.

    Raises:
      UserError: no such set serves every task.
    """
    budget = count_of(budget)
    usable = np.flatnonzero((np.isfinite(scores) | ~table.groups).all(axis=1))
    check_cover(table, usable, budget)
    groups = tuple(
        MeasuredGroup(
            tuple(np.array(table.tasks)[table.groups[row]]),
            tuple(scores[row, table.groups[row]].tolist()),
        )
        for row in usable
    )
    held = TableScores.of_table(GroupTable(table.tasks, "max", groups))
    largest = float(np.abs(scores[usable][table.groups[usable]]).max())
    found = tie_rule(held, min(budget, len(usable)), TIE * largest or TIE)
    rows = usable[in_task_order(held, found)]
    return Choice(tuple(map(int, rows)), serving_of(table, rows, scores))


def serving_of(table: TaskTable, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(N,) for each task the row of the chosen group that scores best for it."""
    offers = np.where(table.groups[rows], scores[rows], -np.inf)
    return np.asarray(rows)[offers.argmax(axis=0)]


def loss_of(table: TaskTable, serves: np.ndarray) -> np.ndarray:
    """(S,) the mean over tasks of the test loss in the group that serves each."""
    tasks = np.arange(len(table.tasks))
    return np.asarray(table.loss[:, serves, tasks].mean(axis=1))


def loss_by_validation(table: TaskTable, rows: np.ndarray) -> np.ndarray:
    """(S,) the same, each seed's tasks served by their best group on validation.

    Raises:
      UserError: the table has no validation losses.
    """
    if table.validation is None:
        raise UserError(
            "serving by validation needs the table's column 'validation', which it "
            "does not have"
        )
    tasks = np.arange(len(table.tasks))
    losses = []
    for loss, validation in zip(table.loss, table.validation, strict=True):
        losses.append(loss[serving_of(table, rows, -validation), tasks].mean())
    return np.array(losses)


def check_cover(table: TaskTable, rows: np.ndarray, budget: int) -> None:
    """Raises UserError unless at most `budget` of these groups hold every task."""
    for task, there in zip(table.tasks, table.groups[rows].any(axis=0), strict=True):
        if not there:
            raise UserError(f"no group that can be chosen has the task {task!r}")
    least = len(smallest_cover(table, rows))
    if least > budget:
        raise UserError(
            f"a budget of {budget} cannot serve every task: that takes at least "
            f"{least} of the groups that can be chosen"
        )


def smallest_cover(table: TaskTable, rows: np.ndarray) -> list[int]:
    """Fewest groups that hold every task, by breadth over the sets of held tasks."""
    n = len(table.tasks)
    masks = table.groups[rows] @ (1 << np.arange(n))
    full = (1 << n) - 1
    reached: dict[int, list[int]] = {0: []}
    layer = reached
    while full not in reached:
        new: dict[int, list[int]] = {}
        for held, path in layer.items():
            missing = ~held & full
            first = missing & -missing
            for row, mask in zip(rows, masks, strict=True):
                both = held | int(mask)
                if mask & first and both not in reached:
                    new.setdefault(both, [*path, int(row)])
        reached = reached | new
        layer = new
    return reached[full]


def names_of(table: TaskTable, rows: tuple[int, ...]) -> list[list[str]]:
    """The members of the groups at these rows."""
    return [table.names[row].split(JOIN) for row in rows]
