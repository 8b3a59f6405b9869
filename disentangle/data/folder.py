"""A folder of PNG and JPEG images, and the CSV that labels them."""

import csv
import difflib
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from disentangle import progress
from disentangle.data.labels import refuse_repeated
from disentangle.data.stream import THREADS
from disentangle.errors import UserError
from disentangle.files import DAMAGE, reading

SUFFIXES = (".png", ".jpg", ".jpeg")
LABELS = "labels.csv"
GREY = ("1", "L", "LA", "La")
COLOUR = ("RGB", "RGBA", "RGBa", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB")
GUESSES = 1000  # names among which the one that was meant is looked for


class Files(NamedTuple):
    """The images of a folder.

    Attributes:
      paths: N files, those of the CSV first, in its order, then the others by name.
      shape: (H, W, C) of every image.
      columns: attribute -> N words, "" where the label is missing.
      identity: a hash of names, sizes in bytes and shape.
    """

    paths: tuple[Path, ...]
    shape: tuple[int, int, int]
    columns: dict[str, list[str]]
    identity: str

    def decode(self, index: int) -> np.ndarray:
        """Image number `index` as (H, W, C) uint8."""
        return decoded(self.paths[index], self.shape)


def scan(folder: Path, labels: str | None) -> Files:
    """Looks at every image's header, and reads the labels; no pixel is decoded.

    Args:
      folder: with images, also in folders below it.
      labels: name of the CSV in the folder; None: there are no labels.

    Raises:
      UserError: no such folder, no image in it, images of different sizes, one that
        cannot be read, or a CSV that is not as `read_labels` says.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "is not there"
        raise UserError(f"the folder of images {folder} {what}")
    with reading(folder):
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        known = {path.relative_to(folder).as_posix(): path for path in found}
    if not known:
        raise UserError(
            f"{folder} holds no image: files must end in {', '.join(SUFFIXES)}"
        )
    names: list[str] = []
    columns: dict[str, list[str]] = {}
    if labels is not None:
        names, columns = read_labels(folder / labels, known)
    listed = set(names)
    rest = [name for name in known if name not in listed]
    columns = {name: [*words, *[""] * len(rest)] for name, words in columns.items()}
    paths = tuple(known[name] for name in (*names, *rest))
    shape = _one_shape(paths)
    sizes = ((name, known[name].stat().st_size) for name in (*names, *rest))
    digest = hashlib.blake2b(repr((shape, list(sizes))).encode(), digest_size=16)
    return Files(paths, shape, columns, digest.hexdigest())


def read_labels(
    path: Path, known: dict[str, Path]
) -> tuple[list[str], dict[str, list[str]]]:
    """The files that a CSV names, and its columns of words.

    A header, then one line per image: its file, as it is called from the folder, and
    a word or number per attribute, nothing where it is not known. Commas, semicolons
    or tabs.

    Args:
      path: of the CSV.
      known: the images there are, by name.

    Raises:
      UserError: no such file, a line of another length, a file that is not there or
        is named twice, or two columns of one name.
    """
    with reading(path):
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        text = path.read_text(encoding="utf-8-sig")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    read = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    try:
        lines = [[cell.strip() for cell in line] for line in read]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    lines = [line for line in lines if any(line)]
    if len(lines) < 2:
        raise UserError(f"{path} labels no image: it has no line after its header")
    header, *rows = lines
    refuse_repeated(header[1:])
    names: dict[str, list[str]] = {}
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise UserError(
                f"{path}, row {number}, has {len(row)} cells, but the header has "
                f"{len(header)}"
            )
        name = Path(row[0]).as_posix()
        if name not in known:
            close = difflib.get_close_matches(name, list(known)[:GUESSES], n=1)
            guess = f"; did you mean {close[0]!r}?" if close else ""
            raise UserError(
                f"{path}, row {number}, names {row[0]!r}, which is not among the "
                f"images of the folder{guess}"
            )
        if name in names:
            raise UserError(f"{path} names {name!r} twice, the second in row {number}")
        names[name] = row[1:]
    columns = zip(*names.values(), strict=True)
    return list(names), {
        name: list(words) for name, words in zip(header[1:], columns, strict=True)
    }


def decoded(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """The pixels of a file as (H, W, C) uint8, grey or RGB; UserError on damage."""

    def pixels(image: Image.Image) -> np.ndarray:
        return np.asarray(image.convert("L" if shape[-1] == 1 else "RGB"))

    found = opened(path, pixels)
    if found.shape[:2] != shape[:2]:
        raise UserError(
            f"{path} is {found.shape[0]}x{found.shape[1]}, not {shape[0]}x{shape[1]}: "
            "it was changed"
        )
    return found.reshape(shape)


def opened(path: Path, use: Callable[[Image.Image], Any]) -> Any:
    """use(image of a file); UserError naming the file where that cannot be done."""
    try:
        with Image.open(path) as image:
            return use(image)
    except (*DAMAGE, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"the image {path} cannot be read: {reason}") from None


def every(function: Callable[[Any], Any], items: Sequence[Any], what: str) -> list[Any]:
    """function(item) of every item, several at a time, in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(function, item) for item in items]
        return [done.result() for done in progress.over(running, what, unit="image")]


def _one_shape(paths: Sequence[Path]) -> tuple[int, int, int]:
    """(H, W, C) of all images; UserError where they have different sizes."""
    heads = every(
        lambda path: opened(path, lambda image: (image.size, image.mode)),
        paths,
        "look at the images",
    )
    channels = 1
    for path, (size, mode) in zip(paths, heads, strict=True):
        if size != heads[0][0]:
            (width, height), (first_width, first_height) = size, heads[0][0]
            raise UserError(
                f"images have different sizes: {paths[0].name} is "
                f"{first_height}x{first_width} and {path.name} {height}x{width}; bring "
                "them to one size first"
            )
        if mode not in (*GREY, *COLOUR):
            raise UserError(f"the image {path} is {mode!r}, not 8 bits grey or colour")
        channels = 1 if channels == 1 and mode in GREY else 3
    width, height = heads[0][0]
    return height, width, channels
