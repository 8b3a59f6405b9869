"""The options of a grouping that are single words and numbers, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from disentangle.affinity.base import LARGEST
from disentangle.errors import UserError, shown, unknown

SINGLETONS = ("forbid", "diagonal", "value", "stl_zero")


def check_redraws(redraws: int | None, seed: int) -> None:
    """Raises UserError unless both are counts (`redraws` may be None)."""
    if redraws is not None and not _is_count(redraws):
        raise UserError(f"redraws={redraws!r} must be a whole number, 0 or more")
    if not _is_count(seed):
        raise UserError(f"seed={seed!r} must be a whole number, 0 or more")


def _is_count(value: object) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and bool(value >= 0)  # type: ignore[operator]


def check_singletons(
    singletons: str,
    value: float | None,
    tasks: Sequence[str],
    matrix: np.ndarray | None = None,
) -> np.ndarray | None:
    """The scores of groups of one task, or None if there are no such groups.

    Args:
      singletons, value: see `group_tasks`.
      tasks: the N names.
      matrix: (N, N) the affinities; None before they are measured.

    Raises:
      UserError: an unknown choice, a value missing or needless or not finite, an
        only task that may not be alone, a diagonal that is asked for and not known.
    """
    if not isinstance(singletons, str) or singletons not in SINGLETONS:
        raise unknown("singletons", singletons, SINGLETONS)
    if (singletons == "value") != (value is not None):
        raise UserError(
            "singleton_value is needed for singletons='value', and only there; got "
            f"singletons={singletons!r} and singleton_value={shown(value)}"
        )
    if value is not None and not (is_number(value) and abs(value) <= LARGEST):
        raise UserError(f"singleton_value must be a finite number, got {shown(value)}")
    if singletons == "forbid" and len(tasks) == 1:
        raise UserError(
            f"the only task, {tasks[0]!r}, cannot be grouped where groups of "
            "one are forbidden; choose singletons='diagonal', 'value' or 'stl_zero'"
        )
    n = len(tasks)
    own = np.zeros(n) if matrix is None else matrix.diagonal().copy()
    for task in np.flatnonzero(np.isnan(own) & (singletons == "diagonal")):
        raise UserError(
            f"singletons='diagonal' needs the affinity of {tasks[int(task)]!r} with "
            "itself, which is not known"
        )
    choices = {
        "forbid": None,
        "diagonal": own,
        "value": None if value is None else np.full(n, float(value)),
        "stl_zero": np.zeros(n),
    }
    return choices[singletons]


def count_of(budget: float) -> int:
    """A budget of groups as an integer; UserError if it is not one, at least 1."""
    if not is_number(budget) or budget != int(budget) or budget < 1:
        raise UserError(
            f"the budget must be a whole number of groups, at least 1, got {budget!r}"
        )
    return int(budget)


def is_number(value: Any) -> bool:
    """Whether it is a finite number that sums of stay finite."""
    numbers = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, numbers):
        return False
    return bool(-LARGEST < value < LARGEST)  # no NaN, and no integer beyond every float


def budget_of(budget: float) -> float:
    """A budget of costs; UserError if it is not a number above 0."""
    if not is_number(budget) or budget <= 0:
        raise UserError(f"the budget must be a number above 0, got {budget!r}")
    return budget
