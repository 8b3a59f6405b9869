"""A data set: a white block of two sizes on an 8 x 8 grid, drawn in the step."""

from pathlib import Path

import jax
import jax.numpy as jnp

from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.space import Factor, FactorSpace

PLACES = tuple(8.0 + 6.0 * k for k in range(8))  # centres, pixels
SPACE = FactorSpace(
    (
        Factor("size", 2, "ordinal", (8.0, 16.0)),  # edge, pixels
        Factor("x", 8, "ordinal", PLACES),
        Factor("y", 8, "ordinal", PLACES),
    )
)


def draw(pixels: jax.Array, index: jax.Array) -> jax.Array:
    """Images (..., 64, 64, 1) uint8 in {0, 1} from the pixel numbers (64,)."""

    def one(index: jax.Array) -> jax.Array:
        size, x, y = SPACE.factors(index)
        lit = lambda place: abs(2 * pixels - (15 + 12 * place)) < 8 * (size + 1)
        return (lit(y)[:, None, None] & lit(x)[None, :, None]).astype(jnp.uint8)

    return jnp.vectorize(one, signature="()->(h,w,c)")(index)


def render(cache: Path | None) -> Dataset:
    """Nothing to build or keep: `draw` is the data set."""
    del cache
    return Dataset(jnp.arange(64), "blocks", SPACE, (64, 64, 1), 1, draw)


RECIPE = Recipe(SPACE, render)
