"""Arrays from outside to a Representation, with every mistake named before any work."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from disentangle.errors import UserError, as_list, shown
from disentangle.metrics.arrays import check_same_rows, column_names, matrix
from disentangle.metrics.base import Images, Representation

NUM_TRAIN = 10_000
NUM_TEST = 5_000
# Boosted trees read codes, and sum them, in float32.
LARGEST = 1e30


def read_representation(
    codes: ArrayLike,
    factors: ArrayLike | None,
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    factor_names: Sequence[str] | None = None,
    logvars: ArrayLike | None = None,
    categorical: Sequence[Sequence[int]] = (),
    images: Images | None = None,
) -> Representation:
    """Checks the arrays and splits them into training and test rows.

    Args:
      codes: (N, D) numbers, finite. float32 and float64 keep their precision.
      factors: (N, F) integers >= 0 (or floats that are whole numbers). Rows in
        random order: neighbours in a grid share most of their values. None where
        there are no labels.
      num_train: the first rows train. Without it 10,000 if there are 15,000 rows or
        more, else two thirds of those that `num_test` leaves.
      num_test: the next rows test. Without it 5,000, or all that are left if fewer;
        0 is for metrics that need none.
      factor_names: F names; without them a data frame's own, or "factor 0", ...
      logvars: (N, D) log-variances that go with the codes, or None.
      categorical: the columns of each categorical latent, such as [(6, 7, 8)].
      images: where more images come from, or None.

    Returns:
      The Representation. A factor that has one value only in the training rows is not
      among its factors but in `left_out`: nothing can be told of a constant.

    Raises:
      UserError: wrong shape, type or value, masked values, data frames whose rows
        are in different orders, or too few rows.
    """
    check_same_rows(codes, factors)
    checked = _check_codes(codes)
    spreads = None if logvars is None else _check_codes(logvars, "logvars")
    if spreads is not None and spreads.shape != checked.shape:
        raise UserError(
            f"logvars has the shape {spreads.shape}, but codes {checked.shape}"
        )
    labels = _no_labels(len(checked)) if factors is None else _check_factors(factors)
    if len(labels) != len(checked):
        raise UserError(
            f"codes has {len(checked):,} rows and factors has {len(labels):,}: "
            "row n of both must belong to the same image"
        )
    given = column_names(factors) if factor_names is None else factor_names
    given = () if factors is None else given
    names = _check_names(given, labels.shape[1])
    groups = _check_categorical(categorical, checked.shape[1])
    train, test = _split(len(checked), num_train, num_test)
    left_out = _constant(labels, train, names)
    kept = [j for j, name in enumerate(names) if name not in left_out]
    return Representation(
        codes=checked[:train],
        factors=labels[:train, kept],
        test_codes=checked[train : train + test],
        test_factors=labels[train : train + test, kept],
        factor_names=tuple(names[j] for j in kept),
        logvars=None if spreads is None else spreads[:train],
        categorical=groups,
        images=None if images is None else _without(images, kept, labels[0]),
        left_out=left_out,
    )


def _no_labels(rows: int) -> np.ndarray:
    return np.zeros((rows, 0), np.int64)


def _constant(labels: np.ndarray, train: int, names: tuple[str, ...]) -> dict[str, str]:
    """Factor name -> why nothing can be told of it: one value in the training rows."""
    found = {}
    for name, column in zip(names, labels.T, strict=True):
        first = column[0]
        if (column[:train] != first).any():
            continue
        if (column == first).all():
            found[name] = f"{name!r} is constant: it is {first} in all rows"
        else:
            found[name] = (
                f"{name!r} is {first} in all {train:,} training rows and varies only "
                "after them: shuffle the rows if they are in grid order"
            )
    return found


def _without(images: Images, kept: list[int], row: np.ndarray) -> Images:
    """The source with the `kept` factors only; the others have their value of `row`."""
    if len(kept) == len(row):
        return images

    def encode(factors: np.ndarray) -> np.ndarray:
        whole = np.tile(row, (len(factors), 1))
        whole[:, kept] = factors
        return images.encode(whole)

    return Images(tuple(images.sizes[j] for j in kept), encode)


def _check_codes(given: ArrayLike, name: str = "codes") -> np.ndarray:
    """codes (or logvars) as (N, D) float32 or float64, finite."""
    codes = matrix(name, "(N, D)", given)
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
    factors = matrix("factors", "(N, F)", given)
    if factors.dtype.kind == "V":
        raise UserError(f"factors must hold integers, but holds {factors.dtype}")
    if factors.dtype.kind == "f":
        # The comparison with 2**63 also catches NaN and infinity.
        broken = ~((np.floor(factors) == factors) & (np.abs(factors) < 2.0**63))
    else:
        broken = (factors >= np.uint64(2**63)) & (factors.dtype.kind == "u")
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
    listed = as_list(names, f"factor_names must be a list of {factors} names")
    checked = tuple(str(name) for name in listed)
    if len(checked) != factors or len(set(checked)) != factors:
        raise UserError(
            f"factor_names must be {factors} different names, one per column of "
            f"factors, but is {list(checked)}"
        )
    return checked


def _check_categorical(
    categorical: Sequence[Sequence[int]], codes: int
) -> tuple[tuple[int, ...], ...]:
    """The column groups as tuples of int: columns that exist, each in one group."""
    says = (
        f"categorical must be lists of columns of codes (0 to {codes - 1}), each "
        f"column in one list at most, such as [[6, 7, 8]], but is {shown(categorical)}"
    )
    try:
        groups = [list(columns) for columns in categorical]
    except TypeError:
        raise UserError(says) from None
    flat = [column for columns in groups for column in columns]
    if not all(_whole(column) and 0 <= column < codes for column in flat):
        raise UserError(says)
    if len(set(flat)) < len(flat) or not all(groups):
        raise UserError(says)
    return tuple(tuple(sorted(int(c) for c in columns)) for columns in groups)


def _split(rows: int, num_train: int | None, num_test: int | None) -> tuple[int, int]:
    """How many rows train and how many test."""
    for name, value, least in (("num_train", num_train, 2), ("num_test", num_test, 0)):
        if value is not None and (not _whole(value) or value < least):
            raise UserError(
                f"{name} must be an integer >= {least}, but is {shown(value)}"
            )
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
