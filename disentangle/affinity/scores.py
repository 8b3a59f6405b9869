"""What the grouping asks of the groups it chooses from.

`PairScores` scores any group from an affinity matrix, `TableScores` those that were
measured. Both give `partition` its tables V_c.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from disentangle.affinity.partition import Values


class Penalty(NamedTuple):
    """What to take off a group's total score, so that ties go to fewer and smaller."""

    group: float = 0.0
    member: float = 0.0


class Scores(Protocol):
    """What the grouping needs to know of the groups. Larger scores are better."""

    n: int

    def values(self, penalty: Penalty) -> Values:
        """V_c: for each cost, (2^n,) the best total of serving exactly each set."""
        ...

    def without(self, values: Values, row: int) -> Values:
        """V_c if the group `row` were not there, from the V_c without penalty."""
        ...

    def best_row(self, served: int, cost: int, penalty: Penalty) -> int:
        """The group that serves exactly the mask `served` best, a name of its own."""
        ...

    def mask(self, row: int) -> int:
        """The members of a group."""
        ...

    def cost(self, row: int) -> int:
        """What a group costs, in units."""
        ...

    def score(self, row: int) -> np.ndarray:
        """(n,) scores of the tasks in a group; -inf for those that are not in it."""
        ...

    def scale(self, row: int, served: int) -> float:
        """The largest number in the scores of the tasks `served` in a group."""
        ...


def bits(masks: np.ndarray, n: int) -> np.ndarray:
    """(k, n) bool: which tasks are in each mask."""
    return (masks[:, None] >> np.arange(n) & 1).astype(bool)


def members_of(mask: int, n: int) -> np.ndarray:
    """The task numbers of one mask, ascending."""
    return np.flatnonzero(bits(np.array([mask]), n)[0])


def count(masks: np.ndarray) -> np.ndarray:
    """How many tasks are in each mask, signed: `bitwise_count` is uint8 and wraps."""
    return np.bitwise_count(masks).astype(np.int64)


def subset_sums(rows: np.ndarray) -> np.ndarray:
    """(2^r, ...): the sum of each subset of (r, ...) rows, in the order of its mask."""
    sums = np.zeros((1, *rows.shape[1:]))
    for row in rows:
        sums = np.concatenate([sums, sums + row])
    return sums
