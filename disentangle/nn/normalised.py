"""Small networks whose outputs tell images apart from the first step, and are smooth.

What the networks of Hsu et al. 2024 (Tripod) do, in the four stride-2 convolutions of
Locatello et al. 2019 instead of their residual blocks with 512 channels: the encoder
normalises every feature map by itself (instance norm: Ulyanov et al. 2016) and every
vector (layer norm: Ba et al. 2016), the decoder is modulated by its input through the
scale 1 + s and the shift of its normalised maps (AdaIN: Karras et al. 2019), and all
is GELU (Hendrycks & Gimpel 2016). Pixels enter as 2 x - 1, as theirs do.

Without norms the codes of all images start within about 0.01 of each other
(`python -m benchmarks.quantised_start`), which is one level of a quantised latent.
"""

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.adain import InstanceNorm, adaptive_instance_norm
from disentangle.nn.layers import Conv, ConvTranspose, Dense, ours

_WIDTHS = (32, 32, 64, 64)


def layer_norm(x: jax.Array) -> jax.Array:
    """Each row to mean 0 and variance 1: (B, n) -> (B, n)."""
    centred = x - x.mean(1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.square(centred).mean(1, keepdims=True) + 1e-5)


class LayerNorm(linen.Module):
    """`layer_norm`, then a scale, 1 at the start, and a bias for each column."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, n) -> (B, n)."""
        scale = 1.0 + self.param("scale", ours, x.shape[-1:])
        bias = self.param("bias", ours, x.shape[-1:])
        return layer_norm(x) * scale[None] + bias[None]


class Encoder(linen.Module):
    """(4x4 stride-2 convolution, instance norm, GELU) x 4, dense, layer norm, GELU."""

    outputs: int | None

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, outputs)."""
        x = 2.0 * x - 1.0
        for width in _WIDTHS:
            x = jax.nn.gelu(InstanceNorm()(Conv(width)(x)))
        x = x.reshape(x.shape[0], -1)
        x = jax.nn.gelu(LayerNorm()(Dense(256)(x)))
        return x if self.outputs is None else Dense(self.outputs)(x)


class Decoder(linen.Module):
    """(Dense, layer norm, GELU) x 2 to w; then, from a learned map, (transposed 4x4
    stride-2 convolution, AdaIN by w, GELU) x 3 and one that gives the image."""

    shape: tuple[int, int, int]

    @linen.compact
    def layers(self, z: jax.Array) -> tuple[jax.Array, ...]:
        """(B, latents) -> w (B, 256), the three feature maps, logits (B, H, W, C)."""
        for _ in range(2):
            z = jax.nn.gelu(LayerNorm()(Dense(256)(z)))
        height, width, channels = self.shape
        start = (height // 16, width // 16, _WIDTHS[-1])
        x = 1.0 + self.param("start", ours, start)
        x = jnp.broadcast_to(x[None], (z.shape[0], *start))
        maps = []
        for features in reversed(_WIDTHS[:-1]):
            x = ConvTranspose(features)(x)
            scale, shift = jnp.split(Dense(2 * features)(z), 2, axis=-1)
            x = jax.nn.gelu(adaptive_instance_norm(x, 1.0 + scale, shift))
            maps.append(x)
        return (z, *maps, ConvTranspose(channels)(x))

    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, latents) -> logits (B, H, W, C)."""
        return self.layers(z)[-1]
