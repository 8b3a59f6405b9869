"""The affinity matrix: which task helps which, with its orientation in the type."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentangle.affinity import tables
from disentangle.errors import UserError, as_list, shown
from disentangle.files import place, read_json, reading, write_json

LARGEST = 1e300  # sums over tasks stay finite


@dataclass(frozen=True, eq=False, repr=False)
class Affinity:
    """How a step on each source task changes each target task.

    Attributes:
      matrix: (N, N) float64, read-only, `matrix[source, target]`. Larger is better;
        above 0 means that a step on the source helps the target.
      tasks: the N task names, in the order of both axes.
      method: the estimator's name, e.g. "lookahead".
        The diagonal, a task's effect on itself, may be NaN: not known.
      standard_error: (N, N) float64 of `matrix`, at least 0, or None where unknown.
      samples: how many sampled training steps were averaged (0: not known).

    Raises:
      UserError: no tasks, names that are empty or used twice, an array of another
        shape, a value that is not finite or beyond 1e300 (a mean would overflow), or
        samples or a method that `save` could not write so that `load` reads them.
    """

    matrix: np.ndarray
    tasks: tuple[str, ...]
    method: str = "given"
    standard_error: np.ndarray | None = None
    samples: int = 0

    def __post_init__(self) -> None:
        tasks = check_tasks(self.tasks)
        matrix = _square("matrix", self.matrix, len(tasks))
        unknown = np.eye(len(tasks), dtype=bool) & np.isnan(matrix)
        _check_values("affinity", matrix, tasks, allowed=unknown)
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "matrix", matrix)
        if self.standard_error is not None:
            error = _square("standard_error", self.standard_error, len(tasks))
            _check_values("standard error", error, tasks, allowed=unknown)
            for source, target in np.argwhere(error < 0):
                raise UserError(
                    f"the standard error of source {tasks[source]!r} on target "
                    f"{tasks[target]!r} is {error[source, target]:g}, below 0"
                )
            object.__setattr__(self, "standard_error", error)
        whole = isinstance(self.samples, int | np.integer)
        if not whole or isinstance(self.samples, bool) or self.samples < 0:
            raise UserError(
                f"the samples of an affinity must be a count, not {shown(self.samples)}"
            )
        if not isinstance(self.method, str):
            raise UserError(
                f"the method of an affinity must be a name, not {shown(self.method)}"
            )
        object.__setattr__(self, "samples", int(self.samples))

    @property
    def orientation(self) -> str:
        """How to read the matrix, for titles and captions."""
        return "matrix[source, target] > 0: a step on source lowers target's loss"

    def __repr__(self) -> str:
        names = ", ".join(self.tasks)
        return (
            f"Affinity({self.method}, {len(self.tasks)} tasks: {names}; "
            f"{self.samples} samples; {self.orientation})"
        )

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON that `from_json` reads bit-equal; NaN is None."""
        plain = lambda array: [
            [None if math.isnan(v) else v for v in row] for row in array.tolist()
        ]
        error = self.standard_error
        return {
            "tasks": list(self.tasks),
            "matrix": plain(self.matrix),
            "standard_error": None if error is None else plain(error),
            "samples": self.samples,
            "method": self.method,
            "orientation": self.orientation,
        }

    @classmethod
    def from_json(cls, table: Any, method: str = "given") -> Affinity:
        """The inverse of `to_json`; `method` is used where the table names none.

        Raises:
          UserError: the table is not what `to_json` gives.
        """
        if not isinstance(table, Mapping) or not {"tasks", "matrix"} <= set(table):
            raise UserError("an affinity must be a JSON object with tasks and matrix")
        tasks, error = table["tasks"], table.get("standard_error")
        if not isinstance(tasks, list) or not all(isinstance(t, str) for t in tasks):
            raise UserError("the tasks of an affinity must be a list of names")
        matrix = _numbers("matrix", table["matrix"])
        error = None if error is None else _numbers("standard_error", error)
        method, samples = table.get("method", method), table.get("samples", 0)
        return cls(matrix, tuple(tasks), method, error, samples)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything, standard errors too, as JSON that `load` reads."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Affinity:
        """Reads what `save` wrote.

        Raises:
          UserError: naming the file, if it is missing or damaged.
        """
        file = place(path, "path of an affinity")
        with reading(file):
            return cls.from_json(read_json(file))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes the matrix, one row per source task; `from_csv` reads it bit-equal.

        A CSV has no standard errors: `save` keeps them.
        """
        tables.write_matrix(path, self.matrix, self.tasks, corner="source\\target")

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str], rows: str = "source") -> Affinity:
        """Reads a matrix: a header (free corner cell, task names), then a row per task.

        Args:
          path: the CSV file.
          rows: "source" if a row holds one source's effect on every target, "target"
            for the transpose.

        Raises:
          UserError: the file is missing or not such a table; names the cell.
        """
        if rows not in ("source", "target"):
            raise UserError(f"rows must be 'source' or 'target', got {rows!r}")
        matrix, tasks = tables.read_matrix(path)
        return cls(matrix if rows == "source" else matrix.T, tasks)


def check_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """The task names as a tuple, checked to be there, not empty and unique."""
    names = tuple(str(task) for task in as_list(tasks, "tasks must be a list of names"))
    for name in names:
        if not name.isprintable():
            raise UserError(f"the task name {name!r} has characters that do not print")
    if not names:
        raise UserError("there are no tasks: at least one is needed")
    if "" in names:
        raise UserError(f"task number {names.index('') + 1} has an empty name")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"the task name {name!r} is used more than once")
    return names


def _square(what: str, values: Any, n: int) -> np.ndarray:
    """A read-only float64 copy of `values`, checked to have shape (n, n)."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"the {what} must hold ({n}, {n}) real numbers") from None
    if array.shape != (n, n):
        raise UserError(
            f"the {what} of {n} tasks must be ({n}, {n}), got {array.shape}"
        )
    array.setflags(write=False)
    return array


def _numbers(what: str, rows: Any) -> np.ndarray:
    """An array of JSON's lists of numbers; None is NaN."""
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise UserError(f"the {what} of an affinity must be a list of rows")
    values = [value for row in rows for value in row if value is not None]
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise UserError(f"the {what} of an affinity must hold numbers only")
    try:
        return np.array(
            [[math.nan if v is None else v for v in row] for row in rows], np.float64
        )
    except (ValueError, OverflowError):
        raise UserError(f"the {what} of an affinity is not square") from None


def _check_values(
    what: str, matrix: np.ndarray, tasks: Sequence[str], allowed: np.ndarray
) -> None:
    """Raises UserError for the first value that cannot be calculated with."""
    for source, target in np.argwhere(~(np.abs(matrix) <= LARGEST) & ~allowed):
        value = matrix[source, target]
        wrong = "beyond 1e300" if np.isfinite(value) else "not a finite number"
        raise UserError(
            f"the {what} of source {tasks[source]!r} on target {tasks[target]!r} is "
            f"{value}, {wrong}"
        )
