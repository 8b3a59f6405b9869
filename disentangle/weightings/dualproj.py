"""DualProj: the mean gradient, projected so that it hurts no task (Lopez-Paz 2017).

Lopez-Paz & Ranzato, "Gradient episodic memory for continual learning", NeurIPS 2017,
with all tasks alike as in Quinton & Rey 2024: the mean of the gradients is projected
onto the directions d with g_j . d >= 0 for all j (mean, not sum, as in TorchJD). Its
coefficients are

argmin w' G w over w >= 1/N.

TorchJD adds 1e-4 of its trace to the diagonal of G; here G is taken as it is.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Tasks, Weighting, read
from disentangle.weightings.precise import scales
from disentangle.weightings.quadratic import bounded


class Scaled(NamedTuple):
    """The tasks in units w = unit * z in which all gradients are about as long."""

    matrix: jax.Array  # (N, N), of a diagonal in [1, 4) where a gradient is not 0
    mean: jax.Array  # (N,) z of the mean gradient, in [0, 1]
    unit: jax.Array  # (N,) powers of 2, the least 1


def scaled(tasks: Tasks) -> Scaled:
    """Gradients times powers of 2, which changes no bit of them."""
    can, scale = tasks.moving, scales(tasks.gram)
    least = jnp.min(jnp.where(can, scale, jnp.inf))
    unit = jnp.where(can, scale / jnp.where(jnp.isfinite(least), least, 1.0), 1.0)
    mean = jnp.where(tasks.active, 1.0 / (tasks.number * unit), 0.0)
    return Scaled(scale[:, None] * tasks.gram * scale[None, :], mean, unit)


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """The coefficients of the projection of the mean of the active gradients."""
    del key
    tasks = read(gram, losses, active)
    matrix, mean, unit = scaled(tasks)
    z, _ = bounded(matrix, jnp.zeros_like(mean), mean, tasks.moving)
    return unit * z, memory


WEIGHTING = Weighting(weights)
