"""A network as a linear function of a few random directions of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError

MOST_TASKS = 10
# outputs (N, n, K) of N tasks on n images -> (N,) task losses, convex in the outputs
OutputLosses = Callable[[jax.Array], jax.Array]


class Linearised(NamedTuple):
    """Outputs near the trained parameters: outputs(theta + P w) = outputs + slopes w.

    Attributes:
      outputs: (N, n, K) what the network says of n images, K outputs per task.
      slopes: (N, n, K, d), the gradient of every output projected on the d directions.
      losses: of outputs.
    """

    outputs: jax.Array
    slopes: jax.Array
    losses: OutputLosses

    def at(self, w: jax.Array) -> jax.Array:
        """(d,) -> (N,) the task losses of the linearised network."""
        return self.losses(self.outputs + self.slopes @ w)


def linearise(
    outputs: Callable[[Any], jax.Array],
    losses: OutputLosses,
    params: Any,
    *,
    directions: int,
    key: jax.Array,
) -> Linearised:
    """The network at `params`, in P w with P of random signs over sqrt(d).

    The projected gradients of all images are the derivatives of the outputs along the
    columns of P, so that each costs one forward-mode pass over the images and no
    gradient of a single image is ever held. (Per image and output, with p parameters,
    F multiplications in a forward pass and d directions: 2 F d here, 2 F + p d by a
    backward pass per output. For dense networks, F = p, this is twice as much per
    output and as much for two of them.)

    Args:
      outputs: params -> (N, n, K), of fixed images.
      losses: (N, n, K) -> (N,) mean losses of the same images.
      params: of the trained network.
      directions: d.
      key: of the signs; the same key gives the same directions, as a training and a
        validation set need.

    Returns:
      The Linearised.
    """
    held, tangent = jax.linearize(outputs, params)
    leaves, structure = jax.tree.flatten(params)

    def slope(key: jax.Array) -> jax.Array:
        keys = jax.random.split(key, len(leaves))
        signs = [
            jax.random.rademacher(k, leaf.shape, leaf.dtype)
            for k, leaf in zip(keys, leaves, strict=True)
        ]
        return tangent(jax.tree.unflatten(structure, signs)) / jnp.sqrt(
            jnp.float32(directions)
        )

    found = jax.lax.map(slope, jax.random.split(key, directions))
    return Linearised(held, jnp.moveaxis(found, 0, -1), losses)


def every_group(tasks: int) -> np.ndarray:
    """(2^N - 1, N) bool: row m - 1 holds the tasks i with bit i of m set.

    Raises:
      UserError: more than 10 tasks.
    """
    if tasks > MOST_TASKS:
        raise UserError(
            f"{tasks} tasks have {2**tasks - 1:,} groups; this is for at most "
            f"{MOST_TASKS} tasks"
        )
    return (np.arange(1, 2**tasks)[:, None] >> np.arange(tasks)[None] & 1).astype(bool)


def table_of(predicted: jax.Array, groups: np.ndarray) -> jax.Array:
    """(G, N) losses with NaN outside of the groups."""
    return jnp.where(groups, predicted, jnp.nan)
