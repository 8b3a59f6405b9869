"""The cells of a table with one row per seed, group and member, checked.

Errors name the file, the row (counted from 1 under the header), the column, the value.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from disentangle.affinity.base import LARGEST
from disentangle.affinity.numerals import decimal_marks, is_missing, value_of
from disentangle.errors import UserError, shown, unknown

JOIN = "+"


def label(cell: Any) -> str:
    """A cell as a name; "" where there is none."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return unicodedata.normalize("NFC", str(cell)).strip()


def words(path: Path, name: str, column: Sequence[Any]) -> list[str]:
    """A column of names, each there."""
    found = [label(cell) for cell in column]
    if "" in found:
        row = found.index("") + 1
        raise UserError(f"{path}: row {row}, column {name!r}: it is empty")
    return found


def whole(path: Path, name: str, column: Sequence[Any]) -> list[int]:
    """A column of whole numbers."""
    found = []
    for row, cell in enumerate(column, 1):
        value = value_of(str(cell), ".")
        if value is None or not math.isfinite(value) or value != int(value):
            raise UserError(
                f"{path}: row {row}, column {name!r}: {shown(cell)} is not a whole "
                "number"
            )
        found.append(int(value))
    return found


def numbers(path: Path, name: str, column: Sequence[Any]) -> list[float | None]:
    """A column of finite numbers, None where a cell is empty."""
    texts = [cell for cell in column if isinstance(cell, str)]
    mark = (decimal_marks(texts) or ["."])[0]
    found: list[float | None] = []
    for row, cell in enumerate(column, 1):
        if cell is None or (isinstance(cell, str) and is_missing(cell)):
            found.append(None)
            continue
        value = value_of(cell, mark) if isinstance(cell, str) else _float(cell)
        where = f"{path}: row {row}, column {name!r}"
        if value is None:
            raise UserError(f"{where}: {shown(cell)} is not a number")
        if not abs(value) <= LARGEST:
            raise UserError(f"{where}: {shown(cell)} is not a finite number")
        found.append(value)
    return found


def _float(cell: Any) -> float | None:
    if isinstance(cell, bool) or not hasattr(cell, "__float__"):
        return None
    return float(cell)


def present(
    path: Path, name: str, column: list[float | None] | None, rows: Sequence[int]
) -> list[float] | None:
    """The numbers of these rows; None if all their cells are empty."""
    if column is None or all(column[row] is None for row in rows):
        return None
    found = []
    for row in rows:
        value = column[row]
        if value is None:
            raise UserError(f"{path}: row {row + 1}, column {name!r}: it is empty")
        found.append(value)
    return found


def groups(
    path: Path, rows: Sequence[int], names: Sequence[str], tasks: Sequence[str]
) -> list[tuple[str, ...]]:
    """The members of each row's group; its task is one of them.

    Args:
      path: the file.
      rows: where the names stand in it, counted from 0.
      names: of the groups, members joined by +.
      tasks: of the rows; these are the tasks there are.
    """
    parsed: dict[str, tuple[str, ...]] = {}
    known = dict.fromkeys(tasks)
    for row, name, task in zip(rows, names, tasks, strict=True):
        where = f"{path}: row {row + 1}, column"
        if JOIN in task:
            raise UserError(
                f"{where} 'task': {task!r} holds a {JOIN}, which joins the members of "
                "a group"
            )
        if name not in parsed:
            parsed[name] = members = tuple(part.strip() for part in name.split(JOIN))
            for member in members:
                if member not in known:
                    raise UserError(
                        f"{where} 'group': {name!r} has a task that no row gives a "
                        f"loss: {unknown('task', member, known)}"
                    )
            if len(set(members)) < len(members):
                raise UserError(f"{where} 'group': {name!r} names a task twice")
        if task not in parsed[name]:
            raise UserError(f"{where} 'task': {task!r} is not in the group {name!r}")
    return [parsed[name] for name in names]


def check_complete(
    path: Path,
    rows: Sequence[int],
    seeds: Sequence[int],
    members: Sequence[tuple[str, ...]],
    tasks: Sequence[str],
) -> None:
    """Every member of every group has one row for every seed."""
    seen: dict[tuple[int, frozenset[str], str], int] = {}
    for row, seed, group, task in zip(rows, seeds, members, tasks, strict=True):
        before = seen.setdefault((seed, frozenset(group), task), row)
        if before != row:
            raise UserError(
                f"{path}: rows {before + 1} and {row + 1} are both of seed {seed}, "
                f"group {JOIN.join(group)!r} and task {task!r}"
            )
    listed = {frozenset(group): group for group in members}
    several = len(set(seeds)) > 1
    for seed in sorted(set(seeds)):
        for same, group in listed.items():
            for task in group:
                if (seed, same, task) not in seen:
                    raise UserError(
                        f"{path}: there is no row for the task {task!r} in the group "
                        f"{JOIN.join(group)!r}{f' of seed {seed}' * several}"
                    )
