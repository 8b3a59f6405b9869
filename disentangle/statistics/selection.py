r"""Can a model be chosen without labels, among models of equal hyperparameters?

Within a cell (data set, method, strength) models differ by the seed alone, and a score
that needs no labels either orders them as the supervised one does or not:

$$
\rho = \mathrm{mean}_c \, \mathrm{Spearman}_{s \in c}(u_s, y_s), \qquad
g = \frac{\sum_c y_{c, \arg\max u} - \bar y_c}{\sum_c \max_s y_{cs} - \bar y_c}
$$

rho is the mean correlation; g, the gain, is what the choice by u wins over a random
seed, as a share of what a choice by labels would: 1 for a perfect choice, 0 in the mean
for a blind one, below 0 for one that is worse. (Locatello et al. 2019, Sec. 5.4, and
Duan et al. 2020, Sec. 5, correlate over all models at once, where a score can do well
by telling strengths or methods apart, which needs no look at a model.)
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from disentangle.errors import UserError
from disentangle.statistics.intervals import Interval, intervals
from disentangle.statistics.models import cells, checked
from disentangle.statistics.ranks import spearman


class Choice(NamedTuple):
    """How well a score without labels chooses seeds.

    Attributes:
      rho: mean within-cell rank correlation, in [-1, 1].
      gain: see above.
      cells: how many cells of two seeds or more there are.
    """

    rho: Interval
    gain: Interval
    cells: int


def choose_by(
    models: pd.DataFrame, chooser: str, score: str, *, lower: bool = False
) -> Choice:
    """Judges a choice of seeds by `chooser` by the supervised `score`.

    The intervals are over cells, which are drawn with replacement: within a cell, seeds
    cannot be, since a seed that is drawn twice ties with itself.

    Args:
      models: see `models`.
      chooser: a score that needs no labels; the largest is chosen.
      score: a supervised score, larger is better.
      lower: the smallest `chooser` is chosen.

    Raises:
      UserError: no cell has two seeds of different supervised scores.
    """
    table = checked(models, list(dict.fromkeys([chooser, score])))
    u = table[chooser].to_numpy(float) * (-1.0 if lower else 1.0)
    y, of_cell = table[score].to_numpy(float), cells(table)
    groups = [np.flatnonzero(of_cell == cell) for cell in range(of_cell.max() + 1)]
    groups = [rows for rows in groups if len(rows) > 1 and np.ptp(y[rows]) > 0]
    if not groups:
        raise UserError(
            f"no two models of one method and strength differ in {score}: there is no "
            "seed to choose"
        )
    # A constant chooser orders nothing: its correlation counts 0.
    rho = np.nan_to_num([spearman(u[rows], y[rows]) for rows in groups])
    won = np.array(
        [y[rows][_first(u[rows])].mean() - y[rows].mean() for rows in groups]
    )
    most = np.array([y[rows].max() - y[rows].mean() for rows in groups])

    def both(drawn: np.ndarray) -> np.ndarray:
        return np.array([rho[drawn].mean(), won[drawn].sum() / most[drawn].sum()])

    found = intervals(both, np.zeros(len(groups)), most=1.0)
    return Choice(found[0]._replace(low=max(found[0].low, -1.0)), found[1], len(groups))


def _first(values: np.ndarray) -> np.ndarray:
    """Where the largest value is; ties are all chosen, and averaged over."""
    return values == values.max()
