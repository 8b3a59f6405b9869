"""Which attributes a method learns: factors, or bins of neighbouring values of one.

An attribute is written `factor`, or `factor:bins` for as many bins of neighbouring
values. Labels are int32, -1 where one is missing, and values of all attributes are
numbered one after the other, those of the first attribute first: S = K_1 + .. + K_A.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.labels import MISSING
from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.data.worlds import WORLDS
from disentangle.errors import UserError
from disentangle.fields import static
from disentangle.methods.tasks import refuse_constant


def learned(words: str = "what is learned") -> Any:
    """The field `attributes` of a method; `words` say what they are to it."""
    return static(
        (),
        f"{words}, 'FACTOR' or 'FACTOR:BINS' each; () is what queries of the data set "
        "ask about, or every factor",
        distinct=True,
    )


class Attributes(NamedTuple):
    """The attributes of a method, read off the factors of a batch."""

    names: tuple[str, ...]  # (A,) of the factors
    columns: tuple[int, ...]  # (A,) of the factors
    sizes: tuple[int, ...]  # (A,) K_a
    widths: tuple[int, ...]  # (A,) neighbouring values of the factor in one of its own

    @property
    def values(self) -> int:
        """S, the number of values of all attributes."""
        return sum(self.sizes)

    @property
    def starts(self) -> tuple[int, ...]:
        """(A,) the first value of each attribute among the S."""
        return tuple(int(n) for n in np.cumsum((0, *self.sizes[:-1])))

    @property
    def owners(self) -> np.ndarray:
        """(S,) the attribute of each value."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def labels(self, factors: Any, known: Any = None) -> jax.Array:
        """(..., F) factors, and which are known (None: all) -> (..., A) labels."""
        factors = jnp.asarray(factors)[..., self.columns]
        widths = np.asarray(self.widths, np.int32)
        values = factors.astype(jnp.int32) // widths.reshape(
            (1,) * (factors.ndim - 1) + (-1,)
        )
        if known is None:
            return values
        return jnp.where(jnp.asarray(known)[..., self.columns], values, MISSING)

    def of_batch(self, batch: Batch) -> jax.Array:
        """(B, A) labels of a batch."""
        return self.labels(batch["factors"], batch.get("known"))

    def of_images(self, data: Dataset, index: jax.Array) -> jax.Array:
        """(n,) image numbers -> (n, A) labels."""
        return self.labels(data.factors(index), data.known(index))


def parse(space: FactorSpace, names: tuple[str, ...]) -> Attributes:
    """Attributes from their written names.

    Args:
      space: the factors.
      names: `factor` or `factor:bins` each; () is the attributes that queries of the
        data set ask about (data/worlds.py), and every factor of one that has none.

    Raises:
      UserError: a factor that does not exist, is named twice or has one value; bins
        that do not divide its values.
    """
    space.require_labels("a method that learns attributes")
    found = [_parse_one(space, name) for name in names or usual(space)]
    columns, sizes, widths = zip(*found, strict=True)
    if len(set(columns)) != len(columns):
        raise UserError(f"an attribute is named twice in {', '.join(names)}")
    own = tuple(space.names[column] for column in columns)
    return Attributes(own, columns, sizes, widths)


def usual(space: FactorSpace) -> tuple[str, ...]:
    """The names of () for a space, see `parse`."""
    for world in WORLDS.values():
        own = world.attributes
        if own.space == space:
            pairs = zip(own.names, own.widths, own.sizes, strict=True)
            return tuple(n if w == 1 else f"{n}:{size}" for n, w, size in pairs)
    return space.names


def _parse_one(space: FactorSpace, name: str) -> tuple[int, int, int]:
    """(column, K, width) of an attribute."""
    factor, colon, bins = name.partition(":")
    column = space.position(factor)
    size = space.sizes[column]
    refuse_constant(space, (factor,), f"attribute {name!r}")
    if not colon:
        return column, size, 1
    if not bins.isdigit() or not 2 <= int(bins) <= size or size % int(bins):
        raise UserError(
            f"attribute {name!r}: {bins!r} is no number of bins that divides the "
            f"{size} values of {factor!r}"
        )
    return column, int(bins), size // int(bins)
