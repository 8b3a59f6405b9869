"""Confidence intervals of scores by resampling rows (Efron 1979)."""

from dataclasses import replace

import numpy as np

from disentangle.metrics.base import CodeTable, Metric, Settings

LEVEL = 0.95


def intervals(
    metric: Metric, table: CodeTable, settings: Settings
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of every part of a metric.

    Training and test rows are resampled with replacement, each among themselves,
    `settings.bootstrap` times, and the metric computed anew with the same seed. A
    resample holds rows twice and only two thirds of the different ones. Estimators
    that remember rows, or look for a row's neighbours, come out high on it; plug-in
    information does too, by about as much as it is above the truth on the table
    itself, so gaps and shares of it come out low where rows are few. Where the
    interval does not even hold the score, that is what it tells: take more rows.

    Returns:
      part -> (low, high).
    """
    rng = np.random.default_rng(settings.seed)
    drawn: dict[str, list[float]] = {}
    quiet = replace(settings, bootstrap=0, progress=None)
    for done in range(settings.bootstrap):
        for part, value in metric(resampled(table, rng), quiet).parts.items():
            drawn.setdefault(part, []).append(value)
        if settings.progress is not None:
            settings.progress("bootstrap", done + 1, settings.bootstrap)
    tail = (1 - LEVEL) / 2
    ends = {part: np.quantile(v, [tail, 1 - tail]) for part, v in drawn.items()}
    return {part: (float(low), float(high)) for part, (low, high) in ends.items()}


def resampled(table: CodeTable, rng: np.random.Generator) -> CodeTable:
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
