"""Disentanglement, completeness, informativeness (Eastwood & Williams 2018).

As Locatello et al. 2019 compute them: one gradient-boosted classifier a factor, its
feature importances as the matrix R, accuracy as informativeness (higher is better;
the original paper's informativeness is an error).
"""

import warnings

import numpy as np

from disentangle.metrics.base import CodeTable, Result, Settings
from disentangle.metrics.labels import matched
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.trees import BACKENDS, Fit

# Keeps the entropy of an all-zero row defined: it becomes the uniform distribution.
EPSILON = 1e-11


def dci(table: CodeTable, settings: Settings) -> Result:
    """Fits a classifier a factor and scores its importances.

    Args:
      table: training rows to fit, test rows for `informativeness_test`.
      settings: reads `backend`, `seed`, `threads`, `progress`.

    Returns:
      parts `disentanglement`, `completeness`, `informativeness_train` and
      `informativeness_test`, each in [0, 1]. Per factor `completeness` and the two
      informativenesses (accuracies; a test value that no training row has counts
      as wrong). Arrays `importance` R (D, F), whose columns sum to 1, or to 0 if no
      code tells anything of the factor, and `disentanglement` (D,), a code each.
      Constant codes give 0 for the first two.

    Raises:
      UserError: no test rows, or the backend's library is missing.
    """
    table.need_test_rows("dci")
    fits = _fit_factors(table, settings)
    importance = np.stack([fit.importance for fit in fits], axis=1)
    train = tuple(fit.train_accuracy for fit in fits)
    test = tuple(fit.test_accuracy for fit in fits)
    return Result(
        parts={
            "disentanglement": disentanglement(importance),
            "completeness": completeness(importance),
            "informativeness_train": float(np.mean(train)),
            "informativeness_test": float(np.mean(test)),
        },
        per_factor={
            "completeness": tuple(concentration(importance.T).tolist()),
            "informativeness_train": train,
            "informativeness_test": test,
        },
        arrays={
            "importance": importance,
            "disentanglement": concentration(importance),
        },
        ran={
            "definition": "Eastwood & Williams 2018 in the form of Locatello et al. "
            "2019: importance-weighted 1 - normalised entropy, accuracy",
            "backend": settings.backend,
            "estimator": BACKENDS[settings.backend].says,
        },
    )


def disentanglement(importance: np.ndarray) -> float:
    """D = sum_i rho_i D_i over codes i.

    D_i = 1 - H_F(R_i. / sum_j R_ij), entropy in base F; rho_i is code i's share of
    all importance.

    Args:
      importance: R (D, F) >= 0, codes by factors.

    Returns:
      In [0, 1]; 0 if nothing is important.
    """
    return float(np.sum(_shares(importance) * concentration(importance)))


def completeness(importance: np.ndarray) -> float:
    """C = sum_j weight_j C_j over factors j: disentanglement of the transpose.

    The entropy's base is the number of codes, so dead codes raise C.

    Args:
      importance: R (D, F) >= 0, codes by factors.

    Returns:
      In [0, 1]; 0 if nothing is important.
    """
    return disentanglement(importance.T)


def concentration(importance: np.ndarray) -> np.ndarray:
    """1 - normalised entropy of each row: 1 on one entry, 0 spread evenly.

    Args:
      importance: (A, B) >= 0.

    Returns:
      (A,) in [0, 1]. A zero row has 0. With B = 1 nothing can be spread: a row with
      any importance has 1.
    """
    choices = importance.shape[1]
    if choices == 1:
        return (importance[:, 0] > 0).astype(np.float64)
    p = importance + EPSILON
    p = p / p.sum(axis=1, keepdims=True)
    entropy = -np.sum(p * np.log(p), axis=1) / np.log(choices)
    return np.clip(1.0 - entropy, 0.0, 1.0)


def _shares(importance: np.ndarray) -> np.ndarray:
    """Each row's share of all importance, (A,); equal shares of nothing."""
    rows = importance.sum(axis=1)
    total = rows.sum()
    return rows / total if total > 0 else np.full(len(rows), 1.0 / len(rows))


def _fit_factors(table: CodeTable, settings: Settings) -> list[Fit]:
    """One classifier a factor, on `settings.threads` threads.

    Factors with many values take longest (trees grow with the number of classes),
    so they start first. Each fit is seeded alone and the results are in factor
    order, so the number of threads changes nothing.
    """
    fit = BACKENDS[settings.backend].fit

    def one(j: int) -> Fit:
        classes, test_classes = matched(table.factors[:, j], table.test_factors[:, j])
        return fit(table.codes, classes, table.test_codes, test_classes, settings.seed)

    sizes = [len(np.unique(column)) for column in table.factors.T]
    longest_first = sorted(range(len(sizes)), key=lambda j: -sizes[j])
    with warnings.catch_warnings():
        # A short table has few rows a value; its factors are classes all the same.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        found = in_threads(one, longest_first, settings, "dci")
    done = dict(zip(longest_first, found, strict=True))
    return [done[j] for j in range(len(sizes))]
