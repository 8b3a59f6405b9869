"""Text as spreadsheets and statistics programs export it, as rows of cells.

Nothing is guessed from a single sign. A file is read in every way that could be meant
(delimiters, with and without names of the rows); `tables` keeps those that are a square
table of numbers.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from disentangle.errors import UserError

DELIMITERS = (",", ";", "\t", "|", " ")
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LARGEST = 64 * 2**20  # bytes; 20 tasks need some thousands

Rows = list[list[str]]


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file that must exist and hold something.

    UTF-8, UTF-16 or UTF-32 by their marks, else UTF-8, else Windows' Latin letters.

    Raises:
      UserError: missing, a folder, unreadable, not text, or empty.
    """
    file = Path(path)
    try:
        file = file.expanduser()
        if file.is_dir():
            raise UserError(f"{file} is a folder, not a file")
        if not file.exists():
            raise UserError(f"there is no file {file}")
        if file.stat().st_size > LARGEST:
            raise UserError(f"{file} is too large to be a table of tasks")
        data = file.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        if isinstance(error, UserError):
            raise
        raise UserError(f"cannot read {file}: {reason}") from None
    if data.startswith(b"PK\x03\x04"):
        raise UserError(f"{file} is a workbook or archive: save the sheet as CSV first")
    text = _decoded(data)
    if text is None or re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text):
        raise UserError(f"{file} is not a text file")
    if not text.strip():
        raise UserError(f"{file} is empty")
    return unicodedata.normalize("NFC", text)


def _decoded(data: bytes) -> str | None:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding)
            except UnicodeDecodeError:
                return None
    for encoding in ("utf-16-le", "utf-16-be"):  # without its mark
        half = data[encoding.endswith("le") :: 2]
        if len(data) > 3 and half.count(0) > 0.9 * len(half):
            return data.decode(encoding, errors="replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def readings(text: str) -> Iterator[tuple[str, Rows]]:
    """The text as cells, once per delimiter that it may have.

    Lines and columns without any content are left out, blanks around cells too.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    hint = re.match(r'\s*"?sep=(.)"?[ \t;,]*\n', text, re.IGNORECASE)
    if hint:
        text = text[hint.end() :]
    for delimiter in (hint[1],) if hint else DELIMITERS:
        rows = _cells(text, delimiter)
        if rows:
            yield delimiter, rows


def _cells(text: str, delimiter: str) -> Rows:
    if delimiter == " ":
        found = [re.findall(r'"(?:[^"]|"")*"|\S+', line) for line in text.split("\n")]
        rows = [[cell.strip('"') for cell in row] for row in found]
    else:
        try:
            reader = csv.reader(
                io.StringIO(text), delimiter=delimiter, skipinitialspace=True
            )
            rows = [[cell.strip() for cell in row] for row in reader]
        except (csv.Error, TypeError, ValueError):
            return []
    rows = [row for row in rows if any(row)]
    width = max(map(len, rows), default=0)
    used = [i for i in range(width) if any(len(r) > i and r[i] for r in rows)]
    if not used:
        return []
    last = used[-1] + 1
    first = used[0] if len(rows) > 1 else 0
    return [row[first:last] for row in rows]
