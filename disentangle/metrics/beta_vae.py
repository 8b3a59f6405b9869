"""The BetaVAE score (Higgins et al. 2017), as Locatello et al. 2019 compute it."""

import numpy as np
from threadpoolctl import threadpool_limits

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.interventions import (
    chunks,
    draw_factors,
    draw_partner,
    groups,
)
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.refusals import few_rows, refusals

BATCH, POINTS, JUDGED = 64, 10_000, 5_000


def beta_vae(table: Representation, settings: Settings) -> Result:
    r"""How well a linear classifier tells from two rows which factor they share.

    $$
    \mathrm{acc}\Big(k \;\Big|\; \frac{1}{64} \sum_{n=1}^{64} |z_n - z'_n|\Big), \qquad
    z_n, z'_n \text{ share factor } k
    $$

    A point: a factor k, uniform; 64 pairs of rows that share their value of k; the
    feature of code d is the mean over pairs of |z_d - z'_d|, the label is k. A
    logistic regression learns 10,000 points of training rows; the score is its
    accuracy on 5,000 of test rows.

    The rows of a pair are rows of the table (see `interventions`), the second
    another one of the first's value where there is any. The classifier is
    scikit-learn's `LogisticRegression` as installed, a softmax by L-BFGS; Locatello
    et al. ran a version (0.20) whose default was one classifier per factor against the
    rest. Features are not scaled and the penalty is, so the score depends on the
    codes' scales. Both protocols are the same: Higgins et al. leave the classifier
    and these numbers open.

    Args:
      table: training and test rows.
      settings: reads `seed`.

    Returns:
      part `score` in [0, 1]; 1 / F is chance; near 1 also for mixed codes. With one
      factor it is 1. Per factor `score`, 0 for one that no judged point is on.

    Raises:
      UserError: no test rows.
    """
    table.need_test_rows("beta_vae")
    rng = np.random.default_rng(settings.seed)
    features, labels = _points(table.codes, table.factors, POINTS, rng)
    judged, truth = _points(table.test_codes, table.test_factors, JUDGED, rng)
    right = _classify(features, labels, judged, settings.seed) == truth
    factors = range(table.factors.shape[1])
    each = [float(np.mean(right[truth == k])) if k in truth else 0.0 for k in factors]
    return Result(
        values={"score": float(np.mean(right))},
        per_factor={"score": tuple(each)},
        metadata={
            "definition": "accuracy of a linear classifier that names the factor two "
            "rows share from the mean of their absolute code differences",
            "estimator": "scikit-learn LogisticRegression, defaults, on pairs of rows "
            "of the table",
            "batch": BATCH,
            "points": POINTS,
            "judged_points": JUDGED,
        },
    )


def _points(
    codes: np.ndarray, factors: np.ndarray, points: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Features (points, D) float64 and labels (points,)."""
    features, labels = [], []
    for k, count in draw_factors(factors.shape[1], points, rng):
        within = groups(factors[:, k])
        for size in chunks(count, BATCH):
            first = rng.integers(0, len(codes), (size, BATCH))
            second = draw_partner(within, first, rng)
            apart = np.abs(codes[first] - codes[second])
            features.append(apart.mean(axis=1, dtype=np.float64))
        labels.append(np.full(count, k))
    return np.concatenate(features), np.concatenate(labels)


def _classify(
    features: np.ndarray, labels: np.ndarray, judged: np.ndarray, seed: int
) -> np.ndarray:
    """The factor that a classifier of `features` names for each of `judged`."""
    from sklearn.linear_model import LogisticRegression

    if labels[0] == labels[-1]:  # one factor only; labels are in order
        return np.full(len(judged), labels[0])
    library = "scikit-learn's LogisticRegression"
    with threadpool_limits(1), few_rows(), refusals(library):
        model = LogisticRegression(random_state=seed).fit(features, labels)
        return model.predict(judged)


METRIC = Metric(
    beta_vae,
    {
        "score": Part(
            "BetaVAE",
            "BetaVAE score, 0 to 1: accuracy of a linear classifier that names the "
            "factor two images share. Near 1 also for mixed codes.",
        )
    },
    protocols=Protocols(
        BOTH, "Higgins et al. 2017 leave the classifier and all numbers open"
    ),
)
