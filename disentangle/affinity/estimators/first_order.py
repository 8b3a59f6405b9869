"""First-order affinity: the lookahead of Fifty et al. without its forward passes.

Taylor's theorem on Eq. 1 of C. Fifty et al. (NeurIPS 2021): L_j(theta - eta g_i) =
L_j - eta g_i . g_j + O(eta^2).
"""

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.probe import Probe, gram


@declared(Needs(gradients=True, rate=False))
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] = eta g_i . g_j / L_j, the lookahead to first order in eta.

    $$
    Z_{ij} = \eta \, \frac{g_i \cdot g_j}{L_j}, \qquad g_i = \nabla_{\theta_s} L_i
    $$

    Args:
      probe: losses and gradients at one point.

    Returns:
      (N, N) Z[source, target]; not finite where L_j is 0.
    """
    products = gram(probe)
    eta = jnp.asarray(probe.learning_rate, products.dtype)
    return eta * products / probe.losses[None, :]
