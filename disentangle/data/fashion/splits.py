"""Shopping100k and DeepFashion in the split files of ADDE (Hou et al. 2021).

  imgs_train.txt imgs_test.txt       an image per line, as found below the images
  labels_train.txt labels_test.txt   a one-hot row per line, all 0 where none is known
  attr_num.txt                       how many values each attribute has, one per line
  triplet_train.txt                  reference, positive, negative: lines from 0
  triplet_train_ind.txt              of each, -1 at the old value and 1 at the new
  ref_test.txt indfull_test.txt gt_test.txt   the published queries: the line of the
                                     image asked with, the same indicator, the target's
                                     labels

Training images come first, then test images. The images are not public: of Shopping100k
its author sends them, of DeepFashion its page does.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.fashion.files import (
    SIDE,
    Photograph,
    checked_folder,
    image_folder,
    numbers,
    photographs,
    recipe,
    relative,
    text_lines,
)
from disentangle.data.labels import MISSING
from disentangle.errors import UserError

PARTS = ("train", "test")
# By alphabet, as the number of values and the place of gender say (12 and 3 of them).
SHOPPING = (
    *("category", "collar", "color", "fabric", "fastening", "fit", "gender"),
    *("neckline", "pattern", "pocket", "sleeve", "sport"),
)
DEEPFASHION = ("category", "texture", "shape")
NAMES = {"shopping100k": SHOPPING, "deepfashion_splits": DEEPFASHION}
ABSENT = -2  # a value that no image has


class Split(NamedTuple):
    """The images of one part and their labels.

    Attributes:
      names: N images, as the list names them.
      values: (N, A) int64, -1 where a label is missing.
      sizes: (A,) values of each attribute.
    """

    names: list[str]
    values: np.ndarray
    sizes: tuple[int, ...]


class Triplets(NamedTuple):
    """Edits for training: images of the training part, from 0.

    Attributes:
      reference, positive, negative: (n,) images.
      old, new: (n, A) values taken away and put there, -1 for none.
    """

    reference: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    old: np.ndarray
    new: np.ndarray


class Queries(NamedTuple):
    """The published queries: images of the test part, from 0.

    Attributes:
      reference: (n,) images asked with.
      old, new: (n, A) values taken away and put there, -1 for none.
      wanted: (n, A) labels that are right, -1 where one must be missing.
    """

    reference: np.ndarray
    old: np.ndarray
    new: np.ndarray
    wanted: np.ndarray


def sizes_of(folder: Path) -> tuple[int, ...]:
    """The number of values of each attribute, from attr_num.txt."""
    path = folder / "attr_num.txt"
    rows = [row for row in numbers(path, least=1) if row]
    if not rows or any(len(row) != 1 for row in rows):
        raise UserError(f"{path} must hold one number of values per line")
    return tuple(row[0] for row in rows)


def one_hot_values(path: Path, sizes: Sequence[int]) -> np.ndarray:
    """(N, A) values of one-hot rows, -1 where an attribute's are all 0.

    Raises:
      UserError: naming the line that has another length, two values of one attribute,
        or a number other than 0 and 1.
    """
    rows = _rows(path, sum(sizes), least=0)
    return _values(path, rows, sizes, 1, highest=1)


def indicators(path: Path, sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(n, A) old and (n, A) new values of rows of -1, 0 and 1; errors as above."""
    rows = _rows(path, sum(sizes), least=-1)
    old = _values(path, rows, sizes, -1, highest=1)
    return old, _values(path, rows, sizes, 1, highest=1)


def _rows(path: Path, width: int, least: int) -> np.ndarray:
    found = numbers(path, least)
    for line, row in enumerate(found, 1):
        if len(row) != width:
            raise UserError(
                f"{path}, line {line}, has {len(row)} numbers, but the attributes of "
                f"attr_num.txt have {width} values"
            )
    return np.array(found, np.int64).reshape(len(found), width)


def _values(
    path: Path, rows: np.ndarray, sizes: Sequence[int], mark: int, *, highest: int
) -> np.ndarray:
    """(N, A) the value marked in each attribute's part of a row, -1 for none."""
    large = rows > highest
    if large.any():
        line, _ = np.argwhere(large)[0]
        raise UserError(f"{path}, line {line + 1}, holds {rows[large][0]}, not 0 or 1")
    found, start = [], 0
    for attribute, size in enumerate(sizes):
        own = rows[:, start : start + size] == mark
        several = np.flatnonzero(own.sum(1) > 1)
        if len(several):
            places = np.flatnonzero(own[several[0]])
            raise UserError(
                f"{path}, line {several[0] + 1}, gives attribute {attribute} two "
                f"values ({places[0]} and {places[1]})"
            )
        found.append(np.where(own.any(1), own.argmax(1), MISSING))
        start += size
    return np.stack(found, axis=1)


def split_of(folder: Path, part: str) -> Split:
    """The images and labels of "train" or "test".

    Raises:
      UserError: files that are not there, are Git LFS pointers, or do not go together.
    """
    sizes = sizes_of(folder)
    names = [line.strip() for line in text_lines(folder / f"imgs_{part}.txt")]
    values = one_hot_values(folder / f"labels_{part}.txt", sizes)
    if len(names) != len(values):
        raise UserError(
            f"imgs_{part}.txt of {folder} names {len(names):,} images, but "
            f"labels_{part}.txt has {len(values):,} rows"
        )
    return Split(names, values, sizes)


def read_splits(
    path: Path,
    *,
    name: str,
    attributes: Sequence[str],
    stream: bool = False,
    side: int = SIDE,
) -> Dataset:
    """The training images, then the test images, with their labels.

    Args:
      path: the folder of the split files; the images are in "images" or "img" in it
        (a link will do), or in itself.
      name: of the data set.
      attributes: names; others than attr_num.txt has are numbered.
      stream: whether images are read when a step needs them, and not kept.
      side: pixels of a side.
    """
    folder = checked_folder(path)
    place = image_folder(folder)
    parts = [split_of(folder, part) for part in PARTS]
    photos = []
    for part, split in zip(PARTS, parts, strict=True):
        own = folder / f"imgs_{part}.txt"
        for line, word in enumerate(split.names, 1):
            photos.append(Photograph(relative(place, word, own, line), own, line))
    values = np.concatenate([split.values for split in parts])
    sizes = parts[0].sizes
    names = attributes if len(attributes) == len(sizes) else _numbered(len(sizes))
    columns = {
        n: values[:, a] for a, n in enumerate(names) if (values[:, a] >= 0).any()
    }
    return photographs(
        photos,
        columns,
        name=name,
        path=folder,
        stream=stream,
        side=side,
        parts=(len(parts[0].names),) * 2,
    )


def _numbered(count: int) -> list[str]:
    return [f"attribute {a}" for a in range(count)]


def triplets(folder: Path) -> Triplets:
    """The published training triplets.

    Raises:
      UserError: files that are not there or do not go together; a line that names an
        image that the list does not have.
    """
    split = split_of(folder, "train")
    path = folder / "triplet_train.txt"
    rows = numbers(path)
    _check_images(path, rows, 3, len(split.names))
    old, new = indicators(folder / "triplet_train_ind.txt", split.sizes)
    _same_length(path, len(rows), folder / "triplet_train_ind.txt", len(old))
    reference, positive, negative = np.array(rows, np.int64).reshape(-1, 3).T
    return Triplets(reference, positive, negative, old, new)


def queries(folder: Path) -> Queries:
    """The published test queries; errors as `triplets`."""
    split = split_of(folder, "test")
    path = folder / "ref_test.txt"
    rows = numbers(path)
    _check_images(path, rows, 1, len(split.names))
    old, new = indicators(folder / "indfull_test.txt", split.sizes)
    wanted = one_hot_values(folder / "gt_test.txt", split.sizes)
    for other, count in (("indfull_test.txt", len(old)), ("gt_test.txt", len(wanted))):
        _same_length(path, len(rows), folder / other, count)
    return Queries(np.array(rows, np.int64).reshape(-1), old, new, wanted)


def queries_of(data: Dataset) -> Queries | None:
    """The published queries of a data set from here, in its own values; None of others.

    A value that no image has is `ABSENT`. Errors as `queries`.
    """
    if data.name not in NAMES or not data.path:
        return None
    folder = Path(data.path)
    asked, names = queries(folder), NAMES[data.name]
    count = len(sizes_of(folder))
    words = list(names) if len(names) == count else _numbered(count)

    def coded(table: np.ndarray) -> np.ndarray:
        found = []
        for factor in data.space.items:
            place = {int(value): code for code, value in enumerate(factor.values)}
            place[MISSING] = MISSING
            column = table[:, words.index(factor.name)].tolist()
            found.append([place.get(value, ABSENT) for value in column])
        return np.array(found, np.int64).T.reshape(len(table), len(data.space.items))

    return Queries(
        asked.reference, coded(asked.old), coded(asked.new), coded(asked.wanted)
    )


def _check_images(path: Path, rows: list[list[int]], width: int, count: int) -> None:
    for line, row in enumerate(rows, 1):
        if len(row) != width or max(row) >= count:
            raise UserError(
                f"{path}, line {line}, must be {width} of the numbers 0 to "
                f"{count - 1:,}, but is {row}"
            )


def _same_length(path: Path, count: int, other: Path, others: int) -> None:
    if count != others:
        raise UserError(
            f"{path} has {count:,} lines, but {other.name} has {others:,}: line n of "
            "both must belong together"
        )


SHOPPING100K = recipe(
    functools.partial(read_splits, name="shopping100k", attributes=SHOPPING),
    "100,586 photographs of clothes, 12 attributes: path= ADDE's split files, images "
    "below",
)
DEEPFASHION_SPLITS = recipe(
    functools.partial(read_splits, name="deepfashion_splits", attributes=DEEPFASHION),
    "113,948 photographs of clothes, 3 attributes: path= ADDE's split files, images "
    "below",
)
