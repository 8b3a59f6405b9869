"""Tables that are built once and kept: written atomically, verified when read.

A cache file is an ordinary `.npy` file followed by the 32 bytes of the sha256 of the
array's bytes (`np.load` reads the array and does not mind the rest). It appears under
its name only when it is complete and on the disk.
"""

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from disentangle import errors
from disentangle.data.aligned import aligned
from disentangle.files import DAMAGE, clear_leftovers, whole


def folder(cache_dir: str | os.PathLike | None = None) -> Path:
    """`cache_dir`, else $DISENTANGLE_CACHE, else ~/.cache/disentangle."""
    chosen = cache_dir or os.environ.get("DISENTANGLE_CACHE")
    return (
        Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "disentangle"
    )


def cached(
    name: str,
    build: Callable[[], np.ndarray],
    *,
    shape: tuple[int, ...],
    dtype: np.dtype,
    sha256: str | None = None,
    cache_dir: str | os.PathLike | None = None,
) -> np.ndarray:
    """The array `build()` returns, from the cache file where there is a good one.

    A damaged file is reported by a warning and built again. Where nothing can be
    written (no permission, full disk) the array is returned all the same, with a
    warning, and no partial file is left.

    Args:
      name: file name without ending; holds the version of what is built.
      build: makes the array.
      shape: of the array.
      dtype: of the array.
      sha256: expected hex digest of the array's bytes, if it is known.
      cache_dir: folder; None for the default one.
    """
    path = folder(cache_dir) / f"{name}.npy"
    clear_leftovers(path.parent, path.stem)
    try:
        return _read(path, shape, dtype, sha256)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except DAMAGE as error:
        _warn(f"cache file {path} is damaged ({error}); building it again.")
    array = build()
    digest = hashlib.sha256(array.data).hexdigest()
    if sha256 not in (None, digest):
        raise RuntimeError(f"{name} was built with sha256 {digest}, not {sha256}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary, open(temporary, "wb") as file:
            np.save(file, array)
            file.write(bytes.fromhex(digest))
    except OSError as error:
        _warn(f"{name} is not cached: cannot write {path} ({error}).")
    return array


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)


def _read(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, sha256: str | None
) -> np.ndarray:
    """The verified array of a cache file; ValueError says what is wrong with it."""
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        with warnings.catch_warnings():  # numpy suspects a file of Python 2
            warnings.simplefilter("ignore")
            header = np.lib.format.read_array_header_1_0(file)
        if header != (shape, False, np.dtype(dtype)):
            raise ValueError(f"it holds {header[0]} {header[2]}")
        array = aligned(shape, dtype)
        got = file.readinto(array.data.cast("B"))
        stored = file.read(33)
    if got != array.nbytes or len(stored) != 32:
        raise ValueError("it is cut short or too long")
    digest = hashlib.sha256(array.data).hexdigest()
    if digest != stored.hex() or sha256 not in (None, digest):
        raise ValueError("its sha256 does not match")
    return array


def writable_folder(path: Path) -> Path:
    """`path` as an existing folder; UserError where it cannot be one."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.UserError(f"{path} is a file, not a folder.") from error
    except OSError as error:
        raise errors.UserError(f"cannot make the folder {path}: {error}.") from error
    return path
