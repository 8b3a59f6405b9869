"""Groups scored from an affinity matrix."""

from __future__ import annotations

import math

import numpy as np

from disentangle.affinity.partition import Values, submasks
from disentangle.affinity.scores import Penalty, bits, count, members_of, subset_sums

# 2^12 sets of 20 tasks at a time: 0.7 MB a temporary array, which stays in the cache.
CHUNK = 2**12


class PairScores:
    """The group score of Fifty et al. 2021: the mean of the affinities onto a task.

    score(t, g) = mean over i in g, i != t, of Z[i, t]. The row of a group is its mask.
    The best group for a served set S adds to S the e tasks that help it most, with
    c_i(S) = sum over t in S of Z[i, t]:

        V(S) = max over e of
               (sum_{i != t in S} Z[i, t] + top-e of c_i(S)) / (|S| + e - 1)
    """

    def __init__(self, matrix: np.ndarray, alone: np.ndarray | None):
        """Takes a matrix, (n, n) [source, target], and the scores of single tasks.

        Args:
          matrix: the affinities; the diagonal is not read.
          alone: (n,) the score of each task in a group of its own, or None to forbid
            such groups.
        """
        self.n = len(matrix)
        self.matrix = np.where(np.eye(self.n, dtype=bool), 0.0, matrix)
        columns = self.matrix.T  # of each target: what every source does to it
        half = self.n // 2
        self.halves = subset_sums(columns[:half]), subset_sums(columns[half:])
        self.alone = np.full(self.n, -np.inf) if alone is None else alone

    def values(self, penalty: Penalty) -> Values:
        """V of every set, {1: (2^n,)}: each group costs 1."""
        masks = np.arange(2**self.n)
        chunks = [masks[i : i + CHUNK] for i in range(0, len(masks), CHUNK)]
        best = [self._totals(chunk, penalty).max(axis=1) for chunk in chunks]
        table = np.concatenate(best)
        table[0] = -np.inf
        return {1: table}

    def without(self, values: Values, row: int) -> Values:
        """V if the group `row` were not there: only subsets of it change."""
        table = values[1].copy()
        served = submasks(row)[1:]
        extra, size = count(row ^ served), count(served)
        totals, gains = self._totals(served, Penalty()), self._gains(served)
        helpers = np.argsort(-gains, axis=1, kind="stable")
        place = np.arange(self.n)
        best = np.where(place < extra[:, None], 1 << helpers, 0).sum(axis=1)
        # Where the best helpers of S are just the others in `row`, the next best choice
        # of as many trades the last of them for the first that was left out.
        mine = best == row ^ served
        totals[mine, extra[mine]] = -np.inf
        k = np.flatnonzero(mine & (extra > 0) & (extra < self.n - size))
        e = extra[k]
        trade = gains[k, helpers[k, e]] - gains[k, helpers[k, e - 1]]
        within = self._totals(served[k], Penalty())[np.arange(len(k)), e]
        totals[k, e] = within + trade / (row.bit_count() - 1)
        table[served] = totals.max(axis=1)
        return {1: table}

    def best_row(self, served: int, cost: int, penalty: Penalty) -> int:
        """The group that serves exactly `served` best."""
        one = np.array([served])
        extra = int(self._totals(one, penalty)[0].argmax())
        gains = self._gains(one)[0]
        if penalty.member:  # equal up to rounding is equal: the first task comes first
            gains = np.round(gains / penalty.member)
        helpers = np.argsort(-gains, kind="stable")[:extra]
        return served | sum(1 << int(i) for i in helpers)

    def mask(self, row: int) -> int:
        """The members of a group."""
        return row

    def cost(self, row: int) -> int:
        """What a group costs, in units."""
        return 1

    def score(self, row: int) -> np.ndarray:
        """(n,) scores of the members; -inf for the other tasks."""
        members = members_of(row, self.n)
        scores = np.full(self.n, -np.inf)
        if len(members) == 1:
            scores[members] = self.alone[members]
        else:
            among = self.matrix[np.ix_(members, members)]
            sums = np.array([math.fsum(column) for column in among.T])
            scores[members] = sums / (len(members) - 1)
        return scores

    def scale(self, row: int, served: int) -> float:
        """The largest affinity of a member onto a task of `served`."""
        members, targets = members_of(row, self.n), members_of(served, self.n)
        if len(members) == 1:
            return float(np.abs(self.alone[members]).max())
        return float(np.abs(self.matrix[np.ix_(members, targets)]).max())

    def _gains(self, served: np.ndarray) -> np.ndarray:
        """c_i(S), (k, n), what each task outside S adds; -inf for tasks in S."""
        return np.where(bits(served, self.n), -np.inf, self._sums(served))

    def _sums(self, served: np.ndarray) -> np.ndarray:
        """Sum over t in S of Z[i, t] for every i: (k, n).

        Two look-ups a set, of its low and of its high tasks: a matrix product of this
        shape is slower, and its threads are slower still on a busy machine.
        """
        low, high = self.halves
        return low[served % len(low)] + high[served // len(low)]

    def _totals(self, served: np.ndarray, penalty: Penalty) -> np.ndarray:
        """The total of serving each set together with its e best helpers.

        Args:
          served: (k,) masks, not 0.
          penalty: taken off the totals.

        Returns:
          (k, n) totals for e = 0, ..., n-1; -inf where there are no e helpers.
        """
        inside = bits(served, self.n)
        sums = self._sums(served)
        within = np.where(inside, sums, 0.0).sum(axis=1)
        gains = -np.sort(np.where(inside, np.inf, -sums), axis=1)
        added = np.zeros_like(gains)
        np.cumsum(gains[:, :-1], axis=1, out=added[:, 1:])
        size = count(served)[:, None] + np.arange(self.n)
        totals = (within[:, None] + added) / np.maximum(size - 1, 1)
        single = np.flatnonzero(count(served) == 1)
        totals[single, 0] = self.alone[inside[single].argmax(axis=1)]
        return totals - (penalty.group + penalty.member * size)
