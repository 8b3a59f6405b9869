"""Frechet distance of generated and real images, on an oracle's features.

Heusel et al. 2017, Eq. 6 (Dowson and Landau 1982): the distance of two Gaussians that
have the features' means and covariances. The features are an oracle's last hidden ones,
so the number cannot be compared with an FID, nor with that of another oracle.
"""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import NOT_THERE, Protocols


def root(matrix: np.ndarray) -> np.ndarray:
    """The square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def gaussian_distance(
    mean: np.ndarray, cov: np.ndarray, other_mean: np.ndarray, other_cov: np.ndarray
) -> float:
    """The squared Frechet (2-Wasserstein) distance of two Gaussians, at least 0."""
    half = root(other_cov)
    inner = half @ cov @ half
    values = np.linalg.eigvalsh((inner + inner.T) / 2)
    shared = np.sqrt(np.maximum(values, 0.0)).sum()
    gap = np.square(mean - other_mean).sum()
    return max(0.0, float(gap + np.trace(cov) + np.trace(other_cov) - 2 * shared))


def frechet(given: Generated, settings: Settings) -> Result:
    r"""Frechet distance on oracle features; 0 where both are distributed alike.

    $$
    d^2 = |\mu_g - \mu_r|^2
    + \mathrm{tr}\big(\Sigma_g + \Sigma_r
    - 2 (\Sigma_r^{1/2} \Sigma_g \Sigma_r^{1/2})^{1/2}\big)
    $$

    Args:
      given: reads `features` and `real_features`.
      settings: not read.

    Returns:
      `distance` >= 0, and `halves`, the distance between two halves of the real
      images: what the number of images alone makes of no difference.

    Raises:
      UserError: fewer than four real images, or fewer than two generated ones.
    """
    del settings
    drawn = np.asarray(given.features, np.float64)
    real = np.asarray(given.real_features, np.float64)
    if len(real) < 4 or len(drawn) < 2:
        raise UserError(
            f"frechet needs at least 2 generated and 4 real images, not {len(drawn)} "
            f"and {len(real)}"
        )
    fit = lambda x: (x.mean(axis=0), np.atleast_2d(np.cov(x, rowvar=False)))
    return Result(
        values={
            "distance": gaussian_distance(*fit(drawn), *fit(real)),
            "halves": gaussian_distance(*fit(real[::2]), *fit(real[1::2])),
        },
        metadata={
            "definition": "squared Frechet distance of Gaussians fitted to features",
            "estimator": "an oracle's last hidden features",
            "images": [len(drawn), len(real)],
        },
    )


METRIC = Metric(
    frechet,
    {
        "distance": Part(
            "Frechet",
            "Squared Frechet distance to real images on an oracle's features, from 0.",
            "lower",
        ),
        "halves": Part(
            "of halves",
            "The same between two halves of the real images, from 0.",
            "neither",
        ),
    },
    needs="generator",
    uses_factors=False,
    protocols=Protocols(("paper",), NOT_THERE),
)
