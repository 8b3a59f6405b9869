"""Classifiers whose feature importances DCI reads.

The importance of a code is the impurity decrease of all splits on it, over all trees,
normalised to sum 1. It must come from trees that may split on every code: a random
forest that draws sqrt(D) codes per split gives a perfect code D = 0.59.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from disentangle.metrics.refusals import refusals


class Fit(NamedTuple):
    """One fitted classifier.

    importance (D,) float64, accuracies in [0, 1], guessed classes of test rows (N',).
    """

    importance: np.ndarray
    train_accuracy: float
    test_accuracy: float
    test_guesses: np.ndarray


Fitter = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int], Fit]
"""fit(codes (N, D), classes (N,) 0..K-1, test codes, test classes, seed) -> Fit."""


class Backend(NamedTuple):
    """A way to fit, and what it says about itself in a report."""

    fit: Fitter
    says: str


def gradient_boosting(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    seed: int,
) -> Fit:
    """scikit-learn's GradientBoostingClassifier with its defaults, seeded.

    The defaults are those that Locatello et al. 2019 used: 100 rounds of one
    depth-3 tree per class, learning rate 0.1, exact splits. The seed only breaks ties.
    A code that varies by less than 1e-7 counts as constant.

    Args:
      codes: (N, D) float.
      classes: (N,) int, 0 to K - 1 with K >= 2.
      test_codes: (N', D) float.
      test_classes: (N',) int; -1 never counts as right.
      seed: of the tie-breaking.

    Returns:
      The Fit.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    with refusals("scikit-learn's GradientBoostingClassifier"):
        model = GradientBoostingClassifier(random_state=seed).fit(codes, classes)
        train_guesses, guesses = model.predict(codes), model.predict(test_codes)
    return Fit(
        np.abs(model.feature_importances_).astype(np.float64),
        float(np.mean(train_guesses == classes)),
        float(np.mean(guesses == test_classes)),
        guesses,
    )


def presorted_boosting(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    seed: int,
) -> Fit:
    """The same classifier on codes that are sorted once.

    The trees are scikit-learn's, split by split, compiled by numba for codes that are
    sorted once; where several splits are equally good (in nodes of a few rows, or with
    a code that is there twice) the one it would take is found as it finds it.

    Args:
      codes: (N, D) float.
      classes: (N,) int, 0 to K - 1 with K >= 2.
      test_codes: (N', D) float.
      test_classes: (N',) int; -1 never counts as right.
      seed: of the tie-breaking.

    Returns:
      The Fit.
    """
    from disentangle.metrics.boosting import boost  # reads numba

    fitted = boost(codes, classes, test_codes, seed)
    return Fit(
        fitted.importance,
        float(np.mean(fitted.guesses == classes)),
        float(np.mean(fitted.test_guesses == test_classes)),
        fitted.test_guesses,
    )


BACKENDS: dict[str, Backend] = {
    "reference": Backend(
        gradient_boosting,
        "scikit-learn GradientBoostingClassifier, defaults, mean impurity decrease",
    ),
    "fast": Backend(
        presorted_boosting,
        "the trees of scikit-learn's GradientBoostingClassifier on codes sorted once, "
        "defaults, mean impurity decrease",
    ),
}
