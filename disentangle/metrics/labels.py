"""Factor values as class numbers, for classifiers that count them from 0."""

import numpy as np

from disentangle.metrics.discretize import dense_labels


def matched(values: np.ndarray, test_values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Classes 0..K-1 of training values, and the same classes of test values.

    Args:
      values: (N,) int, K different ones.
      test_values: (N',) int.

    Returns:
      (N,) and (N',) int64; a test value that training lacks has the class -1.
    """
    known = np.unique(values)
    place = np.minimum(np.searchsorted(known, test_values), len(known) - 1)
    test_classes = np.where(known[place] == test_values, place, -1)
    return dense_labels(values[:, None])[:, 0], test_classes


def by_content(codes: np.ndarray) -> list[int]:
    """The columns of codes (N, D) in an order of their ranks.

    What draws numbers column by column draws the same for a code wherever it stands.
    """
    ranks = [np.unique(column, return_inverse=True)[1] for column in codes.T]
    return sorted(range(len(ranks)), key=lambda i: ranks[i].astype(">i8").tobytes())


def by_appearance(train: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`values` (N',) as classes 0, 1, ... in the order `train` (N,) first has them.

    A value that `train` lacks becomes -1.
    """
    known, first = np.unique(train, return_index=True)
    number = np.argsort(np.argsort(first))
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[place] == values, number[place], -1)
