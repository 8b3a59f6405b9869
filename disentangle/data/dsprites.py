"""dSprites: 737,280 binary pictures of one sprite (Matthey et al. 2017).

Shapes square, ellipse and heart; every picture lies bit-packed in one table of 378 MB
and is unpacked where it is drawn.
"""

import math
from pathlib import Path

import jax
import numpy as np

from disentangle.data import cache
from disentangle.data.dataset import Dataset, Recipe, draw_bits
from disentangle.data.rendered import dsprites as renderer
from disentangle.data.space import Factor, FactorSpace, Symmetry

# Of the packed rendered table, in index order. Every pixel of the 478 known published
# pictures agrees; lit pixels 128,328,864 beside the published 128,328,862.
SHA256 = "3a228f4037ef3d42a42588e0e01f1078aa2df13cfa17584e88c95ed9fb5672da"


def _linspace(low: float, high: float, size: int) -> tuple[float, ...]:
    return tuple(np.linspace(low, high, size).tolist())


SPACE = FactorSpace(
    (
        Factor("shape", 3, "categorical", (0.0, 1.0, 2.0)),
        Factor("scale", 6, "ordinal", _linspace(0.5, 1.0, 6)),
        # 40 values in [0, 2 pi], both ends included: 39 steps a turn.
        Factor(
            "orientation",
            40,
            "circular",
            _linspace(0.0, 2 * math.pi, 40),
            steps_per_turn=39,
            symmetry=Symmetry("shape", (4, 2, 1)),
        ),
        Factor("x_position", 32, "ordinal", _linspace(0.0, 1.0, 32)),
        Factor("y_position", 32, "ordinal", _linspace(0.0, 1.0, 32)),
    )
)


def dataset(packed: np.ndarray, space: FactorSpace = SPACE) -> Dataset:
    """A Dataset over a bit-packed table (N, 512) uint8 in index order."""
    return Dataset(
        arrays=jax.device_put(packed),
        name="dsprites",
        space=space,
        shape=(64, 64, 1),
        peak=1,
        draw=draw_bits,
    )


def render(cache_dir: Path | None) -> Dataset:
    """The whole set, drawn here (about 2 s) or read from the cache."""
    packed = cache.cached(
        "dsprites-packed-1",
        renderer.render,
        shape=(SPACE.size, 512),
        dtype=np.dtype(np.uint8),
        sha256=SHA256,
        cache_dir=cache_dir,
    )
    return dataset(packed)


RECIPE = Recipe(space=SPACE, render=render)
