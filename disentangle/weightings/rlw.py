"""Random loss weighting: weights drawn anew in every step (Lin et al. 2022).

"Reasonable effectiveness of random weighting: a litmus test for multi-task learning",
TMLR 2022: w = softmax(z), z of N independent standard normals. Sum 1, so that a step is
N times shorter on average than the plain sum's.
"""

from typing import Any

import jax

from disentangle.weightings.base import Weighting, read, share


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """w = softmax(z) over the active tasks, the k-th of which has the k-th draw."""
    tasks = read(gram, losses, active)
    draw = lambda k: jax.random.normal(jax.random.fold_in(key, k), (), tasks.gram.dtype)
    return share(jax.vmap(draw)(tasks.rank), tasks.active), memory


WEIGHTING = Weighting(weights, reads="losses")
