"""The test loss of every task in every group of tasks that was trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentangle.affinity.base import LARGEST, check_tasks
from disentangle.errors import UserError, shown
from disentangle.files import place
from disentangle.oracle import long_form
from disentangle.oracle.cells import JOIN
from disentangle.oracle.long_form import Rows


@dataclass(frozen=True, eq=False)
class TaskTable:
    """Losses of task groups, exhaustive or of the groups that were trained.

    Attributes:
      tasks: the N task names; none holds a "+", which joins them in files.
      groups: (G, N) bool, the members of each group: none empty, none twice.
      seeds: the S seeds, whole numbers.
      loss: (S, G, N) float64 test losses; NaN where the task is not in the group.
      validation: the same of the validation images, or None where unknown.
      steps: (S, G, N) at which step each task was stopped, or None where unknown.
      data: the data set's name, "" where unknown.
      regime: what the groups were trained on and with, "" where unknown.

    Raises:
      UserError: an array of another shape, a loss of a member that is not a finite
        number (at most 1e300), a number where the task is not a member.
    """

    tasks: tuple[str, ...]
    groups: np.ndarray
    seeds: tuple[int, ...]
    loss: np.ndarray
    validation: np.ndarray | None = None
    steps: np.ndarray | None = None
    data: str = ""
    regime: str = ""

    def __post_init__(self) -> None:
        tasks = check_tasks(self.tasks)
        for task in tasks:
            if JOIN in task:
                raise UserError(f"the task name {task!r} holds a {JOIN}, which joins")
        groups = _groups(self.groups, tasks)
        seeds = _seeds(self.seeds)
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "seeds", seeds)
        for name in ("loss", "validation", "steps"):
            values = {
                "loss": self.loss,
                "validation": self.validation,
                "steps": self.steps,
            }[name]
            if values is not None or name == "loss":
                checked = _values(name, values, seeds, groups, tasks)
                object.__setattr__(self, name, checked)

    @property
    def names(self) -> tuple[str, ...]:
        """The G groups as files name them, members joined by +."""
        return tuple(
            JOIN.join(
                task for task, inside in zip(self.tasks, row, strict=True) if inside
            )
            for row in self.groups
        )

    @property
    def sizes(self) -> np.ndarray:
        """(G,) how many tasks each group has."""
        return np.asarray(self.groups.sum(axis=1))

    @property
    def alone(self) -> np.ndarray:
        """(S, N) the loss of each task in a network of its own.

        Raises:
          UserError: a task has no network of its own.
        """
        single = self.groups & (self.sizes == 1)[:, None]
        for task, there in zip(self.tasks, single.any(axis=0), strict=True):
            if not there:
                raise UserError(
                    f"the table has no group of {task!r} alone, which its gain is from"
                )
        return np.asarray(
            self.loss[:, single.argmax(axis=0), np.arange(len(self.tasks))]
        )

    @property
    def gains(self) -> np.ndarray:
        """(S, G, N) the loss alone less the loss in the group: above 0, it helps.

        Absolute: shares of the loss alone explode on tasks that are easy alone.

        Raises:
          UserError: a task has no network of its own.
        """
        return np.asarray(self.alone[:, None] - self.loss)

    def of_seeds(self, places: Sequence[int]) -> TaskTable:
        """The table of the seeds at these places only."""
        rows = np.asarray(places, int)
        cut = lambda values: None if values is None else values[rows]
        seeds = tuple(self.seeds[int(i)] for i in rows)
        return TaskTable(
            self.tasks,
            self.groups,
            seeds,
            self.loss[rows],
            cut(self.validation),
            cut(self.steps),
            self.data,
            self.regime,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes .parquet or .csv; see `save_tables`."""
        save_tables(path, [self])

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, data: str = "", regime: str = ""
    ) -> TaskTable:
        """Reads the table of a file; `data` and `regime` choose among several.

        The file is Parquet or CSV, one row per seed, group and member: `group` (members
        joined by +, in any order), `task`, `loss`, and if it is there `seed` (without
        it the table has the one seed 0), `data`, `regime`, `validation`, `steps`. The
        tasks come in the order of their first rows, the groups by size and then by
        their tasks, the seeds ascending.

        Raises:
          UserError: naming the file, the row, the column and the value; or the tables
            there are, where several fit `data` and `regime`.
        """
        file = place(path, "path of a table of groups")
        found = long_form.choose(file, long_form.read(file), data, regime)
        return _table(found)


def save_tables(path: str | os.PathLike[str], tables: Sequence[TaskTable]) -> None:
    """Writes tables into one file that `load_tables` reads.

    Args:
      path: a Parquet file (zstd) or, by its suffix, a .csv; one row per seed, group and
        member, with the columns data, regime, seed, group, task, validation, loss and
        steps.
      tables: each of another `data` or `regime`.

    Raises:
      UserError: another suffix, none or two tables of the same data and regime, a
        place that cannot be written.
    """
    keys = [(table.data, table.regime) for table in tables]
    if not keys or len(set(keys)) < len(keys):
        raise UserError(
            f"{path} must hold tables, each of another data and regime; got {keys}"
        )
    long_form.write(path, [_rows(table) for table in tables])


def load_tables(path: str | os.PathLike[str]) -> list[TaskTable]:
    """Every table of a file, in the order of their first rows; see `TaskTable.load`."""
    file = place(path, "path of a table of groups")
    return [_table(rows) for rows in long_form.read(file)]


def canonical(groups: np.ndarray) -> np.ndarray:
    """(G,) the order of groups by size, then by their tasks in task order."""
    n = groups.shape[1]
    # Of one size, the lexicographically first has the largest indicator vector.
    keys = [~groups[:, task] for task in reversed(range(n))]
    return np.lexsort((*keys, groups.sum(axis=1)))


def _rows(table: TaskTable) -> Rows:
    """Task by task, so that the first rows name the tasks in their order."""
    members = [np.flatnonzero(table.groups[:, t]) for t in range(len(table.tasks))]
    place = [
        (s, int(g), t)
        for s in range(len(table.seeds))
        for t, rows in enumerate(members)
        for g in rows
    ]
    names = table.names
    take = lambda values: [float(values[i]) for i in place]
    return Rows(
        table.data,
        table.regime,
        seeds=[table.seeds[s] for s, _, _ in place],
        groups=[tuple(names[g].split(JOIN)) for _, g, _ in place],
        tasks=[table.tasks[t] for _, _, t in place],
        loss=take(table.loss),
        validation=None if table.validation is None else take(table.validation),
        steps=None if table.steps is None else take(table.steps),
    )


def _table(rows: Rows) -> TaskTable:
    """The arrays of a table's rows, which `long_form` has checked one by one."""
    tasks = tuple(dict.fromkeys(rows.tasks))
    seeds = tuple(sorted(set(rows.seeds)))
    listed = sorted({frozenset(group) for group in rows.groups}, key=sorted)
    groups = np.array([[task in group for task in tasks] for group in listed])
    order = canonical(groups)
    groups = groups[order]
    at = {listed[int(old)]: new for new, old in enumerate(order)}
    place = tuple(
        np.array(
            [
                (seeds.index(seed), at[frozenset(group)], tasks.index(task))
                for seed, group, task in zip(
                    rows.seeds, rows.groups, rows.tasks, strict=True
                )
            ]
        ).T
    )

    def array(values: list[float] | None) -> np.ndarray | None:
        if values is None:
            return None
        filled = np.full((len(seeds), *groups.shape), np.nan)
        filled[place] = values
        return filled

    loss = array(rows.loss)
    assert loss is not None
    return TaskTable(
        tasks,
        groups,
        seeds,
        loss,
        array(rows.validation),
        array(rows.steps),
        rows.data,
        rows.regime,
    )


def _groups(values: Any, tasks: Sequence[str]) -> np.ndarray:
    groups = np.array(values)
    if groups.ndim != 2 or groups.dtype != bool or groups.shape[1] != len(tasks):
        raise UserError(
            f"the groups of {len(tasks)} tasks must be (G, {len(tasks)}) bool, got "
            f"{groups.dtype} {groups.shape}"
        )
    if not len(groups) or not groups.any(axis=1).all():
        raise UserError("there must be groups, each with a member")
    if len(np.unique(groups, axis=0)) < len(groups):
        raise UserError("the groups must differ: one is there twice")
    groups.setflags(write=False)
    return groups


def _seeds(values: Any) -> tuple[int, ...]:
    seeds = tuple(values)
    for seed in seeds:
        if not isinstance(seed, int | np.integer) or isinstance(seed, bool):
            raise UserError(f"a seed must be a whole number, not {shown(seed)}")
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"there must be seeds, each once, got {list(seeds)}")
    return tuple(map(int, seeds))


def _values(
    what: str,
    values: Any,
    seeds: Sequence[int],
    groups: np.ndarray,
    tasks: Sequence[str],
) -> np.ndarray:
    """A read-only float64 copy, finite for members and NaN elsewhere."""
    array = np.array(values, np.float64)
    shape = (len(seeds), *groups.shape)
    if array.shape != shape:
        raise UserError(f"{what} must be {shape}, seeds by groups; got {array.shape}")
    wrong = np.where(groups, ~(np.abs(array) <= LARGEST), ~np.isnan(array))
    for s, g, t in np.argwhere(wrong):
        members = JOIN.join(np.array(tasks)[groups[g]])
        says = "not a finite number" if groups[g, t] else "but is not in the group"
        raise UserError(
            f"{what}: task {tasks[t]!r} in group {members!r}, seed {seeds[s]}, is "
            f"{array[s, g, t]}, {says}"
        )
    array.setflags(write=False)
    return array
