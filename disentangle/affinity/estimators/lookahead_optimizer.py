"""Lookahead by a step of the real optimiser, on a copy of its memory.

C. Fifty et al. (NeurIPS 2021), Eq. 1, with the update that training would make if the
source's gradient were all there is.
"""

from typing import Any

import jax

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.point import Point, gain
from disentangle.affinity.probe import Probe, after, offered

NAME = "optimizer"


def move(point: Point, gradient: Any) -> Any:
    """theta + u(g), u the update of a copy of the optimiser, whatever eta is."""
    return offered(point, "update", "the optimiser of the training")(gradient)


@declared(Needs(gradients=True, moves={NAME: move}, point=("update",), rate=False))
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] = 1 - L_j(theta + u(g_i)) / L_j(theta).

    $$
    Z_{ij} = 1 - \frac{L_j(\theta_s + u(g_i), \theta_j)}{L_j(\theta_s, \theta_j)},
    \qquad g_i = \nabla_{\theta_s} L_i
    $$

    u is the optimiser's update at its learning rate, not at eta, from the memory that
    the training has built up with the gradients of all tasks; the memory is copied and
    stays as it is. With Adam and with momentum a column holds one offset, what the
    memory alone does to that target; `lookahead_excess` is without it.

    Args:
      probe: of a point with `update`.

    Returns:
      (N, N) Z[source, target]; not finite where L_j is 0.

    Raises:
      UserError: the point has no `update`.
    """
    return gain(probe.losses, after(probe, NAME, move))
