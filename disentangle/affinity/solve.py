"""Which way solves a grouping: the exact core where it can, else HiGHS.

| groups | tasks | way |
|---|---|---|
| an affinity's, no limits | up to 20 | partition dynamic programme over served sets |
| an affinity's, with limits | up to 12 | the same, every allowed group listed |
| an affinity's | more, or costs of many digits | column generation |
| measured | up to 20 | partition dynamic programme |
| measured | more, or costs of many digits | integer program |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from disentangle.affinity import columns, exact, milp, partition
from disentangle.affinity.exact import nothing_fits
from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.limits import Limits, exact_cost, in_units, places_of
from disentangle.affinity.pair_scores import PairScores
from disentangle.affinity.pricing import Market
from disentangle.affinity.scores import Penalty, Scores
from disentangle.affinity.table_scores import TableScores
from disentangle.affinity.to_grouping import Grouping, of_rows
from disentangle.errors import UserError

CORE, LISTED = 20, 12  # tasks of the exact core; up to which allowed groups are listed
MOST_WORK = 2e10  # additions: a minute or two
PER_GROUP = 2e4  # additions that listing a group takes as long as
CURVE = 2e8  # additions up to which all budgets are tried
COLUMNS = "column generation (HiGHS)"
PROGRAM = "integer program (HiGHS)"

Tick = Callable[[int, int], None] | None


def of_affinity(
    matrix: np.ndarray,
    alone: np.ndarray | None,
    limits: Limits,
    budget: float,
    progress: Tick = None,
) -> Grouping:
    """The best groups of an affinity matrix.

    Args:
      matrix: (n, n) [source, target].
      alone: (n,) the score of each task in a group of its own, None to forbid those.
      limits: what a group may be and costs.
      budget: of groups, or of the limits' costs.
      progress: called with (done, total) additions.

    Raises:
      UserError: no groups within the budget and the limits serve every task.
    """
    n = len(matrix)
    if limits.plain and n <= CORE:
        units = min(int(budget), n)
        pairs = PairScores(matrix, alone)
        found = exact.solve(limits.tasks, "max", pairs, Fraction(1), units, progress)
        return replace(found, by_budget=by_budget(pairs, units))
    listed = _listed(matrix, alone, limits)
    if listed is not None:
        units = units_of(listed, budget)
        if affordable(listed, units):
            found = of_listed(limits, "max", listed, units, progress)
            if limits.costs is not None or limits.objective != "mean":
                return found
            return replace(found, by_budget=by_budget(listed, units))
    return _of_columns(matrix, alone, limits, budget)


def groups_again(
    matrix: np.ndarray, alone: np.ndarray | None, limits: Limits, budget: float
) -> tuple[tuple[str, ...], ...]:
    """The groups of `of_affinity` by the tie rule, without the certificate."""
    n = len(matrix)
    scores: Scores | None
    if limits.plain and n <= CORE:
        scores, units = PairScores(matrix, alone), min(int(budget), n)
    else:
        scores = _listed(matrix, alone, limits)
        units = 0 if scores is None else units_of(scores, budget)
        if scores is None or not affordable(scores, units):
            return _of_columns(matrix, alone, limits, budget).groups
        if limits.objective == "worst":
            scores = scores.at_least(highest_floor(scores, units))
    tie = exact.TIE * float(np.nanmax(np.abs(matrix))) or exact.TIE
    rows = exact.tie_rule(scores, units, tie)
    nothing = (-math.inf, -math.inf, 0.0)
    return of_rows(limits.tasks, "max", scores, rows, Fraction(1), nothing).groups


def of_table(
    table: GroupTable, limits: Limits, budget: float, progress: Tick = None
) -> Grouping:
    """The best of measured groups; arguments and errors as of `of_affinity`."""
    scores = TableScores.of_table(table, limits)
    listed = set().union(*(places_of(mask) for mask in scores.masks))
    for place, task in enumerate(table.tasks):
        if place not in listed:
            beside = "" if limits.plain else " that the limits allow"
            raise UserError(f"the task {task!r} is in no group{beside}")
    units = units_of(scores, budget)
    least = milp.cheapest_cover(scores.masks, scores.costs, scores.n)
    if units < least:
        raise UserError(
            f"a budget of {budget:g} cannot pay for groups that serve every task: that "
            f"takes at least {float(least * scores.unit):g}"
        )
    if scores.n <= CORE and affordable(scores, units):
        return of_listed(limits, table.sense, scores, units, progress)
    return _of_program(limits, table.sense, scores, units)


def of_listed(
    limits: Limits, sense: str, scores: TableScores, units: int, progress: Tick
) -> Grouping:
    """Listed groups by the exact core; the worst task's score first where asked."""
    if limits.objective == "mean":
        return exact.solve(limits.tasks, sense, scores, scores.unit, units, progress)
    floor = highest_floor(scores, units)
    held = scores.at_least(floor)
    found = exact.solve(limits.tasks, sense, held, scores.unit, units, progress)
    return as_worst(found, floor if sense == "max" else -floor)


def as_worst(found: Grouping, worst: float, bound: float | None = None) -> Grouping:
    """A grouping whose objective is the worst task's score.

    The runner-up of the mean says nothing about it and is left out.
    """
    bound = worst if bound is None else bound
    return replace(
        found,
        goal="worst",
        objective=worst,
        bound=bound,
        gap=abs(bound - worst),
        runner_up=None,
        margin=None,
    )


def highest_floor(scores: TableScores, units: int) -> float:
    """The largest number that every task's score can reach within a budget."""

    def possible(floor: float) -> bool:
        values = scores.at_least(floor).values(Penalty())
        best = partition.levels(values, units)
        return partition.optimum(values, best, units) > -np.inf

    floors = np.unique(np.concatenate(scores.scores))
    low, high = 0, len(floors)  # floors[low] is possible, floors[high] is not
    if not possible(float(floors[0])):
        raise nothing_fits(units * scores.unit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if possible(float(floors[middle])) else (low, middle)
    return float(floors[low])


def affordable(scores: TableScores, units: int) -> bool:
    """Whether the exact core takes minutes at most."""
    costs = tuple(sorted(set(scores.costs)))
    try:
        return partition.work(scores.n, costs, units) <= MOST_WORK
    except UserError:  # too many sums of costs
        return False


def units_of(scores: TableScores, budget: float) -> int:
    """A budget in units of the groups' costs, no more than n of the dearest."""
    if not scores.masks:
        raise nothing_fits(budget)
    most = scores.n * max(scores.costs)
    units = min(int(exact_cost(budget) / scores.unit), most, sum(scores.costs))
    if units < min(scores.costs):
        raise nothing_fits(budget)
    return units


def by_budget(scores: Scores, budget: int) -> tuple[float, ...]:
    """The best objective for 1, 2, ... networks; see `Grouping.by_budget`."""
    n = scores.n
    most = n if partition.work(n, (1,), n) <= CURVE else budget
    values = scores.values(Penalty())
    best = partition.levels(values, most)
    tops = [partition.optimum(values, best, units) for units in range(1, most + 1)]
    # Serving sets that are needless in a larger budget: more never is worse.
    tops = [float(top) / n for top in np.maximum.accumulate(tops)]
    return tuple(top for top in tops if math.isfinite(top))


def redraw_work(n: int, limits: Limits, budget: float) -> float:
    """The additions of `groups_again`, as far as they can be told beforehand."""
    units = min(int(budget), n)
    if limits.plain and n <= CORE:
        return partition.work(n, (1,), units) + n * n * 2**n
    if n > LISTED or limits.costs is not None:
        return math.inf
    times = 12 if limits.objective == "worst" else 1  # of a search for the floor
    return times * (partition.work(n, (1,), units) + PER_GROUP * 2**n)


def _listed(
    matrix: np.ndarray, alone: np.ndarray | None, limits: Limits
) -> TableScores | None:
    if len(matrix) > LISTED:
        return None
    return TableScores.of_matrix(matrix, alone, limits)


def _of_program(
    limits: Limits, sense: str, scores: TableScores, units: int
) -> Grouping:
    """Listed groups by HiGHS, which takes any costs."""
    table = np.array([scores.score(row) for row in range(len(scores.masks))])
    # HiGHS wants numbers of ordinary size, and keeps a row to some 1e-7 of it.
    costs = np.array([cost / units for cost in scores.costs])
    floor = 0.0
    try:
        if limits.objective == "worst":
            table, floor = columns.worst(table, costs, 1.0, limits)
        total, rows = milp.best_total(table, costs, 1.0, limits.disjoint)
        if sum(scores.costs[row] for row in rows) > units:  # by less than that
            total, rows = milp.best_total(table, costs, 1 - 1e-6, limits.disjoint)
    except UserError:
        raise nothing_fits(units * scores.unit) from None
    held = TableScores(
        scores.n,
        scores.masks,
        [row[np.isfinite(scores.score(i))] for i, row in enumerate(table)],
        scores.costs,
        scores.unit,
        limits.disjoint,
    )
    tie = exact.TIE * max(1.0, abs(total))
    found = of_rows(
        limits.tasks,
        sense,
        held,
        list(rows),
        scores.unit,
        (total, -math.inf, 1e3 * tie),
    )
    found = replace(found, method=PROGRAM)
    if limits.objective == "worst":
        return as_worst(found, floor if sense == "max" else -floor)
    return found


def _of_columns(
    matrix: np.ndarray, alone: np.ndarray | None, limits: Limits, budget: float
) -> Grouping:
    """An affinity's groups by column generation."""
    n = len(matrix)
    off = np.where(np.eye(n, dtype=bool), 0.0, matrix)
    single = np.full(n, -np.inf) if alone is None else alone
    market = Market(off, single, limits)
    budget = budget if limits.costs is not None else min(budget, n)
    found = columns.generate(market, budget)
    per_task, unit = [0] * n, Fraction(1)
    if limits.costs is not None:
        per_task, unit = in_units([exact_cost(cost) for cost in limits.costs])
    rows = [np.flatnonzero(group) for group in found.groups]
    held = TableScores(
        n,
        [sum(1 << int(t) for t in members) for members in rows],
        [market.scores(g[None])[0][g] for g in found.groups],
        [sum(per_task[t] for t in members) or 1 for members in rows],
        unit,
        limits.disjoint,
    )
    total = float(np.max([held.score(row) for row in range(len(rows))], axis=0).sum())
    top = max(total, found.bound) if limits.objective == "mean" else total
    result = of_rows(
        limits.tasks, "max", held, list(range(len(rows))), unit, (top, -math.inf, 0.0)
    )
    result = replace(result, method=COLUMNS)
    return result if found.worst is None else as_worst(result, *found.worst)
