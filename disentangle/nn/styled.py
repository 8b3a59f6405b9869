"""A decoder of two inputs: one is where things are, the other how all of it looks.

The first gives the smallest map; the second only the scale and shift of normalised maps
(AdaIN, nn/adain.py), so it has no place of its own in the image.
"""

from typing import Any

import jax
from flax import linen

from disentangle.nn.adain import AdaIN
from disentangle.nn.generators import halvings, widths
from disentangle.nn.net import Net, from_module
from disentangle.nn.weights import Linear, Up


class StyledDecoder(linen.Module):
    """Dense to a map, (AdaIN, ReLU, transposed 4x4 stride-2 convolution) x n.

    Attributes:
      shape: (H, W, C) of the image; what the last map has beyond is cut off.
      width: channels of the map before the image; those before it have more.
    """

    shape: tuple[int, int, int]
    width: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        """{"map": (B, n), "style": (B, m)} -> logits (B, H, W, C)."""
        n, rows, columns = halvings(self.shape)
        inner = widths(n, self.width)[::-1]
        h = Linear(rows * columns * inner[0])(x["map"])
        h = h.reshape(-1, rows, columns, inner[0])
        for features in (*inner[1:], self.shape[2]):
            h = Up(features)(jax.nn.relu(AdaIN()(h, x["style"])))
        return h[:, : self.shape[0], : self.shape[1]]


def styled_decoder(
    shape: tuple[int, int, int], first: int, style: int, width: int
) -> Net:
    """{"map": (B, first), "style": (B, style)} -> logits (B, H, W, C), of any size."""
    sizes: Any = {"map": (first,), "style": (style,)}
    return from_module(StyledDecoder(shape, width), sizes)
