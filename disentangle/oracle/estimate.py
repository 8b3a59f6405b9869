"""What an estimate says about the groups of a table: (G, N) scores, larger is better.

An affinity says it by the mean or by the SUM of the other members' affinities onto a
task (a mean of pairs cannot say that larger groups hurt more); a table of groups says
it outright. A group that the estimate does not score cannot be chosen by it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from disentangle.affinity import Affinity, GroupTable, read_group_input
from disentangle.affinity.accept import numbers
from disentangle.affinity.group_table import MeasuredGroup
from disentangle.affinity.options import check_singletons
from disentangle.errors import UserError, unknown
from disentangle.files import place
from disentangle.oracle import long_form
from disentangle.oracle.table import TaskTable

SCORES = ("mean", "sum")
VALUES = {"loss": "min", "gain": "max", "score": "max"}  # a column, and what is better

# An estimate made from the truth: of a table of some of the seeds, its (G, N) scores.
Fitted = Callable[[TaskTable], np.ndarray]
Estimate = Affinity | GroupTable | np.ndarray | Fitted


def scores_of(
    table: TaskTable,
    estimate: Affinity | GroupTable | np.ndarray,
    *,
    score: str = "mean",
    singletons: str = "forbid",
    singleton_value: float | None = None,
) -> np.ndarray:
    """(G, N) what an estimate says about each member of each group of the table.

    Args:
      table: the truth; only its tasks and groups are read.
      estimate: an Affinity of the same tasks in any order; a GroupTable of predicted
        losses (sense "min") or gains ("max"); or the (G, N) scores themselves.
      score: of an Affinity, "mean" or "sum" over the other members of the group.
      singletons, singleton_value: of an Affinity, what a task scores in a group of its
        own, as in `group_tasks`; "forbid" does not score it.

    Returns:
      Larger is better; NaN where the task is not in the group or is not scored.

    Raises:
      UserError: other tasks, another shape, a needless or unknown option.
    """
    if score not in SCORES:
        raise unknown("score", score, SCORES)
    if isinstance(estimate, Affinity):
        return _of_affinity(table, estimate, score, singletons, singleton_value)
    if score != "mean" or singletons != "forbid" or singleton_value is not None:
        raise UserError("score= and singletons= are for an affinity matrix")
    if isinstance(estimate, GroupTable):
        return _of_groups(table, estimate)
    scores = numbers(estimate)
    if scores.shape != table.groups.shape:
        raise UserError(
            f"the scores of {table.groups.shape[0]} groups of {len(table.tasks)} tasks "
            f"must be {table.groups.shape}, got {scores.shape}"
        )
    return np.where(table.groups & np.isfinite(scores), scores, np.nan)


def _of_affinity(
    table: TaskTable,
    affinity: Affinity,
    score: str,
    singletons: str,
    value: float | None,
) -> np.ndarray:
    check_same(table, affinity.tasks)
    order = [affinity.tasks.index(task) for task in table.tasks]
    matrix = affinity.matrix[np.ix_(order, order)]
    alone = check_singletons(singletons, value, table.tasks, matrix)
    scores = np.full(table.groups.shape, np.nan)
    for row, inside in enumerate(table.groups):
        members = np.flatnonzero(inside)
        if len(members) == 1:
            if alone is not None:
                scores[row, members] = alone[members]
            continue
        for task in members:
            total = math.fsum(matrix[i, task] for i in members if i != task)
            share = 1 if score == "sum" else len(members) - 1
            scores[row, task] = total / share
    return scores


def _of_groups(table: TaskTable, estimate: GroupTable) -> np.ndarray:
    check_same(table, estimate.tasks)
    rows = {frozenset(name.split("+")): i for i, name in enumerate(table.names)}
    sign = 1.0 if estimate.sense == "max" else -1.0
    scores = np.full(table.groups.shape, np.nan)
    for group in estimate.groups:
        row = rows.get(frozenset(group.members))
        if row is not None:
            places = [table.tasks.index(task) for task in group.members]
            scores[row, places] = sign * np.array(group.scores)
    return scores


def check_same(table: TaskTable, tasks: tuple[str, ...]) -> None:
    """Raises UserError unless these are the table's tasks, in any order."""
    for task in tasks:
        if task not in table.tasks:
            raise UserError(
                f"the estimate has an {unknown('task', task, table.tasks)} in the table"
            )
    for task in table.tasks:
        if task not in tasks:
            raise UserError(f"the estimate says nothing about the task {task!r}")


def candidates(table: TaskTable, scores: np.ndarray) -> np.ndarray:
    """(G,) bool, which groups the estimate scores for every member."""
    return np.asarray((np.isfinite(scores) | ~table.groups).all(axis=1))


def read_estimate(
    path: str | os.PathLike[str], rows: str = "source"
) -> Affinity | GroupTable:
    """Reads an affinity or predictions per group, by what the file holds.

    Args:
      path: what the `group` command reads, or Parquet or text with one row per group
        and member: `group` (members joined by +), `task`, and one of `loss`, `gain`,
        `score`; of several rows of a group and task (such as seeds) the mean counts.
      rows: of a square table, whether a row is a "source" or a "target".

    Raises:
      UserError: naming the file and what is wrong in it.
    """
    file = place(path, "path of an estimate")
    if not file.is_file() or (not _is_long(file)):
        return read_group_input(path, rows)
    columns = long_form.read_columns(file)
    named = [name for name in VALUES if name in columns]
    if len(named) != 1:
        raise UserError(
            f"{file} must have one of the columns {', '.join(VALUES)}, has "
            f"{' and '.join(named) or 'none'}"
        )
    for name in ("data", "regime"):
        several = sorted({str(cell) for cell in columns.get(name, [])})
        if len(several) > 1:
            raise UserError(
                f"{file} holds estimates of several {name}s, {', '.join(several)}: "
                "keep the rows of the table that is judged by"
            )
    kept = {"group": columns["group"], "task": columns["task"]}
    found = long_form.one_table(file, {**kept, "loss": columns[named[0]]})
    members: dict[frozenset[str], dict[str, list[float]]] = {}
    for group, task, value in zip(found.groups, found.tasks, found.loss, strict=True):
        members.setdefault(frozenset(group), {}).setdefault(task, []).append(value)
    tasks = tuple(dict.fromkeys(found.tasks))
    groups = []
    for values in members.values():
        inside = tuple(task for task in tasks if task in values)
        means = tuple(math.fsum(values[t]) / len(values[t]) for t in inside)
        groups.append(MeasuredGroup(inside, means))
    return GroupTable(tasks, VALUES[named[0]], tuple(groups))


def _is_long(file: Path) -> bool:
    """Whether a file has one row per group and task."""
    with file.open("rb") as held:
        start = held.read(4)
    if start == b"PAR1":
        return True
    if start[:1] in (b"{", b"["):
        return False
    try:
        return {"group", "task"} <= set(long_form.read_columns(file))
    except UserError:  # whoever reads it as a matrix says what is wrong
        return False
