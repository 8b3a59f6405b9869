"""The files at the door of grouping: a matrix as CSV, any result as JSON."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from disentangle.errors import UserError, unknown
from disentangle.files import write_text


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file that must exist and hold something.

    Raises:
      UserError: missing, a folder, unreadable, not text, or empty.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        raise UserError(f"{file} is a folder, not a file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no file {file}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a text file") from None
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    if not text.strip():
        raise UserError(f"{file} is empty")
    return text


def read_matrix(path: str | os.PathLike[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads a square table with task names on both sides.

    Args:
      path: a CSV file: a header of a free corner cell and N task names, then N rows of
        a task name and N numbers. Rows may come in another order than the columns.

    Returns:
      The (N, N) float64 matrix, rows put in the order of the columns, and the names.

    Raises:
      UserError: not such a table; the sentence names the row and the column.
    """
    text = read_text(path)
    try:
        lines = list(csv.reader(io.StringIO(text), skipinitialspace=True))
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV table: {error}") from None
    header, *body = [line for line in lines if any(cell.strip() for cell in line)]
    tasks = tuple(cell.strip() for cell in header[1:])
    if not tasks:
        raise UserError(
            f"{path} is not a comma-separated table: its first line, {header[0]!r}, "
            "names no tasks"
        )
    _check_names(path, "header", tasks)
    rows = {}
    for line in body:
        name = line[0].strip()
        if name in rows:
            raise UserError(f"{path}: there are two rows for the task {name!r}")
        rows[name] = _numbers(path, name, line[1:], tasks)
    _check_rows(path, tuple(rows), tasks)
    return np.array([rows[task] for task in tasks], dtype=np.float64), tasks


def _check_names(
    path: str | os.PathLike[str], where: str, names: tuple[str, ...]
) -> None:
    if "" in names:
        column = names.index("") + 2
        raise UserError(f"{path}: the {where} has no task name in column {column}")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: the {where} names the task {name!r} twice")


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


def _numbers(
    path: str | os.PathLike[str], row: str, cells: list[str], tasks: tuple[str, ...]
) -> list[float]:
    """The cells of one row as finite floats."""
    if len(cells) != len(tasks):
        raise UserError(
            f"{path}: row {row!r} has {len(cells)} values, "
            f"the header {len(tasks)} tasks"
        )
    values = []
    for task, cell in zip(tasks, cells, strict=True):
        where = f"{path}: row {row!r}, column {task!r}"
        try:
            value = float(cell)
        except ValueError:
            raise UserError(f"{where}: {cell!r} is not a number") from None
        if not math.isfinite(value):
            raise UserError(
                f"{where}: the value is {cell.strip()}, not a finite number"
            )
        values.append(value)
    return values


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
        writer.writerow([task, *(repr(float(value)) for value in row)])
    write_text(path, text.getvalue())
