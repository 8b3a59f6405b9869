r"""Confidence intervals over seeds, of any statistic of a table of models.

The seeds of each cell (data set, method, strength) are drawn with replacement, cell by
cell: the stratified bootstrap (Agarwal et al. 2021, "Deep Reinforcement Learning at the
Edge of the Statistical Precipice", Sec. 4.1). Around the statistic of all models stands

$$
\hat\theta \pm t_{0.975, \nu} \, \sqrt{n / (n - 1)} \, \mathrm{sd}(\theta^*)
$$

with n the harmonic mean of the seeds per cell and nu = sum_cells (n_c - 1). Agarwal et
al. take the percentiles of theta*; those are too narrow for few seeds, because the
plug-in variance of n values is (n - 1) / n of the unbiased one and because a normal
quantile stands where Student's belongs (Hesterberg 2015, Sec. 4.3.1). For the mean of
one cell this is Student's interval, exactly in the limit of many draws.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from disentangle.errors import UserError

LEVEL = 0.95
DRAWS = 1000


class Interval(NamedTuple):
    """A statistic of all models, and its 95 % interval over seeds.

    Attributes:
      value: the statistic.
      low, high: the interval; NaN where no cell has two seeds.
    """

    value: float
    low: float
    high: float


def intervals(
    statistic: Callable[[np.ndarray], np.ndarray],
    cells: np.ndarray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    least: float = -np.inf,
    most: float = np.inf,
) -> list[Interval]:
    """Stratified bootstrap intervals of one or more statistics.

    Args:
      statistic: rows, (M,) places in the table with repetitions, -> (K,) values.
      cells: (M,) any labels; rows of one label differ by the seed alone.
      draws: resamples, at least 2.
      seed: of the resamples.
      least, most: the statistic's range, at which an interval is cut.

    Returns:
      K intervals, in the statistic's order. A resample in which a value is NaN is left
      out for that value.

    Raises:
      UserError: no rows, or fewer than two draws.
    """
    if not len(cells):
        raise UserError("there is no model to take an interval over")
    if draws < 2:
        raise UserError(f"{draws} resamples have no spread: give at least 2")
    strata = [np.flatnonzero(cells == cell) for cell in dict.fromkeys(cells.tolist())]
    counts = np.array([len(rows) for rows in strata])
    values = np.atleast_1d(np.asarray(statistic(np.arange(len(cells))), float))
    freedom = int((counts - 1).sum())
    if not freedom:
        return [Interval(float(v), np.nan, np.nan) for v in values]
    rng = np.random.default_rng(seed)
    places = [rows[rng.integers(len(rows), size=(draws, len(rows)))] for rows in strata]
    rows = np.concatenate(places, axis=1)  # (draws, M)
    drawn = np.array([np.atleast_1d(statistic(row)) for row in rows], float)
    several = counts[counts > 1]
    n = len(several) / np.sum(1.0 / several)
    half = student.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(n / (n - 1)) * _spread(drawn)
    ends = np.clip(values - half, least, most), np.clip(values + half, least, most)
    return [Interval(*map(float, row)) for row in zip(values, *ends, strict=True)]


def _spread(drawn: np.ndarray) -> np.ndarray:
    """The standard deviation of each column's finite values; NaN for fewer than two."""
    spreads = []
    for column in drawn.T:
        finite = column[np.isfinite(column)]
        spreads.append(finite.std() if finite.size > 1 else np.nan)
    return np.array(spreads)
