"""Reads codes.npz, the file of codes and factors that `score` takes."""

import zipfile
import zlib
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from disentangle.errors import UserError


class Codes(NamedTuple):
    """codes (N, D), factors (N, F), and what else the file may hold.

    Attributes:
      factor_names: F names, or None.
      logvars: (N, D), or None.
      categorical: the columns of each categorical latent.
    """

    codes: np.ndarray
    factors: np.ndarray
    factor_names: tuple[str, ...] | None
    logvars: np.ndarray | None = None
    categorical: tuple[tuple[int, ...], ...] = ()


OPTIONAL = ("factor_names", "logvars", "categorical")


def read_codes(path: str | PathLike[str]) -> Codes:
    """Reads an npz file with `codes` and `factors`.

    If there: `factor_names` (F,), `logvars` (N, D), and `categorical` (D,) int, 0 for
    a column that is a latent of its own; columns with the same number above 0 are the
    probabilities of one categorical latent's values.

    Args:
      path: a file that `np.savez` wrote, without pickled objects.

    Returns:
      The arrays as stored; `score` checks their shapes and values.

    Raises:
      UserError: no such file, a folder, an empty, truncated or different file, a
        missing array, or an array of Python objects.
    """
    try:
        file = Path(path).expanduser()
        _check_file(file)
    except (OSError, RuntimeError) as error:  # too long, or of no user
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{str(path)[:80]!r} cannot be read: {reason}") from None
    try:
        with np.load(file, allow_pickle=False) as stored:
            missing = [name for name in ("codes", "factors") if name not in stored]
            if missing:
                raise UserError(
                    f"{file} has no array {missing[0]!r}; it holds "
                    f"{', '.join(stored.files) or 'nothing'}"
                )
            arrays = {
                name: stored[name]
                for name in ("codes", "factors", *OPTIONAL)
                if name in stored
            }
    except UserError:
        raise
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{file} cannot be read (damaged, or it holds Python objects): {error}"
        ) from error
    names = arrays.get("factor_names")
    return Codes(
        arrays["codes"],
        arrays["factors"],
        None if names is None else tuple(str(name) for name in names.ravel()),
        arrays.get("logvars"),
        _groups(file, arrays.get("categorical")),
    )


def _groups(file: Path, labels: np.ndarray | None) -> tuple[tuple[int, ...], ...]:
    """The columns of each label above 0."""
    if labels is None:
        return ()
    whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    if not whole or (labels < 0).any():
        raise UserError(
            f"categorical in {file} must be integers >= 0, one per column of codes, "
            f"but has the shape {labels.shape} and holds {labels.dtype}"
        )
    return tuple(
        tuple(np.flatnonzero(labels == label).tolist())
        for label in np.unique(labels[labels > 0])
    )


def _check_file(file: Path) -> None:
    """The file is there and starts and ends as an npz file does."""
    if file.is_dir():
        raise UserError(f"{file} is a folder; expected an npz file")
    if not file.exists():
        raise UserError(f"{file} does not exist")
    try:
        with file.open("rb") as opened:
            start = opened.read(4)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    if not start:
        raise UserError(f"{file} is empty; expected an npz file")
    if not start.startswith(b"PK"):
        raise UserError(
            f"{file} is not an npz file: write it with "
            "np.savez(path, codes=codes, factors=factors)"
        )
    if not zipfile.is_zipfile(file):
        raise UserError(f"{file} is truncated: the end of the npz file is missing")
