"""Images made small: the mean of each block of pixels."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.samplers import scaled
from disentangle.errors import UserError

ROWS = 1000  # images drawn at a time


def check_pooled(shape: tuple[int, int, int], size: int) -> None:
    """Raises UserError unless H and W of images (H, W, C) are multiples of `size`."""
    height, width, channels = shape
    if height % size or width % size:
        raise UserError(
            f"images of {height}x{width}x{channels} cannot be pooled to {size}x{size} "
            "pixels: their height and width must be multiples of that"
        )


def pooled(data: Dataset, index: Any, size: int) -> jax.Array:
    """Images as the means of their blocks of pixels.

    Args:
      data: the data set, H and W multiples of `size`.
      index: (n,) image numbers.
      size: pixels of a side.

    Returns:
      (n, size, size, C) float32 in [0, 1].

    Raises:
      UserError: images of another size, or a number out of range.
    """
    check_pooled(data.shape, size)
    rows = np.asarray(data.space.checked(np.asarray(index)))
    parts = [
        _pooled(data, jnp.asarray(rows[start : start + ROWS]), size)
        for start in range(0, len(rows), ROWS)
    ]
    return jnp.concatenate(parts)


@functools.partial(jax.jit, static_argnames="size")
def _pooled(data: Dataset, index: jax.Array, size: int) -> jax.Array:
    height, width, channels = data.shape
    images = scaled(data.images(index), data.max_value)
    blocks = images.reshape(-1, size, height // size, size, width // size, channels)
    return blocks.mean((2, 4))
