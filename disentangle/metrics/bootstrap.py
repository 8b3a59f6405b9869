"""Confidence intervals of scores by resampling rows (Efron & Tibshirani 1993)."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings

LEVEL = 0.95
Compute = Callable[[Representation, Settings], Result]


def intervals(
    compute: Compute,
    table: Representation,
    settings: Settings,
    parts: Mapping[str, float],
) -> dict[str, tuple[float, float]]:
    """95 % normal bootstrap intervals of every part: score -+ t sd.

    sd is the standard deviation of the part over `settings.bootstrap` = B resamples
    of the table, on each of which the metric is computed anew with a seed of its own;
    t is the 0.975 quantile of Student's t with B - 1 degrees of freedom, 1.97 for 200
    resamples (Efron & Tibshirani 1993, Ch. 13, the standard interval; Davison &
    Hinkley 1997, Sec. 5.2). Training and test rows are drawn with replacement, each
    among themselves.

    What it covers, in 95 of 100 tables: the expected score over new tables of the
    same data, model and numbers of training and test rows. That is what the score of
    another such table would be on average; where the score is biased for few rows
    (plug-in information is), it is not the score of infinitely many. It includes what
    other training rows change in what is fitted, other test rows in what is measured,
    and another seed in what an estimator draws, images of its own among it; it does
    not include another model.

    Not the percentiles of the resamples: a resample holds rows twice and only two
    thirds of the different ones, so information comes out higher on it and gaps lower
    than on the table, by about as much as the bias of the score itself. The spread of
    the resamples is right, their place is not (of 20 tables of 1,000 rows their
    percentiles covered the expected modularity in none). The interval always contains
    its score, and is not cut to the score's range. A score at the end of its range
    in every resample has an interval of no width.

    Args:
      compute: what `parts` is of.
      table: the rows.
      settings: reads `bootstrap`, `seed`, `progress`.
      parts: the scores of the table itself.

    Returns:
      part -> (low, high), finite; a part that fewer than two resamples have is left
      out.
    """
    rng = np.random.default_rng(settings.seed)
    drawn: dict[str, list[float]] = {part: [] for part in parts}
    quiet = replace(settings, bootstrap=0, progress=None)
    for done in range(settings.bootstrap):
        some = resampled(table, rng)
        again = replace(quiet, seed=int(rng.integers(2**32)))
        for part, value in _parts(compute, some, again).items():
            drawn.setdefault(part, []).append(value)
        if settings.progress is not None:
            settings.progress("bootstrap", done + 1, settings.bootstrap)
    return {
        part: _around(score, np.array(drawn[part]))
        for part, score in parts.items()
        if len(drawn[part]) > 1
    }


def _parts(
    compute: Compute, table: Representation, settings: Settings
) -> dict[str, float]:
    """The scores of a resample; none where it has too few different rows for them."""
    try:
        return compute(table, settings).values
    except UserError:
        return {}


def _around(score: float, values: np.ndarray) -> tuple[float, float]:
    """score -+ t sd of the resamples' values (B,), B >= 2."""
    from scipy.special import stdtrit

    t = stdtrit(len(values) - 1, (1 + LEVEL) / 2)
    half = float(t * np.std(values, ddof=1))
    return score - half, score + half


def resampled(table: Representation, rng: np.random.Generator) -> Representation:
    """The table with its rows drawn with replacement; every factor still varies."""
    rows = rng.integers(0, len(table.codes), len(table.codes))
    while (np.ptp(table.factors[rows], axis=0) == 0).any():
        rows = rng.integers(0, len(table.codes), len(table.codes))
    test = rng.integers(0, max(1, len(table.test_codes)), len(table.test_codes))
    return replace(
        table,
        codes=table.codes[rows],
        factors=table.factors[rows],
        test_codes=table.test_codes[test],
        test_factors=table.test_factors[test],
        logvars=None if table.logvars is None else table.logvars[rows],
    )
