"""A grouping and its certificate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from disentangle.affinity.scores import Scores
from disentangle.affinity.stability import Stability


@dataclass(frozen=True)
class Grouping:
    """Groups, who serves whom, and how good and how sure it is.

    Attributes:
      tasks: the task names.
      groups: task names of each group, in task order; the groups are sorted likewise.
        Each serves a task.
      assignment: for each task the place in `groups` of the group that serves it: the
        one with the best score, the first of equals.
      objective: the mean over tasks of the score in the group that serves them; of
        the goal "worst" the smallest of these scores (the largest of losses).
      bound: no answer within the budget is better; equal to `objective` where the
        search is exact.
      gap: |bound - objective|, never negative.
      runner_up: the best objective of another answer: of a set of groups that lacks at
        least one of `groups`. None if there is none. (Sets that hold all of `groups`
        count as this answer: what they have beside them is redundant.)
      margin: |objective - runner_up|, or None. 0 says that the answer is a matter of
        the tie rule.
      sense: "max" if the objective is maximised, "min" if it is a loss.
      method: how the answer was found.
      costs: what each group costs.
      by_budget: the best objective for a budget of 1, 2, ... networks, up to one per
        task (of many tasks only up to the budget that was asked); () for measured
        groups.
      stability: how often the groups come back when the affinity is redrawn within
        its standard errors; None where that is not known, and `unsure` says why.
      unsure: why there is no `stability`; "" where there is.
      goal: what was maximised: the "mean" over tasks, or the "worst" task first.
    """

    tasks: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    assignment: dict[str, int]
    objective: float
    bound: float
    gap: float
    runner_up: float | None
    margin: float | None
    sense: str
    method: str
    costs: tuple[float, ...]
    by_budget: tuple[float, ...] = ()
    stability: Stability | None = None
    unsure: str = "it was not asked"
    goal: str = "mean"

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON: no NaN, no infinity; None for a missing value."""
        return {
            "groups": [list(group) for group in self.groups],
            "serves": dict(self.assignment),
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "runner_up": self.runner_up,
            "margin": self.margin,
            "sense": self.sense,
            "method": self.method,
            "costs": list(self.costs),
            "by_budget": list(self.by_budget),
            "stability": None if self.stability is None else self.stability.to_json(),
            "unsure": self.unsure,
            "goal": self.goal,
        }


def of_rows(
    tasks: tuple[str, ...],
    sense: str,
    scores: Scores,
    rows: list[int],
    unit: Fraction,
    certificate: tuple[float, float, float],
) -> Grouping:
    """The Grouping of the chosen rows, all numbers in the caller's sense and unit.

    `certificate` is the optimum and the runner-up as totals, larger is better, and the
    difference below which totals are equal.
    """
    top, second, tie = certificate
    rows = in_task_order(scores, rows)
    table = np.array([scores.score(row) for row in rows])
    serving = table.argmax(axis=0)
    total = math.fsum(table.max(axis=0))
    top = total if abs(top - total) <= tie else top
    second = total if second >= total - tie else second
    n, sign = len(tasks), 1.0 if sense == "max" else -1.0
    objective, bound = sign * total / n, sign * top / n
    other = sign * second / n if math.isfinite(second) else None
    return Grouping(
        tasks=tasks,
        groups=tuple(_names(tasks, scores.mask(row)) for row in rows),
        assignment={task: int(g) for task, g in zip(tasks, serving, strict=True)},
        objective=objective,
        bound=bound,
        gap=abs(bound - objective),
        runner_up=other,
        margin=None if other is None else abs(objective - other),
        sense=sense,
        method="partition dynamic programme (exact)",
        costs=tuple(float(scores.cost(row) * unit) for row in rows),
    )


def in_task_order(scores: Scores, rows: list[int]) -> list[int]:
    """The rows that serve a task, each once, sorted by their members in task order."""
    rows = sorted(set(rows))
    tasks = range(scores.n)
    members = lambda row: [t for t in tasks if scores.mask(row) >> t & 1]
    rows = sorted(rows, key=members)  # stable: of equal members by row
    table = np.array([scores.score(row) for row in rows])
    serving = set(table.argmax(axis=0).tolist())
    return [row for i, row in enumerate(rows) if i in serving]


def _names(tasks: tuple[str, ...], mask: int) -> tuple[str, ...]:
    return tuple(task for i, task in enumerate(tasks) if mask >> i & 1)
