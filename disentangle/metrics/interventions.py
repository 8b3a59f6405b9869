"""Rows of a representation under interventions on the factors, instead of new images.

The scores of Higgins et al. 2017 and Kim & Mnih 2018 draw images that share the value
of one factor, their other factors free. The rows of a table whose factors are
independent and uniform are such images, already encoded: those of one value are
draws with that factor held. A batch of different rows has the very distribution of a
batch of new images; only that two batches may share rows. A value with fewer rows
than a batch repeats them, and its variances are then those of a small sample.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# Rows gathered at a time: what fits into a processor's cache, not the memory.
GATHER = 2**16


class Groups(NamedTuple):
    """The rows of a table by value: one group a row of `keys`' distinct values.

    Attributes:
      order: (N,) row numbers, group after group.
      place: (N,) where a row stands in `order`.
      start: (N,) where the group of a row starts in `order`.
      size: (N,) how many rows the group of a row has.
    """

    order: np.ndarray
    place: np.ndarray
    start: np.ndarray
    size: np.ndarray


def groups(keys: np.ndarray) -> Groups:
    """Groups of equal rows of `keys`.

    Args:
      keys: (N,) or (N, A) int.
    """
    group, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)[1:]
    group = group.reshape(len(keys))
    order = np.argsort(group, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    starts = np.cumsum(counts) - counts
    return Groups(order, place, starts[group], counts[group])


def smallest_group(factors: np.ndarray) -> int:
    """How many of the rows (N, F) have the rarest value of any factor."""
    return min(int(np.unique(c, return_counts=True)[1].min()) for c in factors.T)


def draw_shared(
    within: Groups, rows: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Rows of the groups of `rows`, uniform: (V, draws).

    Different rows each, by Floyd's algorithm (Bentley & Floyd 1987): of the places
    0 .. n - 1, step t draws one of the first n - draws + t + 1, and takes the last of
    these where the one drawn is taken already. A group of fewer than `draws` rows is
    drawn from with replacement.
    """
    size = within.size[rows]
    shift = (rng.random((len(rows), draws)) * size[:, None]).astype(np.int64)
    large = size >= draws
    taken = np.full((int(large.sum()), draws), -1)
    for t in range(draws):
        last = size[large] - draws + t
        place = (rng.random(len(last)) * (last + 1)).astype(np.int64)
        again = (taken[:, :t] == place[:, None]).any(axis=1)
        taken[:, t] = np.where(again, last, place)
    shift[large] = taken
    return within.order[within.start[rows, None] + shift]


def draw_partner(
    within: Groups, rows: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Another row of the group of each of `rows`, uniform; itself if it is alone.

    Args:
      rows: int array of any shape.

    Returns:
      The same shape.
    """
    count, start = within.size[rows], within.start[rows]
    shift = 1 + (rng.random(rows.shape) * (count - 1)).astype(np.int64)
    place = (within.place[rows] - start + np.minimum(shift, count - 1)) % count
    return within.order[start + place]


def draw_factors(
    factors: int, votes: int, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """(factor, how many of `votes` are on it): each vote's factor is uniform."""
    drawn = rng.multinomial(votes, np.full(factors, 1.0 / factors))
    yield from ((j, int(count)) for j, count in enumerate(drawn) if count)


def local_variances(
    codes: np.ndarray,
    within: Groups,
    among: np.ndarray,
    votes: int,
    batch: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Variances (ddof=1) of batches drawn from the group of a random row each.

    Args:
      codes: (N, D) float.
      within: groups of its N rows.
      among: (A,) the rows, one of which each batch takes at random.
      votes: how many batches.
      batch: rows per batch, at least 2.
      rng: what draws.

    Returns:
      (votes, D) float64.
    """
    found = []
    for size in chunks(votes, batch):
        rows = among[rng.integers(0, len(among), size)]
        drawn = codes[draw_shared(within, rows, batch, rng)]
        found.append(np.var(drawn, axis=1, ddof=1, dtype=np.float64))
    return np.concatenate(found)


def chunks(votes: int, batch: int) -> list[int]:
    """Numbers that sum to `votes`, each so small that its rows fit into memory."""
    most = max(1, GATHER // batch)
    return [min(most, votes - done) for done in range(0, votes, most)]


def majority(train: np.ndarray, test: np.ndarray) -> tuple[float, np.ndarray]:
    """Accuracy of naming a vote's factor by what most training votes of its code say.

    Args:
      train: (F, D) votes that decide each code's factor; ties go to the first.
      test: (F, D) votes that are judged.

    Returns:
      The accuracy in [0, 1], and each factor's own (F,), 0 where it has no vote.
    """
    factors, codes = test.shape
    right = np.zeros(test.shape, bool)
    right[np.argmax(train, axis=0), np.arange(codes)] = True
    hits = np.where(right, test, 0).sum(axis=1)
    each = np.divide(hits, test.sum(axis=1), out=np.zeros(factors), where=hits > 0)
    return float(hits.sum() / test.sum()), each
