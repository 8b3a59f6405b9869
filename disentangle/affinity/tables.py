"""The files at the door of grouping: a matrix as a table that any program exported."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from disentangle.affinity.numerals import as_number, decimal_marks, is_missing, value_of
from disentangle.affinity.sheets import Rows, read_text, readings
from disentangle.errors import UserError, unknown
from disentangle.files import write_text


class Sheet(NamedTuple):
    """A table of cells: the names of the columns, and of each row with its cells."""

    tasks: tuple[str, ...]
    rows: list[tuple[str, list[str]]]


def read_matrix(path: str | os.PathLike[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads a square table with task names on both sides.

    Args:
      path: a header of a corner cell (any, or none) and N task names, then N rows of a
        task name and N numbers, in any order. Cells are parted by commas, semicolons,
        tabs, bars or blanks, with a decimal point or comma, as programs export them;
        names of the rows may be missing (they are then in the order of the columns),
        or all names (the tasks are then "task 1", ...).

    Returns:
      The (N, N) float64 matrix, rows put in the order of the columns, and the names.
      A cell of the diagonal may be empty: NaN.

    Raises:
      UserError: not such a table, or one that can be read in two ways; the sentence
        names the row and the column.
    """
    errors: list[tuple[bool, UserError]] = []
    for _, rows in readings(read_text(path)):
        if max(map(len, rows)) < 2:
            continue
        for skipped in (0, 1) if _has_title(rows) else (0,):
            try:
                return _matrix(path, _sheet(path, rows[skipped:]))
            except UserError as error:
                errors.append((len(set(map(len, rows))) > 1, error))
    if errors:
        raise min(errors, key=lambda found: found[0])[1]  # of a reading that fits best
    raise UserError(
        f"{path} is not a comma-separated table: no other delimiter parts it into a "
        "header of task names and a row per task either"
    )


def _has_title(rows: Rows) -> bool:
    """Whether the first line may be a title above the table."""
    return len(rows) > 2 and sum(map(bool, rows[0])) == 1 and bool(rows[0][0])


def _sheet(path: str | os.PathLike[str], rows: Rows) -> Sheet:
    """Names and cells, by the first form that fits."""
    header, *body = rows
    numeric = all(as_number(cell) or is_missing(cell) for r in body for cell in r)
    square = {len(row) for row in body} == {len(header)}
    if numeric and square and not any(map(is_missing, header)):
        whole = all(as_number(cell) for cell in header)
        if whole and len(rows) == len(header) > 1:
            names = tuple(f"task {i + 1}" for i in range(len(rows)))
            return Sheet(names, list(zip(names, rows, strict=True)))
        named = tuple(row[0] for row in body) == tuple(header[1:])
        if len(body) == len(header) and not named and not whole:
            names = tuple(header)
            _check_names(path, "header", names)
            return Sheet(names, list(zip(names, body, strict=True)))
    has_corner = not body or len(header) >= min(map(len, body))
    names = tuple(header[1:] if has_corner else header)
    if not names:
        raise UserError(f"{path}: the first line, {header[0]!r}, names no tasks")
    _check_names(path, "header", names)
    return Sheet(names, [(row[0], row[1:]) for row in body])


def _matrix(
    path: str | os.PathLike[str], sheet: Sheet
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of a sheet, in the order of its columns."""
    tasks, rows = sheet.tasks, {}
    for name, cells in sheet.rows:
        if name in rows:
            raise UserError(f"{path}: there are two rows for the task {name!r}")
        if len(cells) != len(tasks):
            raise UserError(
                f"{path}: row {name!r} has {len(cells)} values, "
                f"the header {len(tasks)} tasks"
            )
        rows[name] = cells
    _check_rows(path, tuple(rows), tasks)
    marks = decimal_marks([cell for cells in rows.values() for cell in cells])
    found = [
        np.array(
            [
                [_number(path, row, column, cell, mark) for column, cell in cells]
                for row in tasks
                for cells in [list(zip(tasks, rows[row], strict=True))]
            ]
        )
        for mark in marks or ["."]
    ]
    if not np.array_equal(found[0], found[-1], equal_nan=True):
        cell = next(c for cells in rows.values() for c in cells if "," in c)
        raise UserError(
            f"{path}: {cell!r} can be read with a decimal comma or with grouped "
            "thousands; write the numbers without grouping and with a decimal point"
        )
    return found[0], tasks


def _number(
    path: str | os.PathLike[str], row: str, column: str, cell: str, mark: str
) -> float:
    """A cell as a finite float; NaN for an empty one on the diagonal."""
    value = value_of(cell, mark)
    if row == column and (is_missing(cell) or (value is not None and value != value)):
        return math.nan
    where = f"{path}: row {row!r}, column {column!r}"
    if value is None:
        mixed = value_of(cell, ",") is not None
        beside = " beside decimal points" if mixed else ""
        raise UserError(f"{where}: {cell!r} is not a number{beside}")
    if not math.isfinite(value):
        raise UserError(f"{where}: the value is {cell.strip()}, not a finite number")
    return value


def _check_names(
    path: str | os.PathLike[str], where: str, names: tuple[str, ...]
) -> None:
    if "" in names:
        column = names.index("") + 2
        raise UserError(f"{path}: the {where} has no task name in column {column}")
    seen = set()
    for name in names:
        if name in seen:
            raise UserError(f"{path}: the {where} names the task {name!r} twice")
        seen.add(name)


def _check_rows(
    path: str | os.PathLike[str], rows: tuple[str, ...], tasks: tuple[str, ...]
) -> None:
    for name in rows:
        if name not in tasks:
            raise UserError(
                f"{path}: {unknown('task', name, tasks)} in the first column"
            )
    for task in tasks:
        if task not in rows:
            raise UserError(f"{path}: the task {task!r} of the header has no row")


def write_matrix(
    path: str | os.PathLike[str],
    matrix: np.ndarray,
    tasks: Sequence[str],
    corner: str = "",
) -> None:
    """Writes a square table that `read_matrix` reads back bit for bit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([corner, *tasks])
    for task, row in zip(tasks, np.asarray(matrix, np.float64), strict=True):
        writer.writerow([task, *(_written(float(value)) for value in row)])
    write_text(path, text.getvalue())


def _written(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
