"""Where a run's numbers go: metrics.jsonl always, TensorBoard on request."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from disentangle.errors import UserError
from disentangle.files import whole

Values = Mapping[str, Any]  # name -> number or short vector


class Writer(Protocol):
    """Named as in clu, with a row a member of the population."""

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Writes one value a name for every member."""

    def flush(self) -> None:
        """Makes what was written durable."""

    def close(self) -> None:
        """Flushes and lets go."""


class JsonlWriter:
    """One JSON object a line: step, split, member, and the values (NaN: null)."""

    def __init__(self, path: Path, resume_step: int):
        """Opens the file and drops lines after `resume_step`, which come again."""
        kept = _lines_until(path, resume_step)
        with whole(path) as beside:  # a kill or a full disk here loses no line
            beside.write_text("".join(kept))
        self._file = open(path, "a")  # noqa: SIM115 (closed by close)

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Appends a line a member."""
        for member, values in rows.items():
            row = {"step": step, "split": split, "member": member}
            row |= {name: _finite(value) for name, value in values.items()}
            self._file.write(json.dumps(row) + "\n")

    def flush(self) -> None:
        """Hands the lines to the system."""
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def parameter_table(params: Any) -> str:
    """Name, shape and size of every array of one model, and the total."""
    from clu import parameter_overview

    return parameter_overview.get_parameter_overview(params, include_stats=False)


def tensorboard_library() -> Any:
    """tensorboard.summary; UserError without the extra."""
    try:
        from tensorboard import summary
    except ImportError:
        raise UserError(
            "TensorBoard logging needs the extra: pip install "
            "'disentangle[tensorboard]'"
        ) from None
    return summary


class TensorBoardWriter:
    """TensorBoard's own event files, a run a member; TensorFlow is not needed."""

    def __init__(self, folder: Path):
        summary = tensorboard_library()
        self._make = lambda member: summary.Writer(str(folder / member))
        self._writers: dict[str, Any] = {}

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Writes the scalars (vectors stay in metrics.jsonl)."""
        for member, values in rows.items():
            if member not in self._writers:
                self._writers[member] = self._make(member)
            for name, value in values.items():
                if np.ndim(value) == 0:
                    tag = f"{split}/{name}"
                    self._writers[member].add_scalar(tag, float(value), step)

    def flush(self) -> None:
        """Flushes every run."""
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Closes every run."""
        for writer in self._writers.values():
            writer.close()


def read_metrics(workdir: Path) -> list[dict[str, Any]]:
    """The rows of a run's metrics.jsonl (a torn last line is left out)."""
    path = workdir / "metrics.jsonl"
    return [json.loads(line) for line in _lines_until(path, None)]


def _lines_until(path: Path, step: int | None) -> list[str]:
    """Whole lines with a step of at most `step` (None: all)."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text().splitlines(keepends=True):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if line.endswith("\n") and (step is None or row["step"] <= step):
            lines.append(line)
    return lines


def _finite(value: Any) -> Any:
    array = np.asarray(value, np.float64)
    if array.ndim:
        return [_finite(v) for v in array]
    return float(array) if math.isfinite(array) else None
