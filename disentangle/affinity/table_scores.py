"""Groups whose scores were measured."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.partition import Values, lexicographic, submasks
from disentangle.affinity.scores import Penalty, count, members_of, subset_sums


class TableScores:
    """The groups of a `GroupTable`; the row of a group is its place in the table."""

    def __init__(self, table: GroupTable):
        self.n = len(table.tasks)
        self.sign = 1.0 if table.sense == "max" else -1.0
        place = {task: 1 << i for i, task in enumerate(table.tasks)}
        self.masks = [sum(place[t] for t in g.members) for g in table.groups]
        self.scores = [self.sign * np.array(g.scores) for g in table.groups]
        exact = [exact_cost(g.cost) for g in table.groups]
        self.unit = Fraction(1, math.lcm(*(cost.denominator for cost in exact)))
        self.costs = [int(cost / self.unit) for cost in exact]

    def values(self, penalty: Penalty) -> Values:
        """V_c of every set: the best of the measured groups of that cost."""
        values = {cost: np.full(2**self.n, -np.inf) for cost in sorted(set(self.costs))}
        for row, cost in enumerate(self.costs):
            served, totals = self._totals(row, self.masks[row])
            off = penalty.group + penalty.member * self.masks[row].bit_count()
            values[cost][served] = np.maximum(values[cost][served], totals - off)
        return values

    def without(self, values: Values, row: int) -> Values:
        """V_c if the group `row` were not there: only subsets of it change."""
        cost, members = self.costs[row], self.masks[row]
        table = values[cost].copy()
        table[submasks(members)] = -np.inf
        for other in range(len(self.masks)):
            if other != row and self.costs[other] == cost:
                served, totals = self._totals(other, self.masks[other] & members)
                table[served] = np.maximum(table[served], totals)
        return {**values, cost: table}

    def best_row(self, served: int, cost: int, penalty: Penalty) -> int:
        """The group of that cost that serves exactly `served` best."""
        rows = np.array(
            [
                row
                for row, mask in enumerate(self.masks)
                if self.costs[row] == cost and served & mask == served
            ]
        )
        masks = np.array([self.masks[row] for row in rows])
        totals = np.array([self._totals(row, served)[1][-1] for row in rows])
        totals -= penalty.group + penalty.member * count(masks)
        equal = totals >= totals.max() - penalty.member / 2
        return int(rows[equal][lexicographic(masks[equal]).argmin()])

    def mask(self, row: int) -> int:
        """The members of a group."""
        return self.masks[row]

    def cost(self, row: int) -> int:
        """What a group costs, in units."""
        return self.costs[row]

    def score(self, row: int) -> np.ndarray:
        """(n,) scores of the members; -inf for the other tasks."""
        scores = np.full(self.n, -np.inf)
        scores[members_of(self.masks[row], self.n)] = self.scores[row]
        return scores

    def scale(self, row: int, served: int) -> float:
        """The largest score of a task of `served`."""
        return float(np.abs(self.score(row)[members_of(served, self.n)]).max())

    def _totals(self, row: int, within: int) -> tuple[np.ndarray, np.ndarray]:
        """The non-empty masks inside `within`, and the totals of serving them."""
        members = members_of(self.masks[row], self.n)
        asked = (within >> members & 1).astype(bool)
        return submasks(within)[1:], subset_sums(self.scores[row][asked])[1:]


def exact_cost(cost: float) -> Fraction:
    """A cost as the decimal that was written: 0.1 is 1/10, not its binary form."""
    return Fraction(repr(float(cost)))
