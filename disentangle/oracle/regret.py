"""How much worse than the best the groups are that an estimate of affinity chooses.

With L(t, g) the test loss of task t in group g, mean over seeds, and C a set of at most
b groups that holds every task,

    J(C)    = mean over t of L(t, the group of C that serves t)
    regret  = J(C of the estimate) - min over C of J(C, served by the truth)
    normalised regret = regret / (E J(random C) - min J)

so that 0 is the best there is and 1 is no better than chance. Losses are taken as they
are, never as shares of the loss alone: those explode on easy tasks. (Normalising by the
exact expectation of chance, and cross-fitting, are ours; Fifty et al. 2021 and Standley
et al. 2020 compare the total losses only.)

**Who serves.** serving="estimate": the group that the estimate scores highest;
"validation": the one with the smallest validation loss, of each seed by itself;
"truth": the one with the smallest mean test loss, the most that the groups could give.

**Chance.** Uniform over all sets of at most b distinct groups of the table that hold
every task; a task is served by one of the groups of the set that hold it, each as
likely, or by validation or truth where the estimate's groups are. Its expectation is
exact (`random_choice`). The size-matched one is uniform over the sets whose groups have
the sizes of the estimate's.

**Cross-fitting.** The best on all seeds is chosen with the noise that it is judged by,
so that even the truth of another day has regret. The cross-fitted best is chosen on
half of the seeds and judged on the others, both ways, in every split of up to 8 seeds
(35 drawn ones of more). Against it regret may be negative. An estimate that is made
from the truth itself (a function of a table) is always cross-fitted so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from disentangle.affinity.options import count_of
from disentangle.errors import UserError, unknown
from disentangle.oracle import random_choice
from disentangle.oracle.choice import (
    Choice,
    choose,
    loss_by_validation,
    loss_of,
    names_of,
    serving_of,
)
from disentangle.oracle.estimate import Estimate, candidates, scores_of
from disentangle.oracle.seeds import halves, interval
from disentangle.oracle.table import TaskTable

SERVING = ("estimate", "validation", "truth")


@dataclass(frozen=True)
class Regret:
    """What the groups chosen by an estimate cost, beside the best and chance.

    Attributes:
      budget: at most how many groups.
      groups: the chosen groups in task order; of an estimate made from the truth, those
        that all seeds choose.
      serves: for each task the place of its group in `groups`; by validation, of the
        mean over seeds.
      loss: the mean over tasks and seeds of the test loss.
      best, best_groups: the smallest loss of any set within the budget.
      regret: loss - best.
      random: the expected loss of a choice at random, None of more than 12 tasks.
      normalised_regret: regret / (random - best), None where that is not above 0.
      size_matched: the expected loss of random groups of the same sizes, or None.
      cross_best, cross_regret, cross_normalised: the same against the best of half of
        the seeds, judged on the others; None of one seed.
      seeds: the regret in each seed, with the groups that are best over all.
      interval: 95 %, of the mean of `seeds` (Student's t), None of one seed.
      normalised_interval: the same over random - best.
      serving: who serves.
      candidates: how many of the table's groups the estimate scores.
    """

    budget: int
    groups: list[list[str]]
    serves: dict[str, int]
    loss: float
    best: float
    best_groups: list[list[str]]
    regret: float
    random: float | None
    normalised_regret: float | None
    size_matched: float | None
    cross_best: float | None
    cross_regret: float | None
    cross_normalised: float | None
    seeds: list[float]
    interval: tuple[float, float] | None
    normalised_interval: tuple[float, float] | None
    serving: str
    candidates: int

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON; None for what is not known."""
        return asdict(self)


def regret(
    table: TaskTable,
    estimate: Estimate,
    budget: int,
    *,
    score: str = "mean",
    singletons: str = "forbid",
    singleton_value: float | None = None,
    serving: str = "estimate",
) -> Regret:
    """The regret of an estimate within a budget; see the top of this file.

    Args:
      table: the true losses, of all groups or of some.
      estimate: an Affinity, a GroupTable, (G, N) scores, or a function that makes such
        scores from a table of some of the seeds.
      budget: a whole number of groups.
      score, singletons, singleton_value: see `estimate.scores_of`.
      serving: "estimate", "validation" or "truth".

    Raises:
      UserError: other tasks than the table's, no groups within the budget that serve
        every task, an unknown option, one seed where two are needed.
    """
    judge = Judge(table, serving)
    scores = (
        estimate
        if callable(estimate)
        else scores_of(
            table,
            estimate,
            score=score,
            singletons=singletons,
            singleton_value=singleton_value,
        )
    )
    return judge.regret(scores, budget)


def area(regrets: Sequence[Regret]) -> dict[str, float | None]:
    """The mean over budgets of the regret, the normalised and the cross-fitted one.

    That is the area under the curve over the budgets, per budget. Budgets that leave
    no choice (a single network that must hold every task) have no normalised regret
    and do not count for its mean; None where no budget counts.
    """
    names = ("regret", "normalised_regret", "cross_regret", "cross_normalised")
    found: dict[str, float | None] = {}
    for name in names:
        values = [each.to_json()[name] for each in regrets]
        known = [value for value in values if value is not None]
        found[name] = float(np.mean(known)) if known else None
    return found


class Judge:
    """A table of true losses that any number of estimates are judged by.

    What does not depend on the estimate (the best, chance) is computed once per budget.
    """

    def __init__(self, table: TaskTable, serving: str = "estimate"):
        if serving not in SERVING:
            raise unknown("serving", serving, SERVING)
        if serving == "validation":
            loss_by_validation(table, np.arange(len(table.groups)))  # it has them
        self.table, self.serving = table, serving
        self.splits = halves(len(table.seeds))
        self.best = cache(self._best)
        self.random = cache(self._random)
        self.cross_best = cache(self._cross_best)

    def regret(
        self, scores: np.ndarray | Callable[[TaskTable], np.ndarray], budget: int
    ) -> Regret:
        """The regret of (G, N) scores, or of a function that makes them; see above."""
        budget, table = count_of(budget), self.table
        known = scores(table) if callable(scores) else scores
        chosen = choose(table, known, budget)
        if callable(scores):
            losses = self._fitted(scores, budget)
        else:
            losses = self._losses(table, chosen)
        best, floor = self.best(budget), self.floor(budget)
        by_seed = losses - loss_of(table, best.serves)
        lost, cross = float(losses.mean()) - floor, self.cross_best(budget)
        crossed = None if cross is None else float(losses.mean()) - cross
        share = lambda value: self.normalised(value, budget)
        bounds = interval(by_seed)
        drawn = random_choice.of_sizes(table.groups, table.sizes[list(chosen.rows)])
        return Regret(
            budget=budget,
            groups=names_of(table, chosen.rows),
            serves={
                task: chosen.rows.index(int(row))
                for task, row in zip(table.tasks, self._serves(chosen), strict=True)
            },
            loss=float(losses.mean()),
            best=floor,
            best_groups=names_of(table, best.rows),
            regret=lost,
            random=self.random(budget),
            normalised_regret=share(lost),
            size_matched=self._expected(drawn),
            cross_best=cross,
            cross_regret=crossed,
            cross_normalised=self.normalised(crossed, budget, cross),
            seeds=by_seed.tolist(),
            interval=bounds,
            normalised_interval=_both(share, bounds),
            serving=self.serving,
            candidates=int(candidates(table, known).sum()),
        )

    def floor(self, budget: int) -> float:
        """The smallest loss within a budget: mean over tasks and seeds."""
        return float(loss_of(self.table, self.best(budget).serves).mean())

    def normalised(
        self, regret: float | None, budget: int, floor: float | None = None
    ) -> float | None:
        """A regret over that of chance; None where chance is not worse than the best.

        `floor` is what the regret was taken against, the best of the budget without.
        """
        chance = self.random(budget)
        floor = self.floor(budget) if floor is None else floor
        if regret is None or chance is None or not chance > floor:
            return None
        return regret / (chance - floor)

    def _serves(self, chosen: Choice) -> np.ndarray:
        """(N,) the row that serves each task, on the mean over seeds."""
        rows = np.array(chosen.rows)
        if self.serving == "estimate":
            return chosen.serves
        held = self.table.loss if self.serving == "truth" else self.table.validation
        assert held is not None
        return serving_of(self.table, rows, -held.mean(axis=0))

    def _losses(self, table: TaskTable, chosen: Choice) -> np.ndarray:
        """(S,) what the chosen groups cost in each seed of a table."""
        if self.serving == "validation":
            return loss_by_validation(table, np.array(chosen.rows))
        return loss_of(table, self._serves(chosen))

    def _best(self, budget: int) -> Choice:
        return best_of(self.table, budget)

    def _random(self, budget: int) -> float | None:
        return self._expected(random_choice.within(self.table.groups, budget))

    def _expected(self, drawn: random_choice.Drawn) -> float | None:
        """The expected loss of a random choice, by the rule that serves."""
        table, mean = self.table, self.table.loss.mean(axis=0)
        pairs: list[tuple[np.ndarray | None, np.ndarray]] = [(None, mean)]
        if self.serving == "truth":
            pairs = [(mean, mean)]
        if self.serving == "validation":
            assert table.validation is not None
            pairs = list(zip(table.validation, table.loss, strict=True))
        totals = []
        for order, loss in pairs:
            share = random_choice.shares(table.groups, drawn, order)
            if share is None:
                return None
            totals.append(np.where(table.groups, share * loss, 0).sum(axis=0).mean())
        return float(np.mean(totals))

    def _cross_best(self, budget: int) -> float | None:
        if not self.splits:
            return None
        truth = lambda half: -half.loss.mean(axis=0)
        return float(self._over_splits(truth, budget, by_estimate=True).mean())

    def _fitted(
        self, scores: Callable[[TaskTable], np.ndarray], budget: int
    ) -> np.ndarray:
        if not self.splits:
            raise UserError(
                "an estimate made from the truth is judged on other seeds than it is "
                f"made from: that takes two seeds, the table has {self.table.seeds}"
            )
        return self._over_splits(scores, budget, by_estimate=False)

    def _over_splits(
        self,
        scores: Callable[[TaskTable], np.ndarray],
        budget: int,
        by_estimate: bool,
    ) -> np.ndarray:
        """(S,) the loss in each seed, mean over the splits that judge by it."""
        total, times = np.zeros((2, len(self.table.seeds)))
        for fit, judged in self.splits:
            chosen = choose(self.table, scores(self.table.of_seeds(fit)), budget)
            rest = self.table.of_seeds(judged)
            if by_estimate:
                total[judged] += loss_of(rest, chosen.serves)
            else:
                total[judged] += self._losses(rest, chosen)
            times[judged] += 1
        return np.asarray(total / times)


def best_of(table: TaskTable, budget: int) -> Choice:
    """The set of at most `budget` groups with the smallest mean test loss."""
    return choose(table, -table.loss.mean(axis=0), budget)


def _both(
    share: Callable[[float], float | None], bounds: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Both ends of an interval, normalised."""
    ends = [] if bounds is None else [share(bound) for bound in bounds]
    low, high = ends or (None, None)
    return None if low is None or high is None else (low, high)
