"""Plug-in mutual information and entropy of discrete columns, in nats."""

import numpy as np


def mutual_information(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """I(l; r) of every pair of columns, from their contingency table.

    I(l; r) = sum_ab p(a, b) log(p(a, b) / (p(a) p(b))), natural logarithm.

    Args:
      left: (N, D) int >= 0, small numbers (bins, dense labels).
      right: (N, F) int >= 0, small numbers.

    Returns:
      (D, F) float64, >= 0.
    """
    columns = [_information(_joint(left, column)) for column in right.T]
    return np.stack(columns, axis=1)


def entropy(labels: np.ndarray) -> np.ndarray:
    """H(y) of every column, in nats.

    Args:
      labels: (N, F) int >= 0, small numbers.

    Returns:
      (F,) float64, >= 0.
    """
    rows = len(labels)
    counts = [np.bincount(column) for column in labels.T]
    return np.array([-_sum_x_log_x(count / rows) for count in counts])


def _joint(left: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """p(a, b) of every left column with one right column: (D, A, B).

    All D contingency tables are one bincount.
    """
    rows, codes = left.shape
    size = (codes, int(left.max()) + 1, int(labels.max()) + 1)
    index = np.ravel_multi_index(
        (np.arange(codes)[None, :], left, labels[:, None]), size
    )
    counts = np.bincount(index.ravel(), minlength=int(np.prod(size)))
    return counts.reshape(size) / rows


def _information(joint: np.ndarray) -> np.ndarray:
    """H(a) + H(b) - H(a, b) of each (A, B) table in (D, A, B): (D,)."""
    both = _sum_x_log_x(joint, axes=(1, 2))
    one = _sum_x_log_x(joint.sum(axis=2), axes=(1,))
    other = _sum_x_log_x(joint.sum(axis=1), axes=(1,))
    return np.maximum(both - one - other, 0.0)


def _sum_x_log_x(x: np.ndarray, axes: tuple[int, ...] = (0,)) -> np.ndarray:
    """sum x log x over `axes`, with 0 log 0 = 0."""
    return np.sum(x * np.log(np.where(x > 0, x, 1.0)), axis=axes)
