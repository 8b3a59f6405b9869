"""Where a run's numbers go: the protocol of a writer, and metrics.jsonl."""

import contextlib
import dataclasses
import json
import math
import warnings
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from disentangle.errors import UserError
from disentangle.files import (
    place,
    read_bytes,
    read_json,
    read_lines,
    write_json,
    write_text,
)

SUM = ".sum.json"
NEVER = 2**53  # a step that no run comes to
Values = Mapping[str, Any]  # name -> number or short vector
Images = Mapping[str, np.ndarray]  # name -> (H, W, 1 or 3) uint8


@dataclasses.dataclass(frozen=True)
class Final:
    """What final.json holds."""

    step: int
    rows: dict[str, dict[str, Any]]  # member -> name -> a number, a list, or None
    ids: dict[str, str] = dataclasses.field(default_factory=dict)  # member -> id


class Writer(Protocol):
    """Named as in clu, with one row per member of the population.

    What a writer does not take it leaves as it is here: nothing is done with it.
    """

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Writes one value per name for every member."""

    def write_images(self, step: int, split: str, rows: Mapping[str, Images]) -> None:
        """Writes one image per name for every member."""
        return None

    def write_hyperparameters(self, rows: Mapping[str, Values]) -> None:
        """Writes, before the rest, what every member was told: numbers and words."""
        return None

    def rewind(self, step: int, members: Collection[str]) -> None:
        """Forgets what these members wrote after a step: it comes again."""
        return None

    def flush(self) -> None:
        """Makes what was written durable."""
        return None

    def close(self) -> None:
        """Flushes and lets go."""
        return None


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


class JsonlWriter(Writer):
    """One JSON object a line: step, split, member, its id, and the values (NaN: null).

    Beside it, metrics.sum.json says what was written up to the last `flush`.

    Args:
      path: of metrics.jsonl.
      resume_step: lines after it are dropped, as they come again; so are damaged ones.
      ids: name -> id of the members, in the order of their lines.
    """

    def __init__(
        self,
        path: Path,
        resume_step: int = NEVER,
        ids: Mapping[str, str] = MappingProxyType({}),
    ):
        self._path, self._ids = path, ids
        rows = _rows(path)
        self._replace([line for line, row in rows if row["step"] <= resume_step])

    def rewind(self, step: int, members: Collection[str]) -> None:
        """Drops the lines of these members after a step."""
        rows = _rows(self._path)
        again = lambda row: row["member"] in members and row["step"] > step
        kept = [line for line, row in rows if not again(row)]
        if len(kept) < len(rows):
            self._replace(kept)

    def _replace(self, lines: Sequence[bytes]) -> None:
        """Makes the file these lines; a kill or a full disk here loses none."""
        data = b"".join(lines)
        self._vouched = Vouched().more(data)
        before = self._path.read_bytes() if self._path.exists() else b""
        if before.startswith(data):
            self.flush()  # first: what is kept is in the old file too
            write_text(self._path, data.decode())
            return
        self._path.with_suffix(SUM).unlink(missing_ok=True)
        write_text(self._path, data.decode())
        self.flush()

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Appends one line per member.

        Raises:
          UserError: the file cannot be written (a full disk).
        """
        lines = []
        for member, values in rows.items():
            row = {"step": step, "split": split, "member": member}
            if member in self._ids:
                row["id"] = self._ids[member]
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
        """Puts the lines in the order of a run that trains all members together."""
        place = {name: i for i, name in enumerate(self._ids)}
        rows = _rows(self._path)
        order = sorted(
            rows,
            key=lambda pair: (
                pair[1]["step"],
                pair[1]["split"] != "train",
                place.get(pair[1]["member"], len(place)),
            ),
        )
        if place and order != rows:
            self._replace([line for line, _ in order])


class FinalWriter(Writer):
    """final.json: `step`, and `rows`, member -> its values on the test images there.

    The results of a run, apart from its log: written whole with every checkpoint, so
    that at the end of a run it holds the values of the last step. Of members in
    batches, those of the furthest step are there.

    Args:
      path: of final.json; what it holds is kept for the members that do not come again.
      ids: name -> id of the members, in the order of their rows.
    """

    def __init__(self, path: Path, ids: Mapping[str, str] = MappingProxyType({})):
        self._path, self._ids, self._is_new = path, ids, False
        self._rows: dict[str, tuple[int, dict[str, Any]]] = {}
        with contextlib.suppress(UserError):  # damaged: it is written anew
            held = read_json(path, Final) if path.exists() else Final(0, {})
            known = {n: row for n, row in held.rows.items() if n in ids}
            self._rows = {name: (held.step, row) for name, row in known.items()}

    def rewind(self, step: int, members: Collection[str]) -> None:
        """Forgets rows of these members after a step."""
        for name in members:
            if name in self._rows and self._rows[name][0] > step:
                del self._rows[name]

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Holds the newest rows of the test images."""
        if split == "test":
            self._is_new = True
            for name, values in finite_rows(rows).items():
                self._rows[name] = step, values

    def flush(self) -> None:
        """Writes what is held, if any of it is new."""
        if self._is_new:
            step = max(at for at, _ in self._rows.values())
            known = [name for name in self._ids if name in self._rows]
            names = [*known, *(name for name in self._rows if name not in self._ids)]
            there = [name for name in names if self._rows[name][0] == step]
            rows = {name: self._rows[name][1] for name in there}
            ids = {name: self._ids[name] for name in there if name in self._ids}
            write_json(self._path, dataclasses.asdict(Final(step, rows, ids)))
            self._is_new = False

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


def read_metrics(workdir: str | Path) -> list[dict[str, Any]]:
    """The rows of a run's metrics.jsonl (a torn last line is left out).

    Damaged lines are left out, and a file that is not what was written is reported,
    by one warning.

    Raises:
      UserError: the file cannot be read at all.
    """
    return [row for _, row in _rows(place(workdir, "workdir") / "metrics.jsonl")]


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
