"""Exact group lookahead: a step on every group of tasks, not on every task.

The released code of C. Fifty et al. (NeurIPS 2021) has it as `order=-1`; the paper
scores a group by the mean over pairs, which this needs not.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.point import descend, gain
from disentangle.affinity.probe import Probe, over_tasks

MOST = 6  # 63 forward passes


@declared(
    Needs(gradients=True, groups=True, most=MOST, more=lambda tasks: 2**tasks - 1)
)
def estimate(probe: Probe) -> jax.Array:
    r"""Z[S, j] = 1 - L_j(theta - eta sum_{i in S} g_i) / L_j(theta).

    $$
    Z_{Sj} = 1 - \frac{L_j(\theta_s - \eta \sum_{i \in S} g_i, \theta_j)}
    {L_j(\theta_s, \theta_j)}, \qquad g_i = \nabla_{\theta_s} L_i
    $$

    The step of a group is that of a network trained on the sum of its losses: longer
    for more tasks.

    Args:
      probe: losses and gradients at one point, of at most 6 tasks.

    Returns:
      (2^N - 1, N): row m - 1 is the group of the tasks i with bit i of m set; also
      targets outside the group have their value. Not finite where L_j is 0.
    """
    n, point = probe.losses.shape[0], probe.point
    groups = (jnp.arange(1, 2**n)[:, None] >> jnp.arange(n)[None, :]) & 1

    def look(members: jax.Array) -> jax.Array:
        joint = lambda g: jnp.tensordot(members.astype(g.dtype), g, axes=1)
        moved: Any = descend(point, jax.tree.map(joint, probe.gradients))
        return point.losses(moved, point.private)

    return gain(probe.losses, over_tasks(look, groups, probe.chunk))
