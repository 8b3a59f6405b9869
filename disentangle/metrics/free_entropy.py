"""Free-factor entropy: whether what was not asked for still varies.

J the factors that the model was given, o-hat an oracle's reading, H the entropy of how
often each of the n_k values is read. 1: all values are equally frequent; 0: one is
always drawn, as where a generator has collapsed.
"""

import math

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import Protocols


def normalised_entropy(readings: np.ndarray, values: int) -> float:
    """H / ln(values) of whole numbers 0 .. values - 1, in [0, 1]."""
    shares = np.bincount(readings, minlength=values) / len(readings)
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum() / math.log(values))


def free_entropy(given: Generated, settings: Settings) -> Result:
    r"""Normalised entropy of the oracle's readings of factors that were not given.

    $$
    \frac{1}{|\bar J|} \sum_{k \notin J} \frac{H(\hat o_k(G(z, y)))}{\ln n_k}
    $$

    Args:
      given: reads `log_probabilities` and `given`.
      settings: not read.

    Returns:
      `mean` over the free factors and `least`, that of the one that varies least, in
      [0, 1]. Per factor `mean`, also of those that were given.

    Raises:
      UserError: every factor was given.
    """
    del settings
    readings = given.readings()
    each = [
        normalised_entropy(column, logs.shape[1])
        for column, logs in zip(readings.T, given.log_probabilities, strict=True)
    ]
    free = [k for k in range(len(each)) if k not in given.given]
    if not free:
        raise UserError(
            "free_entropy is of factors that the model was not given, and it was given "
            "all: condition it on fewer"
        )
    return Result(
        values={
            "mean": float(np.mean([each[k] for k in free])),
            "least": min(each[k] for k in free),
        },
        per_factor={"mean": tuple(each)},
        metadata={
            "definition": "entropy of an oracle's readings over that of uniform ones",
            "estimator": "the oracle's most probable values",
            "free": [given.factor_names[k] for k in free],
        },
    )


METRIC = Metric(
    free_entropy,
    {
        "mean": Part(
            "free entropy",
            "How evenly the values of factors that were not given occur, 0 to 1.",
        ),
        "least": Part("least", "Of the factor that varies least, 0 to 1."),
    },
    needs="generator",
    protocols=Protocols(("own",), "a common score with many oracles"),
)
