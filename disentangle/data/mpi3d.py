"""MPI3D: a robot's arm turns an object, drawn and photographed (Gondal et al. 2019).

From one published file: `mpi3d_toy.npz`, `mpi3d_realistic.npz` or `mpi3d_real.npz`
(1,036,800 images of 64x64x3, 12.7 GB each), or the real images of complex shapes
(460,800). Its only field is `images`, uint8, in the order of the factors below, the
last fastest. The published archives are not compressed, so that source="stream" reads
images where they lie; `images.npy`, taken out of an archive, is read too.
"""

import hashlib
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from disentangle import progress
from disentangle.data.aligned import aligned
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.files import CHUNK, npy_chunks, npy_header
from disentangle.data.grids import categorical, grid, ordinal
from disentangle.data.space import FactorSpace
from disentangle.data.stream import ArrayRows
from disentangle.errors import UserError
from disentangle.files import reading

FIELD = "images.npy"
SHAPE = (64, 64, 3)


def space_of(colours: int, shapes: int) -> FactorSpace:
    """The seven factors; the sets differ in the objects."""
    return FactorSpace(
        (
            categorical("object_color", colours),
            categorical("object_shape", shapes),
            ordinal("object_size", 2),
            ordinal("camera_height", 3),
            categorical("background_color", 3),
            ordinal("horizontal_axis", 40),
            ordinal("vertical_axis", 40),
        )
    )


SIMPLE, COMPLEX = space_of(6, 6), space_of(4, 4)
SPACES = (SIMPLE, COMPLEX)
BYTES = 12_740_198_762  # of each published file of simple shapes
MD5 = {  # of each, as far as it is known
    "55889cb7c7dfc655d6e0277beee88868": "mpi3d_toy.npz",
    "59a6225b88b635365f70c91b3e52f70f": "mpi3d_realistic.npz",
    "0f33f609918fb5c97996692f91129802": "mpi3d_real.npz",
}


def read(path: Path) -> Dataset:
    """All images in memory; errors as `stream`, and where the file is damaged."""
    path = path.absolute()
    _refuse_folder(path)
    with reading(path):
        if path.suffix == ".npy":
            held, space = _mapped(path, 0)
            parts = range(0, space.size, CHUNK)
            chunks = ((slice(i, i + CHUNK), held[i : i + CHUNK]) for i in parts)
            return _filled(path, space, chunks)
        _verify_md5(path)
        with zipfile.ZipFile(path) as archive, archive.open(_field(archive)) as member:
            shape, dtype = npy_header(member)
            space = _space(shape, dtype)
            return _filled(path, space, npy_chunks(member, path, shape))


def _filled(path: Path, space: FactorSpace, chunks: Any) -> Dataset:
    """The Dataset of chunks (rows, images)."""
    table = aligned((space.size, *SHAPE), np.uint8)
    for rows, images in chunks:
        table[rows] = images
    return grid(table, space, SHAPE, name="mpi3d", path=path)


def stream(path: Path) -> Dataset:
    """Images are read from the file when a step needs them.

    Raises:
      UserError: the file is not there, is compressed, or holds other images.
    """
    path = path.absolute()
    _refuse_folder(path)
    with reading(path):
        offset = 0 if path.suffix == ".npy" else _offset(path)
        images, space = _mapped(path, offset)
    stat = path.stat()
    held = ArrayRows(images, f"{images.shape} {stat.st_size}")
    return grid(held, space, SHAPE, name="mpi3d", path=path)


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        names = ", ".join(sorted(file.name for file in path.glob("*.npz"))) or "none"
        raise UserError(
            f"{path} is a folder; the path of one .npz is needed (in it: {names})"
        )


def _space(shape: tuple[int, ...], dtype: np.dtype) -> FactorSpace:
    """The factors of as many images; UserError where no set has them."""
    found = next((space for space in SPACES if space.size == shape[0]), None)
    if found is None or shape[1:] != SHAPE or dtype != np.uint8:
        counts = " or ".join(f"{space.size:,}" for space in SPACES)
        raise UserError(
            f"it is not MPI3D: images are {dtype} {shape}, not uint8 ({counts}, 64, "
            "64, 3)"
        )
    return found


def _field(archive: zipfile.ZipFile) -> str:
    if FIELD not in archive.namelist():
        held = ", ".join(archive.namelist()) or "none"
        raise UserError(
            f"it is not MPI3D: it has no field 'images' (its fields: {held})"
        )
    return FIELD


def _offset(path: Path) -> int:
    """Where the array begins in an archive that is not compressed."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(_field(archive))
    if member.compress_type != zipfile.ZIP_STORED:
        raise UserError(
            "it is compressed, so that no image can be read alone: unpack it "
            f"(`unzip {path.name} {FIELD}`) and give the path of {FIELD}"
        )
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        name, extra = struct.unpack("<26xHH", file.read(30))
    return member.header_offset + 30 + name + extra


def _mapped(path: Path, offset: int) -> tuple[np.ndarray, FactorSpace]:
    """The array (N, 64, 64, 3) of an .npy that begins at `offset`, not read."""
    with open(path, "rb") as file:
        file.seek(offset)
        shape, dtype = npy_header(file)
        space, start = _space(shape, dtype), file.tell()
    if path.stat().st_size < start + math.prod(shape):
        raise UserError(f"it is cut short: {path.stat().st_size:,} bytes")
    return np.memmap(path, np.uint8, "r", start, shape), space


def _verify_md5(path: Path) -> None:
    """A file of the published size must be one of the published files."""
    if path.stat().st_size != BYTES:
        return  # packed again: the archive's own checksum is verified as it is read
    with open(path, "rb") as file, progress.waiting(f"verify {path.name}"):
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found not in MD5:
        raise UserError(
            f"it has the size of a published file but is damaged: its md5 is {found}"
        )


RECIPE = Recipe(
    space=None,
    read=read,
    stream=stream,
    about="1,036,800 (or 460,800) images of a robot's arm, 64x64: path= an .npz of it",
)
