"""95 % intervals cover the expected score of a table of as many rows, metric by metric.

The expected score is the mean over tables drawn anew. A table's interval covers it or
not; of T tables at least `least(T)` must, the number that intervals of 95 % fall below
once in a thousand.
"""

import pytest
from scipy.stats import binom

from benchmarks.coverage import Sizes, covered, least, protocols_of, sizes_of
from disentangle.metrics import METRICS
from metrics.properties import SINGLE

# Milliseconds a table: the others are covered where minutes are.
CHEAP = ("mig", "mig_sup", "jemmig", "dcimig", "modularity", "irs", "unsupervised")


@pytest.mark.slow
@pytest.mark.parametrize("name", CHEAP)
def test_intervals_of_cheap_scores_cover_the_expected_score(name):
    hits = covered(METRICS[name].compute, Sizes(truth=60))
    assert {part: n for part, n in hits.items() if n < least(20)} == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "protocol"), [(n, p) for n in SINGLE for p in protocols_of(n)]
)
def test_intervals_of_every_score_cover_the_expected_score(name, protocol):
    sizes = sizes_of(name)
    hits = covered(METRICS[name].compute, sizes, protocol)
    assert {part: n for part, n in hits.items() if n < least(sizes.tables)} == {}


def test_the_bound_can_fail():
    """Half of the intervals is too few, and 19 of 20 are not."""
    assert 10 < least(20) <= 16
    for tables in (8, 20):
        below = binom.cdf([least(tables) - 1, least(tables)], tables, 0.95)
        assert below[0] < 1e-3 <= below[1]
