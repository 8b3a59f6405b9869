"""Image decoders by name: (B, latents) -> logits (B, H, W, C)."""

import math

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.errors import UserError, unknown
from disentangle.nn import hsu as nn_hsu
from disentangle.nn import normalised as nn_normalised
from disentangle.nn import padded as nn_padded
from disentangle.nn.layers import ConvTranspose, Dense
from disentangle.nn.net import Net, from_module, halved


class Decoder(linen.Module):
    """Dense layers, then 4x4 stride-2 transposed convolutions; ReLU but at the end.

    Attributes:
      hidden: widths of the dense layers before the one that fills `start`.
      start: (H, W, C) of the first feature map.
      features: channels of each transposed convolution, the image's last.
    """

    hidden: tuple[int, ...]
    start: tuple[int, int, int]
    features: tuple[int, ...]

    @linen.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, latents) -> logits (B, H, W, C)."""
        for width in (*self.hidden, math.prod(self.start)):
            z = jax.nn.relu(Dense(width)(z))
        x = z.reshape(-1, *self.start)
        for features in self.features[:-1]:
            x = jax.nn.relu(ConvTranspose(features)(x))
        return ConvTranspose(self.features[-1])(x)


class DenseDecoder(linen.Module):
    """Dense layers, tanh after each but the last.

    Attributes:
      hidden: widths of the dense layers with a tanh.
      shape: (H, W, C) of the image.
    """

    hidden: tuple[int, ...]
    shape: tuple[int, int, int]

    @linen.compact
    def layers(self, z: jax.Array) -> tuple[jax.Array, ...]:
        """(B, latents) -> each tanh (B, width), then logits (B, H, W, C)."""
        found = []
        for width in self.hidden:
            z = jnp.tanh(Dense(width)(z))
            found.append(z)
        logits = Dense(math.prod(self.shape))(z).reshape(-1, *self.shape)
        return (*found, logits)

    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, latents) -> logits (B, H, W, C)."""
        return self.layers(z)[-1]


def locatello(shape: tuple[int, int, int], latents: int) -> Net:
    """The decoder of Locatello et al. 2019, table 1.

    Dense 256; dense 1024 as 4x4x64; transposed 4x4 s2, 64; 32; 32; C.
    """
    halved("decoder 'locatello'", shape)
    height, width, channels = shape
    start = (height // 16, width // 16, 64)
    return from_module(Decoder((256,), start, (64, 32, 32, channels)), (latents,))


def burgess(shape: tuple[int, int, int], latents: int) -> Net:
    """The decoder of Burgess et al. 2018: the mirror of its encoder.

    Dense 256; dense 256; dense 512 as 4x4x32; transposed 4x4 s2, 32; 32; 32; C.
    """
    halved("decoder 'burgess'", shape)
    height, width, channels = shape
    start = (height // 16, width // 16, 32)
    return from_module(Decoder((256, 256), start, (32, 32, 32, channels)), (latents,))


def chen(shape: tuple[int, int, int], latents: int) -> Net:
    """The dSprites decoder of Chen et al. 2018: three dense layers of 1200, tanh."""
    return from_module(DenseDecoder((1200,) * 3, shape), (latents,), smooth=True)


def hsu(shape: tuple[int, int, int], latents: int) -> Net:
    """The decoder of Hsu et al. 2023: 12 convolutions modulated by the latents."""
    halved("decoder 'hsu'", shape)
    return from_module(nn_hsu.Decoder(shape), (latents,))


def normalised(shape: tuple[int, int, int], latents: int) -> Net:
    """Four transposed convolutions modulated by the latents: nn/normalised.py."""
    halved("decoder 'normalised'", shape)
    return from_module(nn_normalised.Decoder(shape), (latents,), smooth=True)


def padded(shape: tuple[int, int, int], latents: int) -> Net:
    """Locatello's for images of any size, its margin cut off: nn/padded.py."""
    return nn_padded.decoder(locatello)(shape, latents)


def mlp(shape: tuple[int, int, int], latents: int) -> Net:
    """One dense layer of 256, tanh, and the image: for few pixels, of any size."""
    return from_module(DenseDecoder((256,), shape), (latents,))


DECODERS = {
    "locatello": locatello,
    "burgess": burgess,
    "chen": chen,
    "hsu": hsu,
    "normalised": normalised,
    "padded": padded,
    "mlp": mlp,
}


def decoder(name: str, shape: tuple[int, int, int], latents: int) -> Net:
    """A decoder from the table.

    Args:
      name: a key of DECODERS.
      shape: (H, W, C) of one image; H and W multiples of 16 but for "padded" and
        "chen".
      latents: number of latent dimensions D.

    Returns:
      A Net, (B, D) float32 -> logits (B, H, W, C) float32.

    Raises:
      UserError: the decoder does not exist, or does not give images of this shape.
    """
    if name not in DECODERS:
        raise unknown("decoder", name, DECODERS)
    if min(shape) < 1:
        raise UserError(f"images of shape {shape} have no pixels")
    return DECODERS[name](shape, latents)
