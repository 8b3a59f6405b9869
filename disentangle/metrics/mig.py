"""Mutual information gap (Chen et al. 2018), as Locatello et al. 2019 compute it."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import CodeTable, Result, Settings
from disentangle.metrics.discretize import dense_labels, histogram_bins
from disentangle.metrics.mutual_information import entropy, mutual_information


def mig(table: CodeTable, settings: Settings) -> Result:
    """MIG = mean_j (I(1)j - I(2)j) / H_j over the factors j.

    I_ij is the mutual information of code i, cut into `settings.bins` equal-width
    bins, and factor j; I(1)j and I(2)j are the two largest of column j, H_j is the
    factor's entropy. All in nats, from the training rows. Chen et al. instead
    integrate over samples of q(z|x) and leave the shape out: their numbers are not
    comparable.

    Args:
      table: at least two codes.
      settings: reads `bins`.

    Returns:
      part `score` in [0, 1]: 1 if every factor is in one code and no other, 0 if
      every factor is in two codes alike, or in none. Per factor `score`. Arrays
      `mutual_information` (D, F) and `entropy` (F,), in nats.

    Raises:
      UserError: one code only.
    """
    if table.codes.shape[1] < 2:
        raise UserError(
            "mig compares a factor's two best codes, but codes has one column"
        )
    labels = dense_labels(table.factors)
    information = mutual_information(histogram_bins(table.codes, settings.bins), labels)
    entropies = entropy(labels)
    gaps = gap(information) / entropies
    return Result(
        parts={"score": float(np.mean(gaps))},
        per_factor={"score": tuple(gaps.tolist())},
        arrays={"mutual_information": information, "entropy": entropies},
        ran={
            "definition": "mean over factors of (I(1) - I(2)) / H, in nats",
            "estimator": "plug-in on equal-width bins of the training codes",
            "bins": settings.bins,
        },
    )


def gap(information: np.ndarray) -> np.ndarray:
    """The largest less the second largest of each column.

    Args:
      information: (D, F), D >= 2.

    Returns:
      (F,), >= 0.
    """
    ordered = np.sort(information, axis=0)
    return ordered[-1] - ordered[-2]
