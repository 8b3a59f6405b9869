"""Modularity (Ridgeway & Mozer 2018), as Locatello et al. 2019 compute it."""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mutual_information import mutual_information
from disentangle.metrics.protocols import BOTH, Protocols

# nats: what is left of 0 when a code that tells nothing is summed up.
ROUNDING = 1e-12


def modularity(table: Representation, settings: Settings) -> Result:
    r"""The mean over codes i of 1 - sum_{j != j*} I_ij^2 / (I_ij*^2 (F - 1)).

    $$
    \frac{1}{D} \sum_i \left(1 - \frac{\sum_{j \neq j^*} I_{ij}^2}
    {I_{ij^*}^2 (F - 1)}\right),
    \qquad j^* = \mathrm{argmax}_j I_{ij}
    $$

    I_ij is the mutual information of code i, cut into `settings.bins` equal-width
    bins, and factor j, over the training rows; j* is the factor of which code i
    tells most. Both protocols are the same.

    Every code counts alike. One that tells (almost) nothing has the value of its
    estimation noise, often well above 0, so dead codes move the score; one that is
    constant has I = 0 and the value 0. A categorical latent is one code.

    Args:
      table: training rows.
      settings: reads `bins`.

    Returns:
      part `score` in [0, 1]; per code `score`; array `mutual_information` (D, F), in
      nats. With one factor, nothing can be mixed: codes that tell of it have 1.
    """
    information = mutual_information(
        table.binned(settings.bins), dense_labels(table.factors)
    )
    each = pureness(information)
    return Result(
        values={"score": float(np.mean(each))},
        per_code={"score": tuple(each.tolist())},
        arrays={"mutual_information": information},
        metadata={
            "definition": "mean over codes of 1 - the sum of its squared mutual "
            "informations but the largest, over the largest times (factors - 1)",
            "estimator": "plug-in on equal-width bins of the training codes",
            "bins": settings.bins,
        },
    )


def pureness(information: np.ndarray) -> np.ndarray:
    """1 - sum_{j != j*} I_ij^2 / (I_ij*^2 (F - 1)) of each code i, (D,).

    Args:
      information: I (D, F), >= 0. A row of zeros has 0.
    """
    squared = np.square(np.where(information > ROUNDING, information, 0.0))
    largest = squared.max(axis=1)
    rest = squared.sum(axis=1) - largest
    bottom = largest * max(1, information.shape[1] - 1)
    each = 1.0 - np.divide(rest, bottom, out=np.ones_like(rest), where=largest > 0)
    return np.clip(each, 0.0, 1.0)


METRIC = Metric(
    modularity,
    {
        "score": Part(
            "modularity",
            "Modularity, 0 to 1: each code dimension tells of one factor only. "
            "Dimensions that tell nothing count too, with the value of their noise.",
        )
    },
    protocols=Protocols(
        BOTH, "Locatello et al. 2019 compute it as Ridgeway & Mozer 2018 define it"
    ),
)
