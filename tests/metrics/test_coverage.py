"""95 % intervals cover the expected score of a table of as many rows, metric by metric.

The expected score is the mean over tables drawn anew. A table's interval covers it or
not; of T tables at least `least(T)` must, the number that intervals of 95 % fall below
once in a thousand.
"""

import numpy as np
import pytest
from scipy.stats import binom

from disentangle.metrics import METRICS, Settings, code_table
from disentangle.metrics.bootstrap import intervals

# Milliseconds a table: the others are covered where minutes are.
CHEAP = ("mig", "mig_sup", "jemmig", "dcimig", "modularity", "irs", "unsupervised")
SIZES = (3, 5, 4)


def table(seed, rows):
    """Four codes: each factor's own and a mixture, in noise, a dead one not among."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(0, k, rows) for k in SIZES], axis=1)
    mixing = np.random.default_rng(99).normal(scale=0.6, size=(3, 4))
    clean = np.hstack([factors, np.zeros((rows, 1))]) + factors @ mixing
    codes = clean + 0.6 * rng.normal(size=clean.shape)
    spreads = rng.normal(-1.0, 0.2, codes.shape)
    return code_table(codes, factors, logvars=spreads)


def least(tables, level=0.95, once_in=1000):
    """The fewest of `tables` that a right interval covers but once in `once_in`."""
    return int(binom.ppf(1 / once_in, tables, level))


def covered(name, *, rows, tables, resamples, truth, protocol="locatello"):
    """part -> how many of the tables' intervals hold the expected score."""
    metric = METRICS[name]
    chosen = Settings(backend="fast", bootstrap=resamples, protocol=protocol)
    means: dict[str, list[float]] = {}
    for seed in range(truth):
        for part, value in metric(table(10_000 + seed, rows), chosen).parts.items():
            means.setdefault(part, []).append(value)
    hits = dict.fromkeys(means, 0)
    for seed in range(tables):
        drawn = table(seed, rows)
        parts = metric(drawn, chosen).parts
        found = intervals(metric, drawn, chosen, parts)
        assert set(found) == set(parts)
        for part, (low, high) in found.items():
            assert low <= parts[part] <= high, part
            # The mean of `truth` tables is itself known to a few parts only.
            slack = 2 * np.std(means[part]) / np.sqrt(truth) + 1e-9
            expected = np.mean(means[part])
            hits[part] += low - slack <= expected <= high + slack
    return hits


@pytest.mark.parametrize("name", CHEAP)
def test_intervals_of_cheap_scores_cover_the_expected_score(name):
    hits = covered(name, rows=600, tables=20, resamples=25, truth=60)
    assert {part: n for part, n in hits.items() if n < least(20)} == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("protocol", ["locatello", "paper"])
@pytest.mark.parametrize("name", METRICS)
def test_intervals_of_every_score_cover_the_expected_score(name, protocol):
    hits = covered(name, rows=600, tables=20, resamples=25, truth=40, protocol=protocol)
    assert {part: n for part, n in hits.items() if n < least(20)} == {}


def test_the_bound_can_fail():
    """Half of the intervals is too few, and 19 of 20 are not."""
    assert 10 < least(20) <= 16
    assert binom.cdf(least(20) - 1, 20, 0.95) < 1e-3 <= binom.cdf(least(20), 20, 0.95)
