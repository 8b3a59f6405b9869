r"""Do hyperparameters transfer: between scores, and between data sets?

The protocol of Locatello et al. 2019 (Sec. 5.4, Table 1): on data set d with score k,
the method and strength of the best model of seed s are taken. On data set d' with score
k', the model of another seed s' of them is compared with a random model: the share of
comparisons that it wins, ties counting half, is 1/2 for a blind choice. They draw
10,000 comparisons at random; here all of them are counted. s' is never s, on any data
set: seeds begin from the same parameters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from disentangle.errors import UserError
from disentangle.statistics.models import checked


class Transfer(NamedTuple):
    """The share of comparisons won, in [0, 1].

    Attributes:
      data: the data sets, (D,).
      scores: the scores, (K,).
      wins: (D, K, D, K): chosen on the first data set and score, judged on the second.
    """

    data: tuple[str, ...]
    scores: tuple[str, ...]
    wins: np.ndarray

    def summary(self) -> dict[str, float]:
        """The four means of Table 1; NaN where there is one data set or score only."""
        same_data = np.eye(len(self.data), dtype=bool)[:, None, :, None]
        same_score = np.eye(len(self.scores), dtype=bool)[None, :, None, :]
        words = {True: "same", False: "other"}
        found = {}
        for data in (True, False):
            for score in (True, False):
                where = (same_data == data) & (same_score == score)
                values = self.wins[np.broadcast_to(where, self.wins.shape)]
                mean = float(values.mean()) if values.size else float("nan")
                found[f"{words[data]} data, {words[score]} score"] = mean
        return found


def transfer(models: pd.DataFrame, scores: Sequence[str]) -> Transfer:
    """How often a choice of method and strength wins elsewhere.

    Args:
      models: see `models`. Only cells (method, strength) and seeds that are whole on
        every data set take part: all have all scores.
      scores: all such that larger is better.

    Raises:
      UserError: fewer than two cells or two seeds are whole on every data set.
    """
    table = checked(models, list(scores))
    data = tuple(dict.fromkeys(map(str, table["data"])))
    whole = table.pivot(
        index=["method", "strength"], columns=["data", "seed"], values=list(scores)
    )
    seeds = [s for s in dict.fromkeys(table["seed"]) if _everywhere(table, s, data)]
    wanted = [(k, d, s) for d in data for k in scores for s in seeds]
    whole = whole.reindex(columns=wanted).dropna()
    if len(whole) < 2 or len(seeds) < 2:
        raise UserError(
            f"{len(whole)} methods and strengths with {len(seeds)} seeds are whole on "
            "every data set: transfer needs two of each"
        )
    shape = (len(whole), len(data), len(scores), len(seeds))
    y = whole.to_numpy(float).reshape(shape).transpose(1, 2, 0, 3)  # (D, K, C, S)
    best = y.argmax(axis=2)  # (D, K, S): the cell chosen by each seed
    flat = y.reshape(*y.shape[:2], -1)
    rank = (rankdata(flat, axis=-1) - 0.5) / flat.shape[-1]  # wins of each among all
    rank = rank.reshape(y.shape)
    other = ~np.eye(len(seeds), dtype=bool)
    # (D', K', D, K, S, S'): the chosen cell's models of every seed, then of other ones.
    wins = rank[:, :, best].transpose(2, 3, 0, 1, 4, 5)[..., other].mean(-1)
    return Transfer(data, tuple(scores), wins)


def _everywhere(table: pd.DataFrame, seed: object, data: Sequence[str]) -> bool:
    return set(table.loc[table["seed"] == seed, "data"].astype(str)) == set(data)
