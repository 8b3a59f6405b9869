"""Lookahead affinity: how a step on one task changes the loss of another.

C. Fifty, E. Amid, Z. Zhao, T. Yu, R. Anil, C. Finn: "Efficiently Identifying Task
Groupings for Multi-Task Learning", NeurIPS 2021, Eq. 1.
"""

import jax

from disentangle.affinity.needs import USUAL, declared
from disentangle.affinity.point import gain
from disentangle.affinity.probe import Probe


@declared(USUAL)
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] = 1 - L_j(theta_{s|i}, theta_j) / L_j(theta_s, theta_j).

    $$
    Z_{ij} = 1 - \frac{L_j(\theta_{s|i}, \theta_j)}{L_j(\theta_s, \theta_j)}, \qquad
    \theta_{s|i} = \theta_s - \eta \nabla_{\theta_s} L_i
    $$

    theta_{s|i} = theta_s - eta grad_{theta_s} L_i. Same batch, heads frozen, only the
    shared parameters move. The authors' released code also divides by eta and (for one
    data set) steps with momentum; the paper's equation, here, does neither.

    Args:
      probe: losses and gradients at one point.

    Returns:
      (N, N) Z[source, target]: the fraction of the target's loss that a step on the
      source removes; at most 1 for losses that are not negative. Not finite where
      L_j is 0.
    """
    return gain(probe.losses, probe.after)
