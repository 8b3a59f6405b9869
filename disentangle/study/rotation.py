"""Turned latents: rotations, a perfect Gaussian code, and what a rotation leaves.

Locatello et al. 2019, Theorem 1: where the prior p(z) = prod_i p(z_i) factorises,
there are infinitely many f with f(z) ~ p(z) and every entry of its Jacobian
non-zero almost everywhere, so that data alone cannot tell z from f(z). Their f for
a Gaussian prior is an orthogonal map, f(z) = A z, as here (f = F^-1 Phi A Phi^-1 F
for marginal distributions F reduces to it).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.study.encoding import posterior_table
from disentangle.training.run import Run

LIKELIHOOD_ROWS = 1000  # images decoded to compare likelihoods
Row = dict[str, float]


def givens(latents: int, degrees: float) -> np.ndarray:
    """The rotation that turns every pair of D axes by an angle, pair after pair.

    The pairs come in the order (1, 2), (1, 3), ..., (D-1, D). No entry is zero, as
    the theorem wants it, but at 0 degrees and single angles (five axes: one at 45).

    Returns:
      (D, D) float64, orthogonal; the identity for 0 degrees.
    """
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(latents)
    for i in range(latents):
        for j in range(i + 1, latents):
            rows = matrix[[i, j]]
            matrix[i] = cosine * rows[0] - sine * rows[1]
            matrix[j] = sine * rows[0] + cosine * rows[1]
    return matrix


def gaussian_code(
    factors: np.ndarray, sizes: Sequence[int], *, seed: int
) -> np.ndarray:
    """A perfect code whose latents are N(0, I): z_j = Phi^-1((y_j + u) / n_j).

    u is uniform in [0, 1), so for factors that are independent and uniform every
    latent is exactly standard normal, and factor j can be read off z_j alone.

    Args:
      factors: (N, F) int, column j in {0 .. sizes[j] - 1}.
      sizes: F numbers of values.
      seed: of u.

    Returns:
      (N, F) float64.
    """
    inside = np.random.default_rng(seed).uniform(size=factors.shape)
    shares = np.clip((factors + inside) / np.asarray(sizes), 1e-7, 1 - 1e-7)
    return np.asarray(jax.scipy.stats.norm.ppf(jnp.float32(shares)), np.float64)


def marginals(codes: np.ndarray) -> Row:
    """How far codes (N, D) are from N(0, I), as far as samples can tell.

    Returns:
      `ks`: the largest Kolmogorov-Smirnov distance of a marginal to N(0, 1);
      `ks_critical`: what it stays below in 95 of 100 samples of N(0, 1), one
      marginal tested, 1.358 / sqrt(N); `mean`, `covariance`: the largest |entry| of
      the mean and of the covariance less I; `log_density`: mean log N(z; 0, I) in
      nats.
    """
    rows, latents = codes.shape
    below = np.asarray(jax.scipy.stats.norm.cdf(jnp.float32(np.sort(codes, axis=0))))
    steps = np.arange(rows + 1)[:, None] / rows
    ks = max(np.max(steps[1:] - below), np.max(below - steps[:-1]))
    covariance = np.atleast_2d(np.cov(codes, rowvar=False))
    log_density = -0.5 * (np.square(codes).sum(1) + latents * np.log(2 * np.pi))
    return {
        "ks": float(ks),
        "ks_critical": 1.358 / rows**0.5,
        "mean": float(np.abs(codes.mean(0)).max()),
        "covariance": float(np.abs(covariance - np.eye(latents)).max()),
        "log_density": float(log_density.mean()),
    }


def linear_probe(
    codes: np.ndarray, factors: np.ndarray, sizes: Sequence[int], num_train: int
) -> float:
    """Accuracy of linear predictors of all factors, mean over factors, in [0, 1].

    Least squares from the codes (and 1) to Phi^-1((y + 1/2) / n), the factor's
    normal score, on the first rows; a prediction is the value with the nearest
    score. Orthogonal maps of the codes leave it as it is.
    """
    inputs = np.column_stack([codes, np.ones(len(codes))])
    accuracies = []
    for values, size in zip(factors.T, sizes, strict=True):
        middles = (np.arange(size) + 0.5) / size
        scores = np.asarray(jax.scipy.stats.norm.ppf(jnp.float32(middles)), np.float64)
        weights = np.linalg.lstsq(
            inputs[:num_train], scores[values[:num_train]], rcond=None
        )[0]
        borders = (scores[1:] + scores[:-1]) / 2
        predicted = np.searchsorted(borders, inputs[num_train:] @ weights)
        accuracies.append(np.mean(predicted == values[num_train:]))
    return float(np.mean(accuracies))


class Trained(NamedTuple):
    """One trained VAE on N images: what its likelihood is made of."""

    run: Run
    images: np.ndarray  # (n, H, W, C) in [0, 1], the first n of the N images
    means: np.ndarray  # (N, D)
    logvars: np.ndarray  # (N, D)


def trained(run: Run, data: Dataset, index: np.ndarray) -> Trained:
    """The first member's posteriors of the images `index`.

    Raises:
      UserError: a method without Gaussian posterior or without decoder.
    """
    if run.method.posterior is None or run.method.decode is None:
        raise UserError(
            f"method {run.config['method']['name']!r} has no Gaussian posterior or no "
            "decoder: nothing to rotate"
        )
    means, logvars = posterior_table(run, data, index)
    assert logvars is not None
    some = jnp.asarray(index[:LIKELIHOOD_ROWS], jnp.int32)
    images = np.asarray(data.images(some), np.float64) / data.max_value
    return Trained(
        run, images, means[0].astype(np.float64), logvars[0].astype(np.float64)
    )


def rotated_elbo(vae: Trained, matrix: np.ndarray, *, seed: int) -> Row:
    """The bound of the VAE whose latents are turned: z' = A z.

    Its encoder answers N(A mu, A Sigma A^T), its decoder is g(A^T z'); the same
    noise is drawn for every A, so nothing but rounding may change.

    Returns:
      `reconstruction`: Bernoulli cross-entropy of g(A^T z'), nats per image;
      `kl`: KL(N(A mu, A Sigma A^T) || N(0, I)), nats per image; `elbo`: less their
      sum; `aggregate_kl`: KL to N(0, I) of the Gaussian with the moments of all z';
      `diagonal_gap`: what the bound loses if the encoder may only answer with a
      diagonal covariance of the same variances - the one thing that is not
      invariant, and why VAEs are not indifferent to rotation (Rolinek, Zietlow and
      Martius 2019).
    """
    noise = np.random.default_rng(seed).normal(size=vae.means.shape)
    moved = (vae.means + np.exp(vae.logvars / 2) * noise) @ matrix.T
    pixels = vae.run.decode(moved[: len(vae.images)] @ matrix)[0]
    shown = np.clip(pixels.astype(np.float64), 1e-7, 1 - 1e-7)
    entropy = vae.images * np.log(shown) + (1 - vae.images) * np.log1p(-shown)
    reconstruction = -float(entropy.sum((1, 2, 3)).mean())
    centres = vae.means @ matrix.T
    variances = np.exp(vae.logvars) @ np.square(matrix).T  # diagonal of A Sigma A^T
    lost = 0.5 * (np.log(variances).sum(1) - vae.logvars.sum(1))
    full = 0.5 * (np.square(centres) + variances - np.log(variances) - 1).sum(1) + lost
    kl, covariance = float(full.mean()), np.cov(moved, rowvar=False)
    spread = np.trace(covariance) - len(covariance) - np.linalg.slogdet(covariance)[1]
    return {
        "reconstruction": reconstruction,
        "kl": kl,
        "elbo": -reconstruction - kl,
        "aggregate_kl": float(0.5 * (spread + np.square(moved.mean(0)).sum())),
        "diagonal_gap": float(lost.mean()),
    }
