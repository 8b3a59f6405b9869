"""Codes made of pieces: groups of channels of one small map, side by side.

The channels of the last map are cut into `units` of equal number. A code is flat,
channel after channel, so that a unit is a run of columns. Every unit has a group norm
of its own (Wu & He 2018): what is in one changes no other, and a network that is shown
one image alone sees it as in a batch.
"""

import math

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.generators import halvings
from disentangle.nn.net import Net, from_module
from disentangle.nn.weights import Down, Up

DEEPEST = 3  # times that an image is halved, at most: 64 pixels to 8


def cells(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(n, rows, columns) of the last map of images (H, W, C); rows 2^n >= H."""
    n = min(DEEPEST, halvings(shape)[0])
    rows, columns = (-(-side // 2**n) for side in shape[:2])
    return n, rows, columns


def unit_width(shape: tuple[int, int, int], features: int) -> int:
    """Columns of a code that a unit of so many channels has."""
    return features * math.prod(cells(shape)[1:])


class PieceEncoder(linen.Module):
    """(4x4 stride-2 convolution, group norm, leaky ReLU) x n; the channels in units.

    Attributes:
      units: how many.
      features: channels of each.
      width: channels of the first map; those after it have twice as many, the last
        units x features.
    """

    units: int
    features: int
    width: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) in [-1, 1] -> (B, units features rows columns)."""
        n, rows, columns = cells(x.shape[1:])
        below, right = rows * 2**n - x.shape[1], columns * 2**n - x.shape[2]
        x = jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)))
        for i in range(n - 1):
            x = normed(Down(self.width * 2**i)(x), groups_of(self.width * 2**i))
            x = jax.nn.leaky_relu(x, 0.2)
        x = normed(Down(self.units * self.features)(x), self.units)
        x = jax.nn.leaky_relu(x, 0.2)
        return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)


class PieceDecoder(linen.Module):
    """(transposed 4x4 stride-2 convolution, group norm, ReLU) x n - 1, one more, tanh.

    Attributes:
      shape: (H, W, C) of the image; what the last map has beyond is cut off.
      channels: of the code's map.
      width: channels of the map before the image; those before it twice as many.
    """

    shape: tuple[int, int, int]
    channels: int
    width: int

    @linen.compact
    def __call__(self, codes: jax.Array) -> jax.Array:
        """(B, channels rows columns) -> (B, H, W, C) in [-1, 1]."""
        n, rows, columns = cells(self.shape)
        x = codes.reshape(-1, self.channels, rows, columns).transpose(0, 2, 3, 1)
        for i in reversed(range(n - 1)):
            features = self.width * 2**i
            x = jax.nn.relu(normed(Up(features)(x), groups_of(features)))
        x = jnp.tanh(Up(self.shape[2])(x))
        return x[:, : self.shape[0], : self.shape[1]]


def groups_of(channels: int) -> int:
    """Groups of a norm: 8, or the largest smaller number that divides the channels."""
    return max(k for k in range(1, 9) if channels % k == 0)


def normed(x: jax.Array, groups: int) -> jax.Array:
    """A group norm with a scale and a bias per channel, in a compact module."""
    found: jax.Array = linen.GroupNorm(num_groups=groups)(x)
    return found


def piece_encoder(
    shape: tuple[int, int, int], units: int, features: int, width: int
) -> Net:
    """Images (B, H, W, C) in [-1, 1] of any size -> codes (B, units `unit_width`)."""
    return from_module(PieceEncoder(units, features, width), shape)


def piece_decoder(
    shape: tuple[int, int, int], units: int, features: int, width: int
) -> Net:
    """The way back: codes -> images (B, H, W, C) in [-1, 1]."""
    columns = units * unit_width(shape, features)
    return from_module(PieceDecoder(shape, units * features, width), (columns,))
