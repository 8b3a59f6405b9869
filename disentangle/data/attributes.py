"""Factors that queries ask about, and the rest: a picture is a tuple and a state.

The attributes of a data set are some of its factors, or bins of neighbouring values of
one (8 bins of dSprites' 32 positions). A combination of them is a tuple; what is left,
other factors and the place within a bin, is the nuisance state. Both are numbered, the
last fastest, and image = (tuple, state) follows by arithmetic, as in a FactorSpace.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle import errors
from disentangle.data.space import FactorSpace


@dataclass(frozen=True)
class Attributes:
    """The attributes of a full grid of factors.

    Attributes:
      space: the factors, a full grid.
      names: (A,) the factors that are attributes, in any order; tuples are numbered in
        this one.
      widths: (A,) how many neighbouring values are one value of the attribute; () for 1
        of each.

    Raises:
      UserError: a table, a name that is no factor or repeats, or a width that does not
        divide the factor's size.
    """

    space: FactorSpace
    names: tuple[str, ...]
    widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.space.require_grid("a set of attributes")
        if len(set(self.names)) != len(self.names) or not self.names:
            raise errors.UserError(f"attributes {self.names} repeat, or are none.")
        if not self.widths:
            object.__setattr__(self, "widths", (1,) * len(self.names))
        if len(self.widths) != len(self.names):
            raise errors.UserError(
                f"{len(self.widths)} widths belong to {len(self.names)} attributes."
            )
        for name, width in zip(self.names, self.widths, strict=True):
            if width < 1 or self.space[name].size % width:
                raise errors.UserError(
                    f"width {width} of {name!r} does not divide its "
                    f"{self.space[name].size} values."
                )

    @property
    def sizes(self) -> tuple[int, ...]:
        """(A,) number of values of each attribute."""
        pairs = zip(self.names, self.widths, strict=True)
        return tuple(self.space[name].size // width for name, width in pairs)

    @property
    def tuples(self) -> int:
        """T, the number of combinations of attribute values."""
        return math.prod(self.sizes)

    @property
    def states(self) -> int:
        """R, the number of nuisance states; T R is the number of images."""
        return self.space.size // self.tuples

    def column(self, name: str) -> int:
        """The place of an attribute; raises UserError, with a guess, on others."""
        if name not in self.names:
            raise errors.unknown("attribute", name, self.names)
        return self.names.index(name)

    def labels(self, index: Any) -> Any:
        """(...,) image index -> (..., A) int32 values, of the library that went in."""
        factors = self.space.factors(index)
        columns = [
            factors[..., self.space.position(name)] // width
            for name, width in zip(self.names, self.widths, strict=True)
        ]
        return _library(factors).stack(columns, axis=-1)

    def tuple_of(self, index: Any) -> Any:
        """(...,) image index -> (...,) int tuple number."""
        return self.number(self.labels(index))

    def number(self, labels: Any) -> Any:
        """(..., A) int values in range -> (...,) int tuple number."""
        return _ravel(self.sizes, [labels[..., a] for a in range(len(self.names))])

    def values(self, tuples: Any) -> Any:
        """(...,) int tuple number -> (..., A) values; the inverse of `number`."""
        return _library(tuples).stack(_unravel(self.sizes, tuples), axis=-1)

    def state_of(self, index: Any) -> Any:
        """(...,) image index -> (...,) int nuisance state."""
        factors = self.space.factors(index)
        columns = [
            factors[..., i] % self._left(i) for i in range(len(self.space.items))
        ]
        return _ravel([self._left(i) for i in range(len(columns))], columns)

    def index(self, tuples: Any, states: Any) -> Any:
        """(...,) tuple numbers, (...,) states -> (...,) int32 image index."""
        left = [self._left(i) for i in range(len(self.space.items))]
        columns = _unravel(left, states)
        values = _unravel(self.sizes, tuples)
        for name, width, value in zip(self.names, self.widths, values, strict=True):
            i = self.space.position(name)
            columns[i] = columns[i] + width * value
        shapes = _library(tuples).broadcast_arrays(*columns)
        return self.space.index(_library(tuples).stack(shapes, axis=-1))

    def edited(self, index: Any, name: str, value: Any) -> Any:
        """(...,) the same pictures with one attribute changed: "in another colour".

        All other factors, and the place within a bin, stay. Works under `jit`.

        Args:
          index: (...,) int images.
          name: the attribute.
          value: its new value, in range.
        """
        width = self.widths[self.column(name)]
        place = self.space.position(name)
        stride, size = self.space.strides[place], self.space.sizes[place]
        return index + (value - index // stride % size // width) * (width * stride)

    def variants(self, index: Any, name: str) -> np.ndarray:
        """(...,) images -> (..., K - 1) those that differ in this attribute only."""
        index = np.asarray(index)
        old = self.labels(index)[..., self.column(name)]
        size = self.sizes[self.column(name)]
        new = (old[..., None] + np.arange(1, size)) % size
        return self.edited(index[..., None], name, np.sort(new, -1))

    def _left(self, place: int) -> int:
        """How many values of a factor the nuisance state tells apart."""
        name = self.space.names[place]
        if name in self.names:
            return self.widths[self.names.index(name)]
        return self.space.sizes[place]


def _library(array: Any) -> Any:
    return jnp if isinstance(array, jax.Array) else np


def _ravel(sizes: Any, columns: Any) -> Any:
    number = 0 * columns[0]
    for size, column in zip(sizes, columns, strict=True):
        number = number * size + column
    return number


def _unravel(sizes: Any, number: Any) -> list[Any]:
    columns = []
    for size in reversed(sizes):
        columns.append(number % size)
        number = number // size
    return columns[::-1]
