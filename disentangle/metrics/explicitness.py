"""Explicitness (Ridgeway & Mozer 2018), as Locatello et al. 2019 compute it."""

from typing import Any

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.refusals import few_rows, refusals


def explicitness(table: Representation, settings: Settings) -> Result:
    r"""How well linear classifiers on the whole code rank the values of a factor.

    $$
    \frac{1}{F} \sum_j \frac{1}{K_j} \sum_k
    \mathrm{AUC}\big(p(y_j = k \mid z), \, [y_j = k]\big)
    $$

    One logistic regression per factor, on codes standardised by the training rows'
    mean and standard deviation; the area under the ROC curve of each value against
    the rest, averaged over values, then over factors.

    "locatello": scikit-learn's `LogisticRegression()` as installed: one softmax over
    the values, C = 1, at most 100 steps of L-BFGS. Locatello et al. ran a version
    (0.20) whose default was one classifier per value against the rest; that is
    "paper", as Ridgeway & Mozer describe it.

    A constant code is 0 after standardisation (disentanglement_lib divides by 0). A
    value that the test rows lack, or that training lacks, has no curve there and is
    left out of the test mean; where no value has one, the area is 0.5.

    Args:
      table: training rows to fit, test rows for `test`.
      settings: reads `protocol`, `seed`, `threads`, `progress`.

    Returns:
      parts `train` and `test` in [0, 1], 0.5 is chance; per factor the same.

    Raises:
      UserError: no test rows.
    """
    table.need_test_rows("explicitness")
    train, test = standardised(table.codes, table.test_codes)

    def areas(j: int) -> tuple[float, float]:
        values = table.factors[:, j]
        with refusals("scikit-learn's LogisticRegression"):
            model = _classifier(settings).fit(train, values)
            scores, test_scores = model.predict_proba(train), model.predict_proba(test)
        return (
            roc_area(scores, model.classes_, values),
            roc_area(test_scores, model.classes_, table.test_factors[:, j]),
        )

    with few_rows():
        found = in_threads(
            areas, range(table.factors.shape[1]), settings, "explicitness"
        )
    on_train, on_test = np.array(found).T
    rest = ", one value against the rest" if settings.protocol == "paper" else ""
    return Result(
        values={"train": float(np.mean(on_train)), "test": float(np.mean(on_test))},
        per_factor={"train": tuple(on_train.tolist()), "test": tuple(on_test.tolist())},
        metadata={
            "definition": "area under the ROC curve of a linear classifier on the "
            "standardised code, mean over values, then over factors",
            "estimator": f"scikit-learn LogisticRegression, defaults{rest}",
        },
    )


def _classifier(settings: Settings) -> Any:
    """The unfitted classifier of the protocol."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    plain = LogisticRegression(random_state=settings.seed)
    return plain if settings.protocol == "locatello" else OneVsRestClassifier(plain)


def standardised(
    codes: np.ndarray, test_codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both less the mean of `codes` over their standard deviation, in their dtype.

    Args:
      codes: (N, D) float. A constant one becomes 0, also in the test rows.
      test_codes: (N', D) float.
    """
    mean, alive = codes.mean(axis=0), np.ptp(codes, axis=0) > 0
    with np.errstate(over="ignore"):
        scale = codes.std(axis=0)
    # float32 loses squares of very large and very small codes.
    lost = ~np.isfinite(scale) | (scale == 0)
    scale = np.where(lost, codes.std(axis=0, dtype=np.float64), scale)
    alive &= scale > 0
    scale = np.where(alive, scale, 1).astype(codes.dtype)
    return (
        np.where(alive, (codes - mean) / scale, 0).astype(codes.dtype),
        np.where(alive, (test_codes - mean) / scale, 0).astype(codes.dtype),
    )


def roc_area(scores: np.ndarray, classes: np.ndarray, values: np.ndarray) -> float:
    """The mean over classes of the area under the ROC curve, class against rest.

    The area is P(score of a row of the class > score of another) + P(equal) / 2
    (Mann & Whitney 1947), from ranks.

    Args:
      scores: (N, K), one column per class.
      classes: (K,) the values the columns stand for.
      values: (N,) the true ones. Classes of no row, or of all, are left out.

    Returns:
      In [0, 1]; 0.5 if no class is left.
    """
    from scipy.stats import rankdata

    inside = values[:, None] == classes
    hits = inside.sum(axis=0)
    counted = (hits > 0) & (hits < len(values))
    if not counted.any():
        return 0.5
    inside, hits = inside[:, counted], hits[counted]
    ranks = rankdata(scores[:, counted], axis=0)
    above = np.where(inside, ranks, 0.0).sum(axis=0) - hits * (hits + 1) / 2
    return float(np.mean(above / (hits * (len(values) - hits))))


METRIC = Metric(
    explicitness,
    {
        "train": Part(
            "explicit train",
            "Explicitness, 0.5 (chance) to 1: area under the ROC curve of linear "
            "classifiers of the factors, on the rows they were fitted to.",
        ),
        "test": Part("explicit test", "The same on rows they have not seen."),
    },
    protocols=Protocols(BOTH),
)
