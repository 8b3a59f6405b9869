"""What was trained: the losses of a few groups, and nothing of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from disentangle.errors import UserError

# (groups (G, N) bool, losses (G, N), trained (K,) rows) -> (G, N) predicted losses
Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def seen(
    groups: Any, losses: Any, trained: Sequence[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Checked arrays; the losses of rows that were not trained are NaN.

    Args:
      groups: (G, N) bool, the members of every group, trained or to be predicted.
      losses: (G, N) of the members; read at the trained rows only.
      trained: (K,) which rows of `groups` were trained.

    Returns:
      groups, losses (NaN outside of the trained groups' members), trained (K,) int.

    Raises:
      UserError: shapes that differ, no trained row or one that is not there, a member
        of a trained group without a finite loss.
    """
    members, values = np.asarray(groups), np.asarray(losses, np.float64)
    if members.ndim != 2 or members.dtype != bool or values.shape != members.shape:
        raise UserError(
            f"groups must be (G, N) bool and losses like them, got {members.dtype} "
            f"{members.shape} and {values.shape}"
        )
    rows = np.asarray(trained)
    if rows.ndim != 1 or not rows.size or not np.issubdtype(rows.dtype, np.integer):
        raise UserError("trained must be the places of one or more trained groups")
    if rows.min() < 0 or rows.max() >= len(members):
        raise UserError(
            f"trained names the group {rows.max() if rows.min() >= 0 else rows.min()}, "
            f"there are {len(members)}"
        )
    kept = np.full(values.shape, np.nan)
    kept[rows] = np.where(members[rows], values[rows], np.nan)
    for group, task in np.argwhere(members[rows] & ~np.isfinite(kept[rows])):
        raise UserError(
            f"the trained group {rows[group]} has no finite loss of its member {task}"
        )
    return members, kept, rows


def row_of(groups: np.ndarray, trained: np.ndarray, members: Sequence[int]) -> int:
    """The trained row with exactly these members; -1 if there is none."""
    wanted = np.zeros(groups.shape[1], bool)
    wanted[list(members)] = True
    found = trained[(groups[trained] == wanted).all(axis=1)]
    return int(found[0]) if found.size else -1


def loss_of(
    groups: np.ndarray, losses: np.ndarray, trained: np.ndarray, task: int, *more: int
) -> float:
    """The loss of a task in the trained group of it and `more`; NaN if not trained."""
    row = row_of(groups, trained, (task, *more))
    return float(losses[row, task]) if row >= 0 else float("nan")


def pairs(groups: np.ndarray, *, alone: bool) -> np.ndarray:
    """The rows of all pairs, and of each task alone if asked for."""
    sizes = groups.sum(axis=1)
    return np.flatnonzero((sizes == 2) | (alone & (sizes == 1)))


def pairs_and_all(groups: np.ndarray) -> np.ndarray:
    """The rows of each task alone, of all pairs, and of all tasks together."""
    return np.flatnonzero((groups.sum(axis=1) <= 2) | groups.all(axis=1))


def drawn(groups: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """`count` rows drawn at random without a second time, ascending.

    Raises:
      UserError: there are fewer groups.
    """
    if not 1 <= count <= len(groups):
        raise UserError(f"{count} of {len(groups)} groups cannot be drawn")
    return np.sort(np.random.default_rng(seed).permutation(len(groups))[:count])
