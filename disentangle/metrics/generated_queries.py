"""A generated image as a query: what is near it among real ones.

A user says attributes, a generator draws them, and the drawing is looked up among real
images (hg1722/fashionista, README, "retrieval"; no number is reported there). Nearest
is by the Euclidean distance of an oracle's last hidden features. `real` asks the same
with real images, each without itself: what an ideal generator has in this gallery.
"""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import Protocols
from disentangle.retrieval.nearest import nearest

K = 10


def generated_queries(given: Generated, settings: Settings) -> Result:
    r"""P@k: the share of the k nearest real images that have what was asked for.

    $$
    \mathrm{P@}k = \mathbb{E}_{y, z} \, \frac{1}{k} \sum_{x \in \mathrm{NN}_k(G(z, y))}
    \mathbf{1}[\forall j \in J: x_j = y_j], \qquad
    \mathrm{agree} = \mathbb{E}_{y, z} \, \frac{1}{k |J|} \sum_{x, \, j \in J}
    \mathbf{1}[x_j = y_j]
    $$

    J are the factors that the model was given.

    Args:
      given: reads `wanted`, `features`, `real_features`, `real_factors` and `given`.
      settings: not read.

    Returns:
      `p_1` and `p_10`; `agree`, of 10, and `agree_chance`, of the whole gallery;
      `real`, P@10 of real images; `bound`, the largest P@10 that there is: a
      combination may have fewer than 10 images. Per factor `agree`, also of factors
      that were not given.

    Raises:
      UserError: no factor was given, or there are 10 real images or fewer.
    """
    del settings
    columns = given.asked("generated_queries")
    if len(given.real_factors) <= K:
        raise UserError(
            f"generated_queries needs more than {K} real images, not "
            f"{len(given.real_factors)}"
        )
    real = given.real_factors
    same = shared(given, given.features, given.wanted)
    whole = np.all(same[:, :, columns], axis=2)  # (N, K)
    own = np.arange(len(real))
    control = shared(given, given.real_features, real, excluded=own)
    there = times(given.wanted[:, columns], real[:, columns])
    chance = [times(given.wanted[:, [j]], real[:, [j]]).mean() for j in columns]
    return Result(
        values={
            "p_1": float(whole[:, 0].mean()),
            "p_10": float(whole.mean()),
            "agree": float(same[:, :, columns].mean()),
            "agree_chance": float(np.mean(chance) / len(real)),
            "real": float(np.all(control[:, :, columns], axis=2).mean()),
            "bound": float(np.minimum(there / K, 1.0).mean()),
        },
        per_factor={"agree": tuple(float(v) for v in same.mean(axis=(0, 1)))},
        metadata={
            "definition": "share of the real images nearest to a generated one that "
            "have the values that were asked for",
            "estimator": "Euclidean distance of an oracle's last hidden features",
            "given": [given.factor_names[column] for column in columns],
            "gallery": len(real),
        },
    )


def shared(
    given: Generated,
    features: np.ndarray,
    factors: np.ndarray,
    *,
    excluded: np.ndarray | None = None,
) -> np.ndarray:
    """(N, K, F) whether each of the K nearest real images has each of the values.

    Args:
      given: has the gallery.
      features: (N, E) of the queries.
      factors: (N, F) the values that each query stands for.
      excluded: (N,) a row of the gallery that each query leaves out.
    """
    found, _ = nearest(features, given.real_features, K, excluded=excluded)
    same: np.ndarray = given.real_factors[found] == factors[:, None]
    return same


def times(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(N,) how often each of N rows stands among others."""
    both = np.concatenate([rows, among])
    _, number = np.unique(both, axis=0, return_inverse=True)
    number = number.reshape(-1)
    counts: np.ndarray = np.bincount(number[len(rows) :], minlength=number.max() + 1)
    return counts[number[: len(rows)]]


METRIC = Metric(
    generated_queries,
    {
        "p_1": Part(
            "P@1",
            "Share of generated images whose nearest real one has all values that were "
            "asked for, 0 to 1.",
        ),
        "p_10": Part("P@10", "The same of the ten nearest, 0 to the bound."),
        "agree": Part(
            "agree@10",
            "Share of the ten nearest that have a value, mean over factors, 0 to 1.",
        ),
        "agree_chance": Part(
            "chance", "The same of the whole gallery, 0 to 1.", "neither"
        ),
        "real": Part("P@10 of real", "P@10 of real images, 0 to 1.", "neither"),
        "bound": Part("bound", "The largest P@10 of this gallery, 0 to 1.", "neither"),
    },
    needs="generator",
    protocols=Protocols(("own",), "described without a number"),
)
