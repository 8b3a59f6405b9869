"""R^2 of factors from codes: how much of a factor a regression explains."""

import numpy as np
from threadpoolctl import threadpool_limits

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.dci_regression import standardise
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import Protocols
from disentangle.metrics.refusals import refusals


def r2(
    table: Representation,
    settings: Settings,
    *,
    penalty: float = 1.0,
    landmarks: int = 500,
) -> Result:
    r"""R^2_j = 1 - sum (y_j - f_j(z))^2 / sum (y_j - mean y_j)^2 over the test rows.

    $$
    R^2_j = 1 - \frac{\sum_n (y_{nj} - f_j(z_n))^2}{\sum_n (y_{nj} - \bar y_j)^2}
    $$

    "linear": f is least squares on all codes. "kernel": f is kernel ridge regression,

    $$
    f(z) = \sum_m w_m k(z, z_m), \qquad k(z, z') = \exp(-|z - z'|^2 / D),
    $$

    with the penalty `penalty` and, beyond `landmarks` training rows, the Nystrom
    approximation on so many of them (Williams & Seeger 2001). Codes and factors are
    standardised by the training rows; D counts the codes that vary. Identifiability
    studies report these two (e.g. von Kuegelgen et al. 2021, who choose width and
    penalty by cross-validation: not checked against their numbers). Here both are
    fixed, so that scores of different codes are of one and the same regression.

    A factor's value is the number it has in the table: where values have no order the
    score depends on their names, and for a periodic factor no code that wraps can
    reach 1. R^2 does not ask that a factor be in one code: any rotation of the codes
    has the same.

    Args:
      table: training rows to fit, test rows to measure.
      settings: reads `seed`, which draws the landmarks.
      penalty: of the kernel regression.
      landmarks: the most rows that f is a sum over.

    Returns:
      parts `linear` and `kernel`, means over factors, at most 1, higher is better; 0
      is what the factor's mean predicts, below 0 is worse than that. Per factor both.
      A factor that is constant in the test rows has 0.

    Raises:
      UserError: no test rows.
    """
    table.need_test_rows("r2")
    rows = standardise(table)
    with threadpool_limits(1):
        with refusals("numpy's least squares"):
            weights = np.linalg.lstsq(rows.codes, rows.factors, rcond=None)[0]
        guesses = {
            "linear": rows.test_codes @ weights,
            "kernel": _kernel_ridge(*rows[:3], penalty, landmarks, settings.seed),
        }
    each = {
        name: explained(found, rows.test_factors) for name, found in guesses.items()
    }
    return Result(
        values={name: float(np.mean(values)) for name, values in each.items()},
        per_factor={name: tuple(values.tolist()) for name, values in each.items()},
        metadata={
            "definition": "1 - squared error of predicting the factor from all codes, "
            "over its variance, on the test rows; mean over factors",
            "estimator": "linear: least squares; kernel: ridge regression, Gaussian "
            f"kernel of width sqrt(codes / 2), Nystrom on {landmarks} rows at most",
            "penalty": penalty,
            "landmarks": min(landmarks, len(table.codes)),
        },
    )


def explained(guesses: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """R^2 of each column of guesses (N, F) of truth (N, F); 0 if it is constant."""
    error = np.sum((truth - guesses) ** 2, axis=0)
    total = np.sum((truth - truth.mean(axis=0)) ** 2, axis=0)
    varies = np.ptp(truth, axis=0) > 0
    return np.where(varies, 1.0 - error / np.where(varies, total, 1.0), 0.0)


def _kernel_ridge(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray,
    penalty: float,
    landmarks: int,
    seed: int,
) -> np.ndarray:
    """Guesses (N', F) of kernel ridge regression, on standardised rows."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import Ridge

    alive = np.ptp(codes, axis=0) > 0
    if not alive.any():
        return np.zeros((len(test_codes), factors.shape[1]))
    features = Nystroem(
        gamma=1.0 / np.sum(alive),
        n_components=min(landmarks, len(codes)),
        random_state=seed,
    )
    model = Ridge(alpha=penalty, fit_intercept=False)
    with refusals("scikit-learn's kernel ridge regression"):
        features.fit(codes[:, alive])
        model.fit(features.transform(codes[:, alive]), factors)
        guesses: np.ndarray = model.predict(features.transform(test_codes[:, alive]))
    return guesses.reshape(len(test_codes), factors.shape[1])


METRIC = Metric(
    r2,
    {
        "linear": Part(
            "R²",
            "Share of a factor's variance, at most 1, that a linear regression on the "
            "code explains; 0 is what the mean predicts.",
        ),
        "kernel": Part("R² kernel", "The same of a kernel regression."),
    },
    protocols=Protocols(("own",), "a common measure with many forms"),
)
