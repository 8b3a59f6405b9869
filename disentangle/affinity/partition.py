"""The best partition of tasks into served sets, exactly.

Groups may overlap, but each task is served by one of them, so the SERVED sets of an
optimal answer partition the tasks. With V_c(S) the best total score of serving exactly
the tasks S with one group of cost c,

    best_u(m) = max over costs c and S, low(m) in S, S inside m:
                V_c(S) + best_{u-c}(m without S)

where low(m), any fixed member of m, keeps a partition from being met once an order.
A set of tasks is a bit mask, task 0 the lowest bit. Every table has 2^n float64
entries; one level of the recursion takes 3^(n-1) / 2 additions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from disentangle.errors import UserError

# V_c: for each cost in units, the (2^n,) best score of serving exactly each set.
Values = dict[int, np.ndarray]
# best_u without task 0: for each budget in units, (2^(n-1),), indexed by mask >> 1.
Levels = dict[int, np.ndarray]
Tick = Callable[[int], None]

# 3^8 pairs of sets of the low eight tasks: 52 kB a row, which stays in the cache.
LOW_TASKS = 8
# More budgets than this are a sign of costs with needless digits.
MAX_LEVELS = 2000


class ServedSet(NamedTuple):
    """A served set (a mask) and the cost in units of the group that serves it."""

    served: int
    cost: int


def submasks(mask: int) -> np.ndarray:
    """All 2^|mask| masks inside `mask`, the empty one first."""
    masks = np.zeros(1, np.int64)
    while mask:
        low = mask & -mask
        masks = np.concatenate([masks, masks | low])
        mask ^= low
    return masks


def needed_levels(costs: tuple[int, ...], budget: int) -> list[int]:
    """The budgets that can be left after choosing groups, ascending, `budget` last.

    Raises:
      UserError: there are more than MAX_LEVELS of them.
    """
    left, new = {budget}, {budget}
    while new:
        new = {u - c for u in new for c in costs if c <= u} - left
        left |= new
        if len(left) > MAX_LEVELS:
            raise UserError(
                f"{len(costs)} different costs make more than {MAX_LEVELS} different "
                "sums within the budget, too many to search; round the costs"
            )
    return sorted(left)


def work(n: int, costs: tuple[int, ...], budget: int) -> int:
    """How many additions `levels` does, for its progress."""
    low = _low(n - 1)
    one = 3**low * (3 ** (n - 1 - low) + 1) // 2
    below = needed_levels(costs, budget)[:-1]
    return one * sum(u - c >= min(costs) for u in below for c in costs)


def levels(values: Values, budget: int, tick: Tick = lambda done: None) -> Levels:
    """Tables best_u of the tasks 1, ..., n-1 for every budget that can be left.

    Task 0 needs no table: `first_set` puts it into the first set.

    Args:
      values: V_c, each (2^n,), -inf where no group can serve exactly that set, the
        empty set among them.
      budget: in units.
      tick: called now and then with the number of additions just done.

    Returns:
      best_u for every u below `budget` that can be left; -inf where u cannot pay.
    """
    costs = tuple(sorted(values))
    rest = {cost: values[cost][::2] for cost in costs}
    nothing = np.full(len(rest[costs[0]]), -np.inf)
    nothing[0] = 0.0
    heads = {cost: _spread(table, 0) for cost, table in rest.items()}
    tails: dict[int, np.ndarray] = {}
    best: Levels = {}
    for u in needed_levels(costs, budget)[:-1]:
        best[u] = nothing.copy()
        for cost in (c for c in costs if c <= u):
            left = u - cost
            if left < costs[0]:  # nothing more can be paid: one group serves it all
                np.maximum(best[u][1:], rest[cost][1:], out=best[u][1:])
                continue
            if left not in tails:
                tails[left] = _spread(best[left], 1)
            _convolve(heads[cost], tails[left], best[u], tick)
        for old in [left for left in tails if left < u - costs[-1]]:
            del tails[old]
    return best


def _low(tasks: int) -> int:
    """How many of the tasks are low: paired by table, not by the loop."""
    return min(LOW_TASKS, tasks)


def _spread(table: np.ndarray, which: int) -> np.ndarray:
    """(2^high, 3^low): `table` at each of the low pairs' S (0) or m without S (1)."""
    low = _low((len(table) - 1).bit_length())
    # take, not an index: that would put the rows, which the loop adds, across memory.
    return np.take(table.reshape(-1, 2**low), low_pairs(low)[which], axis=1)


def low_pairs(low: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All 3^low pairs (S, m without S), sorted by m, and where each m starts."""
    first = np.zeros(1, np.int64)
    second = np.zeros(1, np.int64)
    for bit in 2 ** np.arange(low):
        first = np.concatenate([first, first | bit, first])
        second = np.concatenate([second, second, second | bit])
    order = np.argsort(first | second, kind="stable")
    both = (first | second)[order]
    return first[order], second[order], np.searchsorted(both, np.arange(2**low))


def _convolve(head: np.ndarray, tail: np.ndarray, best: np.ndarray, tick: Tick) -> None:
    """best[m] = max(best[m], max over S with high(m) in S: head[S] + tail[m - S])."""
    low = _low((len(best) - 1).bit_length())
    starts = low_pairs(low)[2]
    rows = best.reshape(-1, 2**low)
    total, top = np.empty(head.shape[1]), np.empty(head.shape[1])
    # Few measured groups can serve few sets: whole rows are impossible.
    possible = (head.max(axis=1) > -np.inf).tolist()
    for m in range(len(rows)):
        top.fill(-np.inf)
        for s in _with_highest(m):
            if not possible[s]:
                continue
            np.add(head[s], tail[m ^ s], out=total)
            np.maximum(top, total, out=top)
        # Row 0 has no high task to pin: its pairs are met in both orders, which is
        # only twice the work.
        np.maximum(rows[m], np.maximum.reduceat(top, starts), out=rows[m])
        tick(head.shape[1] << max(m.bit_count() - 1, 0))


def _with_highest(mask: int) -> Iterator[int]:
    """The submasks of `mask` that hold its highest task; 0 for the empty mask."""
    high = (1 << mask.bit_length()) >> 1
    rest = mask ^ high
    sub = rest
    while True:
        yield sub | high
        if not sub:
            return
        sub = (sub - 1) & rest


def first_set(
    values: Values, best: Levels, mask: int, budget: int, slack: float
) -> ServedSet:
    """The first served set of a best partition of `mask`: the one with its lowest task.

    Among sets within `slack` of the best it takes the first in lexicographic order
    of the sorted task numbers, then the cheapest.
    """
    low = mask & -mask
    served = submasks(mask ^ low) | low
    left = (mask ^ served) >> 1
    costs = [cost for cost in sorted(values) if cost <= budget]
    totals = np.array([values[c][served] + best[budget - c][left] for c in costs])
    rows, columns = np.nonzero(totals >= totals.max() - slack)
    first = np.lexsort((rows, lexicographic(served[columns])))[0]
    return ServedSet(int(served[columns[first]]), costs[rows[first]])


def optimum(values: Values, best: Levels, budget: int) -> float:
    """The best total score of serving all tasks; -inf if the budget cannot."""
    return max(
        float((values[cost][1::2] + best[budget - cost][::-1]).max())
        for cost in values
        if cost <= budget
    )


def trace(values: Values, best: Levels, budget: int, slack: float) -> list[ServedSet]:
    """The served sets of a best partition of all tasks; see `first_set` for ties."""
    mask = len(next(iter(values.values()))) - 1
    sets = []
    while mask:
        sets.append(first_set(values, best, mask, budget, slack))
        mask ^= sets[-1].served
        budget -= sets[-1].cost
    return sets


def lexicographic(masks: np.ndarray) -> np.ndarray:
    """The rank of each mask when sorted by its ascending list of tasks, () first."""
    n = int(masks.max(initial=0)).bit_length()
    rank = np.zeros(masks.shape, np.int64)
    for task in reversed(range(n)):
        skipped = np.where(rank > 0, rank + 2 ** (n - 1 - task), 0)
        rank = np.where(masks >> task & 1, rank + 1, skipped)
    return rank
