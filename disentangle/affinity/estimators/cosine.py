"""Cosine affinity: do two tasks pull the shared parameters the same way?"""

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.probe import Probe, gram


@declared(Needs(gradients=True, rate=False))
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] = g_i . g_j / (|g_i| |g_j|), of the shared gradients.

    $$
    Z_{ij} = \frac{g_i \cdot g_j}{|g_i| \, |g_j|}, \qquad g_i = \nabla_{\theta_s} L_i
    $$

    Args:
      probe: losses and gradients at one point.

    Returns:
      (N, N) in [-1, 1], symmetric; 0 where a task has no gradient at all.
    """
    products = gram(probe)
    norms = jnp.sqrt(jnp.diagonal(products))
    lengths = norms[:, None] * norms[None, :]
    return jnp.where(lengths > 0, products / jnp.where(lengths > 0, lengths, 1), 0)
