"""A network that looks for each attribute where its class is seen: FashionSearchNet.

Ak, Kassim, Lim & Tham 2018: after the convolutions come two more and a mean over
places, from which every attribute is classified; the weights of the class that it sees
make a map of where it is seen (Zhou et al. 2016, class activation maps), and what the
convolutions have there becomes the attribute's code.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.conv3 import conv3
from disentangle.nn.layers import Conv, Dense, ours
from disentangle.nn.net import Net, from_module, halved

WIDTHS = (32, 32, 64)  # of the convolutions of stride 2
BEHIND = 128  # channels of the two that the maps are made of


class Localised(NamedTuple):
    """What the network says of B images and A attributes.

    Attributes:
      codes: (B, A, d) float32.
      predictions: A arrays (B, K_a), logits of the codes.
      coarse: A arrays (B, K_a), logits of the mean over places.
      maps: (B, A, h, w) float32, the attention of each attribute, 1 in all.
    """

    codes: jax.Array
    predictions: tuple[jax.Array, ...]
    coarse: tuple[jax.Array, ...]
    maps: jax.Array


class Same(linen.Module):
    """3x3 convolution of stride 1 plus bias, (B, h, w, C) -> (B, h, w, features)."""

    features: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve and add the bias."""
        kernel = self.param("kernel", ours, (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", ours, (self.features,))
        return conv3(x, kernel) + bias[None, None, None]


class Mapped(linen.Module):
    """One linear classifier, and where its likeliest class is seen."""

    features: int

    @linen.compact
    def __call__(self, places: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(B, n, C) -> logits (B, K) of the mean over n, and attention (B, n)."""
        kernel = self.param("kernel", ours, (places.shape[-1], self.features))
        bias = self.param("bias", ours, (self.features,))
        logits = places.mean(1) @ kernel + bias[None]
        likeliest = jax.nn.one_hot(logits.argmax(1), self.features)
        weights = likeliest @ kernel.T  # (B, C): a gather has no graph
        seen = (places * weights[:, None]).sum(2)
        return logits, jax.nn.softmax(seen, axis=1)


class ActivationMaps(linen.Module):
    """Convolutions, an attention map per attribute, three layers on what is there."""

    outputs: tuple[int, ...]
    subspace: int
    hidden: int

    @linen.compact
    def __call__(self, x: jax.Array) -> Localised:
        """(B, H, W, C) -> Localised."""
        for width in WIDTHS:
            x = jax.nn.relu(Conv(width)(x))
        behind = x
        for _ in range(2):
            behind = jax.nn.relu(Same(BEHIND)(behind))
        count, height, width = x.shape[:3]
        flat = x.reshape(count, height * width, -1)
        places = behind.reshape(count, height * width, -1)
        codes, predictions, coarse, maps = [], [], [], []
        for a, size in enumerate(self.outputs):
            logits, attention = Mapped(size, name=f"map_{a}")(places)
            pooled = (flat * attention[..., None]).sum(1)
            for layer in range(2):
                dense = Dense(self.hidden, name=f"hidden_{a}_{layer}")
                pooled = jax.nn.relu(dense(pooled))
            codes.append(Dense(self.subspace, name=f"code_{a}")(pooled))
            predictions.append(Dense(size, name=f"prediction_{a}")(codes[-1]))
            coarse.append(logits)
            maps.append(attention.reshape(count, height, width))
        return Localised(
            jnp.stack(codes, axis=1),
            tuple(predictions),
            tuple(coarse),
            jnp.stack(maps, axis=1),
        )


def activation_maps(
    shape: tuple[int, int, int], outputs: tuple[int, ...], subspace: int, hidden: int
) -> Net:
    """The network for images (H, W, C); maps have an eighth of their height and width.

    Where we differ: 64 x 64 pixels take three convolutions of stride 2 in place of
    AlexNet's, and the part of an image where a map is above a fifth of its largest
    value (ROI pooling) is the mean weighted by the softmax of the map.

    Args:
      shape: of an image, H and W multiples of 16.
      outputs: (A,) K_a.
      subspace: d, of each attribute's code.
      hidden: of the first two of its three layers.

    Raises:
      UserError: images of another size.
    """
    halved("FashionSearchNet", shape)
    return from_module(ActivationMaps(tuple(outputs), subspace, hidden), shape)
