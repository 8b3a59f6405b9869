"""Every estimate of which tasks to group, judged by the same truth beside its cost.

An estimate is made from one seed's training, as a user would make it, and judged by the
networks of the OTHER seeds: their noise is not the noise that it may have fitted. The
numbers of the seeds give the means and their 95 % intervals (Student's t).

    normalised regret = (J(chosen groups) - J(best)) / (E J(random groups) - J(best))

with J, the best and chance of the other seeds (oracle/regret.py). The best is chosen by
the very losses it is judged by, which no estimate can be: the row `truth of one seed`,
every group trained once, says how much of a regret is that noise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from disentangle.errors import UserError
from disentangle.oracle.baselines import size_alone
from disentangle.oracle.choice import loss_of
from disentangle.oracle.rank import mean_of, per_target, ranks
from disentangle.oracle.regret import Judge
from disentangle.oracle.seeds import interval
from disentangle.oracle.table import TaskTable

TRUTH, SIZE = "truth of one seed", "group size alone"
MOST_SETS = 10**6
TIE = 1e-12  # of the largest total: what is closer is equal
BASELINE = "baseline"  # the family of what needs no estimator


@dataclass(frozen=True, eq=False)
class Estimates:
    """What an estimator says about every group of a table, made from one seed each.

    Attributes:
      name: the estimator, with what sets it apart from others.
      family: what it is made from.
      cost: of one seed's estimate, in trainings of the network on all tasks.
      scores: (S, G, N), larger is better; NaN where the task is not in the group or
        not scored. Or (R, S, G, N) of R draws of what was trained for it, whose
        measures are averaged within each seed.
      seen: (S, G) bool, or (R, S, G), the groups that were trained for it; None is
        none.
    """

    name: str
    family: str
    cost: float
    scores: np.ndarray
    seen: np.ndarray | None = None

    def draws(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Each draw's (scores, seen)."""
        if self.scores.ndim == 3:
            return [(self.scores, self.seen)]
        seen = [None] * len(self.scores) if self.seen is None else list(self.seen)
        return list(zip(self.scores, seen, strict=True))


@dataclass(frozen=True)
class Mean:
    """A mean over seeds and its 95 % interval; None of fewer than two seeds."""

    mean: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Mean:
        """Of the values that are there."""
        known = np.array([value for value in values if value is not None], float)
        if not known.size:
            return cls(None)
        low, high = interval(known) or (None, None)
        return cls(float(known.mean()), low, high)


@dataclass(frozen=True)
class Judged:
    """How one estimator did in one regime.

    Attributes:
      data, regime, name, family, cost: of the table and of the estimates.
      loss: per budget, the mean loss over tasks of the chosen groups.
      regret: per budget, of that loss.
      normalised: per budget; 0 is the best there is, 1 is chance.
      area: the mean of `normalised` over the budgets.
      spearman: of scores and truth per target, over its groups of two or more that
        were not trained for the estimate.
      auroc: how well the scores tell groups that help from groups that hurt.
      partner: share of the targets whose best partner is named.
    """

    data: str
    regime: str
    name: str
    family: str
    cost: float
    loss: dict[int, Mean] = field(default_factory=dict)
    regret: dict[int, Mean] = field(default_factory=dict)
    normalised: dict[int, Mean] = field(default_factory=dict)
    area: Mean = Mean(None)
    spearman: Mean = Mean(None)
    auroc: Mean = Mean(None)
    partner: Mean = Mean(None)


@dataclass(frozen=True, eq=False)
class Sets:
    """Every set of at most b groups that holds all tasks, to look through them all.

    The answer is that of `choice.choose`; of equal ones the first here, which has fewer
    groups and then the earlier rows. Made for many choices among few groups.

    Attributes:
      groups: (G, N) bool.
      rows: (M, b) the groups of each set; one of fewer repeats its first.
    """

    groups: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, table: TaskTable, budget: int) -> Sets:
        """The sets of a table.

        Raises:
          UserError: there are more than a million, or none.
        """
        count = len(table.groups)
        if sum(math.comb(count, k) for k in range(1, budget + 1)) > MOST_SETS:
            raise UserError(
                f"at most {budget} of {count} groups can be chosen in more than "
                f"{MOST_SETS:,} ways: take smaller budgets"
            )
        found = []
        for size in range(1, min(budget, count) + 1):
            every = np.array(list(itertools.combinations(range(count), size)))
            every = every[table.groups[every].any(axis=1).all(axis=1)]
            more = np.repeat(every[:, :1], budget - size, axis=1)
            found.append(np.concatenate([every, more], axis=1))
        rows = np.concatenate(found)
        if not len(rows):
            raise UserError(f"no {budget} groups of the table hold every task")
        return cls(table.groups, rows)

    def best(self, scores: np.ndarray) -> np.ndarray:
        """(N,) the group that serves each task in the best set by (G, N) scores."""
        usable = (np.isfinite(scores) | ~self.groups).all(axis=1)
        there = self.groups & usable[:, None]
        offers = np.where(there, scores, -np.inf)
        total = offers[self.rows].max(axis=1).sum(axis=1)
        top = total.max()
        if not np.isfinite(top):
            raise UserError("no set of groups that are scored serves every task")
        chosen = self.rows[np.argmax(total >= top - TIE * abs(top))]
        return np.asarray(chosen[offers[chosen].argmax(axis=0)])


class Bench:
    """A table, and the truth of all seeds but one for each of them."""

    def __init__(self, table: TaskTable, budgets: Sequence[int]):
        """The bench of a table at these budgets.

        Raises:
          UserError: a single seed, which leaves none to judge by.
        """
        seeds = range(len(table.seeds))
        if len(seeds) < 2:
            raise UserError(
                "an estimate of one seed is judged by the others: the table has the "
                f"seeds {table.seeds} only"
            )
        self.table, self.budgets = table, tuple(budgets)
        self.others = [table.of_seeds([s for s in seeds if s != own]) for own in seeds]
        self.judges = [Judge(rest) for rest in self.others]
        self.sets = {budget: Sets.of(table, budget) for budget in self.budgets}

    def judge(self, given: Estimates) -> Judged:
        """All that the bench says about an estimator.

        Raises:
          UserError: scores of another shape, or that serve not every task.
        """
        shape = self.table.loss.shape
        if given.scores.shape[-3:] != shape or given.scores.ndim not in (3, 4):
            raise UserError(
                f"the scores of {given.name!r} must be {shape}, seeds x groups x "
                f"tasks, got {given.scores.shape}"
            )
        seeds, draws = range(shape[0]), given.draws()
        chosen = {
            own: [self._chosen(own, scores[own]) for scores, _ in draws]
            for own in seeds
        }
        averaged = lambda own, budget, part: mean_of(
            [_nan(one[budget][part]) for one in chosen[own]]
        )
        per_budget = lambda part: {
            budget: Mean.of([averaged(own, budget, part) for own in seeds])
            for budget in self.budgets
        }
        areas = [
            mean_of([_nan(averaged(own, b, 2)) for b in self.budgets]) for own in seeds
        ]
        found = [
            [ranks(self.others[own], scores[own]) for scores, _ in draws]
            for own in seeds
        ]
        ranked = lambda part: Mean.of(
            [mean_of([_nan(part(one)) for one in held]) for held in found]
        )
        return Judged(
            self.table.data,
            self.table.regime,
            given.name,
            given.family,
            given.cost,
            loss=per_budget(0),
            regret=per_budget(1),
            normalised=per_budget(2),
            area=Mean.of(areas),
            spearman=Mean.of([self._spearman(own, draws) for own in seeds]),
            auroc=ranked(lambda one: one.auroc),
            partner=ranked(lambda one: one.partner),
        )

    def _chosen(
        self, own: int, scores: np.ndarray
    ) -> dict[int, tuple[float, float, float | None]]:
        """Per budget (loss, regret, normalised regret) in the other seeds."""
        rest, judge, found = self.others[own], self.judges[own], {}
        for budget in self.budgets:
            loss = float(loss_of(rest, self.sets[budget].best(scores)).mean())
            lost = loss - judge.floor(budget)
            found[budget] = loss, lost, judge.normalised(lost, budget)
        return found

    def _spearman(
        self, own: int, draws: Sequence[tuple[np.ndarray, np.ndarray | None]]
    ) -> float | None:
        several, truth = self.table.sizes >= 2, -self.others[own].loss.mean(axis=0)
        found = []
        for scores, seen in draws:
            among = several if seen is None else several & ~seen[own]
            found.append(_nan(mean_of(per_target(scores[own], truth, among))))
        return mean_of(found)

    def baselines(self) -> list[Estimates]:
        """What stands beside the estimators: the truth of a seed, and size."""
        table = self.table
        size = np.broadcast_to(size_alone(table), table.loss.shape)
        return [
            Estimates(TRUTH, BASELINE, float(len(table.groups)), -table.loss),
            Estimates(SIZE, BASELINE, 0.0, np.array(size)),
        ]

    def fixed(self) -> dict[str, Mean]:
        """The losses of what needs no estimate: all together, alone; and of chance."""
        table, found = self.table, {}
        everything = table.sizes == len(table.tasks)
        if everything.any():
            together = table.loss[:, everything.argmax()].mean(axis=1)
            found["all together"] = Mean.of(together.tolist())
        if (table.groups & (table.sizes == 1)[:, None]).any(axis=0).all():
            found["each alone"] = Mean.of(table.alone.mean(axis=1).tolist())
        for budget in self.budgets:
            chance = [judge.random(budget) for judge in self.judges]
            found[f"random, {budget}"] = Mean.of(chance)
            floors = [judge.floor(budget) for judge in self.judges]
            found[f"best, {budget}"] = Mean.of(floors)
        return found


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def winner(
    rows: Sequence[Judged], most: float, score: Callable[[Judged], float | None]
) -> str:
    """The estimator with the smallest mean score among those of at most this cost.

    Args:
      rows: of all regimes that count; an estimator that lacks one of them does not.
      most: the largest cost that is allowed, the mean over the regimes.
      score: of a row, smaller is better, such as the area.

    Raises:
      UserError: none is left.
    """
    regimes = {(row.data, row.regime) for row in rows}
    named: dict[str, list[Judged]] = {}
    for row in rows:
        if row.family != BASELINE:
            named.setdefault(row.name, []).append(row)
    means: dict[str, float] = {}
    for name, held in named.items():
        values = [score(row) for row in held]
        known = [value for value in values if value is not None]
        cost = float(np.mean([row.cost for row in held]))
        if len(known) == len(regimes) and cost <= most:
            means[name] = float(np.mean(known))
    if not means:
        raise UserError(f"no estimator costs at most {most:g} trainings")
    return min(means, key=lambda name: (means[name], name))


def pareto(costs: Sequence[float], regrets: Sequence[float]) -> list[int]:
    """The places that no other beats in both cost and regret, by rising cost."""
    order = sorted(range(len(costs)), key=lambda i: (costs[i], regrets[i]))
    front, best = [], float("inf")
    for place in order:
        if regrets[place] < best:
            front.append(place)
            best = regrets[place]
    return front
