"""Polyvore Outfits: 251,008 items in sets that people put together (Vasileva 2018).

  images/<item>.jpg
  polyvore_item_metadata.json     item -> {"semantic_category": one of 11, ...}
  categories.csv                  number, fine category, semantic category
  {nondisjoint,disjoint}/{train,valid,test}.json      sets of items
  {nondisjoint,disjoint}/fill_in_blank_{part}.json    questions and four answers
  {nondisjoint,disjoint}/compatibility_{part}.txt     1 or 0, and the items of a set

Items in questions are "<set>_<index>"; the right answer is of the question's set. The
66 pairs of types come from the 11 types here: `typespaces.p` is a pickle, which runs
whatever is in it, and is not read.
"""

import csv
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from disentangle.data.dataset import Dataset
from disentangle.data.fashion.files import (
    LFS,
    POINTER,
    SIDE,
    Photograph,
    checked_folder,
    photographs,
    recipe,
    text_lines,
)
from disentangle.errors import UserError, unknown
from disentangle.files import read_bytes, read_json

SPLITS = ("nondisjoint", "disjoint")
PARTS = ("train", "valid", "test")
METADATA = "polyvore_item_metadata.json"


class Blank(NamedTuple):
    """A question: item numbers, four answers, and which of them is right."""

    items: tuple[int, ...]
    answers: tuple[int, ...]
    right: int


class Outfits(NamedTuple):
    """One part of a split; items are numbers of the data set that `read` gives.

    Attributes:
      sets: the items of each set.
      blanks: fill in the blank.
      judged: (items of a set, whether they go together).
    """

    sets: list[tuple[int, ...]]
    blanks: list[Blank]
    judged: list[tuple[tuple[int, ...], bool]]


def type_pairs(types: Sequence[str]) -> list[tuple[str, str]]:
    """The unordered pairs of types, one with itself too: 66 of 11."""
    return list(itertools.combinations_with_replacement(sorted(set(types)), 2))


def read(
    path: Path, *, split: str = SPLITS[0], stream: bool = False, side: int = SIDE
) -> Dataset:
    """The items of a split's sets, of train, then valid, then test.

    Args:
      path: the folder "polyvore_outfits".
      split: "nondisjoint", or "disjoint": no item of a test set in a training set.
      stream: whether images are read when a step needs them, and not kept.
      side: pixels of a side.

    Returns:
      The Dataset with the factors "type" and, if categories.csv is there, "category".

    Raises:
      UserError: files that are not there or do not go together, naming set or item.
    """
    folder = checked_folder(path)
    items = items_of(folder, split)
    listed = folder / METADATA
    metadata = _json(listed)
    if not isinstance(metadata, dict):
        raise UserError(f"{listed} must hold an object of items")
    fine = _fine(folder / "categories.csv")
    photos, types, categories = [], [], []
    for item in items:
        if not isinstance(metadata.get(item), dict):
            raise UserError(f"{listed} does not have item {item}, which a set names")
        told = metadata[item]
        if "semantic_category" not in told:
            raise UserError(f"{listed}: item {item} has no 'semantic_category'")
        photo = folder / "images" / f"{item}.jpg"
        if not photo.is_file():
            raise UserError(
                f"there is no image {photo} of item {item}, which a set of {split} has"
            )
        photos.append(Photograph(photo, listed, f"item {item}"))
        types.append(str(told["semantic_category"]))
        categories.append(fine.get(str(told.get("category_id")), ""))
    columns = {"type": types}
    if any(categories):
        columns["category"] = categories
    name = "polyvore" if split == SPLITS[0] else f"polyvore_{split}"
    return photographs(
        photos, columns, name=name, path=folder, stream=stream, side=side
    )


def items_of(folder: Path, split: str) -> list[str]:
    """The items of a split's sets in the order of `read`, each once."""
    if split not in SPLITS:
        raise unknown("split of Polyvore Outfits", split, SPLITS)
    found: dict[str, None] = {}
    for part in PARTS:
        for _, items in _sets(folder / split / f"{part}.json"):
            found |= dict.fromkeys(items)
    return list(found)


def outfits(path: Path, part: str, *, split: str = SPLITS[0]) -> Outfits:
    """The sets and questions of "train", "valid" or "test"; errors as `read`."""
    folder = checked_folder(path)
    if part not in PARTS:
        raise unknown("part of Polyvore Outfits", part, PARTS)
    number = {item: i for i, item in enumerate(items_of(folder, split))}
    sets = _sets(folder / split / f"{part}.json")
    place = {
        f"{name}_{index}": number[item]
        for name, items in sets
        for item, index in items.items()
    }
    return Outfits(
        [tuple(number[item] for item in items) for _, items in sets],
        _blanks(folder / split / f"fill_in_blank_{part}.json", place),
        _judged(folder / split / f"compatibility_{part}.txt", place),
    )


def _json(path: Path) -> Any:
    """What a JSON file holds; UserError for a Git LFS pointer."""
    if read_bytes(path).startswith(POINTER):
        raise UserError(f"{path} {LFS}")
    return read_json(path)


def _sets(path: Path) -> list[tuple[str, dict[str, int]]]:
    """(set, item -> its index in the set) of a file of sets."""
    found = []
    for number, one in enumerate(_json(path)):
        try:
            items = {str(item["item_id"]): int(item["index"]) for item in one["items"]}
            found.append((str(one["set_id"]), items))
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{path}: set number {number} has no 'set_id' and 'items' with "
                "'item_id' and 'index'"
            ) from None
    return found


def _blanks(path: Path, place: dict[str, int]) -> list[Blank]:
    """The questions of a file; one answer must be of the question's set."""
    found = []
    for number, one in enumerate(_json(path)):
        says = f"{path}: question number {number}"
        try:
            question, answers = list(one["question"]), list(one["answers"])
        except (KeyError, TypeError):
            raise UserError(f"{says} has no 'question' and 'answers'") from None
        items = [_item(word, place, says) for word in question]
        chosen = [_item(word, place, says) for word in answers]
        own = {str(word).rpartition("_")[0] for word in question}
        right = [k for k, a in enumerate(answers) if str(a).rpartition("_")[0] in own]
        if len(own) != 1 or len(right) != 1:
            raise UserError(
                f"{says} has {len(right)} answers of its {len(own)} sets, not 1 of 1"
            )
        found.append(Blank(tuple(items), tuple(chosen), right[0]))
    return found


def _judged(path: Path, place: dict[str, int]) -> list[tuple[tuple[int, ...], bool]]:
    """(items, label) of every line "label item item ..."."""
    found = []
    for line, text in enumerate(text_lines(path), 1):
        label, *items = text.split() or [""]
        if label not in ("0", "1") or len(items) < 2:
            raise UserError(
                f"{path}, line {line}, is no 0 or 1 and items: {text[:60]!r}"
            )
        says = f"{path}, line {line}"
        chosen = tuple(_item(word, place, says) for word in items)
        found.append((chosen, label == "1"))
    return found


def _item(word: object, place: dict[str, int], says: str) -> int:
    if str(word) not in place:
        raise UserError(f"{says} names {word!r}, which is in no set of this part")
    return place[str(word)]


def _fine(path: Path) -> dict[str, str]:
    """Number of a fine category -> its name; {} without a file."""
    if not path.exists():
        return {}
    rows = csv.reader(text_lines(path))
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1}


RECIPE = recipe(
    read,
    "Polyvore Outfits, 251,008 items of clothes in sets: path= its folder",
)
DISJOINT = recipe(
    functools.partial(read, split="disjoint"),
    "Polyvore Outfits, no item of a test set in a training set: path= its folder",
)
