"""How likely a model with latents finds images: a bound that draws make tight.

Burda et al. 2016, "Importance weighted autoencoders", Eq. 8: with K draws z_k of
q(z|x), log (1/K) sum_k p(x|z_k) p(z_k) / q(z_k|x) is at most log p(x) in expectation,
grows with K, and is the evidence lower bound at K = 1.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.methods.base import Params

DRAWS = 64  # K


def log_normal(z: jax.Array, mean: Any, logvar: Any) -> jax.Array:
    """log N(z; mean, exp(logvar)) summed over the last axis, nats."""
    squares = jnp.square(z - mean) * jnp.exp(-logvar)
    return -0.5 * (squares + logvar + math.log(2 * math.pi)).sum(-1)


def bound(
    posterior: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]],
    log_likelihood: Callable[[Params, jax.Array, jax.Array], jax.Array],
    params: Params,
    images: jax.Array,
    *,
    key: jax.Array,
    draws: int = DRAWS,
    log_prior: Callable[[Params, jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """The bound of log p(x), nats per image.

    Args:
      posterior: (params, images) -> mean and log-variance of q(z|x), (B, D) each.
      log_likelihood: (params, z (B, D), images) -> log p(x|z), (B,). For the
        "bernoulli" likelihood this is a probability for pixels that are 0 or 1, and
        none for grey or colour.
      params: of the model.
      images: (B, H, W, C).
      key: for the draws.
      draws: K; one at a time, so that memory does not grow with it.
      log_prior: (params, z (B, D)) -> log p(z), (B,); None is that of N(0, I).

    Returns:
      (B,).
    """
    mean, logvar = posterior(params, images)

    def log_weight(key: jax.Array) -> jax.Array:
        z = mean + jnp.exp(0.5 * logvar) * jax.random.normal(key, mean.shape)
        joint = log_likelihood(params, z, images)
        if log_prior is None:
            joint += log_normal(z, jnp.zeros_like(z), jnp.zeros_like(z))
        else:
            joint += log_prior(params, z)
        return joint - log_normal(z, mean, logvar)

    weights = jax.lax.map(log_weight, jax.random.split(key, draws))
    return jax.nn.logsumexp(weights, axis=0) - math.log(draws)
