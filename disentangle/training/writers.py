"""Where a run's numbers go: metrics.jsonl always, TensorBoard on request."""

import dataclasses
import json
import math
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from disentangle.errors import UserError
from disentangle.files import read_bytes, read_json, read_lines, write_json, write_text

SUM = ".sum.json"
Values = Mapping[str, Any]  # name -> number or short vector


class Writer(Protocol):
    """Named as in clu, with a row a member of the population."""

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Writes one value a name for every member."""

    def flush(self) -> None:
        """Makes what was written durable."""

    def close(self) -> None:
        """Flushes and lets go."""


# A row of metrics.jsonl: step, split, member, and the values by name (NaN: null).
ROW = dict[str, int | float | str | list[float | list[float | None] | None] | None]


@dataclasses.dataclass(frozen=True)
class Vouched:
    """What metrics.sum.json says of metrics.jsonl: its first bytes and their CRC-32."""

    size: int = 0
    crc: int = 0

    def more(self, data: bytes) -> "Vouched":
        """The same with `data` at the end."""
        return Vouched(self.size + len(data), zlib.crc32(data, self.crc))


class JsonlWriter:
    """One JSON object a line: step, split, member, and the values (NaN: null).

    Beside it, metrics.sum.json says what was written up to the last `flush`.
    """

    def __init__(self, path: Path, resume_step: int):
        """Drops damaged lines, and those after `resume_step`, which come again."""
        self._path = path
        rows = _rows(path)
        kept = b"".join(line for line, row in rows if row["step"] <= resume_step)
        self._vouched = Vouched().more(kept)
        self.flush()  # first: what is kept is in the old file too
        write_text(path, kept.decode())  # a kill or a full disk here loses no line

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Appends a line a member.

        Raises:
          UserError: the file cannot be written (a full disk).
        """
        lines = []
        for member, values in rows.items():
            row = {"step": step, "split": split, "member": member}
            row |= {name: _finite(value) for name, value in values.items()}
            lines.append(json.dumps(row) + "\n")
        data = "".join(lines).encode()
        try:
            with open(self._path, "ab") as file:
                file.write(data)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"cannot write {self._path}: {reason}") from None
        self._vouched = self._vouched.more(data)

    def flush(self) -> None:
        """Vouches for all lines written so far."""
        table = dataclasses.asdict(self._vouched)
        write_json(self._path.with_suffix(SUM), table)

    def close(self) -> None:
        """Does nothing: every line is in the file."""


class FinalWriter:
    """final.json: `step`, and `rows`, member -> its values on the test images there.

    The results of a run, apart from its log: written whole with every checkpoint, so
    that at the end of a run it holds the values of the last step.
    """

    def __init__(self, path: Path):
        self._path = path
        self._held: dict[str, Any] | None = None

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Holds the newest rows of the test images."""
        if split == "test":
            self._held = {"step": step, "rows": finite_rows(rows)}

    def flush(self) -> None:
        """Writes what is held."""
        if self._held is not None:
            write_json(self._path, self._held)

    def close(self) -> None:
        """Writes what is held."""
        self.flush()


def finite_rows(rows: Mapping[str, Values]) -> dict[str, dict[str, Any]]:
    """Values as strict JSON holds them: None for what is not finite."""
    return {
        member: {name: _finite(value) for name, value in values.items()}
        for member, values in rows.items()
    }


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
            "TensorBoard logging needs the extra: pip install -e '.[tensorboard]'"
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
    """The rows of a run's metrics.jsonl (a torn last line is left out).

    Damaged lines are left out, and a file that is not what was written is reported,
    by one warning.

    Raises:
      UserError: the file cannot be read at all.
    """
    return [row for _, row in _rows(workdir / "metrics.jsonl")]


def _rows(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """The good lines and what they hold; one warning if some are not."""
    vouched = _vouched(path.with_suffix(SUM))  # before the file: a run may be writing
    data = read_bytes(path) if path.exists() else b""
    found = list(read_lines(data, ROW))
    good = [(line, row) for line, row in found if row is not None and _is_row(row)]
    lost = len(found) - len(good)
    if lost:
        lines = "1 line" if lost == 1 else f"{lost} lines"
        warnings.warn(f"{path} is damaged: {lines} left out", stacklevel=3)
    elif vouched and Vouched().more(data[: vouched.size]) != vouched:
        warnings.warn(f"{path} is not as it was written", stacklevel=3)
    return good


def _vouched(path: Path) -> Vouched | None:
    """What is said of the log; None where nothing (runs of older versions)."""
    if not path.exists():
        return None
    try:
        return read_json(path, Vouched)
    except UserError as error:
        warnings.warn(str(error), stacklevel=4)
        return None


def _is_row(row: dict[str, Any]) -> bool:
    """Whether a row says where it belongs."""
    step, named = row.get("step"), (row.get("split"), row.get("member"))
    is_step = isinstance(step, int) and 0 <= step < 2**53
    return is_step and all(isinstance(name, str) for name in named)


def _finite(value: Any) -> Any:
    array = np.asarray(value, np.float64)
    if array.ndim:
        return [_finite(v) for v in array]
    return float(array) if math.isfinite(array) else None
