"""Linen layers on the project's own convolution.

They only declare their parameters; `net.glorot_uniform` gives them values.
"""

import jax
from flax import linen

from disentangle.nn.conv import conv, conv_transpose

_EMPTY = linen.initializers.zeros_init()


class Conv(linen.Module):
    """Stride-2 convolution plus bias, (B, H, W, C) -> (B, H/2, W/2, features)."""

    features: int
    window: int = 4

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve and add the bias."""
        shape = (self.window, self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", _EMPTY, shape)
        bias = self.param("bias", _EMPTY, (self.features,))
        return conv(x, kernel) + bias[None, None, None]


class ConvTranspose(linen.Module):
    """Stride-2 transposed convolution plus bias, (B, H, W, C) -> (B, 2H, 2W, f)."""

    features: int
    window: int = 4

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve transposed and add the bias."""
        shape = (self.window, self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", _EMPTY, shape)
        bias = self.param("bias", _EMPTY, (self.features,))
        return conv_transpose(x, kernel) + bias[None, None, None]


class Dense(linen.Module):
    """Affine map of the last axis, (B, n) -> (B, features)."""

    features: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Multiply and add the bias."""
        kernel = self.param("kernel", _EMPTY, (x.shape[-1], self.features))
        bias = self.param("bias", _EMPTY, (self.features,))
        return x @ kernel + bias[None]
