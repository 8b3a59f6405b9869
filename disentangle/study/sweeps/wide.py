"""The table of a study with a row per model, as statistics take it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from disentangle.metrics import METRICS
from disentangle.metrics.protocols import used
from disentangle.study.sweeps import table

KEYS = ["data", "method", "strength", "seed"]
ASKED = {  # column -> its field in the section `score`
    "backend": "backend",
    "num_train": "num_train",
    "num_test": "num_test",
    "score_seed": "seed",
}


def models(workdir: str | Path, score: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """A row per model of a study.

    Args:
      workdir: of the study.
      score: the section `score` of a config: only scores computed so; None is any.

    Returns:
      `data`, `method` (the name of the run), `strength` (the value of what the run
      sweeps; in words where it is not one number), `seed`, and per score a column
      "<metric>/<part>", NaN where a model has none; those of "training" are the losses
      on the test images.

    Raises:
      UserError: as `table.read`.
    """
    found = table.read(workdir)
    if score is not None:
        found = found[found["score_seed"].isna() | computed_so(found, score)]
    found = found[found["part"].fillna("") != ""]
    named = found.assign(score=found["metric"] + "/" + found["part"])
    wide = named.pivot_table(
        index="model", columns="score", values="value", dropna=False, sort=False
    )
    rows = found.drop_duplicates("model").set_index("model")
    rows = rows.assign(method=rows["run"], strength=strengths(rows))
    return rows[KEYS].join(wide).reset_index(drop=True)


def computed_so(rows: pd.DataFrame, score: Mapping[str, Any]) -> pd.Series:
    """Whether each row is a score that a section `score` asks for.

    A metric of one definition has that, whichever is asked for.
    """
    asked = {
        name: used(METRICS[name].protocols, score["protocol"])["protocol"]
        for name in rows["metric"].unique()
        if name in METRICS
    }
    same = rows["protocol"] == rows["metric"].map(asked)
    for column, field in ASKED.items():
        same &= rows[column] == score[field]
    return same


def strengths(rows: pd.DataFrame) -> pd.Series:
    """What each model's run varies: its number, or in words.

    Args:
      rows: a row per model, with the columns of the table.
    """
    fields = [name for name in rows if name not in table.FIXED]
    found = pd.Series(index=rows.index, dtype=object)
    for _, own in rows.groupby(["data", "run"], sort=False):
        varied = [name for name in fields if own[name].nunique(dropna=False) > 1]
        numbers = own["strength"].notna().all() and len(varied) <= 1
        for model, row in own.iterrows():
            words = ",".join(f"{name}={row[name]}" for name in varied)
            found[model] = float(row["strength"]) if numbers else words
    numeric = all(isinstance(value, float) for value in found)
    return found.astype(np.float64) if numeric else found
