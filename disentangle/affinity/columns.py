"""Many tasks: groups are generated where prices ask for them, with a certified bound.

The relaxed program of `milp` over the groups found so far has prices; `pricing` looks
for groups that are worth something at these prices, until it finds none. By Lagrangian
duality, whatever the prices pi and mu,

    optimum <= sum_t pi_t + mu B + K max(0, most that any group is worth),

with K the most groups an answer can have, so that the bound holds although the search
for groups is not exhaustive. The answer is the best of the integer program over all
groups found, improved by single changes. (Of up to 20 tasks every group is priced: then
the groups that could be in a better answer are all added, and the gap is closed.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from disentangle.affinity import milp
from disentangle.affinity.exact import nothing_fits
from disentangle.affinity.limits import Limits, places_of
from disentangle.affinity.milp import Prices
from disentangle.affinity.pricing import (
    LISTED,
    Market,
    every_worth,
    improve,
    most_worth,
)
from disentangle.errors import UserError

ROUNDS = 60  # of prices and new groups
NEW = 120  # groups per round
HOPE = 0.15  # of the total: a larger gap is not worth a search for the exact bound
MOST = 20_000  # groups of the last integer program
CLOSE = 1e-7  # of the largest affinity: worth less is rounding of the solver


class Found(NamedTuple):
    """An answer and its certificate.

    Attributes:
      groups: (k, n) bool, the chosen groups.
      total: the sum over tasks of the score in the best of them.
      bound: no answer has a larger total.
      worst: of the objective "worst", its value and a bound on it.
    """

    groups: np.ndarray
    total: float
    bound: float
    worst: tuple[float, float] | None = None


def generate(market: Market, budget: float) -> Found:
    """The best groups within a budget, and a bound on any others.

    Args:
      market: the scores of groups, what they may be and what they cost.
      budget: in the unit of the costs.

    Raises:
      UserError: no groups were found that serve every task within the budget.
    """
    n = len(market.matrix)
    scale = float(np.abs(market.matrix).max(initial=0.0)) or 1.0
    alone = market.alone[np.isfinite(market.alone)]
    scale = max(scale, float(np.abs(alone).max(initial=0.0)))
    missing = 10.0 * n * scale
    pool = _first(market, scale)
    asked = Prices(np.zeros(n), 0.0)
    for _ in range(ROUNDS):
        asked = milp.prices(
            market.scores(pool),
            market.costs(pool),
            budget,
            market.limits.disjoint,
            missing,
        )
        more = improve(market, _starts(market, pool, asked), asked)
        worth = market.worth(more, asked)
        order = np.argsort(-worth, kind="stable")
        more = more[order[worth[order] > CLOSE * scale]]
        pool, before = _joined(pool, more), len(pool)
        if len(pool) == before:
            break
    if market.limits.objective == "worst":
        return _of_worst(market, pool, budget)
    return _certified(market, pool, asked, budget, scale)


def worst(
    scores: np.ndarray, costs: np.ndarray, budget: float, limits: Limits
) -> tuple[np.ndarray, float]:
    """The highest floor that every task's score can reach with listed groups.

    Args:
      scores: (G, n), -inf where a task is not in a group.
      costs, budget: as in `milp.best_total`.
      limits: whether the groups are disjoint.

    Returns:
      The scores, -inf where they are below the floor (of disjoint groups, everywhere
      in a group that has one below it), and the floor.

    Raises:
      UserError: no groups within the budget serve every task.
    """

    def cut(floor: float) -> np.ndarray:
        fine = scores >= floor
        if limits.disjoint:
            fine &= (fine | ~np.isfinite(scores)).all(axis=1, keepdims=True)
        return np.where(fine, scores, -np.inf)

    def possible(floor: float) -> bool:
        held = cut(floor)
        try:
            milp.best_total(
                np.where(np.isfinite(held), 0.0, held), costs, budget, limits.disjoint
            )
        except UserError:
            return False
        return True

    floors = np.unique(scores[np.isfinite(scores)])
    low, high = 0, len(floors)
    if not high or not possible(float(floors[0])):
        raise nothing_fits(budget)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if possible(float(floors[middle])) else (low, middle)
    return cut(float(floors[low])), float(floors[low])


def _of_worst(market: Market, pool: np.ndarray, budget: float) -> Found:
    """The highest floor with the groups at hand; its bound is without prices."""
    costs = market.costs(pool)
    scores, floor = worst(market.scores(pool), costs, budget, market.limits)
    rows = milp.best_total(scores, costs, budget, market.limits.disjoint)[1]
    groups = pool[list(rows)]
    total = total_of(market, groups)
    floor = float(market.scores(groups).max(axis=0).min())
    return Found(groups, total, total, (floor, float(_tops(market).min())))


def _certified(
    market: Market, pool: np.ndarray, asked: Prices, budget: float, scale: float
) -> Found:
    """The best answer of the pool's groups, and the bound that prices prove."""
    n = len(market.matrix)
    groups = _polished(market, pool[_integer(market, pool, budget)])
    total = total_of(market, groups)
    dual = dual_bound(market, asked, budget, abs(total) * HOPE + total)
    bound = min(dual, _simple(market))
    if n <= LISTED:
        closing = _closing(market, asked, total - dual, scale)
        if len(closing) <= MOST:
            groups = closing[_integer(market, closing, budget)]
            total = bound = total_of(market, groups)
    return Found(groups, total, total if bound - total <= CLOSE * scale else bound)


def total_of(market: Market, groups: np.ndarray) -> float:
    """The sum over tasks of the best score in the groups; -inf if one has none."""
    return float(market.scores(groups).max(axis=0).sum())


def _simple(market: Market) -> float:
    """A bound without prices on the total."""
    return float(_tops(market).sum())


def _tops(market: Market) -> np.ndarray:
    """(n,) bounds on each score: every task with its one best helper, or alone."""
    n = len(market.matrix)
    off = np.where(np.eye(n, dtype=bool), -np.inf, market.matrix)
    for mask in market.limits.apart:
        a, b = places_of(mask)
        off[a, b] = off[b, a] = -np.inf
    return np.asarray(np.maximum(off.max(axis=0), market.alone))


def _first(market: Market, scale: float) -> np.ndarray:
    """Groups to begin with: of every size that prices from low to high ask for."""
    n = len(market.matrix)
    seeds = np.concatenate([np.ones((1, n), bool), _units(market), _pairs(market)])
    seeds = seeds[market.limits.allows(seeds)]
    top = np.where(np.eye(n, dtype=bool), -np.inf, market.matrix).max(axis=0)
    found = [seeds]
    for share in (-1.0, 0.0, 0.25, 0.5, 0.75):
        worth = Prices(top * share if share >= 0 else np.full(n, -4 * scale), 0.0)
        found.append(improve(market, seeds, worth))
    groups = np.unique(np.concatenate(found), axis=0)
    scored = np.isfinite(market.scores(groups)).any(axis=1)
    return groups[scored]


def _units(market: Market) -> np.ndarray:
    units = market.limits.units()
    rows = np.zeros((len(units), len(market.matrix)), bool)
    for row, unit in enumerate(units):
        rows[row, unit] = True
    return rows


def _pairs(market: Market) -> np.ndarray:
    """Every unit with every other one; those that limits do not allow as well."""
    units = _units(market)
    a, b = np.triu_indices(len(units), 1)
    return units[a] | units[b]


def _starts(market: Market, pool: np.ndarray, asked: Prices) -> np.ndarray:
    """The groups and pairs that are worth most at these prices, to be changed."""
    pairs = _pairs(market)
    candidates = [pool, pairs[market.limits.allows(pairs)], _units(market)]
    starts = []
    for rows in candidates:
        order = np.argsort(-market.worth(rows, asked), kind="stable")
        starts.append(rows[order[:NEW]])
    return np.unique(np.concatenate(starts), axis=0)


def _joined(pool: np.ndarray, more: np.ndarray) -> np.ndarray:
    """The pool and the first of `more` that it does not have."""
    known = {row.tobytes() for row in pool}
    fresh = {row.tobytes(): row for row in more if row.tobytes() not in known}
    rows = list(fresh.values())[:NEW]
    return np.concatenate([pool, np.array(rows, bool).reshape(-1, pool.shape[1])])


def dual_bound(market: Market, asked: Prices, budget: float, hoped: float) -> float:
    """A bound on every answer's total, whatever the prices; see the top of this file.

    Args:
      market, budget: as in `generate`.
      asked: the prices.
      hoped: a bound of at most this is made as sharp as a search allows.
    """
    n = len(market.matrix)
    base = float(asked.tasks.sum()) + asked.cost * budget
    cheapest = float(market.costs(np.eye(n, dtype=bool)).min())
    number = min(n, int(budget / cheapest + 1e-9))
    return base + number * most_worth(market, asked, (hoped - base) / number)


def _closing(market: Market, asked: Prices, least: float, scale: float) -> np.ndarray:
    """Every group that an answer better than the one at hand could have.

    A group whose worth is below the answer's total less the dual bound (`least`) would
    lower the bound of every answer that has it to less than the answer.
    """
    found = [
        inside[worth >= least - CLOSE * scale]
        for inside, worth in every_worth(market, asked)
    ]
    return np.concatenate(found)


def _integer(market: Market, pool: np.ndarray, budget: float) -> np.ndarray:
    """(k,) the best rows of the pool."""
    scores, costs = market.scores(pool), market.costs(pool)
    try:
        rows = milp.best_total(scores, costs, budget, market.limits.disjoint)[1]
    except UserError:
        raise nothing_fits(budget) from None
    return np.array(rows)


def _polished(market: Market, groups: np.ndarray) -> np.ndarray:
    """Groups changed one by one while that raises the total, where costs allow it."""
    if market.limits.disjoint or market.limits.costs is not None:
        return groups
    improved = True
    while improved:
        improved = False
        for row in range(len(groups)):
            rest = np.delete(market.scores(groups), row, axis=0)
            floor = rest.max(axis=0, initial=-4.0 * np.abs(market.matrix).max())
            better = improve(market, groups[row : row + 1], Prices(floor, 0.0))
            trial = groups.copy()
            trial[row] = better[0]
            before = total_of(market, groups)
            if total_of(market, trial) > before + 1e-9 * max(1.0, abs(before)):
                groups, improved = trial, True
    return groups
