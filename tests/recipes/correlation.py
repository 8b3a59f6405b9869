"""A metric: how linearly the best code follows each factor."""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.metric import Metric, Part


def correlation(table: Representation, settings: Settings) -> Result:
    """Mean over factors of the largest |Pearson r| with any code, in [0, 1]."""
    del settings
    both = np.hstack([table.codes, table.factors])
    width = table.codes.shape[1]
    largest = np.abs(np.corrcoef(both.T))[:width, width:].max(axis=0)
    return Result(
        values={"score": float(largest.mean())},
        per_factor={"score": tuple(largest.tolist())},
        metadata={"definition": "mean over factors of max over codes of |Pearson r|"},
    )


METRIC = Metric(
    correlation,
    {"score": Part("|r|", "How linearly the best code follows a factor, 0 to 1.")},
)
