"""Mean correlation coefficient (Hyvarinen & Morioka 2016)."""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import NOT_THERE, Protocols


def mcc(table: Representation, settings: Settings) -> Result:
    r"""Mean |correlation| of factors and codes, under the best assignment of codes.

    $$
    \mathrm{MCC} = \max_a \frac{1}{F} \sum_j |\mathrm{corr}(z_{a(j)}, y_j)|,
    \qquad a \text{ one-to-one}
    $$

    Each factor is given one code and no code is given twice, so that the sum of
    absolute correlations is the largest (Hyvarinen & Morioka 2016, Sec. 6). Pearson's
    correlation asks for each factor up to shift and scale, Spearman's rank
    correlation up to any monotone map. Both read a factor's value as its index 0, 1,
    2, ...: for a categorical factor the order is arbitrary, and for a periodic one
    no code can reach 1, so read the factors one by one there.

    Args:
      table: training rows.
      settings: nothing of it is read.

    Returns:
      parts `pearson` and `spearman` in [0, 1], each with its own assignment, also per
      factor. With fewer codes than factors, the factors left without a code count 0.
      A categorical latent is one code, and its correlation the largest over all
      ways to number its values. A constant code correlates 0 with everything.
      Arrays `pearson` and `spearman` (L, F), absolute, of L latents.
    """
    from scipy.stats import rankdata

    table = table.by_latent()
    labels = dense_labels(table.factors).astype(np.float64)
    codes = table.codes.astype(np.float64)
    matrices = {
        "pearson": correlations(codes, labels),
        "spearman": correlations(rankdata(codes, axis=0), rankdata(labels, axis=0)),
    }
    for (column,) in table.categorical:
        values = dense_labels(codes[:, [column]])[:, 0]
        matrices["pearson"][column] = correlation_ratio(values, labels)
        ranks = rankdata(labels, axis=0)
        matrices["spearman"][column] = correlation_ratio(values, ranks)
    matched = {name: assigned(matrix) for name, matrix in matrices.items()}
    return Result(
        values={name: float(np.mean(values)) for name, values in matched.items()},
        per_factor={name: tuple(values.tolist()) for name, values in matched.items()},
        arrays=matrices,
        metadata={
            "definition": "mean over factors of the absolute correlation with the "
            "code that the best one-to-one assignment gives it",
            "estimator": "sample correlation of codes and indices of factor values",
        },
    )


def correlations(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """|corr| of every pair of columns; 0 where a column is constant.

    Args:
      left: (N, D).
      right: (N, F).

    Returns:
      (D, F) in [0, 1].
    """
    return np.clip(np.abs(_standard(left).T @ _standard(right)), 0.0, 1.0)


def correlation_ratio(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The largest |corr| of each target with any function of `values`.

    It is sqrt(var E[y | value] / var y), the correlation with the mean of y over the
    rows of a value.

    Args:
      values: (N,) int, small numbers.
      targets: (N, F).

    Returns:
      (F,) in [0, 1].
    """
    counts = np.maximum(np.bincount(values), 1)
    sums = np.stack([np.bincount(values, column) for column in targets.T], axis=1)
    means = (sums / counts[:, None])[values]
    return np.diag(correlations(means, targets))


def _standard(columns: np.ndarray) -> np.ndarray:
    """Columns less their means, of length 1; constant ones are 0."""
    varies = np.ptp(columns, axis=0) > 0
    scale = np.abs(columns).max(axis=0)
    # Scaled first: squares of codes of 1e200 would overflow.
    scaled = np.where(varies, columns / np.where(scale > 0, scale, 1.0), 0.0)
    centred = scaled - scaled.mean(axis=0)
    length = np.sqrt(np.sum(centred**2, axis=0))
    return np.where(varies, centred / np.where(length > 0, length, 1.0), 0.0)


def assigned(matrix: np.ndarray) -> np.ndarray:
    """Each factor's entry under the assignment of codes with the largest sum.

    Args:
      matrix: (D, F) >= 0.

    Returns:
      (F,); 0 for factors without a code.
    """
    from scipy.optimize import linear_sum_assignment

    codes, factors = linear_sum_assignment(matrix, maximize=True)
    values = np.zeros(matrix.shape[1])
    values[factors] = matrix[codes, factors]
    return values


METRIC = Metric(
    mcc,
    {
        "pearson": Part(
            "MCC",
            "Mean correlation coefficient, 0 to 1: the absolute correlation of each "
            "factor with the code dimension that the best one-to-one assignment gives "
            "it.",
        ),
        "spearman": Part("MCC ranks", "The same by rank correlation."),
    },
    protocols=Protocols(("paper",), NOT_THERE),
)
