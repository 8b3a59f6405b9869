r"""A small U-Net for diffusion: a noisy image, its time and a condition to an image.

The image becomes patches of 2x2 pixels. Every level is one residual block

    x + C2(silu(film(norm(C1(silu(norm(x)))), e))),  e = time, and a told vector

with 3x3 convolutions C and group norms; between levels 2x2 patches are joined going
down and parted going up, where the maps of the same size going down are added.
At 32x32 the levels have 16, 8 and 4 pixels a side with `width`, twice and four times
as many channels. Images of any size are padded to multiples of 8 with zeros.

How a condition is told is `told`: one vector, which is added to that of the time and
so modulates every block (FiLM: Perez et al. 2018; AdaGN: Dhariwal & Nichol 2021), or N
tokens, which the maps below the first level attend to (Rombach et al. 2022). Both start
as if nothing were told: the modulation as the identity, attention as zero.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.errors import UserError, unknown
from disentangle.nn.layers import Dense, ours
from disentangle.nn.net import Net, from_module
from disentangle.nn.patches import joined, parted
from disentangle.nn.weights import Conv3, Linear

GROUPS, HEADS = 8, 4
EMBEDDING = 128  # numbers of the time's vector, and of a told one
LEVELS = (1, 2, 4)  # channels of each level over `width`
SLOWEST = 1e-4  # turns of the slowest wave of the time's vector over the fastest's
Told = tuple[int, ...]


class GroupNorm(linen.Module):
    """Groups of channels to mean 0 and variance 1; a scale, 1 at first, and a bias."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> the same."""
        count, _, _, channels = x.shape
        groups = math.gcd(GROUPS, channels)

        def mean(y: jax.Array) -> jax.Array:
            """(B, 1, 1, C) of (B, H, W, C): rows of channels sum faster than groups."""
            held = y.mean((1, 2)).reshape(count, groups, channels // groups).mean(2)
            return jnp.repeat(held, channels // groups, axis=1)[:, None, None]

        centred = x - mean(x)
        normal = centred * jax.lax.rsqrt(mean(jnp.square(centred)) + 1e-5)
        scale = 1.0 + self.param("scale", ours, (channels,))
        bias = self.param("bias", ours, (channels,))
        return normal * scale[None, None, None] + bias[None, None, None]


class Zero(linen.Module):
    """Affine map of the last axis that starts as zero."""

    features: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(..., n) -> (..., features)."""
        # Not called "kernel", which `glorot_uniform` would give random numbers.
        matrix = self.param("zero", ours, (x.shape[-1], self.features))
        bias = self.param("bias", ours, (self.features,))
        flat = x.reshape(-1, x.shape[-1]) @ matrix + bias[None]
        return flat.reshape(*x.shape[:-1], self.features)


class Film(linen.Module):
    """h (1 + gamma(e)) + beta(e), gamma and beta affine: the identity at the start."""

    @linen.compact
    def __call__(self, h: jax.Array, e: jax.Array) -> jax.Array:
        """h (B, H, W, C), e (B, E) -> (B, H, W, C)."""
        both = Zero(2 * h.shape[3])(e)[:, None, None]
        gamma, beta = jnp.split(both, 2, axis=3)
        return h * (1.0 + gamma) + beta


class CrossAttention(linen.Module):
    """x + what the pixels of norm(x) find among the tokens; x at the start.

    Scaled dot products of `HEADS` heads. The order of tokens does not matter.
    """

    @linen.compact
    def __call__(self, x: jax.Array, tokens: jax.Array) -> jax.Array:
        """x (B, H, W, C), tokens (B, N, d) -> (B, H, W, C)."""
        count, height, width, channels = x.shape
        heads = math.gcd(HEADS, channels)
        split = lambda y: y.reshape(count, -1, heads, channels // heads)
        pixels = GroupNorm()(x).reshape(count, height * width, channels)
        asked = split(Linear(channels, name="query")(pixels))
        keys = split(Linear(channels, name="key")(tokens))
        values = split(Linear(channels, name="value")(tokens))
        scores = jnp.einsum("bphc,bnhc->bhpn", asked, keys)
        share = jax.nn.softmax(scores / math.sqrt(channels // heads), axis=-1)
        found = jnp.einsum("bhpn,bnhc->bphc", share, values)
        return x + Zero(channels, name="out")(found.reshape(x.shape))


class Block(linen.Module):
    """The residual block of a level, with the channels of its output."""

    features: int

    @linen.compact
    def __call__(self, x: jax.Array, e: jax.Array) -> jax.Array:
        """x (B, H, W, C), e (B, E) -> (B, H, W, features)."""
        h = Conv3(self.features)(jax.nn.silu(GroupNorm()(x)))
        h = jax.nn.silu(Film()(GroupNorm()(h), e))
        h = Conv3(self.features)(h)
        return h + (x if x.shape[3] == self.features else Linear(self.features)(x))


class UNet(linen.Module):
    """See the head of this file.

    Attributes:
      width: channels of the first level.
    """

    width: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """Image and features of {"image", "time", "told"}.

        Args:
          x: "image" (B, H, W, C); "time" (B,) in [0, 1]; "told" (B, E) or (B, N, d).

        Returns:
          (B, H, W, C), which starts as zero, and the means (B, 4 width) of the smallest
          maps.
        """
        image, told = x["image"], x["told"]
        _, height, breadth, channels = image.shape
        e = Dense(EMBEDDING)(jax.nn.silu(Dense(EMBEDDING)(waves(x["time"]))))
        e = jax.nn.silu(e + told if told.ndim == 2 else e)
        level = lambda h, number, width: self._level(h, e, told, number, width)
        widths = [self.width * more for more in LEVELS]
        sides = ((0, 0), (0, -height % 8), (0, -breadth % 8), (0, 0))
        h, kept = jnp.pad(image, sides), []
        for number, width in enumerate(widths):
            h = level(Linear(width)(joined(h)), number, width)
            kept.append(h)
        features = h.mean((1, 2))
        for number in reversed(range(len(widths))):
            h = level(h, number, widths[number])
            if number:
                before = number - 1
                h = kept[before] + parted(Linear(4 * widths[before])(h))
        h = parted(Zero(4 * channels)(jax.nn.silu(GroupNorm()(h))))
        return h[:, :height, :breadth], features

    def _level(
        self, h: jax.Array, e: jax.Array, told: jax.Array, number: int, width: int
    ) -> jax.Array:
        """A block, and attention to tokens below the first level."""
        h = Block(width)(h, e)
        return CrossAttention()(h, told) if told.ndim == 3 and number else h


def waves(time: jax.Array) -> jax.Array:
    """(B,) in [0, 1] -> (B, EMBEDDING), sines and cosines (Vaswani et al. 2017)."""
    half = EMBEDDING // 2
    turns = 1000.0 * SLOWEST ** (jnp.arange(half, dtype=jnp.float32) / half)
    angles = time[:, None] * turns[None]
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=1)


def unet(shape: tuple[int, int, int], width: int, told: Told) -> Net:
    """The U-Net of images of `shape`."""
    return from_module(UNet(width), {"image": shape, "time": (), "told": told})


DENOISERS: dict[str, Any] = {"unet": unet}


def denoiser(name: str, shape: tuple[int, int, int], width: int, told: Told) -> Net:
    """A network for diffusion from the table.

    Args:
      name: a key of DENOISERS.
      shape: (H, W, C) of one image, of any size.
      width: channels of the largest maps.
      told: (EMBEDDING,) of a condition that is told as one vector, (N, d) of tokens.

    Returns:
      A Net, {"image": (B, H, W, C), "time": (B,), "told": (B, *told)} -> (image
      (B, H, W, C), features (B, n)), float32.

    Raises:
      UserError: it does not exist, or images have no pixels.
    """
    if name not in DENOISERS:
        raise unknown("denoiser", name, DENOISERS)
    if min(shape) < 1:
        raise UserError(f"images of shape {shape} have no pixels")
    return DENOISERS[name](shape, width, told)
