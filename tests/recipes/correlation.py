"""A metric: how linearly the best code follows each factor."""

import numpy as np

from disentangle.metrics.base import CodeTable, Result, Settings


def correlation(table: CodeTable, settings: Settings) -> Result:
    """Mean over factors of the largest |Pearson r| with any code, in [0, 1]."""
    del settings
    both = np.hstack([table.codes, table.factors])
    width = table.codes.shape[1]
    largest = np.abs(np.corrcoef(both.T))[:width, width:].max(axis=0)
    return Result(
        parts={"score": float(largest.mean())},
        per_factor={"score": tuple(largest.tolist())},
        ran={"definition": "mean over factors of max over codes of |Pearson r|"},
    )
