"""UPGrad: every gradient is projected so that it hurts no task (Quinton & Rey 2024).

"Jacobian descent for multi-objective optimization". The dual cone of the gradients
holds the directions d with g_j . d >= 0 for all j. Each g_i is projected onto it, and
the mean over i is the step (mean, not sum, as in TorchJD). The projection of g_i has
the coefficients

argmin u' G u over u >= e_i.

TorchJD adds 1e-4 of its trace to the diagonal of G; here G is taken as it is.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting, read
from disentangle.weightings.precise import scales
from disentangle.weightings.quadratic import bounded


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """The mean over active tasks of the coefficients of their projections."""
    del key
    tasks = read(gram, losses, active)
    n, can, scale = len(tasks.gram), tasks.moving, scales(tasks.gram)
    matrix = scale[:, None] * tasks.gram * scale[None, :]
    # In units of 1 / scale: e_i is e_i / scale_i, here times scale_i.
    project = lambda low: bounded(matrix, jnp.zeros_like(low), low, can)[0]
    rows = jax.vmap(project)(jnp.eye(n, dtype=matrix.dtype))
    rows = rows * scale[None, :] / scale[:, None]
    return jnp.where(tasks.active[:, None], rows, 0.0).sum(0) / tasks.number, memory


WEIGHTING = Weighting(weights)
