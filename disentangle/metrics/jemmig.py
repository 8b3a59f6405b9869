"""JEMMIG: joint entropy minus mutual information gap (Do & Tran 2020)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mutual_information import entropy, mutual_information
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.quantised import BINS, CERTAIN, Quantised, quantised


def jemmig(table: Representation, settings: Settings) -> Result:
    r"""JEMMIG_j = H(z_a, y_j) - I(z_a; y_j) + I(z_b; y_j), a and b j's two best codes.

    $$
    \mathrm{JEMMIG}_j = H(z_a, y_j) - I(z_a; y_j) + I(z_b; y_j), \qquad
    \text{score} = \frac{1}{F} \sum_j
    \left(1 - \frac{\mathrm{JEMMIG}_j}{H_j + \log B}\right)
    $$

    H(z_a, y_j) - I = H(z_a | y_j) + H(y_j | z_a) also counts what the best code
    holds besides the factor, which MIG does not see (Do & Tran 2020, Sec. 4). In
    nats, from the training rows. A categorical latent is one code, its values are its
    bins.

    Protocol "locatello", whose library has no JEMMIG, reads what its MIG reads: codes,
    which are posterior means, in `settings.bins` equal-width bins over their own
    range. Protocol "paper" is the authors': q(z|x) in 100 bins over [-4, 4], averaged
    over the rows (`quantised`); without log-variances codes are certain there, and
    `metadata` says so. Numbers of the two are not comparable.

    Args:
      table: at least two codes.
      settings: reads `protocol`, `bins`.

    Returns:
      part `score`, the mean over factors of 1 - JEMMIG_j / (H_j + log bins), in
      [0, 1], higher is better: 1 if each factor and one code are the same up to
      names of values, and no other code knows the factor. Part `raw`, the mean of
      JEMMIG_j itself, in [0, H_j + log bins], lower is better. Both per factor. A
      code that knows nothing and is spread evenly over its bins scores 0, but a
      constant one has little joint entropy: constant codes score
      log bins / (H_j + log bins), by definition.

    Raises:
      UserError: one code only.
    """
    table = table.by_latent()
    if table.codes.shape[1] < 2:
        raise UserError(
            "jemmig compares a factor's two best codes, but codes has one column"
        )
    labels = dense_labels(table.factors)
    found, bins, metadata = _measured(table, labels, settings)
    information, joint, entropies, most = found
    second, first = np.argsort(information, axis=0, kind="stable")[-2:]
    factors = np.arange(labels.shape[1])
    best, runner_up = information[first, factors], information[second, factors]
    raw = joint[first, factors] - best + runner_up
    scores = 1.0 - raw / (entropies + np.log(max(bins, most)))
    return Result(
        values={"score": float(np.mean(scores)), "raw": float(np.mean(raw))},
        per_factor={"score": tuple(scores.tolist()), "raw": tuple(raw.tolist())},
        arrays={"mutual_information": information, "joint_entropy": joint},
        metadata={
            "definition": "raw: mean over factors of H(z, y) - I(1) + I(2), in nats; "
            "score: 1 - raw / (H(y) + log bins)",
            "bins": bins,
            **metadata,
        },
    )


def _measured(
    table: Representation, labels: np.ndarray, settings: Settings
) -> tuple[Quantised, int, dict[str, object]]:
    """Informations and entropies, the number of bins, and what was run."""
    if settings.protocol == "paper":
        metadata: dict[str, object] = {"estimator": "q(z|x) in bins over [-4, 4]"}
        if table.logvars is None:
            metadata["note"] = CERTAIN
        return quantised(table, labels), BINS, metadata
    bins = table.binned(settings.bins)
    information = mutual_information(bins, labels)
    entropies = entropy(labels)
    # H(z, y) = H(z) + H(y) - I(z; y).
    joint = entropy(bins)[:, None] + entropies[None] - information
    metadata = {"estimator": "plug-in on equal-width bins of the training codes"}
    most = int(bins.max()) + 1
    return Quantised(information, joint, entropies, most), settings.bins, metadata


METRIC = Metric(
    jemmig,
    {
        "score": Part(
            "JEMMIG",
            "Joint entropy minus mutual information gap, 0 to 1: as MIG, and it costs "
            "what the best code dimension holds besides the factor.",
        ),
        "raw": Part("JEMMIG nats", "The same in nats, not normalised.", "lower"),
    },
    protocols=Protocols(BOTH),
)
