"""Held-out lookahead: the step on one half of the batch, the losses on the other.

C. Fifty et al. (NeurIPS 2021), Eq. 1, step and evaluate on the same images. The noise
that the two gradients share then adds tr Cov(g_i, g_j) / B to g_i . g_j, most on the
diagonal, so that the affinity of a task with itself means little there.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.point import Losses, descend, gain
from disentangle.affinity.probe import Probe, offered, over_tasks


@declared(Needs(point=("halves",), more=lambda tasks: 3 * tasks))
def estimate(probe: Probe) -> jax.Array:
    r"""The mean of 1 - L_j^B(theta - eta g_i^A) / L_j^B(theta), and A, B swapped.

    $$
    Z_{ij} = \frac{1}{2} \sum_{(A, B)} \left( 1 -
    \frac{L^B_j(\theta_s - \eta \nabla_{\theta_s} L^A_i, \theta_j)}
    {L^B_j(\theta_s, \theta_j)} \right)
    $$

    A and B are the two halves of the batch. It costs as many passes over images as
    `lookahead`; its gradients have half of the images.

    Args:
      probe: of a point with `halves`.

    Returns:
      (N, N) Z[source, target]; not finite where a half's loss is 0.

    Raises:
      UserError: the point has no `halves`.
    """
    first, second = offered(probe.point, "halves", "a batch of two images or more")
    return 0.5 * (_one_way(probe, first, second) + _one_way(probe, second, first))


def _one_way(probe: Probe, step_on: Losses, look_at: Losses) -> jax.Array:
    """(N, N), each source's step on one half seen by the other."""
    point = probe.point
    own, pullback = jax.vjp(lambda s: step_on(s, point.private), point.shared)

    def look(one_hot: jax.Array) -> Any:
        return look_at(descend(point, pullback(one_hot)[0]), point.private)

    after = over_tasks(look, jnp.eye(own.shape[0], dtype=own.dtype), probe.chunk)
    return gain(look_at(point.shared, point.private), after)
