"""Second moments of the aggregate posterior q(z) = E_p(x) q(z|x)."""

import jax
import jax.numpy as jnp


def covariance(mean: jax.Array) -> jax.Array:
    """Cov_p(x)[mu(x)] = E[mu mu^T] - E[mu] E[mu]^T of the batch, divided by B.

    Computed from the centred means, which is the same matrix without the loss of
    digits where the means lie far from 0.

    Args:
      mean: (B, D), the posterior means.

    Returns:
      (D, D).
    """
    centred = mean - mean.mean(0, keepdims=True)
    return centred.T @ centred / mean.shape[0]


def posterior_covariance(mean: jax.Array, logvar: jax.Array) -> jax.Array:
    """Cov_q(z)[z] = E[Sigma(x)] + Cov[mu(x)]: (B, D), (B, D) -> (D, D)."""
    return covariance(mean) + jnp.diag(jnp.exp(logvar).mean(0))


def gaussian_total_correlation(mean: jax.Array, logvar: jax.Array) -> jax.Array:
    """Total correlation of the Gaussian with the covariance of q(z), nats, >= 0.

    `-log det R / 2`, R the correlations of z under q(z). It sees linear dependence
    only. A batch of B images reads about D (D - 1) / (4 B) too much where the
    latents are independent and their means vary (0.35 nats for D = 10 and B = 64).
    For logs: it has no gradient.

    Args:
      mean: (B, D), the posterior means.
      logvar: (B, D), the posterior log-variances.
    """
    c = jax.lax.stop_gradient(posterior_covariance(mean, logvar))
    scale = jnp.sqrt(jnp.diag(c))
    r = c / (scale[:, None] * scale[None])
    return jnp.maximum(0.0, -0.5 * jnp.linalg.slogdet(r).logabsdet)
