"""Arrays from outside to a CodeTable, with every mistake named before any work."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from disentangle.errors import UserError
from disentangle.metrics.base import CodeTable

NUM_TRAIN = 10_000
NUM_TEST = 5_000
# Boosted trees read codes, and sum them, in float32.
LARGEST = 1e30


def code_table(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    factor_names: Sequence[str] | None = None,
    logvars: ArrayLike | None = None,
) -> CodeTable:
    """Checks the arrays and splits them into training and test rows.

    Args:
      codes: (N, D) numbers, finite. float32 and float64 keep their precision.
      factors: (N, F) integers >= 0 (or floats that are whole numbers). Rows in
        random order: neighbours in a grid share most of their values.
      num_train: the first rows train. Without it 10,000 if there are 15,000 rows or
        more, else two thirds of those that `num_test` leaves.
      num_test: the next rows test. Without it 5,000, or all that are left if fewer;
        0 is for metrics that need none.
      factor_names: F names; without them "factor 0", "factor 1", ...
      logvars: (N, D) log-variances that go with the codes, or None.

    Returns:
      The CodeTable.

    Raises:
      UserError: wrong shape, type or value, too few rows, or a factor that has one
        value only in the training rows.
    """
    checked = _check_codes(codes)
    spreads = None if logvars is None else _check_codes(logvars, "logvars")
    if spreads is not None and spreads.shape != checked.shape:
        raise UserError(
            f"logvars has the shape {spreads.shape}, but codes {checked.shape}"
        )
    labels = _check_factors(factors)
    if len(labels) != len(checked):
        raise UserError(
            f"codes has {len(checked):,} rows and factors has {len(labels):,}: "
            "row n of both must belong to the same image"
        )
    names = _check_names(factor_names, labels.shape[1])
    train, test = _split(len(checked), num_train, num_test)
    _check_varying(labels[:train], names)
    return CodeTable(
        codes=checked[:train],
        factors=labels[:train],
        test_codes=checked[train : train + test],
        test_factors=labels[train : train + test],
        factor_names=names,
        logvars=None if spreads is None else spreads[:train],
    )


def _matrix(name: str, shape: str, given: ArrayLike) -> np.ndarray:
    """`given` as a real number matrix with at least one row and column."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} is not an array of shape {shape}: {error}") from error
    if array.ndim != 2:
        hint = ": score one model of a population at a time" if array.ndim == 3 else ""
        raise UserError(
            f"{name} must have the shape {shape}, but has {array.shape}{hint}"
        )
    if 0 in array.shape:
        raise UserError(f"{name} is empty: its shape is {array.shape}")
    if array.dtype.kind not in "bfiuV":  # V: jax's bfloat16
        raise UserError(f"{name} must hold real numbers, but holds {array.dtype}")
    return array


def _check_codes(given: ArrayLike, name: str = "codes") -> np.ndarray:
    """codes (or logvars) as (N, D) float32 or float64, finite."""
    codes = _matrix(name, "(N, D)", given)
    if codes.dtype not in (np.float32, np.float64):
        try:
            codes = codes.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{name} must hold real numbers, but holds {codes.dtype}"
            ) from error
    bad = ~np.isfinite(codes)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise UserError(
            f"{name} has {int(bad.sum()):,} values that are NaN or infinite; the first "
            f"is {name}[{row}, {column}] = {codes[row, column]}"
        )
    if np.abs(codes).max() > LARGEST:
        row, column = np.argwhere(np.abs(codes) > LARGEST)[0]
        raise UserError(
            f"{name}[{row}, {column}] = {codes[row, column]:.3g} is too large: it "
            f"must lie within +-{LARGEST:.0e}"
        )
    return codes


def _check_factors(given: ArrayLike) -> np.ndarray:
    """factors as (N, F) int64, >= 0."""
    factors = _matrix("factors", "(N, F)", given)
    if factors.dtype.kind == "V":
        raise UserError(f"factors must hold integers, but holds {factors.dtype}")
    if factors.dtype.kind == "f":
        # The comparison with 2**63 also catches NaN and infinity.
        broken = ~((np.floor(factors) == factors) & (np.abs(factors) < 2.0**63))
    else:
        broken = np.zeros(factors.shape, bool)
    negative = factors < 0
    for bad, why in ((broken, "not an integer"), (negative, "negative")):
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise UserError(
                f"factors[{row}, {column}] = {factors[row, column]} is {why}: a "
                "factor value is its index 0, 1, 2, ... (cut continuous factors into "
                "bins first)"
            )
    return factors.astype(np.int64)


def _check_names(names: Sequence[str] | None, factors: int) -> tuple[str, ...]:
    """F different names."""
    if names is None:
        return tuple(f"factor {j}" for j in range(factors))
    checked = tuple(str(name) for name in names)
    if len(checked) != factors or len(set(checked)) != factors:
        raise UserError(
            f"factor_names must be {factors} different names, one a column of "
            f"factors, but is {list(checked)}"
        )
    return checked


def _split(rows: int, num_train: int | None, num_test: int | None) -> tuple[int, int]:
    """How many rows train and how many test."""
    for name, value, least in (("num_train", num_train, 2), ("num_test", num_test, 0)):
        if value is not None and (not _whole(value) or value < least):
            raise UserError(f"{name} must be an integer >= {least}, but is {value!r}")
    if num_train is None:
        left = rows - (num_test or 0)
        full = rows >= NUM_TRAIN + NUM_TEST and left >= NUM_TRAIN
        num_train = NUM_TRAIN if full else left if num_test else (2 * rows + 2) // 3
    if num_test is None:
        num_test = max(0, min(NUM_TEST, rows - num_train))
    if num_train < 2 or num_train + num_test > rows:
        raise UserError(
            f"num_train={num_train:,} and num_test={num_test:,} do not fit the "
            f"{rows:,} rows of codes"
        )
    return int(num_train), int(num_test)


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _check_varying(labels: np.ndarray, names: tuple[str, ...]) -> None:
    """Every factor has two values or more; nothing can be told of a constant."""
    for name, column in zip(names, labels.T, strict=True):
        if column.min() == column.max():
            raise UserError(
                f"{name!r} is {column[0]} in all {len(column):,} training rows: "
                "shuffle the rows if they are in grid order, or leave this column "
                "out of factors"
            )
