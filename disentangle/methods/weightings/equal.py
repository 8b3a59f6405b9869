"""The plain sum of the tasks' gradients: the gradient of the sum of their losses."""

from typing import Any

import jax

from disentangle.methods.base import Weighting


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """w_i = 1 for every active task."""
    del losses, key
    return active.astype(gram.dtype), memory


WEIGHTING = Weighting(weights)
