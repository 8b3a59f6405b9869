"""Data sets of full factor grids: `load` one, then `data.images(index)`."""

import os
from typing import Any

from disentangle import errors
from disentangle.data import dsprites, shapes3d
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.precision import float32
from disentangle.data.space import Factor, FactorSpace, Symmetry
from disentangle.files import place

__all__ = [
    "DATASETS",
    "Dataset",
    "Factor",
    "FactorSpace",
    "Symmetry",
    "as_dataset",
    "load",
]

DATASETS: dict[str, Recipe] = {
    "dsprites": dsprites.RECIPE,
    "shapes3d": shapes3d.RECIPE,
}
SOURCES = ("rendered", "file", "tfds")


@float32()
def load(
    name: str,
    *,
    path: str | os.PathLike | None = None,
    source: str | None = None,
    cache_dir: str | os.PathLike | None = None,
) -> Dataset:
    """Loads a data set; all sources give the same `Dataset`.

    Args:
      name: a key of `DATASETS`.
      path: the published file; with source="tfds", the folder of TensorFlow Datasets
        (its `data_dir`).
      source: "rendered" (no download), "file" (needs `path`) or "tfds" (a prepared
        copy); None means "file" if there is a path and "rendered" otherwise.
      cache_dir: where the rendered tables are kept; None for $DISENTANGLE_CACHE or,
        without it, ~/.cache/disentangle.

    Raises:
      UserError: unknown name or source, or a file that is not what it should be.
    """
    if not isinstance(name, str) or name not in DATASETS:
        raise errors.unknown("data set", name, DATASETS)
    where = None if _is_not_given(path) else place(path, "data path")
    folder = None if _is_not_given(cache_dir) else place(cache_dir, "cache_dir")
    if _is_not_given(source):
        source = "file" if where else "rendered"
    if not isinstance(source, str) or source not in SOURCES:
        raise errors.unknown("source", source, SOURCES)
    recipe = DATASETS[name]
    if source == "rendered":
        if where:
            raise errors.UserError(f"source 'rendered' reads no path: {where}.")
        return recipe.render(folder)
    if source == "tfds" and recipe.read_tfds:
        return recipe.read_tfds(where)
    if source == "file" and where is None:
        raise errors.UserError("source 'file' needs path=, the published file.")
    if source == "file" and where and recipe.read:
        return recipe.read(where)
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
