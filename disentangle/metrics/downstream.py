"""Downstream classification from few labels (Locatello et al. 2019, Section 5.5)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.labels import matched
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.refusals import few_rows, refusals
from disentangle.metrics.trees import BACKENDS, Fit

SIZES = (10, 100, 1_000, 10_000)
PREDICTORS = ("logistic", "trees")


def downstream(
    table: Representation, settings: Settings, *, sizes: tuple[int, ...] = SIZES
) -> Result:
    r"""Test accuracy of predicting each factor from the code, from few labels.

    $$
    \mathrm{acc}_n = \frac{1}{F} \sum_j \mathrm{acc}(y_j \mid z; n \text{ labels}),
    \qquad \mathrm{efficiency}_n = \mathrm{acc}_n / \mathrm{acc}_{10000}
    $$

    Two predictors: "trees", the boosted trees of DCI (`settings.backend`), and
    "logistic", a linear classifier whose penalty is chosen among 10 by 5-fold
    cross-validation, folds in the order of the rows. They learn the first 10, 100,
    1,000 and 10,000 training rows; sizes beyond the rows there are, are left out
    (`metadata` lists those that ran). Sample efficiency is the accuracy of few labels
    over that of 10,000.

    A value that the labels lack counts as wrong. Labels that are all the same
    predict it. Both protocols are the same.

    Args:
      table: training and test rows.
      settings: reads `backend`, `seed`, `threads`, `progress`.
      sizes: numbers of labels, increasing; efficiencies need the 10,000.

    Returns:
      for each size n and predictor p the parts `p_n_mean` and `p_n_min` over
      factors, in [0, 1], and `p_n` per factor; with 10,000 labels `p_efficiency_n`
      of 100 and 1,000, the ratio of the means. With the reference trees and 10,000
      rows this takes as long as DCI, and the linear fits a minute per factor of 40
      values on one core.

    Raises:
      UserError: no test rows; fewer training rows than the fewest labels.
    """
    table.need_test_rows("downstream")
    fitting = [n for n in sizes if n <= len(table.codes)]
    if not fitting:
        least, rows = min(sizes), len(table.codes)
        raise UserError(f"downstream needs {least} training rows, and there are {rows}")
    accuracy = _accuracies(table, settings, fitting)
    parts, per_factor = {}, {}
    for (name, n), each in accuracy.items():
        per_factor[f"{name}_{n}"] = tuple(each.tolist())
        parts[f"{name}_{n}_mean"] = float(np.mean(each))
        parts[f"{name}_{n}_min"] = float(np.min(each))
    for name in PREDICTORS:
        for n in (n for n in (100, 1_000) if {n, 10_000} <= set(fitting)):
            most = parts[f"{name}_10000_mean"]
            few = parts[f"{name}_{n}_mean"]
            parts[f"{name}_efficiency_{n}"] = few / most if most > 0 else 0.0
    return Result(
        values=parts,
        per_factor=per_factor,
        metadata={
            "definition": "test accuracy from n labels, mean and least over factors; "
            "efficiency is that of 100 or 1,000 labels over that of 10,000",
            "estimator": "logistic: scikit-learn LogisticRegressionCV(Cs=10, "
            f"cv=KFold(5)); trees: {BACKENDS[settings.backend].says}",
            "labels": [int(n) for n in fitting],
            "left_out": [int(n) for n in sizes if n not in fitting],
        },
    )


def _accuracies(
    table: Representation, settings: Settings, sizes: list[int]
) -> dict[tuple[str, int], np.ndarray]:
    """(predictor, labels) -> accuracies (F,). The longest fits start first."""
    fits = {"logistic": _logistic, "trees": BACKENDS[settings.backend].fit}
    factors = range(table.factors.shape[1])

    def accuracy(piece: tuple[str, int, int]) -> float:
        name, n, j = piece
        values, truth = table.factors[:n, j], table.test_factors[:, j]
        if np.ptp(values) == 0:
            return float(np.mean(truth == values[0]))
        classes, test_classes = matched(values, truth)
        rows = (table.codes[:n], classes, table.test_codes, test_classes)
        return fits[name](*rows, settings.seed).test_accuracy

    pieces = [
        (name, n, j)
        for n in sorted(sizes, reverse=True)
        for j in factors
        for name in PREDICTORS
    ]
    with few_rows():
        found = in_threads(accuracy, pieces, settings, "downstream")
    done = dict(zip(pieces, found, strict=True))
    return {
        (name, n): np.array([done[name, n, j] for j in factors])
        for n in sizes
        for name in PREDICTORS
    }


def _logistic(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    seed: int,
) -> Fit:
    """The cross-validated linear classifier as a Fit: codes' largest |weights|."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import KFold

    with refusals("scikit-learn's LogisticRegressionCV"):
        model = LogisticRegressionCV(
            Cs=10, cv=KFold(n_splits=5), scoring="accuracy", random_state=seed
        ).fit(codes, classes)
        train_guesses, guesses = model.predict(codes), model.predict(test_codes)
    return Fit(
        np.abs(model.coef_).max(axis=0),
        float(np.mean(train_guesses == classes)),
        float(np.mean(guesses == test_classes)),
        guesses,
    )


OVER = {"mean": "the mean", "min": "the least"}
METRIC = Metric(
    downstream,
    {
        f"{p}_{n}_{over}": Part(
            f"{p} {n:,} {over}",
            f"Accuracy, 0 to 1, of predicting the factors from the code by {p} fitted "
            f"to {n:,} labels: {words} over factors.",
        )
        for p in PREDICTORS
        for n in SIZES
        for over, words in OVER.items()
    }
    | {
        f"{p}_efficiency_{n}": Part(
            f"{p} efficiency {n:,}",
            f"Mean accuracy by {p} of {n:,} labels over that of 10,000.",
        )
        for p in PREDICTORS
        for n in (100, 1_000)
    },
    protocols=Protocols(BOTH, "Locatello et al. 2019 proposed this task"),
)
