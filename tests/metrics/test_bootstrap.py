"""Bootstrap intervals against the normal theory of a mean and counted coverage."""

from dataclasses import replace

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.bootstrap import intervals, resampled


def mean(table, settings):
    return Result({"mean": float(table.codes.mean()), "rows": float(len(table.codes))})


def table_of(values, factors=None):
    factors = np.arange(len(values)) % 2 if factors is None else factors
    rows = (values[:, None], factors[:, None])
    return Representation(*rows, *rows, ("a",), logvars=values[:, None] + 1.0)


def of(metric, table, settings):
    """The intervals of the table's own scores."""
    quiet = replace(settings, bootstrap=0, progress=None)
    return intervals(metric, table, settings, metric(table, quiet).values)


def test_interval_of_a_mean_is_that_of_the_normal_theory():
    values = np.random.default_rng(0).normal(size=400)
    found = of(mean, table_of(values), Settings(bootstrap=4000))
    half = 1.96 * values.std() / np.sqrt(400)
    low, high = found["mean"]
    assert (low, high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.006
    )
    assert found["rows"] == (400.0, 400.0)


def test_few_resamples_widen_the_interval_as_students_t_does():
    """With B resamples, (score - mean) / sd of the resamples is Student's t."""
    rng = np.random.default_rng(5)
    for resamples in (2, 3, 5):
        hits = 0
        for seed in range(400):
            table = table_of(rng.normal(size=100))
            chosen = Settings(seed=seed, bootstrap=resamples)
            low, high = of(mean, table, chosen)["mean"]
            hits += low <= 0.0 <= high
        # Two standard deviations of 400 tries are 0.022; rows are few.
        assert 0.92 <= hits / 400 <= 0.98, resamples


def test_a_part_that_one_resample_has_is_left_out():
    found = []

    def rare(table, settings):
        found.append(0)
        parts = {"always": float(len(found) % 3)}
        return Result(parts | ({"rare": 1.0} if len(found) == 2 else {}))

    parts = {"always": 5.0, "rare": 1.0}
    chosen = Settings(bootstrap=6)
    both = intervals(rare, table_of(np.arange(10.0)), chosen, parts)
    assert set(both) == {"always"}
    low, high = both["always"]
    assert low < 5.0 < high
    assert low + high == pytest.approx(10.0)


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        table = table_of(rng.normal(size=100))
        low, high = of(mean, table, Settings(bootstrap=200))["mean"]
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
        assert settings.jobs == 3
        return Result({"score": 0.0})

    def progress(metric, done, total):
        told.append((metric, done, total))

    chosen = Settings(bootstrap=3, jobs=3, progress=progress)
    of(loud, table_of(np.arange(10.0)), chosen)
    assert told == [("bootstrap", done, 3) for done in (1, 2, 3)]


def test_what_an_estimator_draws_is_in_the_interval():
    """A metric that looks at its own draws only: their spread, not none."""

    def drawn(table, settings):
        return Result({"score": float(np.random.default_rng(settings.seed).normal())})

    low, high = of(drawn, table_of(np.arange(20.0)), Settings(bootstrap=400))["score"]
    assert (high - low) / 2 == pytest.approx(1.96, rel=0.1)


def test_a_resample_without_a_score_costs_only_itself():
    """A metric that needs many different rows refuses some resamples of its table."""
    refused = []

    def choosy(table, settings):
        different = len(np.unique(table.codes))
        refused.append(different < 13)
        if different < 13:
            raise UserError("too few different rows")
        return Result({"score": float(table.codes.mean())})

    table, chosen = table_of(np.arange(20.0)), Settings(bootstrap=50)
    low, high = intervals(choosy, table, chosen, {"score": 9.5})["score"]
    assert low < 9.5 < high
    assert 0 < sum(refused) < 49
