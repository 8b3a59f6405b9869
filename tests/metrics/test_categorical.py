"""A categorical latent is one column wherever scores compare columns."""

import numpy as np
import pytest

from disentangle.metrics import METRICS, Representation, Settings
from disentangle.metrics.mcc import correlation_ratio
from disentangle.metrics.mig import gap
from disentangle.metrics.mutual_information import mutual_information

GAPS = ("mig", "mig_sup", "jemmig", "dcimig", "infomec", "modularity", "sap", "mcc")
SIZES = (3, 6, 8)


def tables(values=3, rows=1500):
    """The same latents with the first as one column, and as probabilities."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, rows) for k in (values, *SIZES[1:])], axis=1)
    rest = factors[:, 1:] + 0.1 * rng.normal(size=(rows, 2))
    sure = rng.uniform(0.6, 1.0, (rows, 1))
    one_hot = np.eye(values)[factors[:, 0]]
    likely = sure * one_hot + (1 - sure) * (1 - one_hot) / (values - 1)
    wide = np.hstack([rest[:, :1], likely, rest[:, 1:]])
    narrow = np.hstack([rest[:, :1], factors[:, :1], rest[:, 1:]])

    def table(codes, categorical):
        return Representation(
            codes[:1000],
            factors[:1000],
            codes[1000:],
            factors[1000:],
            ("a", "b", "c"),
            categorical=categorical,
        )

    columns = tuple(range(1, values + 1))
    return table(narrow, ((1,),)), table(wide, (columns,)), table(wide, ())


@pytest.mark.parametrize("name", GAPS)
def test_probabilities_score_as_their_most_probable_value(name):
    narrow, wide, apart = tables()
    one = METRICS[name].compute(narrow, Settings())
    assert METRICS[name].compute(wide, Settings()).values == pytest.approx(one.values)
    other = METRICS[name].compute(apart, Settings()).values
    assert max(abs(other[part] - one.values[part]) for part in other) > 1e-3


DSPRITES = np.array([3, 6, 40, 32, 32])
SHAPE = ((4, 5, 6),)


def perfect(factors):
    """Codes that are the factors, the shape as three columns of 0 and 1."""
    return np.hstack([factors[:, 1:], np.eye(3)[factors[:, 0]]])


def limits(bins=20):
    """MIG of many rows of it by counting, the shape as one latent and as three.

    A code of K values is cut into bins of equal width, from its least to its largest
    value: value k of 0 .. K - 1 is in bin floor(bins k / (K - 1)), the last one in the
    bin before. Its information is the entropy of the bins, no other code has any, and
    of three columns of a categorical each knows as much as the next.
    """
    shares = []
    for size in DSPRITES:
        bin_of = np.minimum(bins * np.arange(size) // (size - 1), bins - 1)
        p = np.bincount(bin_of) / size
        p = p[p > 0]
        shares.append(-(p * np.log(p)).sum() / np.log(size))
    return np.mean(shares), np.mean([0.0, *shares[1:]])


def bias(rows, bins=20):
    """What few rows take from either: the best other code seems to know something.

    2 N I of independent columns is chi-squared of (bins - 1)(values - 1) degrees
    (Wilks 1938); the second of a column is the largest of four such.
    """
    rng = np.random.default_rng(0)
    taken = []
    for j, size in enumerate(DSPRITES):
        others = np.minimum(np.delete(DSPRITES, j), bins)
        draws = rng.chisquare((others - 1) * (size - 1), (4000, 4))
        taken.append(draws.max(axis=1).mean() / (2 * rows) / np.log(size))
    return np.mean(taken), np.mean([0.0, *taken[1:]])


def test_mig_of_a_perfect_dsprites_code_is_what_can_be_counted():
    """All 737,280 images: no bias is left, so both numbers are exact."""
    grid = np.stack([axis.ravel() for axis in np.indices(DSPRITES)], axis=1)
    one, three = limits()
    # By hand: 40 values are two a bin; of 32, 24 are two a bin and 8 one.
    x = (0.75 * np.log(16) + 0.25 * np.log(32)) / np.log(32)
    assert one == pytest.approx((2 + np.log(20) / np.log(40) + 2 * x) / 5)
    codes = perfect(grid)
    for categorical, expected in ((SHAPE, one), ((), three)):
        table = Representation(
            codes, grid, codes[:0], grid[:0], tuple("abcde"), categorical=categorical
        )
        information = mutual_information(table.binned(20), grid)
        score = np.mean(gap(information) / np.log(DSPRITES))
        assert score == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rows", [3000, 10_000])
def test_a_perfect_dsprites_code_is_not_capped(rows):
    """At 3,000 rows .879 and SAP .229; by three columns .683 and .098, as capped."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 2 * rows) for k in DSPRITES], axis=1)
    codes = perfect(factors)

    def parts(name, categorical):
        table = Representation(
            codes[:rows],
            factors[:rows],
            codes[rows:],
            factors[rows:],
            tuple("abcde"),
            categorical=categorical,
        )
        return METRICS[name].compute(table, Settings()).values["score"]

    one, three = np.subtract(limits(), bias(rows))
    assert parts("mig", SHAPE) == pytest.approx(one, abs=0.003)
    assert parts("mig", ()) == pytest.approx(three, abs=0.003)
    if rows == 3000:
        assert parts("mig", SHAPE) == pytest.approx(0.879, abs=0.004)
        assert parts("mig", ()) == pytest.approx(0.683, abs=0.004)
        assert parts("sap", SHAPE) == pytest.approx(0.229, abs=0.01)
        assert parts("sap", ()) == pytest.approx(0.098, abs=0.01)


def test_more_categories_than_bins_keep_apart():
    _, wide, _ = tables(values=30)
    result = METRICS["mig"].compute(wide, Settings(bins=5))
    assert result.per_factor["score"][0] > 0.9
    assert 0 <= METRICS["jemmig"].compute(wide, Settings(bins=5)).values["score"] <= 1


def test_by_latent_by_hand():
    codes = np.array([[5.0, 0.1, 0.9, 7.0, 0.2, 0.7, 0.1], [6, 0.6, 0.4, 8, 0, 0, 1]])
    table = Representation(
        codes,
        np.array([[0], [1]]),
        codes[:1],
        np.array([[0]]),
        ("a",),
        logvars=codes,
        categorical=((4, 5, 6), (1, 2)),
    )
    found = table.by_latent()
    np.testing.assert_array_equal(found.codes, [[5, 1, 7, 1], [6, 0, 8, 2]])
    np.testing.assert_array_equal(found.test_codes, [[5, 1, 7, 1]])
    assert found.categorical == ((1,), (3,))
    assert found.logvars is None
    again = found.by_latent()
    np.testing.assert_array_equal(again.codes, found.codes)


def test_correlation_ratio_is_the_best_numbering():
    rng = np.random.default_rng(1)
    values, y = rng.integers(0, 3, 500), rng.normal(size=500)
    y = y + np.array([1.0, -1.0, 0.5])[values]
    best = 0.0
    for _ in range(4000):  # random numberings only come near the best
        numbers = rng.normal(size=3)[values]
        best = max(best, abs(np.corrcoef(numbers, y)[0, 1]))
    assert correlation_ratio(values, y[:, None])[0] == pytest.approx(best, abs=1e-3)
