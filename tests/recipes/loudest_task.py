"""A weighting: the task with the largest loss has all the weight, and is remembered."""

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting


def weights(gram, losses, active, memory, *, key):
    """1 for the largest of the losses so far, each a mean over the steps halved."""
    del gram, key
    memory = 0.5 * memory + 0.5 * losses
    loudest = jnp.argmax(jnp.where(active, memory, -jnp.inf))
    return jax.nn.one_hot(loudest, losses.shape[0]), memory


WEIGHTING = Weighting(weights, jnp.zeros)
