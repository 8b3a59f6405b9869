"""Calibration of a cheap estimate on a few trained groups.

Ensemble task affinity prediction (ETAP, arXiv 2602.18591, ICLR 2026): a spline of the
gradient score of a group, then a ridge regression of what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import BSpline

from disentangle.affinity.from_groups.ridge import Ridge, ridge
from disentangle.affinity.from_groups.trained import seen
from disentangle.errors import UserError

DEGREES = (2, 3, 4, 5, 6)
KNOTS = 5


def predict(
    groups: np.ndarray,
    losses: np.ndarray,
    trained: Sequence[int] | np.ndarray,
    scores: np.ndarray,
) -> np.ndarray:
    r"""L_t(S) = spline_t(score of t in S) + sum over i in S of b_it.

    $$
    \hat L_t(S) = f_t(s_t(S)) + \sum_{i \in S \setminus t} b_{it}
    $$

    f_t is a B-spline with 5 even knots over the scores of all groups, of degree 2 to 6;
    b is fitted to what f_t leaves. The degree and both ridge strengths are chosen per
    task by leaving one trained group out. Differences to the authors' code: their
    spline has no ridge and 10-fold cross-validation chooses its degree; their score is
    a first-order one with momentum, here it is whatever is given.

    Args:
      groups, losses, trained: see `trained.seen`.
      scores: (G, N) an estimate of every member in every group, in any unit, such as
        the mean affinity of the others on it.

    Returns:
      (G, N) predicted losses; NaN outside of a group, where the score is not finite,
      and for tasks that no trained group with a finite score has.

    Raises:
      UserError: as `trained.seen`, or scores of another shape.
    """
    groups, losses, rows = seen(groups, losses, trained)
    score = np.asarray(scores, np.float64)
    if score.shape != groups.shape:
        raise UserError(f"scores must be {groups.shape}, got {score.shape}")
    there = groups & np.isfinite(score)
    found = np.full(groups.shape, np.nan)
    for task in range(groups.shape[1]):
        own, inside = rows[there[rows, task]], there[:, task]
        if not own.size:
            continue
        curve = np.full(len(groups), np.nan)
        curve[inside] = _spline(score[:, task], inside, own, losses[own, task])
        others = np.delete(groups, task, axis=1).astype(np.float64)
        rest = ridge(others[own], losses[own, task] - curve[own])
        found[inside, task] = curve[inside] + rest(others[inside])
    return found


def _spline(
    score: np.ndarray, inside: np.ndarray, own: np.ndarray, losses: np.ndarray
) -> np.ndarray:
    """The best spline through the trained rows `own`, at all rows `inside`."""
    best: tuple[Ridge, np.ndarray] | None = None
    for degree in DEGREES:
        basis = np.zeros((len(score), 0))
        if np.ptp(score[inside]) > 0:
            columns = _basis(score[inside], degree)
            basis = np.zeros((len(score), columns.shape[1]))
            basis[inside] = columns
        fit = ridge(basis[own], losses)
        if best is None or fit.error < best[0].error:
            best = fit, fit(basis[inside])
    assert best is not None
    return best[1]


def _basis(x: np.ndarray, degree: int) -> np.ndarray:
    """(M,) -> (M, KNOTS + degree - 1) B-splines with even knots over the range of x."""
    scaled = np.clip((x - x.min()) / np.ptp(x), 0, 1)
    step = 1 / (KNOTS - 1)
    knots = step * np.arange(-degree, KNOTS + degree)
    scaled = np.clip(scaled, knots[degree], knots[-degree - 1])
    return np.asarray(BSpline.design_matrix(scaled, knots, degree).toarray())
