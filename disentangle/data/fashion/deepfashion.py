"""DeepFashion, "Category and Attribute Prediction", from its own files (Liu 2016).

  Anno*/list_category_cloth.txt list_category_img.txt   a category per image
  Anno*/list_attr_cloth.txt list_attr_img.txt           1,000 attributes: 1, -1 or 0
  Anno*/list_bbox.txt                                   the garment's box
  Eval/list_eval_partition.txt                          train, val or test

Line 1 of a list is the number of its rows, line 2 names its columns. An attribute here
is a kind of theirs (texture, fabric, shape, part, style), its values their attributes
of it; an image with none of a kind, or with several, has no label of it. Images are cut
to their boxes, and with `cut` their background is taken away (`grab_cut`).
"""

import functools
from pathlib import Path

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.fashion.files import (
    SIDE,
    Box,
    Photograph,
    checked_folder,
    photographs,
    recipe,
    relative,
    text_lines,
)
from disentangle.data.fashion.grab_cut import garment
from disentangle.errors import UserError, unknown
from disentangle.progress import say

KINDS = {1: "texture", 2: "fabric", 3: "shape", 4: "part", 5: "style"}
PARTS = ("train", "val", "test")
NEEDED = (
    *("list_category_cloth", "list_category_img", "list_attr_cloth"),
    *("list_attr_img", "list_bbox"),
)


def table(path: Path) -> list[tuple[int, str]]:
    """(line, text) of the rows of a list, whose first line is their number.

    Raises:
      UserError: no such file, a Git LFS pointer, or another number of rows.
    """
    lines = text_lines(path)
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise UserError(f"{path}, line 1, must be the number of its rows")
    rows = [(i, line) for i, line in enumerate(lines[2:], 3) if line.strip()]
    if len(rows) != int(lines[0]):
        raise UserError(
            f"{path} says that it has {int(lines[0]):,} rows, but has {len(rows):,}"
        )
    return rows


def names_and_numbers(path: Path) -> list[tuple[str, int]]:
    """(name, number) of the rows of a list; a name may have blanks in it."""
    found = []
    for line, text in table(path):
        name, _, number = text.strip().rpartition(" ")
        if not name or not number.strip("-").isdigit():
            raise UserError(f"{path}, line {line}, is no name and number: {text!r}")
        found.append((name.strip(), int(number)))
    return found


def by_image(path: Path, width: int) -> dict[str, tuple[int, list[int]]]:
    """image -> (line, its numbers), `width` of them.

    Raises:
      UserError: naming the line that holds another number of them, or no numbers, or
        names an image again.
    """
    found: dict[str, tuple[int, list[int]]] = {}
    for line, text in table(path):
        name, *words = text.split()
        try:
            values = [int(word) for word in words]
        except ValueError:
            raise UserError(f"{path}, line {line}, holds no numbers") from None
        if len(values) != width:
            raise UserError(
                f"{path}, line {line}, has {len(values)} numbers, not {width}"
            )
        if name in found:
            raise UserError(
                f"{path} names {name} in line {found[name][0]} and in line {line}"
            )
        found[name] = (line, values)
    return found


def read(
    path: Path,
    *,
    cut: bool = False,
    stream: bool = False,
    side: int = SIDE,
) -> Dataset:
    """The images of train, then val, then test, with category and kinds.

    Args:
      path: the folder that holds Anno* and Eval; images are found as they are named
        below it, or below "Img" in it (a link will do).
      cut: whether the background is taken away; needs the extra [fashion].
      stream: whether images are read when a step needs them, and not kept.
      side: pixels of a side.

    Raises:
      UserError: files that are not there or do not go together, naming the line.
    """
    folder = checked_folder(path)
    anno = _annotations(folder)
    category_of = by_image(anno / "list_category_img.txt", 1)
    categories = [n for n, _ in names_and_numbers(anno / "list_category_cloth.txt")]
    attributes = names_and_numbers(anno / "list_attr_cloth.txt")
    told = by_image(anno / "list_attr_img.txt", len(attributes))
    boxes = by_image(anno / "list_bbox.txt", 4)
    listed = folder / "Eval" / "list_eval_partition.txt"
    place = folder / "Img" if (folder / "Img" / "img").is_dir() else folder
    photos, chosen, names = [], [], []
    rows, parts = _in_parts(listed)
    for line, name in rows:
        for source, held in (
            ("list_category_img.txt", category_of),
            ("list_attr_img.txt", told),
            ("list_bbox.txt", boxes),
        ):
            if name not in held:
                raise UserError(f"{listed}, line {line}, names {name}: not in {source}")
        photos.append(
            Photograph(
                relative(place, name, listed, line), listed, line, _box(boxes[name][1])
            )
        )
        chosen.append(told[name][1])
        at, (number,) = category_of[name]
        if not 1 <= number <= len(categories):
            raise UserError(
                f"{anno / 'list_category_img.txt'}, line {at}, has category {number}, "
                f"not 1 to {len(categories)}"
            )
        names.append(categories[number - 1])
    columns = {"category": names} | _kinds(attributes, np.array(chosen))
    _tell_several(anno / "list_attr_img.txt", attributes, told)
    prepare = garment() if cut else None
    return photographs(
        photos,
        columns,
        name="deepfashion_cut" if cut else "deepfashion",
        path=folder,
        root=place,
        stream=stream,
        side=side,
        prepare=prepare,
        parts=parts,
    )


def _annotations(folder: Path) -> Path:
    """The first of Anno* that has all files."""
    found = sorted(place for place in folder.glob("Anno*") if place.is_dir())
    for place in found:
        if all((place / f"{name}.txt").exists() for name in NEEDED):
            return place
    there = ", ".join(place.name for place in found) or "no such folder"
    raise UserError(
        f"{folder} has no folder Anno* with {', '.join(NEEDED)} ({there} there)"
    )


def _in_parts(path: Path) -> tuple[list[tuple[int, str]], tuple[int, int]]:
    """(line, image) of the training images, then of the others; `Dataset.parts`."""
    found: dict[str, list[tuple[int, str]]] = {part: [] for part in PARTS}
    for line, text in table(path):
        words = text.split()
        if len(words) != 2:
            raise UserError(f"{path}, line {line}, is no image and part: {text!r}")
        if words[1] not in found:
            error = unknown("part", words[1], PARTS)
            raise UserError(f"{path}, line {line}: {error}")
        found[words[1]].append((line, words[0]))
    train, val = (len(found[part]) for part in PARTS[:2])
    return [row for part in PARTS for row in found[part]], (train, train + val)


def _box(values: list[int]) -> Box:
    left, top, right, bottom = values
    return left, top, right, bottom


def _tell_several(
    path: Path,
    attributes: list[tuple[str, int]],
    told: dict[str, tuple[int, list[int]]],
) -> None:
    """Says how many images have several attributes of a kind, and so no label of it."""
    kinds = np.array([number for _, number in attributes])
    rows = np.array([values for _, values in told.values()]) == 1
    lines = np.array([line for line, _ in told.values()])
    for number, kind in KINDS.items():
        several = lines[rows[:, kinds == number].sum(1) > 1]
        if len(several):
            say(
                f"{path}: {len(several):,} images have several attributes of the kind "
                f"{kind} and no label of it here, the first in line {several.min()}"
            )


def _kinds(attributes: list[tuple[str, int]], told: np.ndarray) -> dict[str, list[str]]:
    """kind -> (N,) the one attribute of it that an image has, "" for none or more."""
    found = {}
    for number, kind in KINDS.items():
        columns = [j for j, (_, own) in enumerate(attributes) if own == number]
        has = told[:, columns] == 1
        words = np.array([attributes[j][0] for j in columns] or [""])
        alone = has.sum(1) == 1
        if alone.any():
            labels = np.where(alone, words[has.argmax(1)], "")
            found[kind] = [str(word) for word in labels]
    return found


RECIPE = recipe(
    read,
    "289,222 photographs of clothes, category and 5 kinds of attributes: path= the "
    "folder with Anno and Eval",
)
CUT = recipe(
    functools.partial(read, cut=True),
    "deepfashion without the background of its photographs: path= as there",
)
