"""RMIG: the mutual information gap, robust to noisy factors (Do & Tran 2020)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mig import gap
from disentangle.metrics.protocols import NOT_THERE, Protocols
from disentangle.metrics.quantised import BINS, CERTAIN, quantised


def rmig(table: Representation, settings: Settings) -> Result:
    r"""The gap between a factor's two best codes, over its entropy; codes are noisy.

    $$
    \mathrm{RMIG} = \frac{1}{F} \sum_j \frac{I(z_a; y_j) - I(z_b; y_j)}{H(y_j)}, \qquad
    Q(z_i, y_j) = \mathbb{E}_x \, Q(z_i | x) \, Q(y_j | x)
    $$

    As MIG, z_a and z_b the two codes that tell most of factor j, but I is that of
    Q(z_i, y_j), with the codes' posteriors in 100 bins over [-4, 4] (`quantised`), so
    that a code whose means vary by less than its noise says nothing, and factors need
    not determine the image (Do & Tran 2020, Sec. 4). Their code divides by H(y_j), the
    factor's entropy, too. Codes beyond [-4, 4] are in the outer bins: the scale of
    codes matters, for a unit prior it is right. A categorical latent is one code, its
    values are its bins.

    Args:
      table: at least two codes; without `logvars` codes are taken as certain, and
        `metadata` says so.
      settings: nothing of it is read.

    Returns:
      part `score` in [0, 1], higher is better: 1 if every factor is in one code and no
      other, 0 if it is in two alike, or in none. Part `raw`, the mean of the gaps in
      nats. Both per factor. Array `mutual_information` (D, F), in nats.

    Raises:
      UserError: one code only.
    """
    table = table.by_latent()
    if table.codes.shape[1] < 2:
        raise UserError(
            "rmig compares a factor's two best codes, but codes has one column"
        )
    found = quantised(table, dense_labels(table.factors))
    raw = gap(found.information)
    scores = raw / found.entropy
    return Result(
        values={"score": float(np.mean(scores)), "raw": float(np.mean(raw))},
        per_factor={"score": tuple(scores.tolist()), "raw": tuple(raw.tolist())},
        arrays={"mutual_information": found.information, "entropy": found.entropy},
        metadata={
            "definition": "mean over factors of (I(1) - I(2)) / H; raw: of I(1) - "
            "I(2), in nats",
            "estimator": "q(z|x) in bins over [-4, 4], averaged over the training rows",
            "bins": BINS,
            **({"note": CERTAIN} if table.logvars is None else {}),
        },
    )


METRIC = Metric(
    rmig,
    {
        "score": Part(
            "RMIG",
            "Robust mutual information gap, 0 to 1: as MIG, of codes with their noise "
            "in fixed bins.",
        ),
        "raw": Part("RMIG nats", "The same in nats, not normalised."),
    },
    protocols=Protocols(("paper",), NOT_THERE),
)
