"""An encoder of patches: 2x2 pixels at a time, and 3x3 convolutions between.

Unlike the strided convolutions of `locatello` and its kin in every layer, so that the
two can judge one picture: what fools one of them need not fool the other.
"""

import jax
from flax import linen

from disentangle.nn.layers import Dense
from disentangle.nn.weights import Conv3, Linear

WIDTHS, HIDDEN = (48, 96, 128), 256


class Encoder(linen.Module):
    """Per width: patches of 2x2 to `width` channels, ReLU, x + ReLU(3x3 of x).

    Attributes:
      outputs: width of the linear layer at the end, behind a dense one of 256 with a
        ReLU; None leaves it out.
    """

    outputs: int | None

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, outputs), H and W multiples of 8."""
        for width in WIDTHS:
            x = jax.nn.relu(Linear(width)(joined(x)))
            x = x + jax.nn.relu(Conv3(width)(x))
        h = jax.nn.relu(Dense(HIDDEN)(x.reshape(x.shape[0], -1)))
        return h if self.outputs is None else Dense(self.outputs)(h)


def joined(x: jax.Array) -> jax.Array:
    """(B, H, W, C) -> (B, H/2, W/2, 4 C): the pixels of each 2x2 patch in a row."""
    count, height, width, channels = x.shape
    parts = x.reshape(count, height // 2, 2, width // 2, 2, channels)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(
        count, height // 2, width // 2, 4 * channels
    )


def parted(x: jax.Array) -> jax.Array:
    """(B, H, W, 4 C) -> (B, 2 H, 2 W, C): the inverse of `joined`."""
    count, height, width, channels = x.shape
    parts = x.reshape(count, height, width, 2, 2, channels // 4)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(
        count, 2 * height, 2 * width, channels // 4
    )
