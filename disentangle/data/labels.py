"""Labels of images that are no full grid: a table of words and numbers, with gaps.

Every column becomes a Factor and a whole number per image: the place of its value
among the column's own values, -1 where the label is missing.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from disentangle.data.factor import Factor
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError, as_list

CLASSES = 256  # different whole numbers that are classes; more are real numbers
LEVELS = 1024  # different real numbers that are kept; more are cut into quantiles
MISSING = -1  # the label of an image that has none


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["rows"], meta_fields=["complete"]
)
@dataclass(frozen=True)
class Table:
    """The labels of N images.

    Attributes:
      rows: (N, F) int32, the place of each label among its factor's values; -1 where
        it is missing.
      complete: whether no label is missing.
    """

    rows: Any
    complete: bool


def coded(columns: Mapping[str, Any], images: int) -> tuple[FactorSpace, Table | None]:
    """The factors that columns of labels stand for, and every image's labels.

    Columns that are a full grid in row-major order (every combination once, the last
    column fastest) are that grid, which needs no table.

    Args:
      columns: name -> (N,) labels, see `column`.
      images: N.

    Raises:
      UserError: a column that is no labels of these images.
    """
    found = [column(name, values, images) for name, values in columns.items()]
    items = tuple(factor for factor, _ in found)
    if not items:
        return FactorSpace((), rows=images), None
    rows = np.stack([codes for _, codes in found], axis=1)
    if _is_grid(items, rows):
        plain = [Factor(f.name, f.size, f.kind, f.values, words=f.words) for f in items]
        return FactorSpace(tuple(plain)), None
    complete = bool((rows != MISSING).all())
    return FactorSpace(items, rows=images), Table(rows, complete)


def _is_grid(items: Sequence[Factor], rows: np.ndarray) -> bool:
    sizes = [factor.size for factor in items]
    real = any(factor.kind == "real" for factor in items)
    if len(items) < 2 or real or math.prod(sizes) != len(rows):
        return False
    grid = np.stack(np.unravel_index(np.arange(len(rows)), sizes), axis=1)
    return bool((rows == grid).all())


def columns_of(factors: Any, names: Any = None) -> dict[str, Any]:
    """Columns of labels by name, of a table as a user has it.

    Args:
      factors: None; (N, F) or (N,) numbers or words; or a data frame.
      names: F names; None are a data frame's own, or "factor 0", ...

    Raises:
      UserError: no table, or names that do not fit it.
    """
    if factors is None:
        if names is not None:
            raise UserError("names are given, but no factors that they could name")
        return {}
    own = list(getattr(factors, "columns", []))
    try:
        table = np.asarray(factors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"factors are no table (N, F): {error}") from None
    if np.ma.is_masked(factors):
        raise UserError("factors have masked values: give -1, or NaN, instead")
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2:
        raise UserError(f"factors have the shape {table.shape}; it must be (N, F)")
    count = table.shape[1]
    if names is None:
        names = [str(name) for name in own] or [f"factor {j}" for j in range(count)]
    listed = as_list(names, f"names must be a list of {count} names")
    checked = [str(name) for name in listed]
    if len(checked) != count:
        raise UserError(
            f"names are {len(checked)} ({', '.join(checked)}), but factors have "
            f"{count} columns"
        )
    refuse_repeated(checked)
    return {name: table[:, j] for j, name in enumerate(checked)}


def refuse_repeated(names: Sequence[str]) -> None:
    """Raises UserError where a factor has no name, or the name of another."""
    for name in names:
        if not name.strip():
            raise UserError(f"a factor has no name among {', '.join(names)}")
        if list(names).count(name) > 1:
            raise UserError(f"two factors are named {name!r}: {', '.join(names)}")


def column(name: str, values: Any, images: int) -> tuple[Factor, np.ndarray]:
    """One column of labels as a Factor and (N,) int32 codes.

    Whole numbers of at most 256 different values, bools and words are classes
    (kind "categorical"), in the order of their values; other numbers are "real". More
    than 1,024 different real numbers are cut into as many quantiles, each known by
    the mean of its numbers. Missing are: -1 in an array of whole numbers, NaN, None,
    and an empty word; of words that are numbers, as in a CSV, -1 is a number.

    Args:
      name: of the factor.
      values: (N,) whole numbers, real numbers, bools or words.
      images: N.

    Raises:
      UserError: not one label per image, none at all, infinite ones, or negative
        whole numbers other than -1 in an array.
    """
    array = np.asarray(values)
    if len(array) != images:
        raise UserError(
            f"factors have {len(array):,} rows, but there are {images:,} images: row n "
            "of both must belong together"
        )
    numbers = _numbers(name, array)
    if numbers is None:
        words = [_word(value) for value in array.tolist()]
        known = np.array([word != "" for word in words], bool)
        _refuse_unknown(name, known)
        classes = sorted({word for word in words if word})
        place = {word: i for i, word in enumerate(classes)} | {"": MISSING}
        codes = np.array([place[word] for word in words], np.int32)
        return _factor(name, "categorical", range(len(classes)), codes, classes)
    known = ~np.isnan(numbers)
    _refuse_unknown(name, known)
    if np.isinf(numbers).any():
        raise UserError(f"factor {name!r} has labels that are infinite")
    whole = bool((numbers[known] == np.floor(numbers[known])).all())
    different, places = np.unique(numbers[known], return_inverse=True)
    kind = "categorical" if whole and len(different) <= CLASSES else "real"
    if kind == "real" and len(different) > LEVELS:
        different, places = _levels(numbers[known])
    codes = np.full(images, MISSING, np.int32)
    codes[known] = places
    return _factor(name, kind, different, codes)


def _factor(
    name: str, kind: str, values: Any, codes: np.ndarray, words: Sequence[str] = ()
) -> tuple[Factor, np.ndarray]:
    values = tuple(float(value) for value in values)
    counts = np.bincount(codes[codes != MISSING], minlength=len(values))
    factor = Factor(
        name,
        len(values),
        kind,
        values,
        words=tuple(words),
        counts=tuple(counts.tolist()),
    )
    return factor, codes


def _refuse_unknown(name: str, known: np.ndarray) -> None:
    if not known.any():
        raise UserError(
            f"factor {name!r} has no label at all: leave its column out of the labels"
        )


def _levels(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of many real numbers: the mean of each, and each number's own."""
    edges = np.quantile(numbers, np.arange(1, LEVELS) / LEVELS)
    cut = np.searchsorted(edges, numbers, side="right")
    _, places = np.unique(cut, return_inverse=True)
    sums = np.bincount(places, weights=numbers)
    return sums / np.bincount(places), places


def _numbers(name: str, array: np.ndarray) -> np.ndarray | None:
    """(N,) float64 with NaN where a label is missing; None for words."""
    if array.dtype.kind in "biu":
        numbers = array.astype(np.float64)
        return _without_negative(name, numbers) if array.dtype.kind == "i" else numbers
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        numbers = array.astype(np.float64)
        known = numbers[np.isfinite(numbers)]
        is_whole = bool((known == np.floor(known)).all())
        return _without_negative(name, numbers) if is_whole else numbers
    if array.dtype.kind not in "OUS":
        raise UserError(f"factor {name!r} holds {array.dtype}, not numbers or words")
    values = array.tolist()
    numeric = all(value is None or isinstance(value, int | float) for value in values)
    if array.dtype.kind == "O" and numeric:
        given = [math.nan if value is None else float(value) for value in values]
        return _numbers(name, np.array(given))
    try:
        return np.array([float(_word(value) or "nan") for value in values])
    except ValueError:
        return None


def _without_negative(name: str, numbers: np.ndarray) -> np.ndarray:
    """Whole numbers of an array: -1 is missing, and other negative ones are refused."""
    bad = numbers[numbers < MISSING]
    if bad.size:
        raise UserError(
            f"factor {name!r} has the label {bad[0]:g}: whole numbers must be at least "
            "0, or -1 where a label is missing"
        )
    return np.where(numbers == MISSING, math.nan, numbers)


def _word(value: Any) -> str:
    """A label as a word without blanks around it; "" for a missing one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip()
