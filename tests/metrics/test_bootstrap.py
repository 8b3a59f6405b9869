"""Bootstrap intervals against the normal theory of a mean and counted coverage."""

import numpy as np
import pytest

from disentangle.metrics.base import CodeTable, Result, Settings
from disentangle.metrics.bootstrap import intervals, resampled


def mean(table, settings):
    return Result({"mean": float(table.codes.mean()), "rows": float(len(table.codes))})


def table_of(values, factors=None):
    factors = np.arange(len(values)) % 2 if factors is None else factors
    rows = (values[:, None], factors[:, None])
    return CodeTable(*rows, *rows, ("a",), logvars=values[:, None] + 1.0)


def test_interval_of_a_mean_is_that_of_the_normal_theory():
    values = np.random.default_rng(0).normal(size=400)
    found = intervals(mean, table_of(values), Settings(bootstrap=4000))
    half = 1.96 * values.std() / np.sqrt(400)
    low, high = found["mean"]
    assert (low, high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.006
    )
    assert found["rows"] == (400.0, 400.0)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        table = table_of(rng.normal(size=100))
        low, high = intervals(mean, table, Settings(bootstrap=200))["mean"]
        hits += low <= 0.0 <= high
    # 0.95 less a few thousandths for 100 rows; two standard deviations are 0.03.
    assert 0.90 <= hits / 200 <= 0.98


def test_rows_stay_whole_and_every_factor_varies():
    values = np.arange(40.0)
    rare = (np.arange(40) == 7).astype(int)
    for seed in range(20):
        found = resampled(table_of(values, rare), np.random.default_rng(seed))
        np.testing.assert_array_equal(found.factors, found.codes == 7)
        np.testing.assert_array_equal(found.logvars, found.codes + 1.0)
        assert found.factors.any()
        assert len(found.codes) == len(found.test_codes) == 40
        np.testing.assert_array_equal(found.test_factors, found.test_codes == 7)


def test_progress_is_told_and_the_metric_is_quiet():
    told = []

    def loud(table, settings):
        assert settings.progress is None
        assert settings.bootstrap == 0
        return Result({"score": 0.0})

    def progress(metric, done, total):
        told.append((metric, done, total))

    chosen = Settings(bootstrap=3, progress=progress)
    intervals(loud, table_of(np.arange(10.0)), chosen)
    assert told == [("bootstrap", done, 3) for done in (1, 2, 3)]
