"""A data set: images, their labels, and a pure function that draws the images."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import identity
from disentangle.data.labels import Table
from disentangle.data.space import FactorSpace, refuse_beyond_device
from disentangle.data.stream import Streamed
from disentangle.errors import UserError

if TYPE_CHECKING:
    from disentangle.data.files import Layout


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["arrays", "labels", "others"],
    meta_fields=["name", "space", "shape", "max_value", "draw", "path", "parts"],
)
@dataclass(frozen=True, repr=False)
class Dataset:
    """Images with their labels; `images(index)` and `factors(index)` are the ways in.

    The labels are a full factor grid, where index and factors follow from each other
    (`space.is_grid`), or a table with a row per image, in which some may be missing.

    A pytree: pass it as an ARGUMENT into jitted functions, so that its tables stay
    arguments and are not baked into the program as constants.

    Attributes:
      arrays: pytree of arrays that `draw` reads (a table, or maps to compose).
      name: name in `disentangle.data.DATASETS`.
      space: the factors, and whether the images are their full grid.
      shape: (H, W, C) of one image.
      max_value: largest pixel value, 1 for dSprites and 255 for Shapes3D.
      draw: (arrays, (...,) int32 in range) -> (..., H, W, C) uint8, pure; a
        module-level function, so that equal data sets share one compiled program; or
        a `Streamed`, which reads the images on the host.
      labels: the table of labels; None for a grid, and for images without labels.
      others: further data sets by name, for methods that see several.
      path: where one's own data was read from, absolute; "" from nowhere.
      parts: of a data set that is published in parts how many of its images, the first,
        are for training, and the first one for tests; (0, 0) of others.

    Raises:
      UserError: fields of another type or out of range; for a table of images (draw
        is `draw_rows`) also another shape or type than the fields say, or a pixel
        above `max_value`.
    """

    arrays: Any
    name: str
    space: FactorSpace
    shape: tuple[int, int, int]
    max_value: int
    draw: Callable[[Any, jax.Array], jax.Array]
    labels: Table | None = None
    others: dict[str, "Dataset"] = field(default_factory=dict)
    path: str = ""
    parts: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        check(self)

    def __repr__(self) -> str:
        factors = ", ".join(f"{f.name} ({f.size})" for f in self.space.items[:8])
        return f"<Dataset {self.name}, {self.shape} images of {factors}>"

    def __len__(self) -> int:
        return self.space.size

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the images, see `data/identity.py`; computed once."""
        return identity.digest(self)

    def images(self, index: Any) -> jax.Array:
        """(...,) int image index -> (..., H, W, C) uint8 in [0, max_value].

        Works under `jit` and `vmap`. A NumPy index out of range raises UserError; a
        JAX one is clipped into the range. A grid of more than 2^31 - 1 images, which
        int32 cannot number, raises UserError.
        """
        refuse_beyond_device(self.space)
        index = jnp.asarray(self.space.checked(index))
        return self.draw(self.arrays, jnp.clip(index, 0, self.space.size - 1))

    def factors(self, index: Any) -> Any:
        """(...,) int image index -> (..., F) int32 factor values, 0 where missing.

        An array comes back as the library's own that went in (lists as NumPy's).
        """
        if self.space.is_grid:
            return self.space.factors(index)
        rows = self._rows(index)
        return rows.clip(0)

    def known(self, index: Any) -> Any:
        """(...,) int image index -> (..., F) bool, which labels there are.

        None where none is missing: on a grid, in a complete table, without factors.
        """
        if self.labels is None or self.labels.complete:
            return None
        return self._rows(index) >= 0

    def _rows(self, index: Any) -> Any:
        """Rows of the table of labels, -1 where one is missing."""
        index = self.space.checked(index)
        if self.labels is None:
            library = jnp if isinstance(index, jax.Array) else np
            return library.zeros((*index.shape, 0), np.int32)
        if isinstance(index, jax.Array):
            return jnp.asarray(self.labels.rows).at[index].get(mode="clip")
        return np.asarray(self.labels.rows)[index]

    @property
    def is_streamed(self) -> bool:
        """Whether images are read on the host when a step needs them."""
        return isinstance(self.draw, Streamed)

    def with_others(self, others: Mapping[str, Any]) -> "Dataset":
        """This data set with others beside it, by the names that a method gives them.

        A method that sees several collates its batches from all of them; everything
        else sees this one alone.
        """
        for name, other in others.items():
            if not isinstance(other, Dataset):
                kind = type(other).__name__
                raise UserError(f"{name} is a {kind}, not a data set from load")
        return replace(self, others=self.others | dict(others))


def check(data: Dataset) -> None:
    """Raises UserError where the fields of a data set do not go together.

    The pixels of a stored table are looked at where `max_value` is below 255; while JAX
    traces, and where images are drawn otherwise, there are none to look at.
    """
    shape, max_value = data.shape, data.max_value
    if not isinstance(data.name, str):
        raise UserError(f"data set name {data.name!r} must be a string")
    if (
        not isinstance(shape, tuple)
        or len(shape) != 3
        or not all(isinstance(n, int) and n > 0 for n in shape)
    ):
        raise UserError(f"image shape {shape!r} must be (height, width, channels)")
    if (
        isinstance(max_value, bool)
        or not isinstance(max_value, int)
        or not 1 <= max_value <= 255
    ):
        raise UserError(f"max_value={max_value!r} must be a whole number in 1 .. 255")
    if not isinstance(data.space, FactorSpace):
        raise UserError(f"space={data.space!r} must be a FactorSpace")
    if not callable(data.draw):
        raise UserError(f"draw={data.draw!r} must be a function")
    _check_labels(data)
    table = data.arrays
    if data.draw is not draw_rows or isinstance(table, jax.core.Tracer):
        return
    if not isinstance(table, jax.Array | np.ndarray):
        return  # a shape, or what JAX puts in its place
    if table.dtype != np.uint8 or table.shape != (data.space.size, *shape):
        raise UserError(
            f"the images of {data.name} are {table.dtype} {table.shape}, not uint8 "
            f"{(data.space.size, *shape)}"
        )
    if max_value < 255 and (largest := int(table.max())) > max_value:
        raise UserError(
            f"the images of {data.name} have pixels up to {largest}, above "
            f"max_value={max_value}"
        )


def _check_labels(data: Dataset) -> None:
    """Raises UserError where labels and images are not of the same number."""
    if (data.labels is None) != (data.space.is_grid or not data.space.items):
        raise UserError(
            f"{data.name}: a table of labels belongs to a space with `rows` and "
            "factors, and to no other"
        )
    rows = None if data.labels is None else data.labels.rows
    wanted = (data.space.size, len(data.space.items))
    if isinstance(rows, np.ndarray | jax.Array) and rows.shape != wanted:
        raise UserError(
            f"{data.name} has labels of {rows.shape}, but images and factors ask for "
            f"{wanted}"
        )


@dataclass(frozen=True)
class Recipe:
    """How to get one data set; the record `disentangle.data.DATASETS` holds.

    All ways give the same `Dataset`. None where there is no such way.

    Attributes:
      space: its factors, where they are known without loading anything; else None.
      render: cache folder (None: the default one) -> Dataset, drawn here.
      read: path of a published file -> Dataset.
      read_tfds: folder of TensorFlow Datasets (None: its default) -> Dataset.
      layout: how its published files are laid out, for export.
      stream: path of a file or folder -> Dataset whose images stay there.
      network: the encoder and decoder that stand in for "locatello" by default, for
        images of any size; "" changes nothing.
      about: where there is no `space`, what it is and where it is read from.
      sized: whether `read` and `stream` take side=, pixels at which photographs are
        read; else images of another size are means of blocks.
    """

    space: FactorSpace | None = None
    render: Callable[[Path | None], Dataset] | None = None
    read: Callable[..., Dataset] | None = None
    read_tfds: Callable[[Path | None], Dataset] | None = None
    layout: "Layout | None" = None
    stream: Callable[..., Dataset] | None = None
    network: str = ""
    about: str = ""
    sized: bool = False


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
    """Rows of an image table (N, H, W, C) uint8 -> (..., H, W, C) uint8."""
    return table.at[index].get(mode="clip")
