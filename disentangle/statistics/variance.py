r"""How much of a score is the method, how much its strength, how much the seed.

Of models of one data set, with seed s of strength h of method m,

$$
\sum_{mhs} (y_{mhs} - \bar y)^2 = \underbrace{\sum_m n_m (\bar y_m - \bar y)^2}_{method}
+ \underbrace{\sum_{mh} n_{mh} (\bar y_{mh} - \bar y_m)^2}_{strength}
+ \underbrace{\sum_{mhs} (y_{mhs} - \bar y_{mh})^2}_{seed}
$$

Locatello et al. 2019 (Sec. 5.3) report the first share, and the first two together: the
R squared of regressions on the method, and on method and strength. With few seeds both
are too large, since means of few seeds differ by chance: `corrected` takes from each
sum its degrees of freedom times the mean square of the seeds (epsilon squared, Kelley
1935), and is at least 0.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from disentangle.errors import UserError
from disentangle.statistics.intervals import Interval, intervals
from disentangle.statistics.models import cells, checked

SHARES = ("method", "strength", "seed")


class Shares(NamedTuple):
    """Shares of the variance of one score, in the order of SHARES, each summing to 1.

    Attributes:
      published: as Locatello et al. 2019 compute them.
      corrected: without what chance gives to method and strength.
    """

    published: tuple[Interval, ...]
    corrected: tuple[Interval, ...]


def variance_shares(models: pd.DataFrame, score: str, *, draws: int = 1000) -> Shares:
    """The shares of one score on one data set, with intervals over seeds.

    Args:
      models: see `models`; of one data set.
      score: a column.
      draws: resamples of the seeds.

    Raises:
      UserError: models of several data sets, fewer than two methods, no cell of two
        seeds, or a score that is the same for all.
    """
    table = checked(models, [score])
    if table["data"].nunique() > 1:
        names = ", ".join(map(str, table["data"].unique()))
        raise UserError(f"shares of variance are of one data set, not of {names}")
    of_method, of_cell = cells(table, ("method",)), cells(table)
    if of_method.max() < 1:
        raise UserError("shares of variance need models of two methods or more")
    if len(table) == of_cell.max() + 1:
        raise UserError("shares of variance need two seeds of one method and strength")
    y = table[score].to_numpy(float)
    if np.ptp(y) == 0:
        raise UserError(f"{score} is {y[0]:g} for every model")

    def both(rows: np.ndarray) -> np.ndarray:
        sums, freedom = sums_of_squares(y[rows], of_method[rows], of_cell[rows])
        noise = sums[2] / max(freedom[2], 1)
        less = np.maximum(sums[:2] - freedom[:2] * noise, 0.0)
        total = max(sums.sum(), np.finfo(float).tiny)
        corrected = np.array([*less, sums.sum() - less.sum()]) / total
        return np.concatenate([sums / total, corrected])

    found = intervals(both, of_cell, draws=draws, least=0.0, most=1.0)
    return Shares(tuple(found[:3]), tuple(found[3:]))


def sums_of_squares(
    y: np.ndarray, of_method: np.ndarray, of_cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares (3,) of method, strength within it and seed; freedom (3,).

    Args:
      y: (M,) scores.
      of_method, of_cell: (M,) whole numbers; a cell belongs to one method.
    """
    method, cell = _means(y, of_method), _means(y, of_cell)
    parts = (method - y.mean(), cell - method, y - cell)
    methods, all_cells = len(np.unique(of_method)), len(np.unique(of_cell))
    freedom = (methods - 1, all_cells - methods, len(y) - all_cells)
    return np.array([np.square(p).sum() for p in parts]), np.array(freedom)


def _means(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(M,) the mean of each row's group."""
    sums = np.bincount(groups, y)
    return (sums / np.maximum(np.bincount(groups), 1))[groups]
