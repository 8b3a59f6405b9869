"""DCIMIG, also 3CharM: modular, compact and explicit at once (Sepliarskaia 2019)."""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mig_sup import row_gap
from disentangle.metrics.mutual_information import entropy, mutual_information
from disentangle.metrics.protocols import NOT_THERE, Protocols


def dcimig(table: Representation, settings: Settings) -> Result:
    r"""DCIMIG = sum_j S_j / sum_j H_j over the factors j.

    $$
    \mathrm{DCIMIG} = \frac{\sum_j S_j}{\sum_j H_j}, \qquad
    S_j = \max_{i : j(i) = j} (I_{(1)i} - I_{(2)i}),
    \qquad j(i) = \mathrm{argmax}_j I_{ij}
    $$

    Each code i votes for its best factor j(i) with the gap R_i = I(1)i - I(2)i of its
    information about the best and the second best factor; S_j is the largest gap of
    the codes that vote for j, 0 if none does (Sepliarskaia et al. 2019, 3CharM). I is
    the mutual information of a code, cut into `settings.bins` equal-width bins, and a
    factor, H_j the factor's entropy; in nats, from the training rows.
    A categorical latent is one code.

    Args:
      table: one code and factor at least.
      settings: reads `bins`.

    Returns:
      part `score` in [0, 1]: 1 if every factor is fully in a code of its own, 0 if
      every code holds two factors alike, or nothing. A second code for the same
      factor costs nothing. Where there is one factor only, I(2) is 0. Per factor
      `score` S_j / H_j; per code `gap` R_i in nats. Constant codes have R = 0.
    """
    labels = dense_labels(table.factors)
    bins = table.binned(settings.bins)
    information = mutual_information(bins, labels)
    gaps = row_gap(information)
    votes = information.argmax(axis=1)
    best = np.zeros(labels.shape[1])
    np.maximum.at(best, votes, gaps)
    entropies = entropy(labels)
    return Result(
        values={"score": float(best.sum() / entropies.sum())},
        per_factor={"score": tuple((best / entropies).tolist())},
        per_code={"gap": tuple(gaps.tolist())},
        arrays={"mutual_information": information, "entropy": entropies},
        metadata={
            "definition": "sum over factors of the largest gap I(1) - I(2) of a code "
            "that is best at the factor, over the sum of entropies",
            "estimator": "plug-in on equal-width bins of the training codes",
            "bins": settings.bins,
        },
    )


METRIC = Metric(
    dcimig,
    {
        "score": Part(
            "DCIMIG",
            "3CharM, 0 to 1: every factor fully in a code dimension of its own. A "
            "second one for the same factor costs nothing.",
        )
    },
    protocols=Protocols(("paper",), NOT_THERE),
)
