"""Images made small: the mean of each block of pixels."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError

ROWS = 1000  # images drawn at a time
PEAK = 255  # largest value of a pixel that was made small


def check_pooled(shape: tuple[int, int, int], size: int) -> None:
    """Raises UserError unless H and W of images (H, W, C) are multiples of `size`."""
    height, width, channels = shape
    if height % size or width % size:
        raise UserError(
            f"images of {height}x{width}x{channels} cannot be pooled to {size}x{size} "
            "pixels: their height and width must be multiples of that"
        )


def check_size(size: int) -> None:
    """Raises UserError unless `size` is 0 or a number of pixels."""
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise UserError(
            f"size={size!r} must be a whole number of pixels a side, or 0 for images "
            "as they are"
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


def smaller(data: Dataset, size: int) -> Dataset:
    """The data set with images of `size` pixels a side: the means of their blocks.

    Made where they are drawn, inside the step; in 0 .. 255, rounded. A training step
    takes less by about the share of the pixels.

    Args:
      data: the data set, H and W multiples of `size`, not streamed.
      size: pixels of a side; that of the images gives the data set back.

    Raises:
      UserError: images of another size, or streamed ones.
    """
    if data.shape[:2] == (size, size):
        return data
    if data.is_streamed:
        raise UserError("images that are streamed cannot be made small: size=0")
    check_pooled(data.shape, size)
    shape = (size, size, data.shape[2])
    arrays = (data, jnp.zeros((size, 0)))  # the size, where the program sees it
    return dataclasses.replace(
        data, arrays=arrays, shape=shape, max_value=PEAK, draw=draw_smaller
    )


def draw_smaller(arrays: tuple[Dataset, jax.Array], index: jax.Array) -> jax.Array:
    """The images of `smaller`: (...,) -> (..., size, size, C) uint8.

    In integers, so that every device draws the same; a half is rounded up.
    """
    data, sized = arrays
    total, most = _sums(data, index, sized.shape[0])
    return ((2 * PEAK * total + most) // (2 * most)).astype(jnp.uint8)


@functools.partial(jax.jit, static_argnames="size")
def _pooled(data: Dataset, index: jax.Array, size: int) -> jax.Array:
    total, most = _sums(data, index, size)
    return total.astype(jnp.float32) / jnp.float32(most)


def _sums(data: Dataset, index: jax.Array, size: int) -> tuple[jax.Array, int]:
    """Sums of blocks of pixels (..., size, size, C) int32, and the largest there is.

    Over windows: XLA's mean over the axes of a reshaped array is far slower on a CPU.
    """
    height, width, _ = data.shape
    images = data.images(index).astype(jnp.int32)
    rows, columns = height // size, width // size
    window = (1,) * index.ndim + (rows, columns, 1)
    total = jax.lax.reduce_window(images, 0, jax.lax.add, window, window, "VALID")
    return total, rows * columns * data.max_value
