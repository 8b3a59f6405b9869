"""Files that are written whole or not at all, and JSON."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from disentangle.errors import UserError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that replaces it when the block ends well.

    On any error it is removed, and `path` is what it was before. Every process and
    thread has a file of its own: of two that write `path`, the last one stands.
    """
    own = f"{os.getpid()}.{threading.get_ident()}"
    beside = path.with_name(f".{path.stem}.{own}.tmp{path.suffix}")
    try:
        yield beside
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 whole or not at all.

    Raises:
      UserError: the place cannot be written (no such folder, a full disk).
    """
    try:
        with whole(Path(path)) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes strict JSON (no NaN) whole or not at all; errors as `write_text`."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes an .npz whole or not at all."""
    with whole(path) as beside:
        np.savez(beside, **arrays)


def read_json(path: Path) -> Any:
    """Reads JSON; UserError naming the file if there is none or it is damaged."""
    if not path.is_file():
        raise UserError(f"no file {path}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON: {error}") from None
