"""MIG-sup: does a code hold one factor only? (Li et al. 2020)."""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mig import measured_information
from disentangle.metrics.mutual_information import entropy
from disentangle.metrics.protocols import BOTH, Protocols


def mig_sup(
    table: Representation,
    settings: Settings,
    *,
    active_variance: float = 0.01,
    samples: int = 10_000,
) -> Result:
    r"""MIG-sup = mean_i (I~(1)i - I~(2)i) over the active codes i.

    $$
    \text{MIG-sup} = \frac{1}{|A|} \sum_{i \in A} (\tilde I_{(1)i} - \tilde I_{(2)i}),
    \qquad \tilde I_{ij} = I_{ij} / H_j
    $$

    I~_ij = I_ij / H_j is the information of code i and factor j over the factor's
    entropy; I~(1)i and I~(2)i are the two largest of row i (Li et al. 2020, Sec. 5).
    It completes MIG: a code that holds two factors costs here, a factor in two codes
    costs there. Carbonneau et al. 2022 divide by the code's entropy instead of the
    factor's and count dead codes: their numbers differ.

    I is what MIG reads under the same protocol. "locatello", whose library has no
    MIG-sup: codes, which are posterior means, in `settings.bins` equal-width bins.
    "paper": draws of q(z|x), as the authors' code has it; where the table has no
    log-variances, on bins, and `metadata` says so. The authors divide by the logarithm
    of the number of values, which is H_j where values are equally frequent. A
    categorical latent is one code, active where its most probable value varies enough.

    Args:
      table: one code and factor at least; `logvars` for protocol "paper".
      settings: reads `protocol`, `bins`, and for "paper" `seed`, `threads`,
        `progress`.
      active_variance: a code whose variance is not above this is dead and left out;
        the authors' rule, for codes of a unit prior. The score depends on the scale
        of codes through it alone.
      samples: as in MIG.

    Returns:
      part `score` in [0, 1]: 1 if every active code holds one factor fully and no
      other, 0 if each holds two alike or nothing, or if no code is active. Where
      there is one factor only, I~(2) is 0. Per code `score`, dead codes too. Arrays
      `normalised_information` (D, F) and `active` (D,).
    """
    labels = dense_labels(table.factors)
    table = table.by_latent()
    information, metadata = measured_information(
        table, labels, settings, samples=samples, metric="mig_sup"
    )
    information = information / entropy(labels)
    gaps = row_gap(information)
    active = np.var(table.codes, axis=0, dtype=np.float64) > active_variance
    return Result(
        values={"score": float(np.mean(gaps[active])) if active.any() else 0.0},
        per_code={"score": tuple(gaps.tolist())},
        arrays={"normalised_information": information, "active": active},
        metadata={
            "definition": "mean over active codes of (I(1) - I(2)) / H(factor)",
            **metadata,
            "active_variance": active_variance,
            "active_codes": int(active.sum()),
        },
    )


def row_gap(information: np.ndarray) -> np.ndarray:
    """The largest less the second largest of each row; the second of one is 0.

    Args:
      information: (D, F) >= 0.

    Returns:
      (D,), >= 0.
    """
    padded = np.pad(information, ((0, 0), (1, 0)))
    ordered = np.sort(padded, axis=1)
    return ordered[:, -1] - ordered[:, -2]


METRIC = Metric(
    mig_sup,
    {
        "score": Part(
            "MIG-sup",
            "Mutual information gap of codes, 0 to 1: how much more a code dimension "
            "knows of its best factor than of the second best, over their entropies.",
        )
    },
    protocols=Protocols(BOTH),
)
