"""The table that every statistic takes: a row per model, a column per score.

Columns `data`, `method`, `strength` and `seed` say which model it is: the data set, the
method, the value of what is swept (a number, or words where several fields are), and
the seed. All others are scores, NaN where a model has none.
"""

import numpy as np
import pandas as pd

from disentangle.errors import UserError, unknown

KEYS = ("data", "method", "strength", "seed")
CELL = KEYS[:3]  # models of one cell differ by the seed alone


def checked(models: pd.DataFrame, scores: list[str]) -> pd.DataFrame:
    """The rows that have every one of `scores`, with KEYS, rows numbered from 0.

    Raises:
      UserError: a column that is not there, a model twice, or no row left.
    """
    for name in (*KEYS, *scores):
        if name not in models:
            raise unknown("column of the models", name, list(models))
    twice = models.duplicated(list(KEYS))
    if twice.any():
        row = models[twice].iloc[0]
        raise UserError(
            f"the model {' '.join(str(row[key]) for key in KEYS)} stands twice in the "
            "table"
        )
    kept = models[np.isfinite(models[scores].to_numpy(float)).all(axis=1)]
    if kept.empty:
        raise UserError(f"no model has the scores {', '.join(scores)}")
    return kept.reset_index(drop=True)


def cells(models: pd.DataFrame, keys: tuple[str, ...] = CELL) -> np.ndarray:
    """(M,) whole numbers, equal for rows that agree in `keys`; in order of coming."""
    groups = models.groupby(list(keys), sort=False, dropna=False)
    codes: np.ndarray = groups.ngroup().to_numpy()
    return codes
