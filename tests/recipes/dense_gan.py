"""A generator with batch norm that compiles in a second."""

import jax
import numpy as np
from flax import linen

from disentangle.nn.weights import Linear


class Generator(linen.Module):
    """Dense, batch norm, ReLU, dense, tanh."""

    shape: tuple[int, int, int]
    width: int

    @linen.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        """(B, inputs) -> (B, H, W, C) in [-1, 1]."""
        norm = linen.BatchNorm(use_running_average=not train, momentum=0.9)
        h = jax.nn.relu(norm(Linear(self.width)(z)))
        return jax.numpy.tanh(Linear(int(np.prod(self.shape)))(h)).reshape(
            -1, *self.shape
        )
