"""Shapes3D: 480,000 colour images of an object in a room (Burgess and Kim 2018).

Rendered, it is 75 MB of maps from which images are composed where they are needed;
read from a file it is one uint8 table of 5.9 GB.
"""

import colorsys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from disentangle import errors
from disentangle.data import cache, files, tfds
from disentangle.data.aligned import aligned
from disentangle.data.dataset import Dataset, Recipe, draw_rows
from disentangle.data.rendered import shapes3d as renderer
from disentangle.data.space import Factor, FactorSpace

_TENTHS = tuple(i / 10 for i in range(10))

SPACE = FactorSpace(
    (
        Factor("floor_hue", 10, "circular", _TENTHS, steps_per_turn=10),
        Factor("wall_hue", 10, "circular", _TENTHS, steps_per_turn=10),
        Factor("object_hue", 10, "circular", _TENTHS, steps_per_turn=10),
        Factor("scale", 8, "ordinal", tuple(np.linspace(0.75, 1.25, 8).tolist())),
        Factor("shape", 4, "categorical", (0.0, 1.0, 2.0, 3.0)),
        Factor("orientation", 15, "ordinal", tuple(np.linspace(-30, 30, 15).tolist())),
    )
)
MEAN = (0.503, 0.579, 0.603)  # published mean colour
GEOMETRIES = 480  # scale, shape, orientation: the fast half of the index
_SKY = np.array([153, 226, 249], np.int32)
# Level 0..5 of each channel of each hue, (10, 3): pure hues have channels in fifths.
_LEVELS = np.rint(
    [[5 * channel for channel in colorsys.hsv_to_rgb(hue, 1, 1)] for hue in _TENTHS]
).astype(np.int32)


@jax.jit
def compose(maps: jax.Array, index: jax.Array) -> jax.Array:
    """Maps (480, 19, 64, 64) int16, (...,) int32 -> (..., 64, 64, 3) uint8 images.

    Each channel is a sum of four maps, in integers (equal on every device); see
    `disentangle.data.rendered.shapes3d`.
    """

    def one(i: jax.Array) -> jax.Array:
        geometry = i % GEOMETRIES
        sky = maps.at[geometry, 0].get(mode="clip").astype(jnp.int32)[None]
        value = sky * jnp.asarray(_SKY)[:, None, None] // 256
        for first, stride in ((1, 48_000), (7, 4_800), (13, 480)):
            rows = first + jnp.asarray(_LEVELS)[i // stride % 10]  # one a channel
            value += maps.at[geometry, rows].get(mode="clip").astype(jnp.int32)
        grey = (value + renderer.UNIT // 2) // renderer.UNIT
        return jnp.moveaxis(jnp.clip(grey, 0, 255).astype(jnp.uint8), 0, -1)

    images = jax.vmap(one)(jnp.ravel(index))
    return images.reshape((*index.shape, *images.shape[1:]))


def dataset(maps: np.ndarray) -> Dataset:
    """A Dataset that composes its images from maps (480, 19, 64, 64) int16."""
    return Dataset(
        arrays=jax.device_put(maps),
        name="shapes3d",
        space=SPACE,
        shape=(64, 64, 3),
        max_value=255,
        draw=compose,
    )


def render(cache_dir: Path | None) -> Dataset:
    """The whole set, its maps drawn here (seconds) or read from the cache."""
    maps = cache.cached(
        "shapes3d-maps-1",
        renderer.render,
        shape=(GEOMETRIES, 19, 64, 64),
        dtype=np.dtype(np.int16),
        cache_dir=cache_dir,
    )
    return dataset(maps)


def table(images: files.ImageChunks, space: FactorSpace = SPACE) -> Dataset:
    """A Dataset over stored images, one uint8 table (N, 64, 64, 3).

    Raises:
      UserError: the mean colour of the whole set is not that of Shapes3D.
    """
    rows_of = aligned((space.size, 64, 64, 3), np.uint8)
    for rows, chunk in images:
        rows_of[rows] = chunk
    mean = rows_of[::97].mean(axis=(0, 1, 2)) / 255
    if space == SPACE and np.abs(mean - MEAN).max() > 0.01:
        raise errors.UserError(
            f"these images have mean colour {mean.round(3)}; Shapes3D has {MEAN}."
        )
    return Dataset(
        arrays=jax.device_put(rows_of),
        name="shapes3d",
        space=space,
        shape=(64, 64, 3),
        max_value=255,
        draw=draw_rows,
    )


def read(path: Path) -> Dataset:
    """The whole set from `3dshapes.h5`."""
    return table(files.read(path, LAYOUT, SPACE))


def read_tfds(data_dir: Path | None) -> Dataset:
    """The whole set from a copy that TensorFlow Datasets has prepared."""
    return table(tfds.read("shapes3d", data_dir, SPACE))


def _factors(labels: np.ndarray, space: FactorSpace) -> np.ndarray:
    """Published labels (N, 6) are the factors' physical values, as floats."""
    if labels.shape != (len(labels), len(space.items)):
        raise errors.UserError(
            f"labels have shape {labels.shape}, not (N, {len(space.items)})."
        )
    columns = []
    for stored, factor in zip(labels.T.astype(np.float64), space.items, strict=True):
        distance = np.abs(stored[:, None] - np.array(factor.values))
        if not distance.min(axis=1).max(initial=0) < 1e-3:  # also on NaN
            raise errors.UserError(
                f"labels of {factor.name} are not the published values, "
                f"{factor.values[0]} to {factor.values[-1]}."
            )
        columns.append(distance.argmin(axis=1))
    return np.stack(columns, axis=1)


def _values(factors: np.ndarray, space: FactorSpace) -> np.ndarray:
    return space.values(factors)


def _tables(
    factors: np.ndarray, space: FactorSpace, kind: str
) -> dict[str, np.ndarray]:
    del kind  # published as HDF5 only
    return {"labels": space.values(factors)}


LAYOUT = files.Layout(
    title="Shapes3D",
    names={"hdf5": "3dshapes.h5"},
    images="images",
    labels={"hdf5": "labels"},
    channels=(3,),
    factors=_factors,
    values=_values,
    tables=_tables,
    sha256={
        267_573_662: "0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785"
    },
)

RECIPE = Recipe(
    space=SPACE, render=render, read=read, read_tfds=read_tfds, layout=LAYOUT
)
