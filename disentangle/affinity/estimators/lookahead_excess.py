"""Excess lookahead: the optimiser's step, less what it would do without a source.

The control that the lookahead of C. Fifty et al. (NeurIPS 2021) lacks once the step has
a memory: see `lookahead_momentum`.
"""

import jax
import jax.numpy as jnp

from disentangle.affinity.estimators.lookahead_optimizer import NAME, move
from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.point import gain
from disentangle.affinity.probe import Probe, after


@declared(
    Needs(
        gradients=True,
        moves={NAME: move},
        point=("update",),
        rate=False,
        more=lambda tasks: 1,
    )
)
def estimate(probe: Probe) -> jax.Array:
    r"""Z[i, j] - Z[0, j], where source 0 has a gradient of zero.

    $$
    Z_{ij} - Z_{\varnothing j} = \frac{L_j(\theta_s + u(0), \theta_j)
    - L_j(\theta_s + u(g_i), \theta_j)}{L_j(\theta_s, \theta_j)}
    $$

    u is the update of `lookahead_optimizer`. One forward pass more than that; for an
    optimiser without memory the two are the same.

    Args:
      probe: of a point with `update`.

    Returns:
      (N, N) [source, target]; above 0 where the source helps more than no source;
      not finite where L_j is 0.

    Raises:
      UserError: the point has no `update`.
    """
    point = probe.point
    nothing = move(point, jax.tree.map(jnp.zeros_like, point.shared))
    drifted = point.losses(nothing, point.private)
    losses = probe.losses
    return gain(losses, after(probe, NAME, move)) - gain(losses, drifted)[None, :]
