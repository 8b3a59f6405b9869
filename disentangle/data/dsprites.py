"""dSprites: 737,280 binary images of one sprite (Matthey et al. 2017).

Shapes square, ellipse and heart. From every source the images lie bit-packed in one
table of 378 MB and are unpacked where they are drawn.
"""

import math
from pathlib import Path

import jax
import numpy as np

from disentangle import errors
from disentangle.data import cache, files, tfds
from disentangle.data.aligned import aligned
from disentangle.data.dataset import Dataset, Recipe, draw_bits
from disentangle.data.rendered import dsprites as renderer
from disentangle.data.space import Factor, FactorSpace, Symmetry

# Of the packed rendered table, in index order. Every pixel of the 478 known published
# images agrees; lit pixels 128,328,864 beside the published 128,328,862.
SHA256 = "3a228f4037ef3d42a42588e0e01f1078aa2df13cfa17584e88c95ed9fb5672da"
LIT = 128_328_862


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
        max_value=1,
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


def pack(images: files.ImageChunks, space: FactorSpace = SPACE) -> np.ndarray:
    """Images as a bit-packed table (N, 512) uint8 in index order.

    Raises:
      UserError: pixels other than 0 and 1 or, of the whole set, too many or too few
        lit ones.
    """
    packed = aligned((space.size, 512), np.uint8)
    lit = 0
    for rows, chunk in images:
        if chunk.max(initial=0) > 1:
            raise errors.UserError(
                f"dSprites pixels are 0 or 1, but one is {chunk.max()}: these images "
                "were changed, or are something else."
            )
        lit += int(np.count_nonzero(chunk))
        packed[rows] = np.packbits(chunk.reshape(len(chunk), -1), axis=1)
    # The published images and ours differ by 2 lit pixels; these are not dSprites.
    if space == SPACE and abs(lit - LIT) > 1000:
        raise errors.UserError(
            f"these images have {lit:,} lit pixels; dSprites has {LIT:,}."
        )
    return packed


def read(path: Path) -> Dataset:
    """The whole set from `dsprites_ndarray_….npz` or `.hdf5`."""
    return dataset(pack(files.read(path, LAYOUT, SPACE)))


def read_tfds(data_dir: Path | None) -> Dataset:
    """The whole set from a copy that TensorFlow Datasets has prepared."""
    return dataset(pack(tfds.read("dsprites", data_dir, SPACE)))


def _factors(labels: np.ndarray, space: FactorSpace) -> np.ndarray:
    """Published classes (N, 6), of which the first is the only colour."""
    wanted = (len(labels), 1 + len(space.items))
    if labels.shape != wanted or labels.dtype.kind not in "iu" or labels[:, 0].any():
        raise errors.UserError(
            f"classes are {labels.dtype} {labels.shape}, not integer {wanted} with a "
            "first column (colour) of 0."
        )
    return labels[:, 1:]


def _values(factors: np.ndarray, space: FactorSpace) -> np.ndarray:
    values = space.values(factors)
    values[:, 0] += 1  # published shapes are 1, 2, 3
    return values


def _tables(
    factors: np.ndarray, space: FactorSpace, kind: str
) -> dict[str, np.ndarray]:
    colour = np.ones((len(factors), 1))
    values = np.concatenate([colour, _values(factors, space)], axis=1)
    classes = np.concatenate([0 * colour, factors], axis=1).astype(np.int64)
    if kind == "hdf5":
        return {"latents/classes": classes, "latents/values": values}
    names = ("color", "shape", "scale", "orientation", "posX", "posY")
    metadata = {
        "title": "dSprites dataset",
        "description": "rendered by disentangle",
        "latents_names": names,
        "latents_sizes": np.array([1, *space.sizes]),
        "latents_possible_values": {
            name: np.unique(column)
            for name, column in zip(names, values.T, strict=True)
        },
    }
    return {
        "latents_classes": classes,
        "latents_values": values,
        "metadata": np.array(metadata, dtype=object),
    }


LAYOUT = files.Layout(
    title="dSprites",
    names={
        "npz": "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
        "hdf5": "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5",
    },
    images="imgs",
    labels={"npz": "latents_classes", "hdf5": "latents/classes"},
    channels=(),
    factors=_factors,
    values=_values,
    tables=_tables,
    sha256={
        28_024_106: "729fa22e884c9c500e1f17415d580746b4c5894fbbb780a1319bbcfa39a745bb"
    },
)

RECIPE = Recipe(
    space=SPACE, render=render, read=read, read_tfds=read_tfds, layout=LAYOUT
)
