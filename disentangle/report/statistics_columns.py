"""Which columns of a study's models are scores, and of what kind."""

from typing import NamedTuple

import pandas as pd

from disentangle.metrics import METRICS

RANKS = ("dci/disentanglement", "mig/score")  # the first that is there speaks for all
EFFICIENCY = "_efficiency_"  # what marks the parts of `downstream` that are one
TRAINING = {  # what training ended with -> whether lower is better
    "training/elbo": False,
    "training/reconstruction": True,
    "training/kl": True,
    "training/loss": True,
}


class Columns(NamedTuple):
    """Which scores of the models are used for what.

    Attributes:
      supervised: one of each metric that looks at factors; larger is better.
      blind: those that look at none, -> whether lower is better.
      efficiency: of samples, in later tasks.
    """

    supervised: list[str]
    blind: dict[str, bool]
    efficiency: list[str]


def columns_of(models: pd.DataFrame) -> Columns:
    """The scores of the models, in the order of METRICS."""
    supervised, blind = list[str](), dict[str, bool]()
    for metric, row in METRICS.items():
        better = {
            f"{metric}/{part}": words.better
            for part, words in row.parts.items()
            if words.better != "neither"
        }
        there = [c for c in better if c in models and models[c].notna().any()]
        if row.uses_factors:
            supervised += [c for c in there if better[c] == "higher"][:1]
        else:
            blind |= {c: better[c] == "lower" for c in there}
    blind |= {name: lower for name, lower in TRAINING.items() if name in models}
    efficiency = [c for c in models if EFFICIENCY in str(c) and models[c].notna().any()]
    return Columns(supervised, blind, efficiency)


def ranking_score(models: pd.DataFrame) -> str:
    """The first of RANKS that is there, else the first supervised score, or ""."""
    supervised = columns_of(models).supervised
    return next((c for c in RANKS if c in supervised), (supervised or [""])[0])
