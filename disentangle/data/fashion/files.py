"""Lines and photographs of published data sets, and one sentence for what is wrong.

Repositories keep large files in Git LFS: who downloads without it has a pointer, three
lines of text under the file's own name. That is said, and which line of which list
names a file that is missing, broken or not there.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from disentangle.data import folder as folders
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.own import assemble
from disentangle.data.stream import EachFile
from disentangle.errors import UserError
from disentangle.files import reading
from disentangle.progress import say

SIDE = 64
POINTER = b"version https://git-lfs"
LFS = "is a Git LFS pointer, not the file itself: run `git lfs pull` where it is from"

FIT = 2**31  # bytes of images that are kept on the device
Prepare = Callable[[np.ndarray], np.ndarray]
Box = tuple[int, int, int, int]  # left, top, right, bottom of what is cut out


class Photograph(NamedTuple):
    """An image file and where it is named.

    Attributes:
      path: of the file.
      listed: the file that names it, and
      line: the line there, from 1; or words for the place, such as "item 12".
      box: what is cut out of it, in its own pixels; None for all.
    """

    path: Path
    listed: Path
    line: int | str
    box: Box | None = None

    @property
    def place(self) -> str:
        """Where it is named, for a sentence."""
        where = self.line if isinstance(self.line, str) else f"line {self.line}"
        return f"{self.listed}, {where}"


def text_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, without those at its end that are empty.

    Raises:
      UserError: no such file, a Git LFS pointer, or no text.
    """
    with reading(path):
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        data = path.read_bytes()
    if data.startswith(POINTER):
        raise UserError(f"{path} {LFS}")
    with reading(path):
        lines = data.decode("utf-8-sig").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def numbers(path: Path, least: int = 0) -> list[list[int]]:
    """The whole numbers of every line; a number may be written as "1.0".

    Args:
      path: of the file.
      least: the smallest that may stand there.

    Raises:
      UserError: naming the line that holds something else.
    """
    found = []
    for number, line in enumerate(text_lines(path), 1):
        try:
            values = [float(word) for word in line.split()]
            whole = [int(value) for value in values]
        except (ValueError, OverflowError):
            raise UserError(
                f"{path}, line {number}, holds no numbers: {line[:60]!r}"
            ) from None
        if any(a != b or a < least for a, b in zip(values, whole, strict=True)):
            raise UserError(
                f"{path}, line {number}, holds numbers that are not whole or are below "
                f"{least}: {line[:60]!r}"
            )
        found.append(whole)
    return found


def photographs(
    photos: Sequence[Photograph],
    columns: Mapping[str, Any],
    *,
    name: str,
    path: Path,
    root: Path | None = None,
    stream: bool = False,
    side: int = SIDE,
    prepare: Prepare | None = None,
    parts: tuple[int, int] = (0, 0),
) -> Dataset:
    """A data set of photographs of any size, all brought to side x side.

    More than `FIT` bytes of them are streamed, told or not.

    Args:
      photos: N files.
      columns: attribute -> (N,) labels, see `labels.column`.
      name: of the data set.
      path: of its folder, from which it can be read again.
      root: the folder that all files are below, where it is another one.
      stream: whether images are read when a step needs them, and not kept.
      side: pixels of a side.
      prepare: (h, w, 3) uint8 of a photograph or its box -> the same, changed.
      parts: see `Dataset`.

    Raises:
      UserError: no photographs, one that is not there, is a Git LFS pointer or cannot
        be read, with the line that names it; of streamed ones the last two are found
        when they are read.
    """
    if not photos:
        raise UserError(f"the lists of {path} name no image")
    for photo in photos:
        if not photo.path.is_file():
            raise UserError(f"{photo.place}, names {photo.path}, which is not there")

    def decode(index: int) -> np.ndarray:
        photo = photos[index]
        try:
            return pixels(photo.path, photo.box, side, prepare)
        except UserError as error:
            raise UserError(f"{error} ({photo.place})") from None

    below = root or path
    facts = [
        (str(p.path.relative_to(below)), p.box, p.path.stat().st_size) for p in photos
    ]
    told = (side, prepare is not None, facts)
    digest = hashlib.blake2b(repr(told).encode(), digest_size=16)
    images, count = EachFile(decode, digest.hexdigest()), len(photos)
    shape = (side, side, 3)
    if not stream and count * side * side * 3 > FIT:
        say(f"{name}: {count:,} images are read when they are needed, not kept")
        stream = True
    held = images if stream else images.table(count, shape, f"read {name}")
    found = assemble(held, shape, 255, columns, count, name=name, path=str(path))
    return dataclasses.replace(found, parts=parts)


def recipe(read: Callable[..., Dataset], about: str) -> Recipe:
    """The row of DATASETS of photographs that `read` reads, from a path alone."""
    return Recipe(
        read=read,
        stream=functools.partial(read, stream=True),
        network="padded",
        about=about,
        sized=True,
    )


def pixels(
    path: Path, box: Box | None, side: int, prepare: Prepare | None = None
) -> np.ndarray:
    """A photograph as (side, side, 3) uint8, the whole of it or of a box.

    Raises:
      UserError: a Git LFS pointer, a file that cannot be read, a box outside of it.
    """
    with reading(path), open(path, "rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise UserError(f"it {LFS}")

    def small(image: Image.Image) -> np.ndarray:
        found = image.convert("RGB")
        if box is not None:
            left, top, right, bottom = box
            inside = 0 <= left < right <= image.width
            if not inside or not 0 <= top < bottom <= image.height:
                raise UserError(
                    f"the box {box} is not inside the image {path}, which is "
                    f"{image.width} wide and {image.height} high"
                )
            found = found.crop(box)
        if prepare is not None:
            found = Image.fromarray(prepare(np.asarray(found)))
        return np.asarray(found.resize((side, side), Image.Resampling.BILINEAR))

    return np.asarray(folders.opened(path, small))


def image_folder(folder: Path) -> Path:
    """Where the images are: in "images", "img" or the folder itself."""
    named = (folder / name for name in ("images", "img"))
    return next((place for place in named if place.is_dir()), folder)


def checked_folder(path: Path) -> Path:
    """The absolute path of a folder; UserError if it is none."""
    path = path.absolute()
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "is not there"
        raise UserError(f"the folder {path} {what}")
    return path


def relative(folder: Path, word: str, listed: Path, line: int) -> Path:
    """A path below a folder that a line names; UserError for one that leads out."""
    found = folder / word
    if ".." in Path(word).parts or Path(word).is_absolute():
        raise UserError(f"{listed}, line {line}, names {word!r}, outside of {folder}")
    return found
