"""Influence functions of whole tasks: what the training of one did to another.

P. W. Koh & P. Liang: "Understanding Black-box Predictions via Influence Functions",
ICML 2017; of tasks, data attribution for multi-task learning (MTIF, arXiv 2505.21438).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from disentangle.affinity.one_model.linearised import (
    Linearised,
    every_group,
    table_of,
)


def matrix(
    train: Linearised, held: Linearised, *, ridge: jax.typing.ArrayLike
) -> jax.Array:
    r"""[source, target]: g_t^held (H + lambda I)^-1 g_i^train, above 0 helps.

    $$
    I_{it} = g_t^{held} \cdot (H + \lambda I)^{-1} g_i^{train}
    $$

    The first-order fall of the target's held-out loss in one Newton step on the source.
    H is the Hessian of the sum of all training losses in the linearised network, the
    Gauss-Newton matrix of the network itself.

    Args:
      train: of training images.
      held: of validation images, along the same directions.
      ridge: lambda > 0.

    Returns:
      (N, N), not symmetric.
    """
    still = jnp.zeros(train.slopes.shape[-1])
    curvature = jax.hessian(lambda w: train.at(w).sum())(still)
    curvature += ridge * jnp.eye(len(still))
    sources, targets = jax.jacobian(train.at)(still), jax.jacobian(held.at)(still)
    return jnp.linalg.solve(curvature, sources.T).T @ targets.T


def estimate(
    train: Linearised, held: Linearised, *, ridge: jax.typing.ArrayLike
) -> jax.Array:
    r"""The held-out loss of t after a Newton step on the group's training losses.

    $$
    \hat L_t(S) = L_t^{held} - \sum_{i \in S} I_{it}
    $$

    I is `matrix`. To first order, and with the same H for all groups: a sum over
    members, own influence included.

    Args:
      train, held, ridge: as for `matrix`.

    Returns:
      (2^N - 1, N) predicted losses, row m - 1 the group of the bits of m; NaN outside
      of the group.

    Raises:
      UserError: more than 10 tasks.
    """
    groups = every_group(train.outputs.shape[0])
    before = held.losses(held.outputs)
    change = jnp.asarray(groups, before.dtype) @ matrix(train, held, ridge=ridge)
    return table_of(before[None] - change, groups)
