"""Two domains of images without pairs: two values of a factor, or two data sets.

The images of the second domain are the fields "target/images", "target/factors" of a
batch, which is how `samplers.with_others` names those of a data set beside the first.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Collate, Split, named, take, with_others
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.methods.tasks import refuse_constant

TARGET = "target"  # the name of the second domain


class Domains(NamedTuple):
    """What the two domains are.

    Attributes:
      names: (2,) in words.
      collate: makes a batch of both.
      factor: whose values they are; "" of two data sets.
      column: its place among the factors, -1 of two data sets.
      values: (2,) of the factor, () of two data sets.
    """

    names: tuple[str, str]
    collate: Collate
    factor: str = ""
    column: int = -1
    values: tuple[int, ...] = ()

    def suits(self, split: Split) -> None:
        """Raises UserError where no training image is of one of the domains."""
        data, rows = split.data, split.subset
        if not self.factor or (rows is None and data.space.is_grid):
            return
        index = np.arange(len(data)) if rows is None else np.asarray(rows)
        found = np.asarray(data.factors(index))[:, self.column]
        known = data.known(index)
        told = True if known is None else np.asarray(known)[:, self.column]
        for value, name in zip(self.values, self.names, strict=True):
            if not (told & (found == value)).any():
                raise UserError(
                    f"none of the {len(index):,} training images is of the domain "
                    f"{name!r}: give more of them, or other values"
                )


TWO_SETS = Domains(("the data set", TARGET), with_others)


def by_factor(space: FactorSpace, factor: str, values: Sequence[int]) -> Domains:
    """The images with one value of a factor, and those with another.

    A batch of B images is B of each, all independent: of a whole grid every combination
    of the other factors is as likely, of a subset (`data.train_size`, a table) every
    one of its images that has the value. Which images were asked for is not looked at.

    Args:
      space: the factors.
      factor: its name; "" is the first.
      values: two of its values.

    Raises:
      UserError: no labels, no such factor, or not two different values of it.
    """
    space.require_labels("a method of two domains")
    factor = factor or space.names[0]
    refuse_constant(space, (factor,), "method.domain")
    item, column = space[factor], space.position(factor)
    given = tuple(int(value) for value in values)
    if len(set(given)) != 2 or len(given) != 2 or max(given) >= item.size:
        raise UserError(
            f"method.values={given} must be two different values of {factor!r}, each "
            f"in 0 .. {item.size - 1}"
        )

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        own, other = jax.random.split(key)
        count = index.shape[0]
        first = take(split.data, with_value(split, column, given[0], own, count))
        second = take(split.data, with_value(split, column, given[1], other, count))
        return first | named(TARGET, second)

    word = lambda value: f"{factor} {item.words[value] if item.words else value}"
    return Domains((word(given[0]), word(given[1])), collate, factor, column, given)


def with_value(
    split: Split, column: int, value: int, key: jax.Array, count: int
) -> jax.Array:
    """(count,) images of a split that have a value, independent and equally likely.

    Of test images that have no such one they are any; of training images there is one,
    see `Domains.suits`.
    """
    data = split.data
    if split.subset is None and data.space.is_grid:
        sizes = jnp.asarray(data.space.sizes, jnp.int32)[None]
        shape = (count, len(data.space.sizes))
        factors = jax.random.randint(key, shape, 0, sizes)
        return jnp.asarray(data.space.index(factors.at[:, column].set(value)))
    rows = split.subset
    rows = jnp.arange(data.space.size, dtype=jnp.int32) if rows is None else rows
    has = data.factors(rows)[:, column] == value
    known = data.known(rows)
    has = has if known is None else has & known[:, column]
    has = has | ~has.any()
    below = jnp.cumsum(has.astype(jnp.int32))
    place = jax.random.randint(key, (count,), 0, below[-1])
    return rows[jnp.searchsorted(below, place, side="right")]
