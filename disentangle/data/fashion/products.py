"""Fashion Product Images: 44,446 photographs of a shop with eight attributes.

  styles.csv           id, gender, masterCategory, subCategory, articleType, baseColour,
                       season, year, usage, productDisplayName
  images/<id>.jpg

Some names of products have commas in them that are not quoted: what is too much belongs
to the name. Some rows have no image; they are left out, and it is said which is first.
"""

import csv
from pathlib import Path

from disentangle.data.dataset import Dataset
from disentangle.data.fashion.files import (
    SIDE,
    Photograph,
    checked_folder,
    photographs,
    recipe,
    text_lines,
)
from disentangle.errors import UserError
from disentangle.progress import say

COLUMNS = {  # of the file -> of the data set
    "gender": "gender",
    "masterCategory": "master_category",
    "subCategory": "sub_category",
    "articleType": "article_type",
    "baseColour": "base_colour",
    "season": "season",
    "year": "year",
    "usage": "usage",
}


def read(path: Path, *, stream: bool = False, side: int = SIDE) -> Dataset:
    """The products that have an image, in the order of styles.csv.

    Args:
      path: the folder that holds it and "images".
      stream: whether images are read when a step needs them, and not kept.
      side: pixels of a side.

    Raises:
      UserError: no such file, a row without a column, a product that comes twice, or
        an image that cannot be read, naming the line.
    """
    folder = checked_folder(path)
    listed = folder / "styles.csv"
    photos, rows, missing, seen = [], [], [], dict[str, int]()
    for line, row in _rows(listed):
        if row["id"] in seen:
            raise UserError(
                f"{listed} has product {row['id']} in line {seen[row['id']]} and in "
                f"line {line}"
            )
        seen[row["id"]] = line
        photo = folder / "images" / f"{row['id']}.jpg"
        if photo.is_file():
            photos.append(Photograph(photo, listed, line))
            rows.append(row)
        else:
            missing.append(line)
    if missing:
        say(
            f"{listed}: {len(missing):,} products have no image and are left out, the "
            f"first in line {missing[0]}"
        )
    columns = {
        name: [row[column] for row in rows]
        for column, name in COLUMNS.items()
        if any(row[column] for row in rows)
    }
    return photographs(
        photos,
        columns,
        name="fashion_products",
        path=folder,
        stream=stream,
        side=side,
    )


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line, column -> word) of every product; "NA" is no label."""
    # Quotes are letters of names here: a lone one must not swallow the rows behind it.
    rows = csv.reader(text_lines(path), quoting=csv.QUOTE_NONE)
    header, *lines = [[cell.strip('" ') for cell in row] for row in rows] or [[]]
    lacking = [name for name in ("id", *COLUMNS) if name not in header]
    if lacking:
        raise UserError(f"{path}, line 1, has no column {lacking[0]!r}")
    found = []
    for line, row in enumerate(lines, 2):
        if len(row) < len(header):
            raise UserError(
                f"{path}, line {line}, has {len(row)} cells, but the header has "
                f"{len(header)}"
            )
        words = dict(zip(header, row, strict=False))
        found.append((line, {k: "" if v == "NA" else v for k, v in words.items()}))
    return found


RECIPE = recipe(
    read,
    "44,446 photographs of products, 8 attributes: path= where styles.csv is",
)
