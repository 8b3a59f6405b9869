"""Image generators by name: (B, inputs) -> images (B, H, W, C) in [-1, 1]."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.errors import UserError, unknown
from disentangle.nn.net import Net, from_module
from disentangle.nn.weights import Conv3, Linear, Up

LEAST = 4  # a side of the first feature map
CAP = 4  # the widest map has this many times the channels of the last


def halvings(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(n, rows, columns): an image, padded if it must be, is (rows, columns) 2^n.

    n is as large as leaves the shorter side of the first map at least `LEAST`.
    """
    n = max(1, int(math.log2(max(1, min(shape[:2]) / LEAST))))
    rows, columns = (-(-side // 2**n) for side in shape[:2])
    return n, rows, columns


def widths(n: int, width: int) -> tuple[int, ...]:
    """Channels from the image inwards: width, 2 width, ... at most `CAP` width."""
    return tuple(min(2**i, CAP) * width for i in range(n))


class Generator(linen.Module):
    """Dense, then (batch norm, ReLU, transposed 4x4 stride-2 convolution) x n, tanh.

    Attributes:
      shape: (H, W, C) of the image; what the last map has beyond is cut off.
      width: channels of the map before the image.
    """

    shape: tuple[int, int, int]
    width: int

    @linen.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        """(B, inputs) -> (B, H, W, C) in [-1, 1]."""
        n, rows, columns = halvings(self.shape)
        inner = widths(n, self.width)[::-1]
        x = Linear(rows * columns * inner[0])(z)
        x = x.reshape(-1, rows, columns, inner[0])
        for features in (*inner[1:], self.shape[2]):
            norm = linen.BatchNorm(use_running_average=not train, momentum=0.9)
            x = Up(features)(jax.nn.relu(norm(x)))
        return jnp.tanh(x[:, : self.shape[0], : self.shape[1]])


class Refiner(linen.Module):
    """A small image and maps of a condition to an image of twice its size.

    Convolution, residual blocks of two 3x3 convolutions with batch norm, doubling,
    tanh; its residual is added to the small image's pixels, so that it starts there.

    Attributes:
      channels: of the image, the first of the input's.
      width: channels of the maps.
      blocks: residual ones.
    """

    channels: int
    width: int
    blocks: int = 2

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, H, W, channels + C) -> (B, 2H, 2W, channels) in [-1, 1]."""
        norm = lambda x: linen.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        small = doubled(x[..., : self.channels])
        x = jax.nn.relu(Conv3(self.width)(x))
        for _ in range(self.blocks):
            inner = jax.nn.relu(norm(Conv3(self.width)(x)))
            x = x + norm(Conv3(self.width)(inner))
        x = jax.nn.relu(norm(Up(self.width)(x)))
        start = jnp.arctanh(jnp.clip(small, -0.97, 0.97))
        return jnp.tanh(start + Conv3(self.channels)(x))


def doubled(x: jax.Array) -> jax.Array:
    """Every pixel four times: (B, H, W, C) -> (B, 2H, 2W, C)."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def halved_mean(x: jax.Array) -> jax.Array:
    """Means of 2x2 pixels: (B, 2H, 2W, C) -> (B, H, W, C)."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def dcgan(shape: tuple[int, int, int], inputs: int, width: int) -> Net:
    """The generator of Radford et al. 2016, narrower; 4x4 windows, not 5x5."""
    return from_module(Generator(shape, width), (inputs,))


def refiner(shape: tuple[int, int, int], condition: int, width: int) -> Net:
    """(B, H, W, C + condition) -> (B, 2H, 2W, C): stage II of StackGAN, shorter."""
    height, breadth, channels = shape
    return from_module(
        Refiner(channels, width), (height, breadth, channels + condition)
    )


GENERATORS: dict[str, Any] = {"dcgan": dcgan}


def generator(name: str, shape: tuple[int, int, int], inputs: int, width: int) -> Net:
    """A generator from the table.

    Args:
      name: a key of GENERATORS.
      shape: (H, W, C) of one image, of any size.
      inputs: size of noise and condition together.
      width: channels of the map before the image; those before it have more.

    Returns:
      A Net, (B, inputs) float32 -> (B, H, W, C) float32 in [-1, 1], which may have
      batch statistics.

    Raises:
      UserError: the generator does not exist, or images have no pixels.
    """
    if name not in GENERATORS:
        raise unknown("generator", name, GENERATORS)
    if min(shape) < 1:
        raise UserError(f"images of shape {shape} have no pixels")
    return GENERATORS[name](shape, inputs, width)
