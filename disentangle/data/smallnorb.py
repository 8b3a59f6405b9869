"""SmallNORB: 50 toys in five categories, photographed in grey (LeCun et al. 2004).

From the six published files, gzipped or not: `dat` (images of two cameras), `cat`
(category) and `info` (instance, elevation, azimuth, lighting), for training and
testing, which have five instances of each category each. Both together are a full grid
of 48,600 images, in the order of Locatello et al. 2019: category, instance, elevation,
azimuth, lighting; the last is fastest. Images are those of the left camera, brought
from 96x96 to 64x64.

The files are named `.mat` but are no MATLAB's: a magic number, the number of axes, at
least three lengths, then the values, all little-endian.
"""

import gzip
import hashlib
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from disentangle import progress
from disentangle.data import tfds
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.grids import categorical, grid, ordinal, turning
from disentangle.data.own import assemble
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.files import read_bytes, reading

PARTS = (
    "smallnorb-5x46789x9x18x6x2x96x96-training",
    "smallnorb-5x01235x9x18x6x2x96x96-testing",
)
TYPES = {0x1E3D4C55: "u1", 0x1E3D4C54: "<i4"}  # magic number -> type of the values
RAW, SIDE = 96, 64
SHAPE = (SIDE, SIDE, 1)
SPACE = FactorSpace(
    (
        categorical("category", 5),
        categorical("instance", 10),
        ordinal("elevation", 9, 30.0, 5.0),
        turning("azimuth", 18),
        ordinal("lighting", 6),
    )
)
SHA256 = {  # size in bytes -> of the published files
    131_896_188: "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    348: "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    71_052: "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    130_799_817: "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    347: "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    10_428: "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
}


def read(path: Path) -> Dataset:
    """Both parts as one grid; a part of the images (in other files) as a table.

    Raises:
      UserError: a file is missing, damaged, or not what it should be.
    """
    path = path.absolute()
    parts = [_part(path, stem) for stem in PARTS]
    raw = np.concatenate([images for images, _ in parts])
    factors = np.concatenate([labels for _, labels in parts])
    return arranged(map(smaller, raw), factors, str(path))


def read_tfds(data_dir: Path | None) -> Dataset:
    """The images of a prepared copy of tfds, both splits; errors as `read`."""
    keys = [n if n == "instance" else f"label_{n}" for n in SPACE.names]
    _, found = tfds.examples("smallnorb", data_dir, ["image", *keys], ("train", "test"))
    images, rows = [], []
    for example in found:
        images.append(smaller(example["image"][..., 0]))
        rows.append([int(example[key]) for key in keys])
    return arranged(images, np.asarray(rows), "")


def arranged(images: Iterable[np.ndarray], factors: np.ndarray, path: str) -> Dataset:
    """The Dataset in the grid's order, of images (64, 64) and their factors (N, 5).

    All of them are the grid, fewer are a table.
    """
    limits = np.asarray(SPACE.sizes)
    wrong = ((factors < 0) | (factors >= limits)).any(1)
    if wrong.any():
        raise UserError(
            f"{path or 'tfds'} labels an image {factors[wrong][0].tolist()}: of "
            f"{', '.join(SPACE.names)}"
        )
    order = np.lexsort(factors.T[::-1])
    row_of, count = np.argsort(order), len(factors)
    table = np.empty((count, *SHAPE), np.uint8)
    with progress.Progress("read smallnorb", total=count, unit="image") as bar:
        for row, image in zip(row_of, images, strict=True):
            table[row, ..., 0] = image
            bar.advance()
    factors = factors[order]
    index = SPACE.index(factors)
    if count == SPACE.size and (index == np.arange(SPACE.size)).all():
        return grid(table, SPACE, SHAPE, name="smallnorb", path=path)
    columns = dict(zip(SPACE.names, factors.T, strict=True))
    return assemble(table, SHAPE, 255, columns, count, name="smallnorb", path=path)


def smaller(image: np.ndarray) -> np.ndarray:
    """(96, 96) uint8 -> (64, 64) uint8."""
    from PIL import Image

    small = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _part(folder: Path, stem: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 96, 96) uint8 of the left camera, and labels (N, 5), of one part."""
    found = {}
    for kind in ("dat", "cat", "info"):
        names = [f"{stem}-{kind}.mat{end}" for end in ("", ".gz")]
        there = next((folder / n for n in names if (folder / n).is_file()), None)
        if there is None:
            raise UserError(f"{folder} has no file {names[0]} or {names[1]}")
        found[kind] = matrix(there)
    images, category, info = found["dat"], found["cat"], found["info"]
    count = len(images)
    if images.shape[1:] != (2, RAW, RAW) or images.dtype != np.uint8:
        raise UserError(f"{folder / stem}-dat.mat holds {images.dtype} {images.shape}")
    if category.shape != (count,) or info.shape != (count, 4):
        raise UserError(
            f"{folder / stem}: {count:,} images, but labels of shape {category.shape} "
            f"and {info.shape}"
        )
    turned = info // [1, 1, 2, 1]  # azimuths are 0, 2, ..., 34
    return images[:, 0], np.concatenate([category[:, None], turned], axis=1)


def matrix(path: Path) -> np.ndarray:
    """The array in a file of this format; UserError where it is no whole one."""
    data = read_bytes(path)
    expected = SHA256.get(len(data))
    if expected and hashlib.sha256(data).hexdigest() != expected:
        raise UserError(f"{path} has the size of the published file but is damaged")
    with reading(path, "is no whole binary matrix"):
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        magic, axes = np.frombuffer(data, "<i4", 2).tolist()
        if magic not in TYPES or not 1 <= axes <= 8:
            raise UserError(f"it starts with {magic:#x} and {axes} axes")
        shape = np.frombuffer(data, "<i4", axes, 8).tolist()
        start, kind = 8 + 4 * max(3, axes), np.dtype(TYPES[magic])
        if min(shape) < 1 or start + math.prod(shape) * kind.itemsize != len(data):
            raise UserError(f"{len(data):,} bytes are not those of {shape} {kind}")
        return np.frombuffer(data, kind, offset=start).reshape(shape)


RECIPE = Recipe(
    read=read,
    read_tfds=read_tfds,
    about="48,600 grey images of 50 toys, 64x64: path= the folder of its six files",
)
