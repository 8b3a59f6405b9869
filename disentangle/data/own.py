"""One's own images: arrays, a folder, or a file, with the labels there are.

    data = from_arrays(images, factors, names)
    data = from_folder("photos")                  # photos/labels.csv
    data = load("own", path="photos.npz")         # or .h5, or a folder

From everywhere come the same kinds of labels: see `labels.column`.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np

from disentangle.data import folder as folders
from disentangle.data.dataset import Dataset, Recipe, draw_rows
from disentangle.data.labels import coded, columns_of
from disentangle.data.pixels import checked, shaped
from disentangle.data.stream import ArrayRows, EachFile, HdfRows, Reader, Streamed
from disentangle.errors import UserError
from disentangle.files import place, reading

NAME = "own"
MAGIC = {b"PK\x03\x04": "npz", b"\x89HDF": "hdf5"}


def from_arrays(
    images: Any, factors: Any = None, names: Any = None, *, stream: bool = False
) -> Dataset:
    """A data set of one's own images.

    Args:
      images: (N, H, W) or (N, H, W, C), C 1 (grey) or 3 (RGB): whole numbers in
        0 .. 255, bool, or floats in [0, 1], kept at 8 bits.
      factors: (N, F) or (N,) labels, row n those of image n: whole numbers, real
        numbers or words; -1, NaN or "" where a label is missing. None: no labels.
      names: F names; None are a data frame's own, or "factor 0", ...
      stream: whether the images stay on the host (uint8 only, such as an array that
        NumPy maps from a file), and every step asks for those it needs.

    Returns:
      The Dataset. Labels that are a full grid in row-major order make it one, so that
      pairs and groups of images can be drawn from it.

    Raises:
      UserError: images or labels that cannot be used, or that do not go together.
    """
    columns = columns_of(factors, names)
    if stream:
        table = shaped(np.asanyarray(images))
        if table.dtype != np.uint8:
            raise UserError(f"images are {table.dtype}; streamed ones must be uint8")
        rows = ArrayRows(table, f"{table.shape}")
        return assemble(rows, table.shape[1:], 255, columns, len(table))
    table, max_value = checked(images)
    return assemble(table, table.shape[1:], max_value, columns, len(table))


def from_folder(
    folder: str | os.PathLike,
    labels: str | None = folders.LABELS,
    *,
    stream: bool = False,
) -> Dataset:
    """A data set of the PNG and JPEG images in a folder, and below it.

    Args:
      folder: its path.
      labels: name of the CSV in it: a header, then one line per image, its file first
        and then a word or number per attribute; empty where that is not known. An
        image without a line has no labels. None: there are no labels; that is so too
        where there is no file of the usual name, labels.csv.
      stream: whether the images are read when a step needs them, and not kept.

    Returns:
      The Dataset, images in the order of the CSV, then by name. All are grey, or all
      RGB where any is in colour.

    Raises:
      UserError: no images, images of different sizes, a file that cannot be read, or
        labels that cannot be used.
    """
    where = place(folder, "folder of images").absolute()
    has_labels = labels is not None and (
        labels != folders.LABELS or not where.is_dir() or (where / labels).exists()
    )
    files = folders.scan(where, labels if has_labels else None)
    own = labels is not None and labels != folders.LABELS
    path = "" if labels is None else str(where / labels if own else where)
    count, shape = len(files.paths), files.shape
    images = EachFile(files.decode, files.identity)
    held = images if stream else images.table(count, shape, f"read {where.name}")
    return assemble(held, shape, 255, files.columns, count, path=path)


def assemble(
    images: np.ndarray | Reader,
    shape: tuple[int, ...],
    max_value: int,
    columns: Mapping[str, Any],
    count: int,
    *,
    name: str = NAME,
    path: str = "",
) -> Dataset:
    """A Dataset of images and columns of labels.

    Args:
      images: (N, H, W, C) uint8, or what reads them.
      shape: (H, W, C).
      max_value: largest pixel value.
      columns: name of a factor -> (N,) labels.
      count: N.
      name: of the data set.
      path: where all this was read from, absolute; "" if from nowhere.
    """
    height, width, channels = shape
    space, labels = coded(columns, count)
    size = (height, width, channels)
    arrays: Any = ()
    draw: Any = draw_rows
    if isinstance(images, np.ndarray):
        arrays = jax.device_put(images)
    else:
        draw = Streamed(images, size)
    return Dataset(arrays, name, space, size, max_value, draw, labels=labels, path=path)


def read(path: Path, *, stream: bool = False) -> Dataset:
    """The data set of a path: a folder, a CSV in a folder of images, .npz, .h5.

    A file holds `images` and, where there are labels, `factors` (N, F) and `names`
    (F,), as `from_arrays` takes them. An .npz cannot be streamed.
    """
    path = path.absolute()
    if path.is_dir():
        return from_folder(path, stream=stream)
    if path.suffix.lower() == ".csv":
        return from_folder(path.parent, path.name, stream=stream)
    kind = _kind(path)
    if kind == "npz" and stream:
        raise UserError(
            f"{path} is .npz, which is read as a whole: stream a folder or .h5"
        )
    with reading(path):
        if kind == "hdf5":
            return _read_hdf(path, stream)
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as held:
            return _of_fields(path, {name: held[name] for name in _fields(path, held)})


def stream(path: Path) -> Dataset:
    """As `read`, images read when they are needed."""
    return read(path, stream=True)


def _read_hdf(path: Path, stream: bool) -> Dataset:
    with h5py.File(path, "r") as file:
        fields = _fields(path, file)
        images = file["images"]
        arrays = {name: file[name][:] for name in fields if name != "images"}
        if not stream:
            return _of_fields(path, {"images": images[:]} | arrays)
        one = shaped(np.asarray(images[:1]))
        if one.dtype != np.uint8:
            raise UserError(f"its images are {one.dtype}; streamed ones must be uint8")
        columns = columns_of(arrays.get("factors"), _names(arrays))
        stat = path.stat()
        reader = HdfRows(str(path), _hash(images.shape, stat.st_size))
        return assemble(
            reader, one.shape[1:], 255, columns, len(images), path=str(path)
        )


def _of_fields(path: Path, fields: Mapping[str, np.ndarray]) -> Dataset:
    columns = columns_of(fields.get("factors"), _names(fields))
    table, max_value = checked(fields["images"])
    return assemble(
        table, table.shape[1:], max_value, columns, len(table), path=str(path)
    )


def _fields(path: Path, file: Any) -> list[str]:
    """Those of `images`, `factors`, `names` that a file has; images are a must."""
    found = sorted(file)
    if "images" not in found:
        held = ", ".join(found) or "none"
        raise UserError(f"it has no field 'images' (its fields: {held})")
    return [name for name in ("images", "factors", "names") if name in found]


def _names(fields: Mapping[str, np.ndarray]) -> list[str] | None:
    if "names" not in fields:
        return None
    words = np.asarray(fields["names"]).reshape(-1).tolist()
    return [w.decode() if isinstance(w, bytes) else str(w) for w in words]


def _kind(path: Path) -> str:
    """ "npz" or "hdf5", by the first bytes of a file."""
    with reading(path):
        if not path.exists():
            raise UserError("this file or folder does not exist")
        with open(path, "rb") as file:
            head = file.read(4)
    if head not in MAGIC:
        raise UserError(
            f"{path} is not a folder of images, .npz or .h5: it starts with {head!r}"
        )
    return MAGIC[head]


def _hash(*facts: Any) -> str:
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


RECIPE = Recipe(
    read=read,
    stream=stream,
    network="padded",
    about="your own images and labels: path= a folder, an .npz or an .h5",
)
