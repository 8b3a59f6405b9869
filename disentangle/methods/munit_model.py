"""The networks of MUNIT's two domains, and what images are edited by."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.errors import UserError
from disentangle.methods.base import Params
from disentangle.methods.domains import Domains
from disentangle.methods.gan_model import signed, unsigned
from disentangle.methods.ways import Translation
from disentangle.nn.translation import (
    SHRINKS,
    content_encoder,
    patch_critics,
    style_encoder,
    styled_decoder,
)

CELLS = 2  # parts of the content, a side, whose means are codes
LEAST = 16  # pixels a side
LAYERS = 3  # of each critic
Shape = tuple[int, int, int]


class Model(NamedTuple):
    """The networks, those of domain d with a name that ends in d, and ways through."""

    nets: dict[str, Any]
    styles: int

    def content(self, params: Params, x: jax.Array, d: int) -> jax.Array:
        """(B, H, W, C) in [-1, 1] -> (B, H/4, W/4, 4 width)."""
        return self._through(params, f"content_{d}", x)

    def style(self, params: Params, x: jax.Array, d: int) -> jax.Array:
        """(B, H, W, C) in [-1, 1] -> (B, styles)."""
        return self._through(params, f"style_{d}", x)

    def draw(self, params: Params, c: jax.Array, s: jax.Array, d: int) -> jax.Array:
        """Content and style -> (B, H, W, C) in [-1, 1]."""
        return self._through(params, f"decoder_{d}", {"content": c, "style": s})

    def judge(self, params: Params, x: jax.Array, d: int) -> tuple[jax.Array, ...]:
        """(B, H, W, C) in [-1, 1] -> the scores of every scale, (B, h, w)."""
        return self._through(params, f"critic_{d}", x)

    def _through(self, params: Params, name: str, x: Any) -> Any:
        return self.nets[name].apply(params[name], x)


def model(chosen: Any, shapes: tuple[Shape, Shape]) -> Model:
    """The networks of both domains.

    Args:
      chosen: MUNIT's settings.
      shapes: of the images of each domain.

    Raises:
      UserError: images that are too small or cannot be halved twice, or of two sizes.
    """
    for height, width, _ in shapes:
        if min(height, width) < LEAST or height % SHRINKS or width % SHRINKS:
            raise UserError(
                "munit takes images whose height and width are multiples of "
                f"{SHRINKS}, at least {LEAST}, not {height}x{width}"
            )
    if shapes[0][:2] != shapes[1][:2]:
        sizes = " and ".join(f"{h}x{w}" for h, w, _ in shapes)
        raise UserError(f"the images of munit's two domains are of two sizes, {sizes}")
    nets: dict[str, Any] = {}
    for d, shape in enumerate(shapes):
        nets |= {
            f"content_{d}": content_encoder(shape, chosen.width, chosen.blocks),
            f"style_{d}": style_encoder(shape, chosen.width, chosen.styles),
            f"decoder_{d}": styled_decoder(
                shape, chosen.width, chosen.blocks, chosen.styles
            ),
            f"critic_{d}": patch_critics(shape, chosen.width, chosen.scales, LAYERS),
        }
    return Model(nets, chosen.styles)


def flat(content: jax.Array, style: jax.Array) -> jax.Array:
    """(B, h w c + S) both beside each other."""
    return jnp.concatenate([content.reshape(content.shape[0], -1), style], axis=1)


def translation(gan: Model, domains: Domains, maps: tuple[int, ...]) -> Translation:
    """What the method offers of its two domains; `maps` is the content's (h, w, c)."""

    def encode(d: int, params: Params, images: jax.Array) -> jax.Array:
        x = signed(images)
        return flat(gan.content(params, x, d), gan.style(params, x, d))

    def decode(d: int, params: Params, codes: jax.Array) -> jax.Array:
        content = codes[:, : -gan.styles].reshape(-1, *maps)
        return unsigned(gan.draw(params, content, codes[:, -gan.styles :], d))

    return Translation(
        domains.names,
        domains.factor,
        domains.values,
        gan.styles,
        (functools.partial(encode, 0), functools.partial(encode, 1)),
        (functools.partial(decode, 0), functools.partial(decode, 1)),
    )


def editing(ways: Translation, column: int) -> Callable[..., jax.Array]:
    """`Method.edit` of the domain."""

    def edit(
        params: Params, images: jax.Array, factors: jax.Array, wanted: jax.Array
    ) -> jax.Array:
        old = factors[:, column] == ways.values[1]
        new = jnp.where(wanted[:, column] == ways.values[0], False, old)
        new = jnp.where(wanted[:, column] == ways.values[1], True, new)
        choose = lambda which, zero, one: jnp.where(
            which.reshape(-1, *(1,) * (zero.ndim - 1)), one, zero
        )
        codes = choose(old, *(encode(params, images) for encode in ways.encode))
        is_style = jnp.arange(codes.shape[1]) >= codes.shape[1] - ways.styles
        codes = jnp.where((old != new)[:, None] & is_style[None], 0.0, codes)
        return choose(new, *(decode(params, codes) for decode in ways.decode))

    return edit


def cells(content: jax.Array) -> jax.Array:
    """(B, h, w, c) -> (B, CELLS CELLS c), the means of parts of equal size.

    Of a side that is no multiple of CELLS the last row or column is in no part.
    """
    rows, columns = (side // CELLS for side in content.shape[1:3])
    x = content[:, : CELLS * rows, : CELLS * columns]
    x = x.reshape(-1, CELLS, rows, CELLS, columns, content.shape[3])
    return x.mean((2, 4)).reshape(content.shape[0], -1)
