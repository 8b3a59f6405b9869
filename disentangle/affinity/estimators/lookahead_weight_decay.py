"""Lookahead with weight decay, as the released patch of Fifty et al. for Taskonomy.

C. Fifty et al., "Efficiently Identifying Task Groupings for Multi-Task Learning",
NeurIPS 2021. The patch also has a branch with momentum that never runs.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.point import Point, descend, gain
from disentangle.affinity.probe import Probe, after

NAME = "weight_decay"
DECAY = 1e-4  # of the Taskonomy networks


def move(point: Point, gradient: Any) -> Any:
    """theta - eta (g + decay theta)."""
    decayed = lambda g, p: g + jnp.asarray(DECAY, p.dtype) * p
    return descend(point, jax.tree.map(decayed, gradient, point.shared))


@declared(Needs(gradients=True, moves={NAME: move}))
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] = 1 - L_j(theta - eta (g_i + 1e-4 theta)) / L_j(theta).

    $$
    Z_{ij} = 1 - \frac{L_j(\theta_s - \eta \, (g_i + \lambda \theta_s), \theta_j)}
    {L_j(\theta_s, \theta_j)}, \qquad g_i = \nabla_{\theta_s} L_i, \quad
    \lambda = 10^{-4}
    $$

    The patch divides by eta, which is not done here.

    Args:
      probe: losses and gradients at one point.

    Returns:
      (N, N) Z[source, target]; not finite where L_j is 0.
    """
    return gain(probe.losses, after(probe, NAME, move))
