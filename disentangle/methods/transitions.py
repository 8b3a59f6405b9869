"""Pairs of images that follow one another: most factors stay, some move a little.

The second image of a pair is image arithmetic, as in pairs.py, and comes from the
whole grid. Klindt et al. 2021 have two kinds of such pairs on grids of factors.
"""

from collections.abc import Sequence

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
      kind: "laplace" is the paper's LAP: every factor moves on its own, from value j
        to value k with a probability proportional to exp(-rate |k - j|), a Laplace
        distribution on the values there are. "uniform" is its UNI, the pairs of
        Locatello et al. 2020: a number of factors that is uniform in 1 .. F - 1 is
        drawn again, uniformly, the others stay (`pairs` with `changed=0`).
      rate: of "laplace", per step between neighbouring values. For every factor the
        distance is that of indices, as in their code: of categorical ones too, and
        not round the circle for circular ones.

    A pair of "laplace" may be one image twice, or share no factor.

    Raises:
      UserError: no full grid, a kind that does not exist, or, for "uniform", fewer
        than two factors that vary.
    """
    space.require_grid("a method of pairs of images")
    if kind not in TRANSITIONS:
        raise unknown("kind of transitions", kind, TRANSITIONS)
    if kind == UNI:
        return pairs(space, UNIFORM, distinct=False)
    tables = log_transitions(space.sizes, rate)

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        """The images drawn, then what follows each: 2 B images."""
        factors = space.factors(index)
        keys = jax.random.split(key, len(tables))
        moved = [
            jax.random.categorical(own, jnp.asarray(table)[factors[:, column]])
            for column, (own, table) in enumerate(zip(keys, tables, strict=True))
        ]
        following = space.index(jnp.stack(moved, axis=1).astype(jnp.int32))
        return take(split.data, jnp.concatenate([index, following]))

    return collate


def log_transitions(sizes: Sequence[int], rate: float) -> list[np.ndarray]:
    """log p(k | j) = -rate |k - j| - log sum_k' exp(-rate |k' - j|).

    Args:
      sizes: (F,) K of each factor.
      rate: per step.

    Returns:
      F arrays (K, K) float32, rows j, columns k.
    """
    found = []
    for size in sizes:
        values = np.arange(size)
        logits = -rate * np.abs(values[:, None] - values[None])
        total = np.log(np.exp(logits).sum(1, keepdims=True))
        found.append((logits - total).astype(np.float32))
    return found
