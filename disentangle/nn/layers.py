"""Linen layers on the project's own convolution, with TensorFlow 1's start values.

Kernels are Glorot-uniform (Glorot and Bengio 2010, eq. 16; fans count the kernel's
window) and biases zero, as `tf.layers` made them for Locatello et al. 2019.
"""

import jax
from flax import linen

from disentangle.nn.conv import conv, conv_transpose

_KERNEL = linen.initializers.glorot_uniform()
_BIAS = linen.initializers.zeros_init()


class Conv(linen.Module):
    """Stride-2 convolution plus bias, (B, H, W, C) -> (B, H/2, W/2, features)."""

    features: int
    window: int = 4

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve and add the bias."""
        shape = (self.window, self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", _KERNEL, shape)
        bias = self.param("bias", _BIAS, (self.features,))
        return conv(x, kernel) + bias[None, None, None]


class ConvTranspose(linen.Module):
    """Stride-2 transposed convolution plus bias, (B, H, W, C) -> (B, 2H, 2W, f)."""

    features: int
    window: int = 4

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve transposed and add the bias."""
        shape = (self.window, self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", _KERNEL, shape)
        bias = self.param("bias", _BIAS, (self.features,))
        return conv_transpose(x, kernel) + bias[None, None, None]


class Dense(linen.Module):
    """Affine map of the last axis, (B, n) -> (B, features)."""

    features: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Multiply and add the bias."""
        kernel = self.param("kernel", _KERNEL, (x.shape[-1], self.features))
        bias = self.param("bias", _BIAS, (self.features,))
        return x @ kernel + bias[None]
