"""Continuous codes to bin numbers."""

import numpy as np


def histogram_bins(codes: np.ndarray, bins: int = 20) -> np.ndarray:
    """Equal-width bins over each code's own range (Locatello et al. 2019, App. C).

    Edges are `np.histogram`'s, computed in the precision of `codes`; the largest
    value falls into the last bin. A constant code falls into one bin.

    Args:
      codes: (N, D) float, finite.
      bins: number of bins.

    Returns:
      (N, D) int64 bin numbers, from 0 to at most bins - 1.
    """
    columns = [_histogram_column(column, bins) for column in codes.T]
    return np.stack(columns, axis=1)


def _histogram_column(values: np.ndarray, bins: int) -> np.ndarray:
    """Bin numbers (N,) of one code (N,)."""
    try:
        edges = np.histogram_bin_edges(values, bins)
    except ValueError:
        # The range is a few rounding steps wide: floats cannot cut it into `bins`
        # parts, and every distinct value is its own bin already.
        ranks: np.ndarray = np.unique(values, return_inverse=True)[1]
        return np.minimum(ranks.astype(np.int64), bins - 1)
    return np.digitize(values, edges[:-1]).astype(np.int64) - 1


def dense_labels(labels: np.ndarray) -> np.ndarray:
    """Renumbers each column's values 0, 1, ... in their order.

    Args:
      labels: (N, F) int.

    Returns:
      (N, F) int64, column f with values 0 to (distinct values of f) - 1.
    """
    columns = [np.unique(column, return_inverse=True)[1] for column in labels.T]
    return np.stack(columns, axis=1).astype(np.int64)
