"""The logs of a run whose members are trained in batches, or join it later."""

import dataclasses
import json
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from disentangle.files import read_bytes, read_json, read_lines, write_json, write_text
from disentangle.training.members import Member
from disentangle.training.writers import ROW, SUM, Final, Images, Values, Writer


class SharedWriters(Writer):
    """Writers of a run that its batches of members use, one call at a time."""

    def __init__(self, writers: Sequence[Writer]):
        self._writers, self._lock = writers, threading.Lock()

    def begin(self, step: int, members: Collection[str]) -> list[Writer]:
        """The writer of a batch of members that goes on from a step."""
        with self._lock:
            for writer in self._writers:
                writer.rewind(step, members)
        return [self]

    def rewind(self, step: int, members: Collection[str]) -> None:
        """As `begin`."""
        self.begin(step, members)

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Writes to all."""
        with self._lock:
            for writer in self._writers:
                writer.write_scalars(step, split, rows)

    def write_images(self, step: int, split: str, rows: Mapping[str, Images]) -> None:
        """Writes to all."""
        with self._lock:
            for writer in self._writers:
                writer.write_images(step, split, rows)

    def write_hyperparameters(self, rows: Mapping[str, Values]) -> None:
        """Writes to all."""
        with self._lock:
            for writer in self._writers:
                writer.write_hyperparameters(rows)

    def flush(self) -> None:
        """Flushes all."""
        with self._lock:
            for writer in self._writers:
                writer.flush()

    def close(self) -> None:
        """Nothing, as other batches may go on: `close_all` is the owner's."""

    def close_all(self) -> None:
        """Closes all."""
        with self._lock:
            for writer in self._writers:
                writer.close()


def rename_members(
    workdir: Path, by_id: Mapping[str, Member], by_name: Mapping[str, Member]
) -> None:
    """Gives the members of metrics.jsonl and final.json their names of today.

    A member's name changes with what its run sweeps, its id does not. Done again after
    a kill it does the same, as a line that has its id is known by it.

    Args:
      workdir: of the run.
      by_id: id -> member.
      by_name: name -> member, for lines without an id (of older versions).

    Raises:
      UserError: a file is damaged, or cannot be written.
    """
    path = workdir / "metrics.jsonl"
    if path.exists():
        lines = [
            line if row is None else _renamed(line, row, by_id, by_name)
            for line, row in read_lines(read_bytes(path), ROW)
        ]
        path.with_suffix(SUM).unlink(missing_ok=True)  # written with the next line
        write_text(path, b"".join(lines).decode("utf-8", "replace"))
    path = workdir / "final.json"
    if path.exists():
        held = read_json(path, Final)
        named = {n: by_id.get(held.ids.get(n, ""), by_name.get(n)) for n in held.rows}
        rows = {m.name: held.rows[n] for n, m in named.items() if m is not None}
        ids = {m.name: m.id for m in named.values() if m is not None}
        write_json(path, dataclasses.asdict(Final(held.step, rows, ids)))


def _renamed(
    line: bytes,
    row: ROW,
    by_id: Mapping[str, Member],
    by_name: Mapping[str, Member],
) -> bytes:
    key = row.get("id")
    member = by_name.get(str(row.get("member"))) if key is None else by_id.get(str(key))
    if member is None:
        return line
    head = {"step": row["step"], "split": row["split"]}
    named = head | {"member": member.name, "id": member.id}
    rest = {name: value for name, value in row.items() if name not in named}
    return json.dumps(named | rest).encode() + b"\n"
