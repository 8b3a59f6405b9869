"""The rows that stand in every table of regrets, beside the estimates."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from disentangle.oracle.regret import Judge, Regret
from disentangle.oracle.table import TaskTable

TRUTH = "truth of half the seeds"
SIZE = "group size alone"
TOGETHER = "all together"
ALONE = "each alone"
RANDOM = "random"
MATCHED = "random of the same sizes"


@dataclass(frozen=True)
class Row:
    """One line of a table of regrets at one budget; None for what is not known.

    Attributes:
      loss: mean over tasks and seeds; of chance, its exact expectation.
      regret, normalised_regret: of that loss, as in `Regret`.
      networks: how many groups that takes; None of chance.
    """

    loss: float
    regret: float
    normalised_regret: float | None
    networks: int | None

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON."""
        return asdict(self)


def truth_of(table: TaskTable) -> np.ndarray:
    """(G, N) scores of the truth itself: the mean loss over seeds, turned round.

    Given as a function it is cross-fitted: the truth of half the seeds.
    """
    return np.asarray(-table.loss.mean(axis=0))


def size_alone(table: TaskTable) -> np.ndarray:
    """(G, N) scores of nothing but size: the smaller the group the better."""
    return np.where(table.groups, -table.sizes[:, None].astype(float), np.nan)


def baselines(judge: Judge, budget: int, given: Regret | None = None) -> dict[str, Row]:
    """The rows that need no estimate; those that the table cannot have are left out.

    Args:
      judge: holds the table.
      budget: at most how many groups.
      given: whose group sizes the size-matched chance has.
    """
    table = judge.table
    sizes = table.sizes
    rows: dict[str, Row] = {}
    if (sizes == len(table.tasks)).any():
        together = table.loss[:, sizes.argmax()].mean()
        rows[TOGETHER] = row_of(judge, budget, float(together), 1)
    if (table.groups & (sizes == 1)[:, None]).any(axis=0).all():
        alone = float(table.alone.mean())
        rows[ALONE] = row_of(judge, budget, alone, len(table.tasks))
    by_size = judge.regret(size_alone(table), budget)
    rows[SIZE] = row_of(judge, budget, by_size.loss, len(by_size.groups))
    chance = judge.random(budget)
    if chance is not None:
        rows[RANDOM] = row_of(judge, budget, chance, None)
    if given is not None and given.size_matched is not None:
        rows[MATCHED] = row_of(judge, budget, given.size_matched, None)
    if judge.splits:
        best = judge.cross_best(budget)
        assert best is not None
        rows[TRUTH] = row_of(judge, budget, best, len(judge.best(budget).rows))
    return rows


def row_of(judge: Judge, budget: int, loss: float, networks: int | None) -> Row:
    """A row, with its regret against the best within the budget."""
    regret = loss - judge.floor(budget)
    return Row(loss, regret, judge.normalised(regret, budget), networks)
