"""What `group_tasks` takes: an Affinity, measured groups, or what plainly means one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from disentangle.affinity.base import Affinity
from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.inputs import read_group_input
from disentangle.affinity.to_grouping import Grouping
from disentangle.errors import UserError


def scores_of(scores: Any, tasks: Sequence[str] | None = None) -> Affinity | GroupTable:
    """The Affinity or GroupTable that `scores` is or means; see `group_tasks`.

    Raises:
      UserError: it is neither and cannot be read as one.
    """
    if tasks is not None and not _is_plain(scores):
        raise UserError(
            f"tasks= names the rows of a plain array; {type(scores).__name__} has names"
        )
    if isinstance(scores, Affinity | GroupTable):
        return scores
    if isinstance(scores, Grouping):
        raise UserError(
            "this is a Grouping, the result of group_tasks: give the affinity that it "
            "was made from"
        )
    if isinstance(scores, str | os.PathLike):
        return read_group_input(scores)
    if isinstance(scores, Mapping):
        return GroupTable.from_dict(dict(scores))
    columns, index = getattr(scores, "columns", None), getattr(scores, "index", None)
    if columns is not None and index is not None and hasattr(scores, "loc"):
        return _of_frame(scores, list(columns), list(index))
    if not _is_plain(scores):
        raise UserError(
            "group_tasks takes an Affinity, a GroupTable, a table or square array with "
            f"a row per source task, or the path of a file; got {type(scores).__name__}"
        )
    matrix = numbers(scores)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UserError(
            "an affinity must be square, a row and a column per task; got shape "
            f"{matrix.shape}"
        )
    if isinstance(tasks, str):
        raise UserError(f"tasks must be a list of names, got {tasks!r}")
    names = [f"task {i + 1}" for i in range(len(matrix))] if tasks is None else tasks
    return Affinity(matrix, tuple(names))


def numbers(values: Any) -> np.ndarray:
    """float64 of an array-like of real numbers; what a mask hides is NaN.

    Raises:
      UserError: it holds something else.
    """
    try:
        array = np.ma.asanyarray(values) if np.ma.isMA(values) else np.asarray(values)
        if array.dtype.kind not in "buifO":
            raise TypeError
        found = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError("an affinity must hold real numbers only") from None
    return np.asarray(np.ma.filled(found, np.nan) if np.ma.isMA(found) else found)


def _is_plain(scores: Any) -> bool:
    """Whether it is numbers without names: an array of any library, or lists."""
    is_table = hasattr(scores, "columns") or isinstance(scores, Mapping)
    array = hasattr(scores, "__array__") or isinstance(scores, list | tuple)
    return array and not is_table and not isinstance(scores, Affinity | Grouping)


def _of_frame(frame: Any, columns: list[Any], index: list[Any]) -> Affinity:
    """A data frame: its index names the sources, its columns the targets."""
    targets = [str(name) for name in columns]
    sources = [str(name) for name in index]
    matrix = numbers(frame.to_numpy())
    for what, names in (("columns", targets), ("index", sources)):
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"the table's {what} name {name!r} more than once")
    if index == list(range(len(index))) and len(index) == len(targets):
        sources = targets  # no names were given to the rows: they are in column order
    if set(sources) != set(targets):
        odd = sorted(set(sources) ^ set(targets))[0]
        raise UserError(
            "a table of affinities has the same tasks as rows (sources) and columns "
            f"(targets); {odd!r} is in one only"
        )
    order = [sources.index(name) for name in targets]
    return Affinity(matrix[order], tuple(targets))
