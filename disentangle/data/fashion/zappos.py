"""UT-Zappos50k with the triplets of Veit et al. 2017 (conditional similarity networks).

  filenames.json                      an image per line (it is no JSON)
  ut-zap50k-images/                   below which they are found
  tripletlists/<condition>_tripletlist_<part>.txt   anchor, FAR, close: lines from 0

Conditions are class, closure, gender and heel: what a shoe is compared by. There are no
labels beside the triplets.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.fashion.files import (
    SIDE,
    Photograph,
    checked_folder,
    numbers,
    photographs,
    recipe,
    relative,
    text_lines,
)
from disentangle.errors import UserError, unknown

CONDITIONS = ("class", "closure", "gender", "heel")
PARTS = ("train", "val", "test")
IMAGES = "ut-zap50k-images"


class Triplets(NamedTuple):
    """(n,) images each: the anchor is nearer to the positive than to the negative."""

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


def read(path: Path, *, stream: bool = False, side: int = SIDE) -> Dataset:
    """The images of filenames.json, in its order.

    Args:
      path: the folder that holds it and the images.
      stream: whether images are read when a step needs them, and not kept.
      side: pixels of a side.

    Raises:
      UserError: what is not there or cannot be read, naming the line.
    """
    folder = checked_folder(path)
    listed, place = folder / "filenames.json", folder / IMAGES
    root = place if place.is_dir() else folder
    photos = [
        Photograph(relative(root, word.strip(), listed, line), listed, line)
        for line, word in enumerate(text_lines(listed), 1)
    ]
    return photographs(
        photos, {}, name="zappos50k", path=folder, stream=stream, side=side
    )


def triplets(path: Path, condition: str, part: str) -> Triplets:
    """The triplets of a condition, and of train, val or test.

    Raises:
      UserError: no such condition, part or file; a line that is not three images.
    """
    if condition not in CONDITIONS:
        raise unknown("condition", condition, CONDITIONS)
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    folder = checked_folder(path)
    count = len(text_lines(folder / "filenames.json"))
    listed = folder / "tripletlists" / f"{condition}_tripletlist_{part}.txt"
    rows = numbers(listed)
    for line, row in enumerate(rows, 1):
        if len(row) != 3 or max(row) >= count:
            raise UserError(
                f"{listed}, line {line}, must be 3 of the images 0 to {count - 1:,}, "
                f"but is {row}"
            )
    anchor, far, close = np.array(rows, np.int64).reshape(-1, 3).T
    return Triplets(anchor, close, far)


RECIPE = recipe(read, "50,025 photographs of shoes: path= the folder of filenames.json")
