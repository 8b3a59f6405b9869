"""Files with one row per seed, group and member: Parquet, or text as it is exported."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from disentangle.affinity.sheets import read_text, readings
from disentangle.errors import UserError, unknown
from disentangle.files import read_bytes, reading, write_bytes, write_text
from disentangle.oracle import cells
from disentangle.oracle.cells import JOIN

COLUMNS = ("data", "regime", "seed", "group", "task", "validation", "loss", "steps")
NEEDED = ("group", "task", "loss")
NUMBERS = ("validation", "loss", "steps")
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True)
class Rows:
    """The rows of one table, column by column.

    Attributes:
      data, regime: of all rows.
      seeds: a whole number per row.
      groups: the members per row, in the order written.
      tasks: a member of the group per row.
      loss, validation, steps: a finite number per row; None for a column not there.
    """

    data: str
    regime: str
    seeds: list[int]
    groups: list[tuple[str, ...]]
    tasks: list[str]
    loss: list[float]
    validation: list[float] | None = None
    steps: list[float] | None = None


def write(path: str | os.PathLike[str], tables: Sequence[Rows]) -> None:
    """Writes tables one after the other, by the suffix; see `table.save_tables`."""
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise UserError(f"{path} must end in {' or '.join(SUFFIXES)}")
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for rows in tables:
        count = len(rows.tasks)
        columns["data"] += [rows.data] * count
        columns["regime"] += [rows.regime] * count
        columns["seed"] += rows.seeds
        columns["group"] += [JOIN.join(group) for group in rows.groups]
        columns["task"] += rows.tasks
        columns["validation"] += rows.validation or [None] * count
        columns["loss"] += rows.loss
        columns["steps"] += _whole(rows.steps or [None] * count)
    if suffix == ".parquet":
        sink = io.BytesIO()
        pyarrow.parquet.write_table(_arrow(columns), sink, compression="zstd")
        write_bytes(path, sink.getvalue())
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(["" if cell is None else cell for cell in row])
    write_text(path, text.getvalue())


def _whole(values: Sequence[float | None]) -> list[float | None]:
    """Integers where all are: a file says 1500, not 1500.0."""
    if all(value is None or value == int(value) for value in values):
        return [None if value is None else int(value) for value in values]
    return list(values)


def _arrow(columns: dict[str, list[Any]]) -> pyarrow.Table:
    words = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    whole = all(isinstance(v, int | None) for v in columns["steps"])
    types = {
        **dict.fromkeys(("data", "regime", "group", "task"), words),
        **dict.fromkeys(("validation", "loss"), pyarrow.float64()),
        "seed": pyarrow.int64(),
        "steps": pyarrow.int64() if whole else pyarrow.float64(),
    }
    return pyarrow.table(
        {
            name: pyarrow.array(values, pyarrow.string()).dictionary_encode()
            if types[name] == words
            else pyarrow.array(values, types[name])
            for name, values in columns.items()
        }
    )


def read(path: Path) -> list[Rows]:
    """The tables of a file, by what it holds and not by its name.

    Raises:
      UserError: naming the file; of a wrong cell the row (counted from 1 under the
        header), the column and the value.
    """
    columns = read_columns(path)
    for name in NEEDED:
        if name not in columns:
            raise UserError(
                f"{path}: there is no column {name!r} (there is: {', '.join(columns)})"
            )
    count = len(columns["task"])
    if not count:
        raise UserError(f"{path} has no rows")
    labels = [
        [cells.label(cell) for cell in columns.get(name, [""] * count)]
        for name in ("data", "regime")
    ]
    held: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(*labels, strict=True)):
        held.setdefault(key, []).append(row)
    parsed: dict[str, list[Any]] = {
        "seed": cells.whole(path, "seed", columns.get("seed", [0] * count)),
        **{name: cells.words(path, name, columns[name]) for name in ("group", "task")},
        **{n: cells.numbers(path, n, columns[n]) for n in NUMBERS if n in columns},
    }
    return [_one(path, key, rows, parsed) for key, rows in held.items()]


def one_table(path: Path, columns: dict[str, list[Any]]) -> Rows:
    """Rows with a group, a task and a loss, any number of them per group and task.

    Raises:
      UserError: as `read`; a member of a group that has no row.
    """
    rows = list(range(len(columns["task"])))
    tasks = cells.words(path, "task", columns["task"])
    names = cells.words(path, "group", columns["group"])
    groups = cells.groups(path, rows, names, tasks)
    loss = cells.present(
        path, "loss", cells.numbers(path, "loss", columns["loss"]), rows
    )
    if not loss:
        raise UserError(f"{path} has no rows with a value")
    once = {(frozenset(g), t): (g, t) for g, t in zip(groups, tasks, strict=True)}
    members, held = zip(*once.values(), strict=True)
    cells.check_complete(path, range(len(once)), [0] * len(once), members, held)
    return Rows("", "", [0] * len(rows), groups, tasks, loss)


def _one(
    path: Path, key: tuple[str, str], rows: list[int], parsed: dict[str, list[Any]]
) -> Rows:
    """The rows of one data set and regime, checked together."""
    tasks = [parsed["task"][row] for row in rows]
    names = [parsed["group"][row] for row in rows]
    column = lambda name: cells.present(path, name, parsed.get(name), rows)
    loss = column("loss")
    if loss is None:
        raise UserError(f"{path}: row {rows[0] + 1}, column 'loss': it is empty")
    table = Rows(
        *key,
        seeds=[parsed["seed"][row] for row in rows],
        groups=cells.groups(path, rows, names, tasks),
        tasks=tasks,
        loss=loss,
        validation=column("validation"),
        steps=column("steps"),
    )
    cells.check_complete(path, rows, table.seeds, table.groups, tasks)
    return table


def choose(path: Path, tables: Sequence[Rows], data: str, regime: str) -> Rows:
    """The one table of that data and regime; "" fits any."""
    fits = [
        table
        for table in tables
        if data in ("", table.data) and regime in ("", table.regime)
    ]
    if len(fits) == 1:
        return fits[0]
    for name, asked in (("data", data), ("regime", regime)):
        there = {"data": [t.data for t in tables], "regime": [t.regime for t in tables]}
        if asked and asked not in there[name]:
            raise UserError(
                f"{path}: {unknown(name, asked, dict.fromkeys(there[name]))}"
            )
    listed = ", ".join(f"({t.data or '-'}, {t.regime or '-'})" for t in fits or tables)
    says = "several tables fit" if fits else "no table fits both"
    raise UserError(f"{path}: {says}; choose data and regime, one of: {listed}")


def read_columns(path: Path) -> dict[str, list[Any]]:
    """The columns of a Parquet file or of a table in text, by lower-case name."""
    data = read_bytes(path) if path.is_file() else b""
    if data.startswith(b"PAR1"):
        with reading(path):
            table = pyarrow.parquet.read_table(pyarrow.BufferReader(data))
            named = [
                (name, table[i].to_pylist())
                for i, name in enumerate(table.column_names)
            ]
        return _columns(path, named)
    best: list[list[str]] = []
    for _, rows in readings(read_text(path)):
        header = [cell.lower() for cell in rows[0]]
        if not best or sum(name in header for name in COLUMNS) > sum(
            name in [cell.lower() for cell in best[0]] for name in COLUMNS
        ):
            best = rows
    header, *body = best
    for number, row in enumerate(body, 1):
        if len(row) > len(header):
            raise UserError(
                f"{path}: row {number} has {len(row)} cells, the header {len(header)}"
            )
    wide = [row + [""] * (len(header) - len(row)) for row in body]
    return _columns(
        path, [(name, [row[i] for row in wide]) for i, name in enumerate(header)]
    )


def _columns(
    path: Path, named: Sequence[tuple[str, list[Any]]]
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name, values in named:
        key = name.strip().lower()
        if key in columns and key in COLUMNS:
            raise UserError(f"{path} has two columns {key!r}")
        columns[key] = values
    return columns
