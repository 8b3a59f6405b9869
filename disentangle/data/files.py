"""Reads the published files: NumPy archives (.npz) and HDF5 (.h5, .hdf5).

Nothing is believed: the kind of file is taken from its first bytes, its schema, the
order of its rows and its checksum (where the size is a published one) are verified,
and whatever is wrong is said in one sentence.
"""

import hashlib
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from disentangle import errors, progress
from disentangle.data.space import FactorSpace
from disentangle.files import DAMAGE

LABEL_BYTES = 2**30  # that labels may take
CHUNK = 8192  # images read or written at a time
# Rows of a table, and the images (B, H, W) or (B, H, W, C) uint8 that belong there.
ImageChunks = Iterator[tuple[Any, np.ndarray]]

_MAGIC = (
    (b"PK\x03\x04", "npz"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
)
_SUFFIXES = {".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5"}
_NOT_DATA = (
    (b"version https://git-lfs", "a Git LFS pointer, not the data: run `git lfs pull`"),
    (b"<!doctype", "an HTML page, not the data: the download went wrong"),
    (b"<html", "an HTML page, not the data: the download went wrong"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x93numpy", "a single NumPy array (.npy)"),
    (b"\x89png", "a PNG image"),
)
_TITLES = {"imgs": "dSprites", "images": "Shapes3D"}  # by the name of the images


@dataclass(frozen=True)
class Layout:
    """How the published files of one data set are laid out.

    Attributes:
      title: name of the data set in messages.
      names: kind ("npz" or "hdf5") -> published file name.
      images: field of the images.
      labels: kind -> field that says which factors each image has.
      channels: axes of an image after (64, 64): () or (3,).
      factors: (N, K) labels as stored, space -> (N, F) int factor values; raises
        UserError on labels that belong to no factor value.
      values: (N, F) int factor values, space -> (N, F) float64 published values.
      tables: (N, F) int factor values, space, kind -> every field but the images.
      sha256: size in bytes -> sha256 of the published files, as far as known.
    """

    title: str
    names: Mapping[str, str]
    images: str
    labels: Mapping[str, str]
    channels: tuple[int, ...]
    factors: Callable[[np.ndarray, FactorSpace], np.ndarray]
    values: Callable[[np.ndarray, FactorSpace], np.ndarray]
    tables: Callable[[np.ndarray, FactorSpace, str], dict[str, np.ndarray]]
    sha256: Mapping[int, str]


def read(path: Path, layout: Layout, space: FactorSpace) -> ImageChunks:
    """Yields all images of a published file, chunk by chunk, in index order.

    The file is verified before the first chunk: what it is, its checksum if it has the
    size of a published file, its fields, their shapes and types, and that row i holds
    image i of the space (row-major, last factor fastest).

    Raises:
      UserError: it is not such a file, or it is damaged.
    """
    kind = _kind(path, layout)
    _verify_checksum(path, layout)
    reader = _read_npz if kind == "npz" else _read_hdf5
    try:
        yield from reader(path, layout, space)
    except errors.UserError:
        raise
    except DAMAGE as error:
        reason = " ".join((str(error) or type(error).__name__).split())[:200]
        raise errors.UserError(
            f"{path} is damaged or cut short ({path.stat().st_size:,} bytes"
            f"{_published_size(layout)}): {reason}."
        ) from error


def _published_size(layout: Layout) -> str:
    sizes = " or ".join(f"{size:,}" for size in layout.sha256)
    return f"; published: {sizes}" if sizes else ""


def _kind(path: Path, layout: Layout) -> str:
    """ "npz" or "hdf5" by content; UserError says what the file is otherwise."""
    if path.is_dir():
        raise errors.UserError(f"{path} is a folder; the path of a file is needed.")
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError as error:
        reason = error.strerror or error
        raise errors.UserError(f"cannot read {path}: {reason}.") from error
    if not head:
        raise errors.UserError(f"{path} is empty (0 bytes).")
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    expected = " or ".join(layout.names.values())
    if kind is None:
        start = head.lstrip().lower()
        what = next(
            (what for magic, what in _NOT_DATA if start.startswith(magic)), None
        )
        what = what or f"neither a NumPy archive (.npz) nor HDF5 (starts {head[:8]!r})"
        raise errors.UserError(f"{path} is {what}; expected {expected}.")
    named = _SUFFIXES.get(path.suffix.lower(), kind)
    if kind != named:
        raise errors.UserError(
            f"{path} is named {path.suffix} but its content is {kind}: it was renamed, "
            f"or is not the file it should be."
        )
    if kind not in layout.names:
        raise errors.UserError(
            f"{path} is {kind}; {layout.title} is published as {expected}."
        )
    return kind


def _verify_checksum(path: Path, layout: Layout) -> None:
    """A file of a published size must be the published file, byte for byte."""
    expected = layout.sha256.get(path.stat().st_size)
    if expected is None:
        return  # exported or packed again: its contents are verified instead
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise errors.UserError(
            f"{path} has the size of the published file but is damaged: its sha256 is "
            f"{found}, not {expected}."
        )


def _read_hdf5(path: Path, layout: Layout, space: FactorSpace) -> ImageChunks:
    with h5py.File(path, "r") as file:
        key = layout.labels["hdf5"]
        _verify_fields(path, layout, (layout.images, key), file)
        images = file[layout.images]
        _verify_images(path, layout, space, images.shape, images.dtype)
        _verify_size(path, key, file[key].shape, file[key].dtype)
        _verify_order(path, layout, space, file[key][:])
        # Whole storage chunks only: a split one would be unpacked twice.
        storage = images.chunks[0] if images.chunks else 1
        rows = max(CHUNK // storage, 1) * storage
        for start in progress.over(range(0, space.size, rows), f"reading {path.name}"):
            chunk = images[start : start + rows]
            yield slice(start, start + len(chunk)), chunk


def _read_npz(path: Path, layout: Layout, space: FactorSpace) -> ImageChunks:
    with zipfile.ZipFile(path) as archive:
        key = layout.labels["npz"]
        fields = [name.removesuffix(".npy") for name in archive.namelist()]
        _verify_fields(path, layout, (layout.images, key), fields)
        with archive.open(f"{key}.npy") as member:
            # Pickles are refused; the metadata field, which is one, is never opened.
            _verify_size(path, key, *npy_header(member, fortran=True))
            member.seek(0)
            labels = np.lib.format.read_array(member, allow_pickle=False)
        _verify_order(path, layout, space, labels)
        with archive.open(f"{layout.images}.npy") as member:
            shape, dtype = npy_header(member)
            _verify_images(path, layout, space, shape, dtype)
            yield from npy_chunks(member, path, shape)


def npy_chunks(member: IO[bytes], path: Path, shape: tuple[int, ...]) -> ImageChunks:
    """The images of an .npy in an archive, from behind its header to its end."""
    total, size = shape[0], int(np.prod(shape[1:]))
    for start in progress.over(range(0, total, CHUNK), f"reading {path.name}"):
        count = min(CHUNK, total - start)
        chunk = np.frombuffer(member.read(count * size), np.uint8)
        yield slice(start, start + count), chunk.reshape(count, *shape[1:])
    if member.read(1):  # reads to the end, where the archive's checksum is tested
        raise errors.UserError(f"{path} holds more than {total:,} images.")


def npy_header(
    member: Any, *, fortran: bool = False
) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type; ValueError on Fortran order, unless that does no harm."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
    else:
        shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(member)
    if is_fortran and not fortran:
        raise ValueError("images are stored in Fortran order")
    return shape, dtype


def _verify_fields(
    path: Path, layout: Layout, wanted: tuple[str, ...], file: Any
) -> None:
    if all(field in file for field in wanted):
        return
    found = sorted(file)
    title = next((_TITLES[field] for field in found if field in _TITLES), None)
    looks = f" It looks like {title}." if title and title != layout.title else ""
    raise errors.UserError(
        f"{path} is not {layout.title}: its fields are {', '.join(found) or 'none'}; "
        f"{', '.join(wanted)} are needed.{looks}"
    )


def _verify_size(path: Path, key: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """A header may claim anything: no memory is asked for that labels cannot need."""
    if math.prod(shape) * dtype.itemsize > LABEL_BYTES:
        raise errors.UserError(
            f"{path} is damaged: its {key} claim to be {dtype} {shape}."
        )


def _verify_images(
    path: Path,
    layout: Layout,
    space: FactorSpace,
    shape: tuple[int, ...],
    dtype: np.dtype,
) -> None:
    wanted = (space.size, 64, 64, *layout.channels)
    if shape != wanted or dtype != np.uint8:
        raise errors.UserError(
            f"{path} is not {layout.title}: {layout.images} is {dtype} {shape}, not "
            f"uint8 {wanted}."
        )


def _verify_order(
    path: Path, layout: Layout, space: FactorSpace, labels: np.ndarray
) -> None:
    try:
        index = space.index(layout.factors(labels, space))
    except errors.UserError as error:
        raise errors.UserError(f"{path} is not {layout.title}: {error}") from error
    if len(index) != space.size:
        raise errors.UserError(
            f"{path} labels {len(index):,} images; {layout.title} has {space.size:,}."
        )
    wrong = np.flatnonzero(index != np.arange(space.size))
    if wrong.size:
        row = wrong[0]
        raise errors.UserError(
            f"{path} is not in row-major factor order (last factor fastest): row {row} "
            f"holds image {index[row]}."
        )


def write_npy(
    file: IO[bytes], shape: tuple[int, ...], chunks: Iterator[np.ndarray]
) -> None:
    """Writes uint8 chunks one after another as ONE `.npy` array of that shape."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk).data)
