"""Ground-truth factors and the arithmetic between factors and image index.

The one place that knows cardinalities, kinds, symmetries and tolerances: heads,
samplers, metrics and plots all read them from here. Works alike on NumPy and on
JAX arrays (also under `jit` and `vmap`); an array comes back as the library's own
that went in.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle import errors
from disentangle.data.factor import Factor, Symmetry

__all__ = ["COUNTED", "Factor", "FactorSpace", "Symmetry", "refuse_beyond_device"]

COUNTED = np.iinfo(np.int32).max  # images that int32 can number


@dataclass(frozen=True)
class FactorSpace:
    """The factors of some images: a full grid, or the columns of a table.

    The grid has every combination of values once, in row-major order (last factor
    fastest), so that index and factors follow from each other by arithmetic. Of a
    table this says what the columns mean; the labels are with the images
    (`Dataset.factors`).

    Attributes:
      items: the F factors, slowest first; a table may have none.
      rows: of a table, its number of images; None for a full grid.
    """

    items: tuple[Factor, ...]
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.rows is not None and self.rows < 1:
            raise errors.UserError(f"a table of {self.rows} images has none.")
        if len(set(self.names)) != len(self.names):
            raise errors.UserError(f"factor names repeat: {', '.join(self.names)}.")
        for factor in self.items:
            symmetry = factor.symmetry
            if symmetry and len(symmetry.orders) != self[symmetry.by].size:
                raise errors.UserError(
                    f"symmetry of {factor.name!r} has {len(symmetry.orders)} orders "
                    f"for the {self[symmetry.by].size} values of {symmetry.by!r}."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """(F,) factor names."""
        return tuple(factor.name for factor in self.items)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(F,) number of values of each factor."""
        return tuple(factor.size for factor in self.items)

    @property
    def strides(self) -> tuple[int, ...]:
        """(F,) index distance between neighbouring values; the last is 1."""
        sizes = self.sizes
        return tuple(math.prod(sizes[i + 1 :]) for i in range(len(sizes)))

    @property
    def size(self) -> int:
        """Number of images."""
        return math.prod(self.sizes) if self.rows is None else self.rows

    @property
    def is_grid(self) -> bool:
        """Whether every combination of factor values is there, in row-major order."""
        return self.rows is None

    def require_grid(self, who: str) -> None:
        """Raises UserError, on behalf of `who`, where this is no full grid."""
        if not self.is_grid:
            raise errors.UserError(
                f"{who} needs a full grid: every combination of factor values as one "
                f"image, in row-major order; these are {self.size:,} images with "
                f"{self._columns()}."
            )

    def require_labels(self, who: str) -> None:
        """Raises UserError, on behalf of `who`, where there is no factor at all."""
        if not self.items:
            raise errors.UserError(
                f"{who} needs labels, but these {self.size:,} images have none."
            )

    def _columns(self) -> str:
        return f"labels of {', '.join(self.names)}" if self.items else "no labels"

    def __getitem__(self, name: str) -> Factor:
        return self.items[self.position(name)]

    def position(self, name: str) -> int:
        """The column of factor `name`; raises UserError, with a guess, on others."""
        if name not in self.names:
            raise errors.unknown("factor", name, self.names)
        return self.names.index(name)

    def index(self, factors: Any) -> Any:
        """(..., F) int factor values -> (...,) int32 image index.

        The index is int64 for a grid of more than 2^31 - 1 images. Concrete NumPy
        input (or lists) out of range raises UserError, and so does a JAX array for
        a grid that its integers cannot count; otherwise JAX arrays are not checked,
        as their values may not be known yet.
        """
        self.require_grid("the index of an image with given factors")
        kind = self._index_dtype(factors)
        factors = self._checked_factors(factors)
        strides = np.asarray(self.strides, kind)
        columns = [factors[..., i].astype(kind) for i in range(len(self.items))]
        return sum(c * stride for c, stride in zip(columns, strides, strict=True))

    def _checked_factors(self, factors: Any) -> Any:
        """(..., F) int32 values in range."""
        factors = _integers(factors, "factors", np.dtype(np.int32))
        if factors.ndim == 0 or factors.shape[-1] != len(self.items):
            raise errors.UserError(
                f"factors have shape {factors.shape}: the last axis must be "
                f"{len(self.items)} ({', '.join(self.names)})."
            )
        for column, factor in enumerate(self.items):
            _check_range(factors[..., column], factor.size, f"factor {factor.name!r}")
        return factors

    def factors(self, index: Any) -> Any:
        """(...,) int image index -> (..., F) int32 factor values.

        Concrete NumPy input (or lists) out of range raises UserError.
        """
        self.require_grid("the arithmetic from index to factors")
        index = self.checked(index)
        kind = index.dtype.type
        columns = [
            (index // kind(stride) % kind(size)).astype(np.int32)
            for stride, size in zip(self.strides, self.sizes, strict=True)
        ]
        return _library(index).stack(columns, axis=-1)

    def checked(self, index: Any) -> Any:
        """(...,) int image index as int32 (int64 for a grid that needs it).

        Raises:
          UserError: NumPy and out of range, or JAX and too small for the grid.
        """
        index = _integers(index, "index", self._index_dtype(index))
        _check_range(index, self.size, "image index")
        return index

    def _index_dtype(self, array: Any) -> np.dtype:
        """int32 where it can count the images, else int64; UserError if neither."""
        if self.size <= COUNTED:
            return np.dtype(np.int32)
        if self.size > np.iinfo(np.int64).max:
            raise errors.UserError(
                f"a grid of {self.size:.3e} images cannot be indexed: int64 ends at "
                "9.223e+18."
            )
        if isinstance(array, jax.Array):
            refuse_beyond_device(self)
        return np.dtype(np.int64)

    def values(self, factors: Any) -> np.ndarray:
        """(..., F) int factor values -> (..., F) float64 physical values (NumPy)."""
        factors = np.asarray(factors)
        self._checked_factors(factors)
        columns = [
            np.array(factor.values)[factors[..., column]]
            for column, factor in enumerate(self.items)
        ]
        return np.stack(columns, axis=-1)

    def angle(self, name: str, factors: Any) -> Any:
        """Symmetry-reduced angle m * theta of a circular factor, in [0, 2 pi).

        theta is 2 pi times the value over `steps_per_turn`; m is the order of the
        symmetry (1 without one), so that angles that give the same image up to
        symmetry are equal: a square has m = 4. The product is reduced in integers,
        so equal angles are equal floats.

        Args:
          name: a circular factor.
          factors: (..., F) int.

        Returns:
          (...,) float32 radians.
        """
        factor = self[name]
        if factor.steps_per_turn is None:
            raise errors.UserError(
                f"factor {name!r} is {factor.kind}: it has no angle."
            )
        factors = _integers(factors, "factors", np.dtype(np.int32))
        library = _library(factors)
        steps = factors[..., self.position(name)]
        if factor.symmetry is not None:
            by = factors[..., self.position(factor.symmetry.by)]
            steps = steps * library.asarray(factor.symmetry.orders, np.int32)[by]
        turn = np.int32(factor.steps_per_turn)
        return (steps % turn).astype(np.float32) * np.float32(2 * np.pi / turn)


def _library(array: Any) -> Any:
    """The array library of `array`: jax.numpy or numpy."""
    return jnp if isinstance(array, jax.Array) else np


def refuse_beyond_device(space: FactorSpace) -> None:
    """Raises UserError if int32, which numbers images on the device, is too small."""
    if space.size > COUNTED:
        raise errors.UserError(
            f"a grid of {space.size:,} images is too large to draw from: image "
            f"numbers on the device end at {COUNTED:,}; leave out factors or values."
        )


def _integers(values: Any, what: str, kind: np.dtype) -> Any:
    """`values` as an array of `kind` of its own library; lists become NumPy arrays."""
    try:
        array = values if isinstance(values, jax.Array) else np.asarray(values)
    except ValueError as error:  # rows of other lengths
        raise errors.UserError(f"{what} are no array: {error}.") from None
    if not _library(array).issubdtype(array.dtype, np.integer):
        raise errors.UserError(f"{what} must be integers, not {array.dtype}.")
    if isinstance(array, np.ndarray) and array.dtype.itemsize >= 4 and array.size:
        # Beyond it nothing is in range; without this the cast would wrap around.
        array = np.clip(array, -1 if array.dtype.kind == "i" else 0, np.iinfo(kind).max)
    return array.astype(kind)


def _check_range(values: Any, size: int, what: str) -> None:
    if isinstance(values, jax.Array):
        return
    bad = np.asarray(values)[(values < 0) | (values >= size)]
    if bad.size:
        raise errors.UserError(f"{what} {bad.flat[0]} is outside [0, {size}).")
