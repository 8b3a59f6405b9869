"""What the `group` command reads: an affinity matrix or a table of measured groups."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from disentangle.affinity.base import Affinity
from disentangle.affinity.group_table import GroupTable, parse_json
from disentangle.affinity.sheets import read_text
from disentangle.errors import UserError, unknown
from disentangle.files import place


def read_group_input(
    path: str | os.PathLike[str], rows: str = "source"
) -> Affinity | GroupTable:
    """Reads what there is to group, by what the file holds and not by its name.

    Args:
      path: a JSON file (see `GroupTable.from_dict`, `Affinity.save`; of a job's
        affinity.json, which holds one affinity per estimator, one is chosen by its
        name: "affinity.json:lookahead") or a table (see `Affinity.from_csv`).
      rows: of a table, "source" or "target"; a JSON file takes "source" only.

    Raises:
      UserError: the file is missing, empty or wrong.
    """
    file, colon, name = str(path).rpartition(":")
    if not (colon and file.endswith(".json") and not place(path).exists()):
        file, name = str(path), ""
    text = read_text(file).lstrip()
    if not text.startswith(("{", "[")) and Path(file).suffix != ".json":
        return Affinity.from_csv(file, rows)
    if rows != "source":
        raise UserError(f"rows={rows!r} is for a CSV matrix, and {file} is JSON")
    value = parse_json(file)
    if isinstance(value, dict) and "matrix" in value:
        return _affinity(file, value)
    is_several = isinstance(value, dict) and all(
        isinstance(table, dict) and "matrix" in table for table in value.values()
    )
    if not (value and is_several):
        return GroupTable.from_json(file)
    if name not in value and (name or len(value) > 1):
        hint = unknown("estimator", name, value) if name else "it holds several"
        raise UserError(
            f"{file}: {hint}; choose one, such as {file}:{next(iter(value))}"
        )
    name = name or next(iter(value))
    return _affinity(file, value[name], name)


def _affinity(file: str, table: Any, method: str = "given") -> Affinity:
    try:
        return Affinity.from_json(table, method)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
