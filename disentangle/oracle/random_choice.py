"""What a choice at random costs: its expectation, exactly, not a sample's mean.

The random choice is uniform over the sets C of distinct groups that serve every task:
all those of at most b groups, or those of the same sizes as a given answer. By
inclusion and exclusion over the tasks U that no group of C holds, the number of such
sets of b groups is

    sum over U of (-1)^|U| binomial(#groups without a task of U, b),

and likewise the number of those in which a given group serves a given task. Counts are
Python's integers, so nothing is rounded before the last division.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

MOST_TASKS = 12  # the sums have 3^N terms


class Drawn(NamedTuple):
    """Uniform over the covering sets that have `counts[k]` groups of kind k, or of any.

    Attributes:
      kinds: (G,) the kind of each group, 0, 1, ...
      profiles: how many groups of each kind, for every composition that is allowed.
    """

    kinds: np.ndarray
    profiles: tuple[tuple[int, ...], ...]


def within(groups: np.ndarray, budget: int) -> Drawn:
    """Every covering set of at most `budget` groups."""
    return Drawn(
        np.zeros(len(groups), int),
        tuple((size,) for size in range(1, min(budget, len(groups)) + 1)),
    )


def of_sizes(groups: np.ndarray, sizes: np.ndarray) -> Drawn:
    """Every covering set whose groups have these sizes."""
    wanted = Counter(sizes.tolist())
    listed = sorted(wanted)
    own = groups.sum(axis=1)
    kinds = np.full(len(groups), len(listed))
    for kind, size in enumerate(listed):
        kinds[own == size] = kind
    return Drawn(kinds, ((*(wanted[size] for size in listed), 0),))


def shares(
    groups: np.ndarray, drawn: Drawn, order: np.ndarray | None = None
) -> np.ndarray | None:
    """(G, N) with which probability each group serves each task.

    Args:
      groups: (G, N) bool, the members.
      drawn: which sets there are.
      order: (G, N) numbers; the chosen group with the smallest one serves a task (the
        first of equals). None: one of the chosen groups that hold the task serves it,
        each as likely.

    Returns:
      Columns sum to 1; None if no such set serves every task, or of more than
      MOST_TASKS tasks.
    """
    if groups.shape[1] > MOST_TASKS:
        return None
    masks = [int(mask) for mask in groups @ (1 << np.arange(groups.shape[1]))]
    whole = _covers(masks, drawn, groups.shape[1])
    if not whole:
        return None
    found = np.zeros(groups.shape)
    counts: Iterator[tuple[int, Fraction]]
    for task in range(groups.shape[1]):
        if order is None:
            counts = _any_serves(masks, drawn, groups.shape[1], task)
        else:
            counts = _first_serves(masks, drawn, groups.shape[1], task, order[:, task])
        for row, count in counts:
            found[row, task] = float(count / whole)
    return found


def _submasks(mask: int) -> Iterator[int]:
    sub = mask
    while True:
        yield sub
        if not sub:
            return
        sub = (sub - 1) & mask


def _tally(
    masks: Sequence[int], kinds: np.ndarray, n: int, rows: Sequence[int]
) -> list[list[int]]:
    """For each kind and each set U, how many of the `rows` hold no task of U."""
    number = int(kinds.max()) + 1
    tally = [[0] * 2**n for _ in range(number)]
    full = 2**n - 1
    for row in rows:
        table = tally[kinds[row]]
        for free in _submasks(full ^ masks[row]):
            table[free] += 1
    return tally


def _signed(mask: int) -> int:
    return -1 if mask.bit_count() % 2 else 1


def _ways(counts: Sequence[int], profile: Sequence[int]) -> int:
    return math.prod(map(math.comb, counts, profile))


def _covers(masks: Sequence[int], drawn: Drawn, n: int) -> int:
    """How many sets serve every task."""
    tally = _tally(masks, drawn.kinds, n, range(len(masks)))
    return sum(
        _signed(u) * _ways([table[u] for table in tally], profile)
        for u in range(2**n)
        for profile in drawn.profiles
    )


def _first_serves(
    masks: Sequence[int], drawn: Drawn, n: int, task: int, order: np.ndarray
) -> Iterator[tuple[int, Fraction]]:
    """Each group that holds the task, and in how many sets it is the first to."""
    full = 2**n - 1
    ranked = [row for row in np.argsort(order, kind="stable") if masks[row] >> task & 1]
    tally = _tally(masks, drawn.kinds, n, range(len(masks)))
    for row in map(int, ranked):
        kind = int(drawn.kinds[row])
        total = 0
        for u in _submasks(full ^ masks[row]):
            tally[kind][u] -= 1  # this group is in the set, or for later ones out
            counts = [table[u] for table in tally]
            for profile in drawn.profiles:
                if profile[kind]:
                    rest = [m - (k == kind) for k, m in enumerate(profile)]
                    total += _signed(u) * _ways(counts, rest)
        yield row, Fraction(total)


def _any_serves(
    masks: Sequence[int], drawn: Drawn, n: int, task: int
) -> Iterator[tuple[int, Fraction]]:
    """Each group that holds the task, and in how many sets it serves by lot."""
    full = 2**n - 1
    holds = [row for row in range(len(masks)) if masks[row] >> task & 1]
    others = [row for row in range(len(masks)) if not masks[row] >> task & 1]
    beside = _tally(masks, drawn.kinds, n, holds)
    apart = _tally(masks, drawn.kinds, n, others)
    by_kind = {
        kind: {
            u: _lots([t[u] for t in beside], [t[u] for t in apart], drawn, kind)
            for u in _submasks(full ^ (1 << task))
        }
        for kind in {int(drawn.kinds[row]) for row in holds}
    }
    for row in holds:
        ways = by_kind[int(drawn.kinds[row])]
        free = full ^ masks[row]
        yield row, sum((_signed(u) * ways[u] for u in _submasks(free)), Fraction(0))


def _lots(
    beside: Sequence[int], apart: Sequence[int], drawn: Drawn, kind: int
) -> Fraction:
    """The sets with one given group of `kind`, each over how many hold the task.

    Args:
      beside: of each kind, how many groups hold the task, the given one among them.
      apart: how many do not.
      drawn: the compositions.
      kind: of the given group.
    """
    if not beside[kind]:
        return Fraction(0)
    total = Fraction(0)
    left = [count - (k == kind) for k, count in enumerate(beside)]
    for profile in drawn.profiles:
        if not profile[kind]:
            continue
        rest = [m - (k == kind) for k, m in enumerate(profile)]
        for held in itertools.product(*(range(m + 1) for m in rest)):
            away = [m - h for m, h in zip(rest, held, strict=True)]
            total += Fraction(_ways(left, held) * _ways(apart, away), 1 + sum(held))
    return total
