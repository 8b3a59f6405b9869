"""What users hold their numbers in: NumPy, masked, pandas, JAX, torch, lists."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from disentangle.errors import UserError


def matrix(name: str, shape: str, given: ArrayLike) -> np.ndarray:
    """`given` as a real number matrix with at least one row and column.

    Args:
      name: what it is called in messages.
      shape: what its shape is called, such as "(N, D)".
      given: an array, or what NumPy reads as one.

    Raises:
      UserError: it is not such a matrix, or an entry is masked or not a real number.
    """
    _check_mask(name, given)
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise UserError(f"{name} is not an array of shape {shape}: {error}") from error
    if array.ndim != 2:
        hint = ": score one model of a population at a time" if array.ndim == 3 else ""
        raise UserError(
            f"{name} must have the shape {shape}, but has {array.shape}{hint}"
        )
    if 0 in array.shape:
        raise UserError(f"{name} is empty: its shape is {array.shape}")
    if array.dtype.kind == "O":
        array = _numbers(name, array)
    if array.dtype.kind not in "bfiuV":  # V: jax's bfloat16
        raise UserError(f"{name} must hold real numbers, but holds {array.dtype}")
    return array


def column_names(given: Any) -> list[str] | None:
    """The column names of a data frame, where they are words; else None."""
    names = list(getattr(given, "columns", []))
    return names if names and all(isinstance(name, str) for name in names) else None


def check_same_rows(codes: Any, factors: Any) -> None:
    """Raises UserError where two data frames have the same rows in another order."""
    left: Any = getattr(codes, "index", None)
    right: Any = getattr(factors, "index", None)
    if not (hasattr(left, "equals") and hasattr(right, "equals")):
        return
    if len(left) != len(right) or left.equals(right):
        return
    if left.is_unique and right.is_unique and left.isin(right).all():
        raise UserError(
            "codes and factors are data frames with the same rows in different "
            "orders: put them in one order first, with factors.loc[codes.index]"
        )


def _check_mask(name: str, given: Any) -> None:
    """Raises UserError where values of a masked array, or of a list of them, are
    masked: NumPy would read what is under the mask."""
    listed = given if isinstance(given, list | tuple) else [given]
    masks = [np.atleast_2d(np.ma.getmaskarray(x)) for x in listed if np.ma.is_masked(x)]
    count = sum(int(mask.sum()) for mask in masks)
    if not count:
        return
    where = ""
    if np.ma.is_masked(given) and getattr(given, "ndim", 0) == 2:
        row, column = np.argwhere(masks[0])[0]
        where = f"; the first is {name}[{row}, {column}]"
    raise UserError(
        f"{name} has {count:,} masked values{where}: leave these rows out of codes "
        "and factors"
    )


def _numbers(name: str, array: np.ndarray) -> np.ndarray:
    """An array of Python objects that are all numbers as float64 or int64."""
    for (row, column), value in np.ndenumerate(array):
        if not isinstance(value, Real | np.bool_):
            raise UserError(
                f"{name} must hold real numbers, but {name}[{row}, {column}] is "
                f"{value!r:.60}"
            )
    whole = all(isinstance(value, int | np.integer) for value in array.flat)
    try:
        return array.astype(np.int64 if whole else np.float64)
    except (OverflowError, ValueError, TypeError) as error:
        raise UserError(f"{name} must hold real numbers: {error}") from error
