"""The networks of Hsu et al. 2023 (QLAE): three convolutions per resolution.

At each of 64, 32, 16 and 8 pixels two 3x3 convolutions and one 4x4 with stride 2, no
biases. The encoder normalises every feature map by itself (instance norm: Ulyanov et
al. 2016); the decoder starts from one learned map and is modulated by its input as
StyleGAN's generator is (Karras et al. 2019, AdaIN), scale and bias after a ReLU as
in the authors' code. Kernels start as all of ours do, Glorot-uniform, where theirs
are uniform within 1 / sqrt(fan_in).

One image takes 508 million multiplications, one of "locatello" 17 million.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.adain import InstanceNorm, instance_norm, restyled
from disentangle.nn.conv import conv, conv_transpose
from disentangle.nn.conv3 import conv3
from disentangle.nn.layers import Dense, ours

_WIDTHS = (32, 64, 128, 256)
_WAYS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "same": conv3,
    "down": conv,
    "up": conv_transpose,
}


def leaky(x: jax.Array) -> jax.Array:
    """x, or x / 5 where negative."""
    return jax.nn.leaky_relu(x, 0.2)


class Kernel(linen.Module):
    """A kernel alone: 3x3 "same", 4x4 with stride 2 "down", or its adjoint "up"."""

    features: int
    way: str

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, H, W, features), H and W halved or doubled."""
        window = 3 if self.way == "same" else 4
        shape = (window, window, x.shape[-1], self.features)
        kernel = self.param("kernel", ours, shape)
        return _WAYS[self.way](x, kernel)


class Encoder(linen.Module):
    """(convolution, instance norm, leaky ReLU) x 12, dense x 2, dense."""

    outputs: int | None

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, outputs)."""
        for width in _WIDTHS:
            for way in ("same", "same", "down"):
                x = leaky(InstanceNorm()(Kernel(width, way)(x)))
        x = x.reshape(x.shape[0], -1)
        for _ in range(2):
            x = jax.nn.relu(Dense(256)(x))
        return x if self.outputs is None else Dense(self.outputs)(x)


class Decoder(linen.Module):
    """Dense x 2 to w, then (convolution, leaky ReLU, AdaIN by w) x 12, one 3x3."""

    shape: tuple[int, int, int]

    @linen.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, latents) -> logits (B, H, W, C)."""
        for _ in range(2):
            z = jax.nn.relu(Dense(256)(z))
        height, width, channels = self.shape
        start = (height // 16, width // 16, 256)
        x = 0.1 + self.param("bias", ours, start)
        x = jnp.broadcast_to(x[None], (z.shape[0], *start))
        for features in reversed(_WIDTHS):
            for way in ("same", "same", "up"):
                x = instance_norm(leaky(Kernel(features, way)(x)))
                style = jax.nn.relu(Dense(2 * features)(z))
                x = restyled(x, *jnp.split(style, 2, axis=-1))
        return Kernel(channels, "same")(x)
