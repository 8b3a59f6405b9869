"""The folder of a run: one owner at a time, one config for its whole life."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from disentangle.errors import UserError
from disentangle.files import clear_leftovers, read_json, write_json

MISSING = "(absent)"
LOCK = "lock"


@contextlib.contextmanager
def owned(workdir: Path) -> Iterator[Path]:
    """Creates the folder and holds its lock; the system frees it on any death.

    A folder that is still empty at the end, because what was to be done there was
    refused, is removed again.

    Raises:
      UserError: if the path is a file, cannot be created, or another process
        holds it.
    """
    refuse_other(workdir)
    made = [path for path in (workdir, *workdir.parents) if not path.exists()]
    lock = FileLock(workdir / LOCK, timeout=0)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(f"workdir {workdir} is in use by another process") from None
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise UserError(f"workdir {workdir} cannot be used: {reason}") from None
    try:
        clear_leftovers(workdir)
        yield workdir
    finally:
        is_empty = [path.name for path in workdir.iterdir()] == [LOCK]
        if is_empty:  # a lock that others may wait for stays
            (workdir / LOCK).unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # another process may have come in
            for folder in made if is_empty else []:
                folder.rmdir()


def refuse_other(workdir: Path) -> None:
    """Raises UserError if the path is there and no folder, or cannot be a path."""
    try:
        if workdir.exists() and not workdir.is_dir():
            raise UserError(f"workdir {workdir} is a file, not a folder")
    except OSError as error:
        raise UserError(f"workdir {workdir} cannot be used: {error.strerror}") from None


def check_workdir(workdir: Path, config: dict[str, Any]) -> None:
    """Raises, without touching it, what a run with this config there would."""
    refuse_other(workdir)
    if (workdir / "config.json").exists():
        refuse_difference(workdir, config)


def refuse_difference(workdir: Path, config: dict[str, Any]) -> None:
    """Raises UserError if the workdir was started with another config."""
    changes = difference(read_json(workdir / "config.json"), config)
    if changes:
        lines = ", ".join(f"{k}: {old!r} -> {new!r}" for k, old, new in changes)
        raise UserError(f"workdir {workdir} holds a run of another config ({lines})")


def settle_config(workdir: Path, config: dict[str, Any]) -> None:
    """Writes the config of a new workdir; refuses a different one of an old.

    Raises:
      UserError: naming every field that differs, and both values.
    """
    path = workdir / "config.json"
    if path.exists():
        refuse_difference(workdir, config)
    else:
        write_json(path, config)


def difference(old: Any, new: Any, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """The leaves in which two nested configs differ, as (field, old, new)."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [(prefix, old, new)]
    changes = []
    for key in [*old, *(k for k in new if k not in old)]:
        name = f"{prefix}.{key}" if prefix else key
        changes += difference(old.get(key, MISSING), new.get(key, MISSING), name)
    return changes
