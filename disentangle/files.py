"""Files that are written whole or not at all, proved, and read with one sentence.

What is written is read back before it counts as written. What is read may be damaged
in any way: every reader here raises a UserError that names the file.
"""

import codecs
import contextlib
import errno
import io
import json
import os
import platform
import re
import struct
import threading
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from disentangle.errors import UserError, shown
from disentangle.processes import is_gone

# What a damaged file causes in the code that reads it.
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # deep nesting; an encrypted or unknown kind of zip member
    SyntaxError,  # the header of an array
    TypeError,
    ValueError,
    struct.error,  # the fields of a zip archive
    tokenize.TokenError,  # the header of an array, of an old version
    zipfile.BadZipFile,
    zlib.error,
)
LEFTOVER = re.compile(r"\..*\.(?:(\w+)-)?(\d+)[-.]\d+\.tmp(\..*)?")
OLD = 24 * 3600  # seconds after which an unfinished file is nobody's


def place(path: Any, what: str = "path") -> Path:
    """A path as a user writes it, `~` as the home folder.

    Raises:
      UserError: it is no path, empty, too long, or of a user who is not there.
    """
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise UserError(f"{what} {shown(path)} must be the path of a file or folder")
    try:
        found = Path(path).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.stat(found)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        text = str(path)[:80]
        raise UserError(f"{what} {text!r} cannot be used: {reason}") from None
    return found


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that replaces it when the `with` body ends well.

    On any error it is removed, and `path` is what it was before. Every process and
    thread has a file of its own: of two that write `path`, the last one stands. What
    a killed process left beside `path` is removed by the next one.

    Raises:
      OSError: with `path` as its filename where it had none.
    """
    own = f"{_host()}-{os.getpid()}-{threading.get_ident()}"
    beside = path.with_name(f".{path.stem[:40]}.{own}.tmp{path.suffix}")
    try:
        yield beside
        with open(beside, "r+b") as file:
            os.fsync(file.fileno())
        beside.replace(path)
        clear_leftovers(path.parent, path.stem[:40])
    except OSError as error:
        if error.filename in (None, str(beside)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def clear_leftovers(folder: Path, stem: str = "") -> None:
    """Removes the unfinished files of killed processes from a folder.

    A file goes if the process that began it on this host is dead, or if nothing was
    written to it for a day.

    Args:
      folder: where; nothing below it is touched.
      stem: only files that were to become a file of this stem; "" for all.
    """
    with contextlib.suppress(OSError):
        for path in folder.glob(".*.tmp*"):
            found = LEFTOVER.fullmatch(path.name)
            if found and path.name.startswith(f".{stem}"):
                with contextlib.suppress(OSError):
                    age = time.time() - path.stat().st_mtime
                    if age > OLD or (found[1] == _host() and is_gone(int(found[2]))):
                        path.unlink()


def _host() -> str:
    return re.sub(r"\W", "_", platform.node(), flags=re.ASCII)[:40] or "host"


@contextlib.contextmanager
def _writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """`whole`, with one sentence for a place that cannot be written."""
    try:
        with whole(Path(path)) as beside:
            yield beside
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {path}: {reason}") from None


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 whole or not at all, and reads it back.

    What UTF-8 cannot hold (a file name of other bytes) is written as an escape.

    Raises:
      UserError: the place cannot be written (no such folder, a full disk), or does
        not give back what was written.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file whole or not at all, and reads it back; errors as `write_text`."""
    with _writing(path) as beside:
        beside.write_bytes(data)
        if beside.read_bytes() != data:
            raise OSError(errno.EIO, "it does not hold what was written")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes strict JSON (no NaN) whole or not at all; errors as `write_text`."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes an .npz whole or not at all, and reads it back; errors as `write_text`."""
    with _writing(path) as beside:
        np.savez(beside, **arrays)
        found = read_arrays(beside)
        for name, array in arrays.items():
            kept = found.get(name)
            if kept is None or kept.tobytes() != np.asarray(array).tobytes():
                raise OSError(errno.EIO, f"it does not hold {name!r} as written")


@contextlib.contextmanager
def reading(
    path: Path, what: str = "cannot be read", *, name: str = ""
) -> Iterator[None]:
    """One sentence, "`path` `what`: ...", for whatever a damaged file causes.

    Args:
      path: the file that is read in the body.
      what: what cannot be done with it.
      name: what the file is called in the sentence, where that is not its path.
    """
    says = f"{name or path} {what}"
    try:
        yield
    except UserError as error:
        reason = str(error).removeprefix(f"{path} ")
        raise UserError(f"{says}: {reason}") from None
    except KeyError as error:
        raise UserError(f"{says}: it has no {error}") from None
    except OSError as error:
        raise UserError(f"{says}: {error.strerror or error}") from None
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{says}: {reason}") from None


def read_json(path: Path, type: Any = Any) -> Any:
    """Reads strict JSON, by a type if one is given.

    Args:
      path: a file in UTF-8.
      type: what the file must hold, such as dict[str, int] or a dataclass; fields
        that a dataclass does not have are passed over.

    Raises:
      UserError: naming the file, if there is none, it cannot be read, is not JSON, or
        holds something else than `type`.
    """
    return parse_json(read_bytes(path), path, type)


def parse_json(data: bytes, path: Path, type: Any = Any) -> Any:
    """Strict JSON that stands in a file; arguments and errors as in `read_json`."""
    data = data.removeprefix(codecs.BOM_UTF8)
    with reading(path, "is not JSON" if type is Any else "is not what it should be"):
        return msgspec.json.decode(data, type=type)


def read_lines(data: bytes, type: Any) -> Iterator[tuple[bytes, Any]]:
    """Lines of JSON, each with what it holds by `type`, or None if it is damaged.

    A last line without an end was cut by a kill: it is left out.
    """
    decoder = msgspec.json.Decoder(type)
    for line in data.split(b"\n")[:-1]:
        try:
            yield line + b"\n", decoder.decode(line)
        except DAMAGE:
            yield line + b"\n", None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz by name; each owns its memory.

    Raises:
      UserError: naming the file, if there is none or it is damaged.
    """
    data = io.BytesIO(read_bytes(path))
    with reading(path), zipfile.ZipFile(data) as archive:
        return {
            name.removesuffix(".npy"): _array(archive.read(name))
            for name in archive.namelist()
        }


def read_bytes(path: Path) -> bytes:
    """All of a file; UserError naming it if there is none or it cannot be read."""
    with reading(path):
        if path.exists():
            return path.read_bytes()
    raise UserError(f"there is no file {path}")


def _array(data: bytes) -> np.ndarray:
    """The array of an .npy file; nothing is allocated that the bytes do not fill."""
    file = io.BytesIO(data)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(file)]
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    order: Literal["F", "C"] = "F" if is_fortran else "C"
    array = np.ndarray(shape, dtype, data, file.tell(), order=order)
    if array.nbytes != len(data) - file.tell():
        raise ValueError("an array is cut short or too long")
    return array.copy(order="A")
