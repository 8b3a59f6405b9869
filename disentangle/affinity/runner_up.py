"""The best answer that differs from the best: how sure is a grouping?

Another answer is a set of groups that does not hold all of the chosen ones. (A set that
does is the chosen answer again: what it has beside them cannot improve the optimum, so
those groups are redundant and dropped.) So the runner-up is the best, over the chosen
groups g, of the best answer without g.

That is a branch and bound on the recursion of `partition`. The tables best_u, made with
g, bound every remainder from above, and exactly so where no served set inside it would
have used g.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disentangle.affinity.partition import Levels, Values, submasks
from disentangle.affinity.scores import Scores


def runner_up(
    scores: Scores,
    values: Values,
    best: Levels,
    budget: int,
    rows: Sequence[int],
    enough: float,
) -> float:
    """The best total score of an answer that lacks one of `rows`, -inf if none.

    Args:
      scores: the scores of the groups.
      values: V_c of all groups.
      best: the levels made of `values`.
      budget: in units.
      rows: the chosen groups.
      enough: stop as soon as this is reached, as nothing is better (the optimum less
        rounding).
    """
    everything = 2**scores.n - 1
    found = -np.inf
    for row in rows:
        if found < enough:
            search = _Search(values, scores.without(values, row), best)
            found = search.improve(everything, budget, found)
    return float(found)


class _Search:
    """Partitions with the tables `values`, bounded by the levels of larger tables."""

    def __init__(self, larger: Values, values: Values, best: Levels):
        self.values, self.best = values, best
        self.costs = sorted(values)
        # loose[m]: some set inside m lost value, so that best_u(m) is only a bound.
        self.loose = np.zeros(len(values[self.costs[0]]), bool)
        for cost in self.costs:
            self.loose |= values[cost] < larger[cost]
        for bit in range((len(self.loose) - 1).bit_length()):
            halves = self.loose.reshape(-1, 2, 2**bit)
            halves[:, 1] |= halves[:, 0]

    def improve(self, mask: int, budget: int, floor: float) -> float:
        """The best total of serving `mask`, or `floor` if that is not less."""
        low = mask & -mask
        served = submasks(mask ^ low) | low
        rest = mask ^ served
        open_sets: list[tuple[float, float, int, int]] = []
        for cost in (c for c in self.costs if c <= budget):
            left = budget - cost
            head = self.values[cost][served]
            bound = head + self.best[left][rest >> 1]
            loose = self.loose[rest]
            floor = max(floor, float(bound.max(where=~loose, initial=-np.inf)))
            for k in np.flatnonzero(loose & (bound > floor)):
                open_sets.append((bound[k], head[k], int(rest[k]), left))
        for bound_k, head_k, rest_k, left in sorted(open_sets, reverse=True):
            if bound_k <= floor:
                break
            floor = max(floor, head_k + self.improve(rest_k, left, floor - head_k))
        return floor
