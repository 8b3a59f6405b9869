"""Uncertainty weighting: a learned variance per task (Kendall et al. 2018).

"Multi-task learning using uncertainty to weigh losses for scene geometry and
semantics", CVPR 2018, in the form of its equation for regression. The weights come of
minimising, beside the network and with s_i = log sigma_i^2,

sum_i e^{-s_i} L_i / 2 + s_i / 2,    so w_i = e^{-s_i} / 2,

whose minimum over s_i is log L_i, where w_i = 1 / (2 L_i). s starts at 0. The paper
moves it by the network's optimiser; here it is a step of gradient descent,
ds/dt = (e^{-s} L - 1) / 2, divided by its largest rate so that no loss throws s away.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting, like, read

RATE = 0.1  # of s: it forgets in about 10 steps
LARGEST = 30.0  # |s|, a loss of e^-30 or e^30


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """w_i = e^{-s_i} / 2; `memory` is s (N,), moved by this step's losses."""
    del key
    tasks = read(gram, losses, active)
    s = memory.astype(tasks.gram.dtype)
    ratio = jnp.exp(-s) * tasks.losses
    moved = s + RATE * (ratio - 1.0) / jnp.maximum(ratio, 1.0)
    moved = jnp.clip(jnp.where(tasks.active, moved, s), -LARGEST, LARGEST)
    w = jnp.where(tasks.active, 0.5 * jnp.exp(-s), 0.0)
    return w, like(moved, memory)


def init(n: int) -> jax.Array:
    """s = 0."""
    return jnp.zeros(n, jnp.float32)


WEIGHTING = Weighting(weights, init, reads="losses")
