"""Ridge regression whose strength is chosen by leaving one row out, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STRENGTHS = tuple(np.logspace(-6, 2, 20).tolist())


class Ridge(NamedTuple):
    """y = intercept + x . weights.

    Attributes:
      intercept, weights: the fit.
      strength: lambda.
      error: the mean squared error of every row by the fit without it; inf where a row
        alone decides its own prediction.
    """

    intercept: float
    weights: np.ndarray
    strength: float
    error: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(M, F) -> (M,)."""
        return self.intercept + np.asarray(x @ self.weights)


def ridge(
    x: np.ndarray, y: np.ndarray, strengths: Sequence[float] = STRENGTHS
) -> Ridge:
    """Minimises |y - a - x w|^2 + lambda |w|^2, the intercept a free.

    Args:
      x: (M, F), M at least 1; F may be 0.
      y: (M,).
      strengths: the lambdas to choose from, by the error of leaving one row out.

    Returns:
      The fit with the least such error, of equals the strongest.
    """
    rows, centre, level = len(y), x.mean(axis=0), float(y.mean())
    if rows < 2 or not x.size:
        return Ridge(level, np.zeros(x.shape[1]), float("inf"), float("inf"))
    shifted, rest = x - centre, y - level
    left, values, right = np.linalg.svd(shifted, full_matrices=False)
    best: Ridge | None = None
    for strength in sorted(strengths, reverse=True):
        shrink = values**2 / (values**2 + strength)
        fitted = left @ (shrink * (left.T @ rest))
        own = 1 / rows + (left**2 @ shrink)  # d fitted / d y, of each row
        free = 1 - own > 1e-9
        error = float("inf")
        if free.all():
            error = float(np.mean(((rest - fitted) / (1 - own)) ** 2))
        if best is None or error < best.error:
            weights = right.T @ (values / (values**2 + strength) * (left.T @ rest))
            best = Ridge(level - float(centre @ weights), weights, strength, error)
    assert best is not None
    return best
