"""Numbers as spreadsheets write them: decimal commas, grouped thousands, percents."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
GROUPED = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?"),
}
GAPPED = re.compile(r"(?<=\d)[ \u00a0\u202f\u2009'\u2019](?=\d{3}(\D|$))")
MISSING = ("", "-", "\u2013", "na", "#n/a", "n/a", "null", "none", ".")


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value (not "nan", which is computed)."""
    return cell.strip().lower() in MISSING


def value_of(cell: str, mark: str) -> float | None:
    """The number in a cell, with `mark` as the decimal mark; None if it is not one.

    nan and inf are read as such.
    """
    text = cell.strip().replace("\u2212", "-").replace("\u2011", "-")
    if text.startswith("(") and text.endswith(")"):  # an accountant's minus
        text = "-" + text[1:-1]
    text, percent = text.rstrip("% \u00a0\u202f"), text.endswith("%")
    if re.fullmatch(r"[+-]?(nan|inf|infinity)", text, re.IGNORECASE):
        return float(text)
    text = GAPPED.sub("", text)
    other = "," if mark == "." else "."
    if GROUPED[mark].fullmatch(text):
        text = text.replace(other, "")
    if other in text and other != ".":
        return None
    if mark == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    if not PLAIN.fullmatch(text):
        return None
    value = float(text)
    return value / 100 if percent else value


def decimal_marks(cells: Sequence[str]) -> list[str]:
    """The decimal marks under which every cell is a number: ".", ",", both or none.

    Cells that are missing say nothing. Where a comma can only be read as grouped
    thousands ("1,234" beside "0.5") that reading needs further evidence: a cell with
    both marks, or with two groups.
    """
    cells = [cell.strip() for cell in cells if not is_missing(cell)]
    marks = [m for m in ".," if all(value_of(c, m) is not None for c in cells)]
    if not any("," in cell for cell in cells):
        return ["."] if "." in marks else marks
    grouped = any("," in c and "." in c for c in cells) or any(
        c.count(",") > 1 or c.count(".") > 1 for c in cells
    )
    mixed = any("," in c for c in cells) and any("." in c for c in cells)
    return marks if grouped or not mixed else []


def as_number(text: str) -> bool:
    """Whether a name could be a number."""
    value = value_of(text, ".")
    return (value if value is not None else value_of(text, ",")) is not None and (
        not math.isnan(value or 0.0)
    )
