"""Precision and recall of generated images by nearest neighbours.

The equation is the precision; recall has G and R swapped (Kynkäänniemi et al. 2019,
Eq. 1 and 2, k = 3), on an oracle's features. Low precision: images unlike any real one.
Low recall: real images that are unlike any generated one, as where a generator has
collapsed.
"""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import NOT_THERE, Protocols

CHUNK = 512  # rows whose distances are held together


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) Euclidean distances of rows, through |a|^2 + |b|^2 - 2 a b."""
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0.0))


def radii(rows: np.ndarray, k: int) -> np.ndarray:
    """(n,) the distance of each row to its k-th nearest other one."""
    found = [
        np.partition(distances(rows[i : i + CHUNK], rows), k, axis=1)[:, k]
        for i in range(0, len(rows), CHUNK)
    ]
    return np.concatenate(found)


def covered(rows: np.ndarray, by: np.ndarray, k: int) -> float:
    """The share of rows within the k-th neighbour's distance of one of `by`."""
    reach = radii(by, k)[None] * (1 + 1e-9)
    inside = [
        (distances(rows[i : i + CHUNK], by) <= reach).any(axis=1)
        for i in range(0, len(rows), CHUNK)
    ]
    return float(np.concatenate(inside).mean())


def precision_recall(given: Generated, settings: Settings, *, k: int = 3) -> Result:
    r"""Precision and recall of oracle features, each in [0, 1].

    $$
    \mathrm{precision} = \frac{1}{|G|} \sum_{g \in G} \mathbf{1}\big[\exists r \in R:
    \| g - r \| \le \| r - \mathrm{NN}_k(r, R) \| \big]
    $$

    Args:
      given: reads `features` and `real_features`.
      settings: not read.
      k: which neighbour's distance is a row's reach.

    Returns:
      `precision` and `recall`.

    Raises:
      UserError: k images or fewer of a kind.
    """
    del settings
    middle = np.asarray(given.real_features, np.float64).mean(axis=0)  # digits
    drawn = np.asarray(given.features, np.float64) - middle
    real = np.asarray(given.real_features, np.float64) - middle
    if min(len(drawn), len(real)) <= k:
        raise UserError(
            f"precision_recall needs more than {k} images of each kind, not "
            f"{len(drawn)} and {len(real)}"
        )
    return Result(
        values={
            "precision": covered(drawn, real, k),
            "recall": covered(real, drawn, k),
        },
        metadata={
            "definition": "share of images within the k-th neighbour's distance of an "
            "image of the other kind",
            "estimator": f"an oracle's last hidden features, k = {k}",
            "images": [len(drawn), len(real)],
        },
    )


METRIC = Metric(
    precision_recall,
    {
        "precision": Part(
            "precision", "Share of generated images that are like real ones, 0 to 1."
        ),
        "recall": Part(
            "recall", "Share of real images that generated ones are like, 0 to 1."
        ),
    },
    needs="generator",
    uses_factors=False,
    protocols=Protocols(("paper",), NOT_THERE),
)
