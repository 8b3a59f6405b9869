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
