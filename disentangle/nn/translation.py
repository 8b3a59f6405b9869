"""The networks of MUNIT: what is where, how it looks, both together, and its critics.

Huang et al. 2018, section 5.1, for small images. The content encoder has instance
norms, which take the mean and the variance of every channel away, and with them what an
image looks like as a whole; the style encoder has none and ends in a mean over pixels,
which takes away what is where. The decoder gets the style back through AdaIN.

Where we differ: 3x3 and 4x4 windows where theirs are 7x7, 4x4 and 5x5, zeros beyond the
border where theirs reflects, kernels that start as all of ours do, and transposed
convolutions in place of doubling and a convolution (`nn/conv.py` says why).
"""

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.adain import AdaIN, instance_norm
from disentangle.nn.generators import LEAST, halved_mean
from disentangle.nn.growing import LAYER
from disentangle.nn.net import Net, from_module
from disentangle.nn.weights import Conv3, Down, Linear, Up

SHRINKS = 4  # the content's maps have a side of this share of the image's
HIDDEN = 256  # units of the two layers between a style and the AdaIN layers


class Content(linen.Module):
    """3x3, two 4x4 with stride 2, residual blocks; instance norms, ReLU.

    Attributes:
      width: channels of the first convolution; the maps at the end have 4 width.
      blocks: residual ones.
    """

    width: int
    blocks: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) in [-1, 1] -> (B, H/4, W/4, 4 width)."""
        x = jax.nn.relu(instance_norm(Conv3(self.width)(x)))
        for features in (2 * self.width, 4 * self.width):
            x = jax.nn.relu(instance_norm(Down(features)(x)))
        for _ in range(self.blocks):
            inner = jax.nn.relu(instance_norm(Conv3(x.shape[3])(x)))
            x = x + instance_norm(Conv3(x.shape[3])(inner))
        return x


class StyleOf(linen.Module):
    """3x3, 4x4 with stride 2 as long as maps allow, mean over pixels; no norm, ReLU.

    Attributes:
      width: channels of the first convolution.
      styles: size of the style.
    """

    width: int
    styles: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) in [-1, 1] -> (B, styles)."""
        x = jax.nn.relu(Conv3(self.width)(x))
        features = self.width
        while min(x.shape[1:3]) >= 2 * LEAST and not any(n % 2 for n in x.shape[1:3]):
            features = min(2 * features, 4 * self.width)
            x = jax.nn.relu(Down(features)(x))
        return Linear(self.styles)(x.mean((1, 2)))


class Redrawn(linen.Module):
    """Residual blocks with AdaIN, then two 4x4 transposed ones with layer norms, 3x3.

    Attributes:
      channels: of the image.
      width: as of `Content`.
      blocks: residual ones.
    """

    channels: int
    width: int
    blocks: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        """{"content": (B, h, w, 4 width), "style": (B, S)} -> (B, 4h, 4w, C), tanh."""
        h, style = x["content"], x["style"]
        for _ in range(2):
            style = jax.nn.relu(Linear(HIDDEN)(style))
        for _ in range(self.blocks):
            inner = jax.nn.relu(AdaIN()(Conv3(h.shape[3])(h), style))
            h = h + AdaIN()(Conv3(h.shape[3])(inner), style)
        for features in (2 * self.width, self.width):
            norm = linen.LayerNorm(reduction_axes=LAYER)
            h = jax.nn.relu(norm(Up(features)(h)))
        return jnp.tanh(Conv3(self.channels)(h))


class PatchCritics(linen.Module):
    """At every scale 4x4 with stride 2, leaky ReLU, and a score per place.

    A scale sees means of 2x2 pixels of the one before, by kernels of its own (Wang et
    al. 2018).

    Attributes:
      width: channels of the first convolution.
      scales: how many.
      layers: convolutions of each.
    """

    width: int
    scales: int
    layers: int

    @linen.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        """(B, H, W, C) in [-1, 1] -> `scales` arrays of scores (B, h, w)."""
        found = []
        for scale in range(self.scales):
            x = halved_mean(_whole(x, 2)) if scale else x
            h = _whole(x, 2**self.layers)
            for layer in range(self.layers):
                features = min(2**layer, 4) * self.width
                h = jax.nn.leaky_relu(Down(features)(h), 0.2)
            found.append(Linear(1)(h)[..., 0])
        return tuple(found)


def _whole(x: jax.Array, of: int) -> jax.Array:
    """Images with the last row and column again until their sides are n `of`."""
    below, right = (-side % of for side in x.shape[1:3])
    return jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")


def content_encoder(shape: tuple[int, int, int], width: int, blocks: int) -> Net:
    """(B, *shape) in [-1, 1] -> (B, H/4, W/4, 4 width)."""
    return from_module(Content(width, blocks), shape)


def style_encoder(shape: tuple[int, int, int], width: int, styles: int) -> Net:
    """(B, *shape) in [-1, 1] -> (B, styles)."""
    return from_module(StyleOf(width, styles), shape)


def styled_decoder(
    shape: tuple[int, int, int], width: int, blocks: int, styles: int
) -> Net:
    """{"content": (B, H/4, W/4, 4 width), "style": (B, styles)} -> (B, *shape)."""
    maps = (shape[0] // SHRINKS, shape[1] // SHRINKS, 4 * width)
    module = Redrawn(shape[2], width, blocks)
    return from_module(module, {"content": maps, "style": (styles,)})


def patch_critics(
    shape: tuple[int, int, int], width: int, scales: int, layers: int
) -> Net:
    """(B, *shape) in [-1, 1] -> `scales` arrays of scores (B, h, w)."""
    return from_module(PatchCritics(width, scales, layers), shape)
