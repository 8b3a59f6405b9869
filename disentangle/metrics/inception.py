"""Inception score, of an oracle's posterior in place of Inception's.

Salimans et al. 2016, with p(y|x) the posterior that an oracle has of the combination y
of the given factors' values, and p(y) its mean. Mean over five splits of the images.
`kl` is not exponentiated, as one of our sources reports it; `exponentiated` is the mean
of the splits' exponentials, as in the paper. Numbers of one oracle cannot be compared
with those of Inception, nor of another oracle.

It does not see that all images of a class are one: look at `class_diversity` beside it.
"""

import math
from collections.abc import Sequence

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import NOT_THERE, Protocols

SPLITS = 5
MOST = 4096  # combinations that are enumerated


def kl_to_mean(probabilities: np.ndarray) -> float:
    """E KL(p(y|x) || p(y)) in nats, of (N, K) rows that each sum to 1."""
    p = np.asarray(probabilities, np.float64)
    marginal = p.mean(axis=0)
    log = lambda q: np.log(np.where(q > 0, q, 1.0))  # 0 log 0 = 0
    return float((p * (log(p) - log(marginal))).sum(axis=1).mean())


def combined(log_probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """p of every combination, (N, K_1 ... K_T), of factors that are apart given x."""
    total = np.zeros((len(log_probabilities[0]), 1))
    for logs in log_probabilities:
        total = (total[:, :, None] + logs[:, None, :]).reshape(len(logs), -1)
    return np.exp(total)


def of_splits(log_probabilities: Sequence[np.ndarray]) -> list[float]:
    """`kl_to_mean` of each of five parts of the images, in the order of the rows."""
    rows = len(log_probabilities[0])
    return [
        kl_to_mean(combined([part[own] for part in log_probabilities]))
        for own in np.array_split(np.arange(rows), SPLITS)
    ]


def inception(given: Generated, settings: Settings) -> Result:
    r"""Inception score of the given factors' values.

    $$
    I = \mathbb{E}_{x \sim G} \, \mathrm{KL}(p(y|x) \,\|\, p(y)), \qquad
    \mathrm{IS} = \exp(I)
    $$

    Args:
      given: reads `log_probabilities` and `given`; its rows in random order.
      settings: not read.

    Returns:
      `kl` >= 0 in nats, `spread`, its standard deviation over the splits,
      `exponentiated` >= 1, and `bound`, the largest `kl` that there is: the log of the
      number of combinations. Per factor `kl` and `exponentiated`, of its values alone,
      whether it was given or not: of one factor, models that were given different ones
      can be compared.

    Raises:
      UserError: no factor was given, their values have more than 4,096 combinations, or
        there are fewer than five images.
    """
    del settings
    columns = given.asked("inception")
    logs = [np.asarray(given.log_probabilities[column]) for column in columns]
    count = math.prod(part.shape[1] for part in logs)
    rows = len(logs[0])
    if count > MOST:
        raise UserError(
            f"inception looks at all combinations of the given factors' values, and "
            f"these have {count:,}, more than {MOST:,}"
        )
    if rows < SPLITS:
        raise UserError(f"inception needs at least {SPLITS} images, not {rows}")
    parts = of_splits(logs)
    single = [of_splits([part]) for part in given.log_probabilities]
    return Result(
        values={
            "kl": float(np.mean(parts)),
            "spread": float(np.std(parts)),
            "exponentiated": float(np.mean(np.exp(parts))),
            "bound": math.log(count),
        },
        per_factor={
            "kl": tuple(float(np.mean(part)) for part in single),
            "exponentiated": tuple(float(np.mean(np.exp(part))) for part in single),
        },
        metadata={
            "definition": "E KL(p(y|x) || p(y)) of an oracle, nats, mean of splits",
            "estimator": f"an oracle's posterior, {SPLITS} splits",
            "given": [given.factor_names[column] for column in columns],
        },
    )


METRIC = Metric(
    inception,
    {
        "kl": Part(
            "IS, nats",
            "Inception score of an oracle, not exponentiated, from 0 to the bound.",
        ),
        "spread": Part("sd", "Its deviation over five splits, in nats.", "neither"),
        "exponentiated": Part("IS", "Mean over splits of the exponentials, from 1."),
        "bound": Part(
            "bound", "The log of the number of combinations, in nats.", "neither"
        ),
    },
    needs="generator",
    protocols=Protocols(("paper",), NOT_THERE),
)
