"""Z-max variance: metric II of Kim et al. 2019 (Relevance Factor VAE)."""

import numpy as np

from disentangle.metrics.base import CodeTable, Result, Settings
from disentangle.metrics.interventions import (
    draw_factors,
    groups,
    local_variances,
    majority,
)

BATCH, VOTES = 100, 800


def z_max_variance(table: CodeTable, settings: Settings) -> Result:
    """How well the liveliest code names the one factor that was free.

    A vote: a factor k, uniform; rows that agree in all other factors. It names the
    code d with the largest v_d / g_d: v_d its variance over `batch` such rows, g_d
    over all training rows. Every code stands for the factor of most of its votes;
    the score is the share of the same votes that this gets right (800 votes of 100
    rows, as the authors').

    The rows are those of the table. Of all combinations of values it holds few, so
    the rows of one vote are draws, with replacement, from two rows or a few more: the
    same code moves most as over all values where codes are clean, and votes are
    noisier than with new images where they are not. A factor that varies alone
    nowhere in the table has no votes and does not count. Constant codes take no
    part.

    Args:
      table: training rows.
      settings: reads `seed`.

    Returns:
      part `score` in [0, 1], 0 if all codes are constant; left out where no factor
      varies alone anywhere. Array `votes` (F, D). `ran` has `factors_judged`.
    """
    scale = np.var(table.codes, axis=0, ddof=1, dtype=np.float64)
    active = (np.ptp(table.codes, axis=0) > 0) & (scale > 0)
    votes = np.zeros((table.factors.shape[1], len(scale)), np.int64)
    free = {k: _free_rows(table.factors, k) for k in range(len(votes))}
    free = {k: rows for k, rows in free.items() if len(rows)}
    if free and active.any():
        rng = np.random.default_rng(settings.seed)
        codes, scale = table.codes[:, active], scale[active]
        for place, count in draw_factors(len(free), VOTES, rng):
            k = list(free)[place]
            others = groups(np.delete(table.factors, k, axis=1))
            local = local_variances(codes, others, free[k], count, BATCH, rng)
            named = np.argmax(local / scale, axis=1)
            votes[k, active] = np.bincount(named, minlength=len(scale))
    score = majority(votes, votes)[0] if votes.any() else 0.0
    return Result(
        parts={"score": score} if free else {},
        arrays={"votes": votes},
        ran={
            "definition": "accuracy of naming the factor that alone was free by the "
            "code whose normalised variance is largest, majority vote",
            "estimator": "rows of the table that agree in all other factors, drawn "
            "with replacement; judged on the same votes",
            "batch": BATCH,
            "votes": VOTES,
            "factors_judged": [table.factor_names[k] for k in free],
        },
    )


def _free_rows(factors: np.ndarray, k: int) -> np.ndarray:
    """The rows whose group (all factors but k alike) has several values of k."""
    others = groups(np.delete(factors, k, axis=1))
    alike = groups(factors)
    return np.flatnonzero(others.size > alike.size)
