"""Pairs of images that follow one another: most factors stay, some move a little.

The second image of a pair is image arithmetic, as in pairs.py, and comes from the
whole grid. Klindt et al. 2021 have two kinds of such pairs on grids of factors; what
their paper leaves open is by their code.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Collate, Split, take
from disentangle.data.space import FactorSpace
from disentangle.errors import unknown
from disentangle.methods.pairs import UNIFORM, pairs

LAPLACE, UNI = "laplace", "uniform"
TRANSITIONS = (LAPLACE, UNI)


def transitions(space: FactorSpace, kind: str, rate: float) -> Collate:
    """Pairs (x_{t-1}, x_t): image i is x_{t-1}, image i + B its x_t.

    Args:
      space: the factors.
      kind: "laplace" is the paper's LAP as its code has it: every factor with an order
        moves on its own, from value j to value k with a probability proportional to
        exp(-rate |k - j| / ln K), a Laplace distribution on the K values there are;
        where none has moved, one of them, any as likely, moves to another value so.
        Categorical factors stay; where there are no others, they move too. "uniform"
        is its UNI: a number of factors that is uniform in 1 .. F - 1 takes another
        value, all as likely, the others stay (`pairs` with `changed=0`).
      rate: of "laplace". The distance is that of indices, as in their code, and not
        round the circle for circular factors.

    Raises:
      UserError: no full grid, a kind that does not exist, or, for "uniform", fewer
        than two factors that vary.
    """
    space.require_grid("a method of pairs of images")
    if kind not in TRANSITIONS:
        raise unknown("kind of transitions", kind, TRANSITIONS)
    if kind == UNI:
        return pairs(space, UNIFORM, distinct=True)
    free = movable(space)
    tables = [log_transitions(space.sizes[column], rate) for column in free]
    away = [np.where(np.eye(len(one), dtype=bool), -np.inf, one) for one in tables]

    def moved(factors: jax.Array, logits: list[np.ndarray], key: jax.Array) -> Any:
        """(B, F) with each free factor drawn anew."""
        for column, own, table in zip(
            free, jax.random.split(key, len(free)), logits, strict=True
        ):
            rows = jnp.float32(table)[factors[:, column]]
            drawn = jax.random.categorical(own, rows).astype(factors.dtype)
            factors = factors.at[:, column].set(drawn)
        return factors

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        """The images drawn, then what follows each: 2 B images."""
        factors = space.factors(index)
        first, second, third = jax.random.split(key, 3)
        following = moved(factors, tables, first)
        one = jnp.asarray(free)[jax.random.randint(third, index.shape, 0, len(free))]
        is_still = (following == factors).all(1, keepdims=True)
        here = is_still & (jnp.arange(factors.shape[1])[None] == one[:, None])
        following = jnp.where(here, moved(factors, away, second), following)
        later = space.index(following.astype(jnp.int32))
        return take(split.data, jnp.concatenate([index, later]))

    return collate


def movable(space: FactorSpace) -> list[int]:
    """Columns of the factors that vary and have an order; of all that vary, if none."""
    varying = [column for column, size in enumerate(space.sizes) if size > 1]
    ordered = [c for c in varying if space.items[c].kind != "categorical"]
    return ordered or varying


def log_transitions(size: int, rate: float) -> np.ndarray:
    """(K, K) log p(k | j), rows j: -rate |k - j| / ln K but for a constant of the row.

    Args:
      size: K, at least 2.
      rate: of the moves.
    """
    values = np.arange(size)
    logits = -rate * np.abs(values[:, None] - values[None]) / np.log(size)
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))
