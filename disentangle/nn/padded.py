"""Networks for images of any size: Locatello's, with a margin of zeros.

An image is put into the middle of the smallest one whose height and width are
multiples of 16; a decoder draws the enlarged image and cuts the margin off. Where
height and width already are multiples of 16, these are the networks of Locatello et
al. 2019, bit for bit.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from disentangle.nn.net import Net, Params

Shape = tuple[int, int, int]


def enlarged(shape: Shape) -> Shape:
    """(H, W, C) with H and W at the next multiples of 16."""
    height, width, channels = shape
    return -(-height // 16) * 16, -(-width // 16) * 16, channels


def encoder(inner: Callable[[Shape, int | None], Net]) -> Callable[..., Net]:
    """`inner(shape, outputs)` for images of any size."""

    def build(shape: Shape, outputs: int | None) -> Net:
        net, margins = inner(enlarged(shape), outputs), _margins(shape)

        def apply(params: Params, x: jax.Array) -> jax.Array:
            return net.apply(params, jnp.pad(x, ((0, 0), *margins, (0, 0))))

        return Net(net.init, apply)

    return build


def decoder(inner: Callable[[Shape, int], Net]) -> Callable[..., Net]:
    """`inner(shape, latents)` for images of any size."""

    def build(shape: Shape, latents: int) -> Net:
        net, ((top, _), (left, _)) = inner(enlarged(shape), latents), _margins(shape)
        height, width, _ = shape

        def apply(params: Params, z: jax.Array) -> jax.Array:
            x = net.apply(params, z)
            return x[:, top : top + height, left : left + width]

        return Net(net.init, apply)

    return build


def _margins(shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros above and below, left and right."""
    height, width, _ = enlarged(shape)
    rows, columns = height - shape[0], width - shape[1]
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)
