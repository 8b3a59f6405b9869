"""What a group of tasks may be, and what it costs, beside its score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from disentangle.errors import UserError, shown, unknown

OBJECTIVES = ("mean", "worst")
SMALLEST, LARGEST = 1e-300, 1e300


@dataclass(frozen=True, eq=False)
class Limits:
    """Side conditions of a grouping; without any, every set of tasks is a group.

    Attributes:
      tasks: the N names.
      largest: the most tasks in a group, or None.
      memory: the most that the members' `needs` may sum to in a group, or None.
      needs: (N,) memory per task, above 0.
      together: masks of tasks that no group splits: it has all of them or none.
      apart: masks of pairs that no group has both of.
      disjoint: every task is in one group only.
      objective: "mean", or "worst": the smallest score of a task is maximised first,
        and among the answers that reach it their mean.
      costs: (N,) what each task costs in every network that it is in, or None: every
        group costs 1.
    """

    tasks: tuple[str, ...]
    largest: int | None = None
    memory: float | None = None
    needs: np.ndarray | None = None
    together: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()
    disjoint: bool = False
    objective: str = "mean"
    costs: np.ndarray | None = None

    @property
    def plain(self) -> bool:
        """Whether there are none."""
        free = self.largest is None and self.memory is None and self.costs is None
        tied = bool(self.together or self.apart or self.disjoint)
        return free and not tied and self.objective == "mean"

    def allows(self, inside: np.ndarray) -> np.ndarray:
        """(k,) whether each of (k, N) bool rows may be a group."""
        fine = np.ones(len(inside), bool)
        if self.largest is not None:
            fine &= inside.sum(axis=1) <= self.largest
        if self.memory is not None and self.needs is not None:
            fine &= inside @ self.needs <= self.memory * (1 + 1e-12)
        for mask in self.together:
            members = inside[:, places_of(mask)]
            fine &= members.all(axis=1) | ~members.any(axis=1)
        for mask in self.apart:
            fine &= ~inside[:, places_of(mask)].all(axis=1)
        return fine

    def units(self) -> list[list[int]]:
        """The tasks, those that are never split in one list, by their first task."""
        return _units(len(self.tasks), self.together)

    def check(self) -> None:
        """Raises UserError where a task can be in no group at all."""
        for unit in self.units():
            row = np.zeros((1, len(self.tasks)), bool)
            row[0, unit] = True
            if not self.allows(row)[0]:
                names = ", ".join(self.tasks[t] for t in unit)
                raise UserError(f"no group within the limits can hold {names}")


def limits_of(
    tasks: Sequence[str],
    *,
    largest: int | None = None,
    memory: float | None = None,
    needs: Mapping[str, float] | None = None,
    together: Sequence[Sequence[str]] = (),
    apart: Sequence[Sequence[str]] = (),
    disjoint: bool = False,
    objective: str = "mean",
    costs: Mapping[str, float] | None = None,
) -> Limits:
    """The Limits in task order; arguments as in `group_tasks`.

    Raises:
      UserError: an unknown task or objective, a number out of its range, `memory`
        without `needs` or the other way, limits that leave a task without a group.
    """
    tasks = tuple(tasks)
    if largest is not None and not (_is_whole(largest) and largest >= 1):
        raise UserError(
            f"largest={shown(largest)} must be a number of tasks, at least 1"
        )
    if (memory is None) != (needs is None):
        raise UserError("memory= and needs= (memory per task) go together")
    if memory is not None and not _is_positive(memory):
        raise UserError(f"memory={shown(memory)} must be a number above 0")
    if not isinstance(disjoint, bool):
        raise UserError(f"disjoint={shown(disjoint)} must be True or False")
    if objective not in OBJECTIVES:
        raise unknown("objective", objective, OBJECTIVES)
    bound = [_mask("together", names, tasks) for names in together]
    joined = [
        sum(1 << t for t in unit) for unit in _units(len(tasks), bound) if len(unit) > 1
    ]
    pairs = [
        1 << a | 1 << b
        for names in apart
        for members in [places_of(_mask("apart", names, tasks))]
        for i, a in enumerate(members)
        for b in members[i + 1 :]
    ]
    for pair in pairs:
        if any(pair & mask == pair for mask in joined):
            a, b = (tasks[t] for t in places_of(pair))
            raise UserError(f"{a!r} and {b!r} cannot be both together and apart")
    found = Limits(
        tasks,
        None if largest is None else int(largest),
        None if memory is None else float(memory),
        None if needs is None else _numbers("needs", needs, tasks),
        tuple(joined),
        tuple(dict.fromkeys(pairs)),
        disjoint,
        objective,
        None if costs is None else _numbers("costs", costs, tasks),
    )
    found.check()
    return found


def places_of(mask: int) -> list[int]:
    """The task numbers of a mask of any size, ascending."""
    return [task for task in range(mask.bit_length()) if mask >> task & 1]


def exact_cost(cost: float) -> Fraction:
    """A cost as the decimal that was written: 0.1 is 1/10, not its binary form."""
    return Fraction(repr(float(cost)))


def in_units(costs: Sequence[Fraction]) -> tuple[list[int], Fraction]:
    """Costs as whole numbers of the largest unit that divides them, and that unit."""
    unit = Fraction(1, math.lcm(*(cost.denominator for cost in costs)))
    return [int(cost / unit) for cost in costs], unit


def _units(n: int, together: Sequence[int]) -> list[list[int]]:
    masks = [1 << task for task in range(n)]
    for mask in together:
        touched = [m for m in masks if m & mask]
        whole = 0
        for m in touched:
            whole |= m
        masks = [m for m in masks if not m & mask] + [whole]
    return sorted(places_of(m) for m in masks)


def _mask(what: str, names: Any, tasks: tuple[str, ...]) -> int:
    if isinstance(names, str) or not isinstance(names, Sequence) or len(names) < 2:
        raise UserError(f"{what} takes lists of two or more tasks, got {shown(names)}")
    mask = 0
    for name in names:
        if name not in tasks:
            raise unknown(f"task in {what}", name, tasks)
        if mask >> tasks.index(name) & 1:
            raise UserError(f"{what} names {name!r} twice in {shown(list(names))}")
        mask |= 1 << tasks.index(name)
    return mask


def _numbers(what: str, values: Any, tasks: tuple[str, ...]) -> np.ndarray:
    if not isinstance(values, Mapping):
        raise UserError(f"{what} must be a number per task, such as {{'a': 1.0}}")
    for name, value in values.items():
        if name not in tasks:
            raise unknown(f"task in {what}", name, tasks)
        if not _is_positive(value):
            raise UserError(
                f"{what} of {name!r} is {shown(value)}, not a number above 0"
            )
    for task in tasks:
        if task not in values:
            raise UserError(f"{what} has no number for the task {task!r}")
    return np.array([float(values[task]) for task in tasks])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating)
    return number and not isinstance(value, bool) and SMALLEST <= value <= LARGEST
