"""Lookahead with steps of one length: the scale of the source's loss drops out.

A variant of C. Fifty et al. (NeurIPS 2021), Eq. 1, in which a task with a large loss
takes a long step and so looks like a strong source.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.point import Point, descend, gain
from disentangle.affinity.probe import Probe, after

NAME = "normalised"


def move(point: Point, gradient: Any) -> Any:
    """theta - eta g / |g|; a gradient of 0 moves nothing."""
    leaves = jax.tree.leaves(gradient)
    # The largest entry comes out first: squares of small gradients underflow.
    largest = jnp.stack([jnp.abs(leaf).max() for leaf in leaves]).max()
    safe = jnp.where(largest > 0, largest, 1)
    squares = sum(jnp.sum(jnp.square(leaf / safe)) for leaf in leaves)
    length = jnp.where(largest > 0, safe * jnp.sqrt(squares), 1)
    return descend(point, jax.tree.map(lambda g: g / length, gradient))


@declared(Needs(gradients=True, moves={NAME: move}))
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] = 1 - L_j(theta - eta g_i / |g_i|) / L_j(theta).

    $$
    Z_{ij} = 1 - \frac{L_j(\theta_s - \eta \, g_i / |g_i|, \theta_j)}
    {L_j(\theta_s, \theta_j)}, \qquad g_i = \nabla_{\theta_s} L_i
    $$

    eta is the length of every step. Neither the source's loss nor the target's can be
    scaled so that Z changes.

    Args:
      probe: losses and gradients at one point.

    Returns:
      (N, N) Z[source, target]; not finite where L_j is 0.
    """
    return gain(probe.losses, after(probe, NAME, move))
