"""Mutual information gap (Chen et al. 2018), on bins or on samples of q(z|x)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mutual_information import entropy, mutual_information
from disentangle.metrics.posterior_information import posterior_information
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.quantised import CERTAIN
from disentangle.metrics.shuffled import shuffled_floor


def mig(table: Representation, settings: Settings, *, samples: int = 10_000) -> Result:
    r"""MIG = mean_j (I(1)j - I(2)j) / H_j over the factors j.

    $$
    \mathrm{MIG} = \frac{1}{F} \sum_j \frac{I_{(1)j} - I_{(2)j}}{H_j}
    $$

    I_ij is the mutual information of code i and factor j; I(1)j and I(2)j are the two
    largest of column j, H_j is the factor's entropy. In nats, from the training rows.
    A categorical latent is one code, its most probable value.

    Protocol "locatello" cuts the codes, which are posterior means, into
    `settings.bins` equal-width bins (Locatello et al. 2019). Protocol "paper" draws
    codes from q(z|x), see `posterior_information` (Chen et al. 2018, Eq. 6). There the
    aggregate posterior is over the training rows, where the authors have all images,
    and over all factors given, where they leave the shape of dSprites out. Numbers of
    the two protocols are not comparable. Where the table has no log-variances, codes
    are taken as certain and "paper" is the estimate on bins; `metadata` says which
    it was.

    Args:
      table: at least two codes; `logvars` for protocol "paper".
      settings: reads `protocol`, `bins`, and for "paper" `seed`, `threads`,
        `progress`.
      samples: the most draws an entropy of protocol "paper" is estimated from.

    Returns:
      part `score` in [0, 1]: 1 if every factor is in one code and no other, 0 if
      every factor is in two codes alike, or in none. Per factor `score`. Arrays
      `mutual_information` (L, F) of L latents and `entropy` (F,), in nats; on bins
      also `shuffled` (F,), what codes seem to know of a shuffled factor, see
      `shuffled_floor`.

    Raises:
      UserError: one code only.
    """
    table = table.by_latent()
    if table.codes.shape[1] < 2:
        raise UserError(
            "mig compares a factor's two best codes, but codes has one column"
        )
    labels = dense_labels(table.factors)
    information, metadata = measured_information(
        table, labels, settings, samples=samples
    )
    floor: dict[str, np.ndarray] = {}
    if "bins" in metadata:
        bins = table.binned(settings.bins)
        floor["shuffled"] = shuffled_floor(bins, labels, seed=settings.seed)
    entropies = entropy(labels)
    gaps = gap(information) / entropies
    return Result(
        values={"score": float(np.mean(gaps))},
        per_factor={"score": tuple(gaps.tolist())},
        arrays={"mutual_information": information, "entropy": entropies} | floor,
        metadata={
            "definition": "mean over factors of (I(1) - I(2)) / H, in nats",
            **metadata,
        },
    )


def measured_information(
    table: Representation,
    labels: np.ndarray,
    settings: Settings,
    *,
    samples: int,
    metric: str = "mig",
) -> tuple[np.ndarray, dict[str, object]]:
    """I (D, F) by the protocol that can be had, in nats, and what was run.

    Args:
      table: the training rows, one column per latent.
      labels: (N, F) dense.
      settings, samples: as for `mig`.
      metric: the name under which progress is told.
    """
    if settings.protocol == "paper" and table.logvars is not None:
        information = posterior_information(
            table.codes,
            table.logvars,
            labels,
            settings,
            samples=samples,
            metric=metric,
        )
        return information, {
            "estimator": "entropies of sampled q(z|x) rows",
            "samples": samples,
        }
    bins = table.binned(settings.bins)
    metadata: dict[str, object] = {
        "protocol": "locatello",
        "estimator": "plug-in on equal-width bins of the training codes",
        "bins": settings.bins,
    }
    if settings.protocol == "paper":
        metadata["note"] = f"{CERTAIN}, on bins as in protocol locatello"
    return mutual_information(bins, labels), metadata


def gap(information: np.ndarray) -> np.ndarray:
    """The largest less the second largest of each column.

    Args:
      information: (D, F), D >= 2.

    Returns:
      (F,), >= 0.
    """
    ordered = np.sort(information, axis=0)
    return ordered[-1] - ordered[-2]


METRIC = Metric(
    mig,
    {
        "score": Part(
            "MIG",
            "Mutual information gap, 0 to 1: how much more the best code dimension "
            "knows of a factor than the second best, over the factor's entropy.",
        )
    },
    protocols=Protocols(BOTH),
)
