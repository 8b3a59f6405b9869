"""What the `group` command reads: an affinity matrix or a table of measured groups."""

from __future__ import annotations

import os
from pathlib import Path

from disentangle.affinity.base import Affinity
from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.tables import read_text
from disentangle.errors import UserError


def read_group_input(
    path: str | os.PathLike[str], rows: str = "source"
) -> Affinity | GroupTable:
    """Reads what there is to group, by what the file holds and not by its name.

    Args:
      path: a JSON file (see `GroupTable.from_dict`) or a CSV file (see
        `Affinity.from_csv`).
      rows: of a CSV file, "source" or "target"; a JSON file takes "source" only.

    Raises:
      UserError: the file is missing, empty or wrong.
    """
    if read_text(path).lstrip().startswith(("{", "[")) or Path(path).suffix == ".json":
        if rows != "source":
            raise UserError(f"rows={rows!r} is for a CSV matrix, and {path} is JSON")
        return GroupTable.from_json(path)
    return Affinity.from_csv(path, rows)
