"""Lookahead with momentum, as the released notebook of Fifty et al. for CelebA.

C. Fifty et al., "Efficiently Identifying Task Groupings for Multi-Task Learning",
NeurIPS 2021; the notebook, not the paper, adds the momentum to the step.
"""

from typing import Any

import jax

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.point import Point, descend, gain
from disentangle.affinity.probe import Probe, after, offered

NAME = "momentum"


def move(point: Point, gradient: Any) -> Any:
    """theta - eta (g + m v), m v the momentum that the training has built up."""
    drift = offered(point, "drift", "an optimiser with momentum (adam, sgd)")()
    return descend(point, jax.tree.map(lambda g, d: g + d, gradient, drift))


@declared(Needs(gradients=True, moves={NAME: move}, point=("drift",)))
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] = 1 - L_j(theta - eta (g_i + m v)) / L_j(theta).

    $$
    Z_{ij} = 1 - \frac{L_j(\theta_s - \eta \, (g_i + m v), \theta_j)}
    {L_j(\theta_s, \theta_j)}, \qquad g_i = \nabla_{\theta_s} L_i
    $$

    v = g^{t-1} + m v^{t-1} is the heavy-ball sum of the training's past gradients, of
    all tasks together: the same for every source. So a column holds one offset, what
    the momentum alone does to that target: groups of the same size are ranked as
    without it, numbers of different targets cannot be compared (93 % of the variance
    of the published CelebA affinities is this offset). `lookahead_excess` is without.
    The notebook trains with SGD, m = 0.9, and divides by eta, which is not done here.
    Under Adam m is beta_1 and v its first moment over 1 - beta_1, before Adam divides
    by the second: the sum that heavy-ball SGD would hold.

    Args:
      probe: of a point with `drift`.

    Returns:
      (N, N) Z[source, target]; not finite where L_j is 0.

    Raises:
      UserError: the point has no `drift`.
    """
    return gain(probe.losses, after(probe, NAME, move))
