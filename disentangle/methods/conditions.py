"""What a conditional model is told: the values of some factors as numbers."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError, unknown
from disentangle.methods.base import Params
from disentangle.methods.tasks import refuse_constant

ENCODINGS = ("one_hot", "raw_ids")


class Condition(NamedTuple):
    """T factors that are given, as numbers c of width C.

    Attributes:
      names: (T,) of the factors.
      columns: (T,) their places among all factors.
      sizes: (T,) how many values each has.
      width: C.
      encode: encode(factors (B, F), known (B, F) bool or None) -> c (B, C) float32.
      uniform: (C,) the mean of c where all values are equally likely.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    sizes: tuple[int, ...]
    width: int
    encode: Callable[..., jax.Array]
    uniform: np.ndarray


def condition(
    names: Sequence[str], space: FactorSpace, encoding: str = "one_hot"
) -> Condition:
    """The condition on these factors.

    Args:
      names: of factors, at least one.
      space: theirs.
      encoding: "one_hot" gives each factor as many numbers as it has values, one of
        them 1; a missing one is uniform over them. "raw_ids" gives each its number 0,
        1, ..., as it is; a missing one is -1.

    Raises:
      UserError: no labels, a factor that does not exist, is named twice or has one
        value, or an encoding that does not exist.
    """
    space.require_labels("a method of given factors")
    if len(set(names)) != len(names):
        raise UserError(f"a factor is named twice in {', '.join(names)}")
    if encoding not in ENCODINGS:
        raise unknown("encoding", encoding, ENCODINGS)
    columns = tuple(space.position(name) for name in names)
    refuse_constant(space, tuple(names), "method.condition")
    sizes = tuple(space.sizes[column] for column in columns)
    if encoding == "raw_ids":
        mean = np.array([(size - 1) / 2 for size in sizes], np.float32)
        encode = lambda factors, known=None: _raw(columns, factors, known)
        found = len(columns), encode, mean
    else:
        mean = np.concatenate([np.full(size, 1 / size, np.float32) for size in sizes])
        encode = lambda factors, known=None: _one_hot(columns, sizes, factors, known)
        found = sum(sizes), encode, mean
    return Condition(tuple(names), columns, sizes, *found)


def _one_hot(
    columns: Sequence[int],
    sizes: Sequence[int],
    factors: jax.Array,
    known: jax.Array | None,
) -> jax.Array:
    parts = [
        jax.nn.one_hot(factors[:, column], size, dtype=jnp.float32)
        for column, size in zip(columns, sizes, strict=True)
    ]
    if known is not None:  # a missing one is uniform over its values
        parts = [
            jnp.where(known[:, column, None], values, jnp.float32(1 / size))
            for values, column, size in zip(parts, columns, sizes, strict=True)
        ]
    return jnp.concatenate(parts, axis=1)


def _raw(
    columns: Sequence[int], factors: jax.Array, known: jax.Array | None
) -> jax.Array:
    chosen = jnp.stack([factors[:, column] for column in columns], axis=1)
    numbers = chosen.astype(jnp.float32)
    if known is None:
        return numbers
    is_known = jnp.stack([known[:, column] for column in columns], axis=1)
    return jnp.where(is_known, numbers, -1.0)


def at_random(generate: Callable[..., jax.Array], space: FactorSpace) -> Any:
    """`Method.sample` of a model that can `generate`: every value is as likely."""
    sizes = jnp.asarray(space.sizes, jnp.int32)[None]

    def sample(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        own, other = jax.random.split(key)
        factors = jax.random.randint(own, (n, len(space.sizes)), 0, sizes)
        return generate(params, factors, key=other)

    return sample
