r"""Linear separability: how well hyperplanes in a space of latents tell binary labels.

Karras et al. 2019, section 4.2. Where we differ: labels are an oracle's readings, one
per factor: whether it is in the upper half of its values (theirs are 40 attributes of
faces); the hyperplane is fitted to a half of the pictures and asked about the other
one, and the other way round, where the paper asks about those it was fitted to, which
of few pictures says more about their number than about the space.
"""

import warnings

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import LatentSpaces, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import NOT_THERE, Protocols

LEAST = 20  # pictures
CONFIDENT = 0.5  # share of the pictures that are kept


def labels_of(log_probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) -> (the rows of the most confident half, their labels, bool).

    A label is whether the value is in the upper half, K // 2 and above; confidence
    is the probability of the half that is more probable.
    """
    p = np.exp(np.asarray(log_probabilities, np.float64))
    upper = p[:, p.shape[1] // 2 :].sum(axis=1) / p.sum(axis=1)
    count = int(np.ceil(CONFIDENT * len(p)))
    rows = np.argsort(-np.abs(upper - 0.5), kind="stable")[:count]
    return np.sort(rows), upper[np.sort(rows)] > 0.5


def conditional_entropy(labels: np.ndarray, told: np.ndarray) -> float:
    """H(Y|X) in bits, of two binary columns (N,)."""
    total = 0.0
    for value in (False, True):
        own = labels[told == value]
        total += len(own) / len(labels) * entropy(own)
    return total


def entropy(labels: np.ndarray) -> float:
    """H(Y) in bits, of a binary column."""
    p = float(labels.mean()) if len(labels) else 0.0
    return float(-sum(q * np.log2(q) for q in (p, 1.0 - p) if q > 0))


def predicted(codes: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """(N,) what a hyperplane fitted to the other half of the rows says of each.

    Columns are standardised by the half that is fitted to; a half with one label says
    that label.
    """
    from sklearn.svm import LinearSVC

    order = np.random.default_rng(seed).permutation(len(codes))
    halves = order[::2], order[1::2]
    found = np.zeros(len(codes), bool)
    for own, others in (halves, halves[::-1]):
        if len(np.unique(labels[others])) < 2:
            found[own] = labels[others][0]
            continue
        mean, scale = codes[others].mean(axis=0), codes[others].std(axis=0) + 1e-12
        fit = LinearSVC(dual=False, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged
            fit.fit((codes[others] - mean) / scale, labels[others])
        found[own] = fit.predict((codes[own] - mean) / scale)
    return found


def linear_separability(given: LatentSpaces, settings: Settings) -> Result:
    r"""Linear separability in z and in w, and of labels that no hyperplane tells.

    $$
    2^{\sum_i H(Y_i | X_i)}
    $$

    with Y_i the label of factor i and X_i what a linear support vector machine says of
    it, in bits, over the half of the pictures in which the oracle is most confident.

    Args:
      given: reads `codes` and `log_probabilities`.
      settings: `seed`.

    Returns:
      `z` and `w`, from 1, where every label is told, to 2^F; `untold`, 2^(sum of
      H(Y_i)), which is what there is to tell: near 1 for a generator of one picture,
      of which the others say nothing. Per factor the entropies, in bits.

    Raises:
      UserError: fewer than 20 pictures.
    """
    count = len(given.log_probabilities[0])
    if count < LEAST:
        raise UserError(
            f"linear_separability needs at least {LEAST} pictures, not {count}"
        )
    parts = [labels_of(logs) for logs in given.log_probabilities]
    bits = {"untold": [entropy(labels) for _, labels in parts]}
    for space, codes in given.codes.items():
        own = np.asarray(codes, np.float64)
        bits[space] = [
            conditional_entropy(labels, predicted(own[rows], labels, settings.seed))
            for rows, labels in parts
        ]
    return Result(
        values={name: float(2 ** np.sum(each)) for name, each in bits.items()},
        per_factor={name: tuple(each) for name, each in bits.items()},
        metadata={
            "definition": "2 to the sum of the entropies of labels given a hyperplane",
            "estimator": "linear support vector machines, cross-fitted in two halves; "
            "an oracle's labels",
            "pictures": count,
        },
    )


METRIC = Metric(
    linear_separability,
    {
        "z": Part(
            "separability in z",
            "Linear separability of an oracle's labels in z, from 1.",
            "lower",
        ),
        "w": Part("in w", "The same in w, from 1.", "lower"),
        "untold": Part(
            "untold", "The same where nothing is told, from 1 to 2^F.", "neither"
        ),
    },
    needs="latents",
    protocols=Protocols(("paper",), NOT_THERE),
)
