"""Rank correlations: between scores, and between data sets (Locatello et al. 2019)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from disentangle.errors import UserError
from disentangle.statistics.intervals import Interval, intervals
from disentangle.statistics.models import CELL, cells, checked


def between_scores(
    models: pd.DataFrame, rows: Sequence[str], columns: Sequence[str]
) -> np.ndarray:
    """(R, C) Spearman's correlation of two sets of scores over all models.

    Of one data set that is Fig. 2 of Locatello et al. 2019. A pair is taken over the
    models that have both; NaN where they are fewer than three, or one is constant.

    Args:
      models: see `models`.
      rows, columns: names of scores.
    """
    table = models[list(dict.fromkeys([*rows, *columns]))]
    return np.array([[_pair(table[a], table[b]) for b in columns] for a in rows])


def correlation(models: pd.DataFrame, first: str, second: str) -> Interval:
    """Spearman's correlation of two scores over all models, with its interval.

    Raises:
      UserError: fewer than three models have both.
    """
    table = checked(models, list(dict.fromkeys([first, second])))
    if len(table) < 3:
        raise UserError(f"a rank correlation of {len(table)} models is no number")
    a, b = table[first].to_numpy(float), table[second].to_numpy(float)
    found = lambda rows: np.array([spearman(a[rows], b[rows])])
    return intervals(found, cells(table), least=-1.0, most=1.0)[0]


def between_data(models: pd.DataFrame, score: str) -> tuple[list[str], np.ndarray]:
    """The data sets (D,), and (D, D) Spearman's correlation of a score between them.

    Over the means of the cells (method, strength) that both have: whether what is good
    on one data set is good on another (Fig. 5 of Locatello et al. 2019, there over
    models matched by seed, which mixes in noise that no data set shares).
    """
    table = checked(models, [score])
    means = (
        table.groupby(list(CELL), sort=False)[score].mean().unstack("data", sort=False)
    )
    names = [str(name) for name in means]
    return names, np.array([[_pair(means[a], means[b]) for b in means] for a in means])


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of mid-ranks; NaN where one of them is constant."""
    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else float("nan")


def _pair(first: pd.Series, second: pd.Series) -> float:
    both = np.isfinite(first.to_numpy(float)) & np.isfinite(second.to_numpy(float))
    if both.sum() < 3:
        return float("nan")
    return spearman(first.to_numpy(float)[both], second.to_numpy(float)[both])
