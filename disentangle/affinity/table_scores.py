"""Groups that are listed one by one: measured, or all that limits allow."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.limits import Limits, exact_cost, in_units
from disentangle.affinity.partition import Values, lexicographic, submasks
from disentangle.affinity.scores import (
    Penalty,
    bits,
    count,
    members_of,
    subset_sums,
)


class TableScores:
    """Groups with scores and costs; the row of a group is its place in the list.

    Attributes:
      n: how many tasks there are.
      masks: (G,) the members of each group.
      scores: of each group, (size,) scores of its members in task order, larger is
        better; -inf for a member that it may not serve.
      costs: (G,) whole numbers of `unit`.
      unit: what a budget is counted in.
      whole: whether a group serves all of its members or none, so that the groups of
        an answer are disjoint.
    """

    def __init__(
        self,
        n: int,
        masks: list[int],
        scores: list[np.ndarray],
        costs: list[int],
        unit: Fraction = Fraction(1),
        whole: bool = False,
    ):
        self.n, self.masks, self.scores = n, masks, scores
        self.costs, self.unit, self.whole = costs, unit, whole

    @classmethod
    def of_table(cls, table: GroupTable, limits: Limits | None = None) -> TableScores:
        """The measured groups that the limits allow."""
        place = {task: 1 << i for i, task in enumerate(table.tasks)}
        n, sign = len(table.tasks), 1.0 if table.sense == "max" else -1.0
        masks = [sum(place[t] for t in g.members) for g in table.groups]
        scores = [sign * np.array(g.scores) for g in table.groups]
        costs, unit = in_units([exact_cost(g.cost) for g in table.groups])
        if limits is None:
            return cls(n, masks, scores, costs, unit)
        rows = np.flatnonzero(limits.allows(bits(np.array(masks), n))).tolist()
        take = lambda values: [values[row] for row in rows]
        return cls(n, take(masks), take(scores), take(costs), unit, limits.disjoint)

    @classmethod
    def of_matrix(
        cls, matrix: np.ndarray, alone: np.ndarray | None, limits: Limits
    ) -> TableScores:
        """Every group that the limits allow, scored as by `PairScores`."""
        n = len(matrix)
        masks = np.arange(1, 2**n)
        inside = bits(masks, n)
        sizes = inside.sum(axis=1)
        fine = limits.allows(inside)
        if alone is None:
            fine &= sizes > 1
        masks, inside, sizes = masks[fine], inside[fine], sizes[fine]
        off = np.where(np.eye(n, dtype=bool), 0.0, matrix)
        sums = inside @ off / np.maximum(sizes - 1, 1)[:, None]
        if alone is not None:
            sums[sizes == 1] = alone
        per_task = [Fraction(0)] * n
        if limits.costs is not None:
            per_task = [exact_cost(cost) for cost in limits.costs]
        costs, unit = [1] * len(masks), Fraction(1)
        if limits.costs is not None:
            each, unit = in_units(per_task)
            costs = [
                int(sum(c for c, i in zip(each, row, strict=True) if i))
                for row in inside
            ]
        scores = [row[held] for row, held in zip(sums, inside, strict=True)]
        return cls(n, masks.tolist(), scores, costs, unit, limits.disjoint)

    def at_least(self, floor: float) -> TableScores:
        """The same groups, which serve a task only where its score reaches `floor`."""
        scores = [np.where(row >= floor, row, -np.inf) for row in self.scores]
        return TableScores(
            self.n, self.masks, scores, self.costs, self.unit, self.whole
        )

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
        table[members if self.whole else submasks(members)] = -np.inf
        for other in range(len(self.masks)):
            alike = not self.whole or self.masks[other] == members
            if other != row and self.costs[other] == cost and alike:
                served, totals = self._totals(other, self.masks[other] & members)
                table[served] = np.maximum(table[served], totals)
        return {**values, cost: table}

    def best_row(self, served: int, cost: int, penalty: Penalty) -> int:
        """The group of that cost that serves exactly `served` best."""
        rows = np.array(
            [
                row
                for row, mask in enumerate(self.masks)
                if self.costs[row] == cost and self._serves(mask, served)
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

    def _serves(self, mask: int, served: int) -> bool:
        return mask == served if self.whole else served & mask == served

    def _totals(self, row: int, within: int) -> tuple[np.ndarray, np.ndarray]:
        """The non-empty masks inside `within`, and the totals of serving them."""
        if self.whole:
            return np.array([within]), np.array([math.fsum(self.scores[row])])
        members = members_of(self.masks[row], self.n)
        asked = (within >> members & 1).astype(bool)
        return submasks(within)[1:], subset_sums(self.scores[row][asked])[1:]
