"""Data sets: `load` one or bring your own, then `data.images(index)`."""

import os
from typing import Any

from disentangle import errors
from disentangle.data import (
    cars3d,
    celeba,
    dsprites,
    fashion_sprites,
    mnist,
    mpi3d,
    own,
    shapes3d,
    smallnorb,
)
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.fashion import deepfashion, polyvore, products, splits, zappos
from disentangle.data.own import from_arrays, from_folder
from disentangle.data.pooled import check_size, smaller
from disentangle.data.precision import float32
from disentangle.data.queries import edits
from disentangle.data.space import Factor, FactorSpace, Symmetry
from disentangle.data.worlds import World, world
from disentangle.files import place

__all__ = [
    "DATASETS",
    "Dataset",
    "Factor",
    "FactorSpace",
    "Symmetry",
    "World",
    "as_dataset",
    "edits",
    "from_arrays",
    "from_folder",
    "load",
    "world",
]

DATASETS: dict[str, Recipe] = {
    "dsprites": dsprites.RECIPE,
    "shapes3d": shapes3d.RECIPE,
    "fashion_sprites": fashion_sprites.RECIPE,
    "mpi3d": mpi3d.RECIPE,
    "cars3d": cars3d.RECIPE,
    "smallnorb": smallnorb.RECIPE,
    "mnist": mnist.MNIST,
    "fashion_mnist": mnist.FASHION,
    "celeba": celeba.RECIPE,
    "shopping100k": splits.SHOPPING100K,
    "deepfashion_splits": splits.DEEPFASHION_SPLITS,
    "deepfashion": deepfashion.RECIPE,
    "deepfashion_cut": deepfashion.CUT,
    "polyvore": polyvore.RECIPE,
    "polyvore_disjoint": polyvore.DISJOINT,
    "zappos50k": zappos.RECIPE,
    "fashion_products": products.RECIPE,
    "own": own.RECIPE,
}
SOURCES = ("rendered", "file", "tfds", "stream")


@float32()
def load(
    name: str,
    *,
    path: str | os.PathLike | None = None,
    source: str | None = None,
    cache_dir: str | os.PathLike | None = None,
    size: int = 0,
) -> Dataset:
    """Loads a data set; all sources give the same `Dataset`.

    Args:
      name: a key of `DATASETS`.
      path: the published file or folder; of "own" one's own, see `data/own.py`; with
        source="tfds", the folder of TensorFlow Datasets (its `data_dir`).
      source: "rendered" (no download), "file" (needs `path`), "stream" (as "file",
        but images are read when a step needs them) or "tfds" (a prepared copy); None
        means "file" if there is a path or nothing is drawn, and "rendered" otherwise.
      cache_dir: where the rendered tables are kept; None for $DISENTANGLE_CACHE or,
        without it, ~/.cache/disentangle.
      size: pixels of a side that images are made small to, see `pooled.smaller`;
        photographs of any size are read at it. 0 leaves them as they are, photographs
        at 64.

    Raises:
      UserError: unknown name or source, a file that is not what it should be, or a
        size that images cannot be made small to.
    """
    check_size(size)
    data = _load(name, path, source, cache_dir, size)
    return smaller(data, size) if size and not DATASETS[name].sized else data


def _load(name: Any, path: Any, source: Any, cache_dir: Any, size: int) -> Dataset:
    if not isinstance(name, str) or name not in DATASETS:
        raise errors.unknown("data set", name, DATASETS)
    where = None if _is_not_given(path) else place(path, "data path")
    folder = None if _is_not_given(cache_dir) else place(cache_dir, "cache_dir")
    recipe = DATASETS[name]
    if _is_not_given(source):
        source = "file" if where or recipe.render is None else "rendered"
    if not isinstance(source, str) or source not in SOURCES:
        raise errors.unknown("source", source, SOURCES)
    if source == "rendered" and recipe.render:
        if where:
            raise errors.UserError(f"source 'rendered' reads no path: {where}.")
        return recipe.render(folder)
    if source == "tfds" and recipe.read_tfds:
        return recipe.read_tfds(where)
    from_path = {"file": recipe.read, "stream": recipe.stream}.get(source)
    if source == "file" and where is None:
        raise errors.UserError(
            f"source 'file' needs path=, the published file or one's own ({name})."
        )
    if from_path and where is None:
        raise errors.UserError(f"source {source!r} needs path=.")
    if from_path and where:
        at_size = {"side": size} if recipe.sized and size else {}
        return from_path(where, **at_size)
    raise errors.UserError(f"data set {name!r} has no source {source!r}.")


def _is_not_given(value: Any) -> bool:
    """Whether a path or a name is None or "", as fields of a config are."""
    return value is None or (isinstance(value, str) and not value)


def as_dataset(data: Any) -> Dataset:
    """A Dataset, or the one that is named; UserError on anything else."""
    if isinstance(data, str):
        return load(data)
    if not isinstance(data, Dataset):
        raise errors.UserError(
            f"data is a {type(data).__name__}, not a data set from load, or its name"
        )
    return data
