"""The tables that come with the package, so that all analysis goes without training.

Five seeds of every regime of experiments/oracle.py, as `disentangle oracle` wrote them
(`benchmarks/oracle_tables.py` copies them here), named DATA-REGIME.
"""

from importlib import resources
from pathlib import Path

import numpy as np

from disentangle.errors import UserError, unknown
from disentangle.files import read_arrays, reading
from disentangle.oracle.table import TaskTable

GROUPS = "groups"  # in a file of scores, beside the scores


def folder() -> Path:
    """Where the tables are."""
    return Path(str(resources.files("disentangle.oracle").joinpath("tables")))


def shipped_names() -> tuple[str, ...]:
    """The names that `shipped` takes, sorted."""
    return tuple(sorted(path.stem for path in folder().glob("*.parquet")))


def shipped(name: str) -> TaskTable:
    """The table of every group of tasks, of one data set and regime.

    Args:
      name: such as "dsprites-bottleneck".

    Raises:
      UserError: there is no such table.
    """
    return TaskTable.load(_path(name, ".parquet"))


def shipped_scores(name: str) -> dict[str, np.ndarray]:
    """Scores of the codes of all groups: "<metric>/<part>" -> (S, G) float64.

    Seeds and groups are those of `shipped(name)`; a score that a group does not have is
    NaN. After "own/" stand the scores of the factors of the group's own tasks alone.

    Raises:
      UserError: there is no such table, or its file is damaged.
    """
    path, table = _path(name, ".npz"), shipped(name)
    found = read_arrays(path)
    with reading(path):
        if found.pop(GROUPS).tolist() != list(table.names):
            raise UserError("its groups are not those of the table")
        return {key: values.astype(np.float64) for key, values in found.items()}


def _path(name: str, suffix: str) -> Path:
    if name not in shipped_names():
        raise unknown("table", name, shipped_names())
    return folder() / f"{name}{suffix}"
