"""A data set: a factor space and a pure function that draws its pictures."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.space import FactorSpace

if TYPE_CHECKING:
    from disentangle.data.files import Layout


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["arrays"],
    meta_fields=["name", "space", "shape", "peak", "draw"],
)
@dataclass(frozen=True)
class Dataset:
    """Pictures of a full factor grid; `images(index)` is the only way in.

    A pytree: pass it as an ARGUMENT into jitted functions, so that its tables stay
    arguments and are not baked into the program as constants.

    Attributes:
      arrays: pytree of arrays that `draw` reads (a table, or maps to compose).
      name: name in `disentangle.data.DATASETS`.
      space: the factors; picture i has factors `space.factors(i)`.
      shape: (H, W, C) of one picture.
      peak: largest pixel value, 1 for dSprites and 255 for Shapes3D.
      draw: (arrays, (...,) int32 in range) -> (..., H, W, C) uint8, pure; a
        module-level function, so that equal data sets share one compiled program.
    """

    arrays: Any
    name: str
    space: FactorSpace
    shape: tuple[int, int, int]
    peak: int
    draw: Callable[[Any, jax.Array], jax.Array]

    def __len__(self) -> int:
        return self.space.size

    def images(self, index: Any) -> jax.Array:
        """(...,) int picture index -> (..., H, W, C) uint8 in [0, peak].

        Works under `jit` and `vmap`. A NumPy index out of range raises UserError; a
        JAX one is clipped into the range.
        """
        index = jnp.asarray(self.space.checked(index))
        return self.draw(self.arrays, jnp.clip(index, 0, self.space.size - 1))


@dataclass(frozen=True)
class Recipe:
    """How to get one data set; the record `disentangle.data.DATASETS` holds.

    All three give the same `Dataset`. None where there is no such way.

    Attributes:
      space: its factors, known without loading anything.
      render: cache folder (None: the default one) -> Dataset, drawn here.
      read: path of a published file -> Dataset.
      read_tfds: folder of TensorFlow Datasets (None: its default) -> Dataset.
      layout: how its published files are laid out, for export.
    """

    space: FactorSpace
    render: Callable[[Path | None], Dataset]
    read: Callable[[Path], Dataset] | None = None
    read_tfds: Callable[[Path | None], Dataset] | None = None
    layout: "Layout | None" = None


@jax.jit
def draw_bits(packed: jax.Array, index: jax.Array) -> jax.Array:
    """Rows of a bit-packed table (N, 512) -> (..., 64, 64, 1) uint8 in {0, 1}.

    Bits are in `np.packbits` order: the first pixel is the highest bit.
    """
    rows = packed.at[index].get(mode="clip")[..., None]
    shifts = jnp.arange(7, -1, -1, dtype=jnp.uint8)
    bits = (rows >> shifts.reshape((1,) * (rows.ndim - 1) + (8,))) & jnp.uint8(1)
    return bits.reshape((*index.shape, 64, 64, 1))


@jax.jit
def draw_rows(table: jax.Array, index: jax.Array) -> jax.Array:
    """Rows of a picture table (N, H, W, C) uint8 -> (..., H, W, C) uint8."""
    return table.at[index].get(mode="clip")


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised NumPy array that JAX can take on the CPU without a copy.

    JAX aliases host memory only where it starts on a multiple of 64 bytes, which
    `np.empty` does not promise; for a table of 5.9 GB the second copy matters.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)
