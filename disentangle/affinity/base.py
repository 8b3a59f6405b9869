"""The affinity matrix: which task helps which, with its orientation in the type."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disentangle.affinity import tables
from disentangle.errors import UserError


@dataclass(frozen=True, eq=False, repr=False)
class Affinity:
    """How a step on each source task changes each target task.

    Attributes:
      matrix: (N, N) float64, read-only, `matrix[source, target]`. Larger is better;
        above 0 means that a step on the source helps the target.
      tasks: the N task names, in the order of both axes.
      method: the estimator's name, e.g. "lookahead".
      standard_error: (N, N) float64 of `matrix`, or None where unknown.
      samples: how many sampled training steps were averaged (0: not known).

    Raises:
      UserError: no tasks, names that are empty or used twice, an array of another
        shape, or a value that is not finite.
    """

    matrix: np.ndarray
    tasks: tuple[str, ...]
    method: str = "given"
    standard_error: np.ndarray | None = None
    samples: int = 0

    def __post_init__(self) -> None:
        tasks = check_tasks(self.tasks)
        matrix = _square("matrix", self.matrix, len(tasks))
        for source, target in np.argwhere(~np.isfinite(matrix)):
            raise UserError(
                f"the affinity of source {tasks[source]!r} on target "
                f"{tasks[target]!r} is {matrix[source, target]}, not a finite number"
            )
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "matrix", matrix)
        if self.standard_error is not None:
            error = _square("standard_error", self.standard_error, len(tasks))
            object.__setattr__(self, "standard_error", error)

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

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes the matrix, one row a source task; `from_csv` reads it bit-equal."""
        tables.write_matrix(path, self.matrix, self.tasks, corner="source\\target")

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str], rows: str = "source") -> Affinity:
        """Reads a matrix: a header (free corner cell, task names), then a row a task.

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
    names = tuple(str(task) for task in tasks)
    if not names:
        raise UserError("there are no tasks: at least one is needed")
    if "" in names:
        raise UserError(f"task number {names.index('') + 1} has an empty name")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"the task name {name!r} is used more than once")
    return names


def _square(what: str, values: np.ndarray, n: int) -> np.ndarray:
    """A read-only float64 copy of `values`, checked to have shape (n, n)."""
    array = np.array(values, dtype=np.float64)
    if array.shape != (n, n):
        raise UserError(
            f"the {what} of {n} tasks must be ({n}, {n}), got {array.shape}"
        )
    array.setflags(write=False)
    return array
