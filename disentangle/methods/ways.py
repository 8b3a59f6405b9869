"""Ways through a generator that some methods offer, see `base.Method`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

Params = dict[str, Any]  # parameters per network name


class Translation(NamedTuple):
    """How a method of two domains draws an image of one as one of the other.

    A code is what an image shows, the content, and then how it looks, the style. Drawn
    in the other domain, or with another's style, it shows the same.

    Attributes:
      names: (2,) of the domains, in words.
      factor: whose values they are; "" of two data sets.
      values: (2,) of that factor; () of two data sets.
      styles: how many columns of a code, the last ones, are the style.
      encode: of each domain, (params, images (B, H, W, C)) -> codes (B, D).
      decode: of each domain, (params, codes (B, D)) -> images in [0, 1].
    """

    names: tuple[str, str]
    factor: str
    values: tuple[int, ...]
    styles: int
    encode: tuple[Callable[[Params, jax.Array], jax.Array], ...]
    decode: tuple[Callable[[Params, jax.Array], jax.Array], ...]


class Latents(NamedTuple):
    """What a generator's pictures are drawn of, and how its layers are told.

    All random numbers of a picture are a row z ~ N(0, I), of which the first ones are
    the latent and the rest is noise. `Method.sample` draws a picture of z with the
    style of its latent, truncated, in every layer.

    Attributes:
      size: of a row.
      latent: how many of its numbers are the latent.
      layers: L, of the layers that have a style each.
      mapped: (params, z (B, size), factors (B, F)) -> styles w (B, W).
      draw: (params, styles (B, L, W), z (B, size)) -> images (B, H, W, C) in [0, 1] of
        these styles and the noise in z.
      truncated: (params, w (B, W)) -> the styles that pictures of one's own have.
    """

    size: int
    latent: int
    layers: int
    mapped: Callable[[Params, jax.Array, jax.Array], jax.Array]
    draw: Callable[[Params, jax.Array, jax.Array], jax.Array]
    truncated: Callable[[Params, jax.Array], jax.Array] = lambda params, w: w
