"""First-order affinity from random directions: the cost does not grow with N.

Forward-mode differentiation gives the derivatives of all losses along one direction in
one pass; their outer product estimates the Gram matrix of the gradients. (Random
sketches of a Gram matrix: W. Johnson & J. Lindenstrauss 1984; of a trace: M. Hutchinson
1989.)
"""

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import Needs, declared
from disentangle.affinity.probe import Probe, offered

DIRECTIONS = 1


# A tangent pass costs two forward passes.
@declared(Needs(point=("key",), rate=False, more=lambda tasks: 2 * DIRECTIONS))
def estimate(probe: Probe, directions: int = DIRECTIONS) -> jax.Array:
    r"""Z[i, j] = eta d_i d_j / L_j, d = (g_1 . v, ..., g_N . v), v of random signs.

    $$
    Z_{ij} = \frac{\eta}{m L_j} \sum_{k=1}^m d^k_i d^k_j, \qquad
    d^k_i = g_i \cdot v^k, \qquad \mathbb{E}[d d^\top] = G G^\top
    $$

    Its mean over v is `first_order`. With signs, and p parameters, the variance of
    the mean over m directions of d_i d_j is

    $$
    \frac{1}{m} \Bigl( |g_i|^2 |g_j|^2 + (g_i \cdot g_j)^2
    - 2 \sum_{k=1}^p g_{ik}^2 g_{jk}^2 \Bigr)
    $$

    so one sample says nothing about an entry, |cosine| being at most 1; the mean over
    S sampled steps of entries of about the same size has an error of
    |g_i| |g_j| sqrt(2 / (m S)) at most.

    Args:
      probe: of a point with a `key`.
      directions: m; a forward and a tangent pass each, whatever N is.

    Returns:
      (N, N) Z[source, target]; not finite where L_j is 0.

    Raises:
      UserError: the point has no `key`.
    """
    point = probe.point
    key = offered(point, "key", "a key for its random directions")
    leaves, structure = jax.tree.flatten(point.shared)

    losses, pullback = jax.vjp(lambda s: point.losses(s, point.private), point.shared)
    # The transpose of the backward pass is the forward-mode derivative, also of
    # networks whose layers have a backward pass of their own (jax.custom_vjp).
    tangent = jax.linear_transpose(pullback, losses)

    def slopes(key: jax.Array) -> jax.Array:
        """(N,) the derivatives of all losses along one direction."""
        keys = jax.random.split(key, len(leaves))
        signs = [
            jax.random.rademacher(k, leaf.shape, leaf.dtype)
            for k, leaf in zip(keys, leaves, strict=True)
        ]
        (found,) = tangent((jax.tree.unflatten(structure, signs),))
        return found

    d = jnp.stack([slopes(k) for k in jax.random.split(key, directions)])
    gram = jnp.matmul(d.T, d, precision=jax.lax.Precision.HIGHEST) / directions
    eta = jnp.asarray(point.learning_rate, gram.dtype)
    return eta * gram / losses[None, :]
