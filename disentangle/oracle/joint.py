"""Does grouping that helps tasks also disentangle? Gains beside scores of the codes.

Every encoder of a group of two or more is a point: the mean gain of its tasks, and a
score of its code. Both depend on the size of the group, so that their correlation alone
says little; two ways take the size out. All correlations are Spearman's, over the
groups of one seed; a number is the mean over seeds with the 95 % interval of a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from disentangle.errors import UserError
from disentangle.oracle.rank import mid_ranks, spearman
from disentangle.oracle.seeds import interval
from disentangle.oracle.table import TaskTable


class OverSeeds(NamedTuple):
    """A number per seed: its mean, and the 95 % interval of that; NaN where unknown."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> OverSeeds:
        """Of (S,) values; a NaN is left out."""
        known = values[np.isfinite(values)]
        if not known.size:
            return cls(np.nan, np.nan, np.nan)
        ends = interval(known) or (np.nan, np.nan)
        return cls(float(known.mean()), *ends)


@dataclass(frozen=True)
class Joint:
    """How a score goes with gains, over the groups of two or more.

    Attributes:
      raw: the correlation of score and mean gain.
      partial: with the size of the group held fixed (of ranks, by least squares).
      matched: of the groups of one size, mean over sizes weighted by their groups.
      size_gain: the correlation of size and mean gain.
      size_score: the correlation of size and score.
      mean: of the mean score over groups, seeds together.
    """

    raw: OverSeeds
    partial: OverSeeds
    matched: OverSeeds
    size_gain: OverSeeds
    size_score: OverSeeds
    mean: float


def mean_gains(table: TaskTable) -> np.ndarray:
    """(S, G) the mean gain of each group's tasks; 0 for a group of one."""
    return np.asarray(np.nanmean(table.gains, axis=2))


def joint(table: TaskTable, scores: np.ndarray) -> Joint:
    """The correlation of scores and gains.

    Args:
      table: with networks of one task, which gains are from.
      scores: (S, G), NaN for a group that has none.

    Raises:
      UserError: scores of another shape.
    """
    shape = (len(table.seeds), len(table.groups))
    if scores.shape != shape:
        raise UserError(f"scores must be {shape}, seeds by groups, got {scores.shape}")
    several = table.sizes >= 2
    sizes, gains = table.sizes[several].astype(float), mean_gains(table)[:, several]
    rows = list(zip(scores[:, several], gains, strict=True))
    over = lambda measure: OverSeeds.of(
        np.array([measure(*_known(score, gain, sizes)) for score, gain in rows])
    )
    return Joint(
        raw=over(lambda score, gain, size: spearman(score, gain)),
        partial=over(partial),
        matched=over(matched),
        size_gain=over(lambda score, gain, size: spearman(size, gain)),
        size_score=over(lambda score, gain, size: spearman(size, score)),
        mean=float(np.nanmean(scores[:, several])),
    )


def partial(one: np.ndarray, other: np.ndarray, fixed: np.ndarray) -> float:
    """Spearman's partial correlation of two (k,) arrays given a third, in [-1, 1].

    (r_12 - r_13 r_23) / sqrt((1 - r_13^2) (1 - r_23^2)) of the mid-ranks; NaN where
    the third tells one of them exactly, or one is constant.
    """
    ranks = [mid_ranks(values) for values in (one, other, fixed)]
    if any(len(set(values.tolist())) < 2 for values in ranks):
        return float("nan")
    table = np.corrcoef(np.stack(ranks))
    a, b, c = table[0, 1], table[0, 2], table[1, 2]
    below = (1 - b**2) * (1 - c**2)
    return float((a - b * c) / np.sqrt(below)) if below > 1e-12 else float("nan")


def matched(one: np.ndarray, other: np.ndarray, fixed: np.ndarray) -> float:
    """Spearman's correlation within equal values of a third array, a weighted mean.

    Values that fewer than three pairs share are left out; NaN where none is left.
    """
    total, count = 0.0, 0
    for value in np.unique(fixed):
        rows = fixed == value
        if rows.sum() < 3:
            continue
        found = spearman(one[rows], other[rows])
        if np.isfinite(found):
            total, count = total + int(rows.sum()) * found, count + int(rows.sum())
    return total / count if count else float("nan")


def _known(
    score: np.ndarray, gain: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.isfinite(score)
    return score[rows], gain[rows], size[rows]
