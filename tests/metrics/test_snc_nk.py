"""SNC and NK: bins by hand, and planted codes whose scores are known."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics import Settings, read_representation, score
from disentangle.metrics.snc_nk import quantile_bins, snc_nk


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, k, 900) for k in (3, 5)], axis=1)


def scores(codes, factors, **settings):
    return snc_nk(read_representation(codes, factors), Settings(**settings))


def test_continuous_codes_have_bins_of_equally_many_rows():
    """As the authors cut them: dividers at every K-th part of the sorted rows."""
    values = np.random.default_rng(1).normal(size=300)
    new = np.random.default_rng(2).normal(size=50)
    found, test = quantile_bins(values, new, 4)
    np.testing.assert_array_equal(np.bincount(found), [75, 75, 75, 75])
    dividers = np.sort(values)[[75, 150, 225]]
    np.testing.assert_array_equal(found, np.sum(values[:, None] >= dividers, axis=1))
    np.testing.assert_array_equal(np.bincount(test, minlength=4).sum(), 50)


def test_a_code_of_few_values_is_not_cut_through_one():
    """Half of 10 rows end among the zeros; the nearest place is before the ones."""
    values = np.array([0.0] * 6 + [1.0] * 4)
    found, test = quantile_bins(values, np.array([-3.0, 0.4, 0.6, 9.0]), 2)
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(test, [0, 0, 1, 1])
    alike, _ = quantile_bins(np.full(5, 2.0), np.zeros(0), 3)
    np.testing.assert_array_equal(alike, 0)
    # Neighbouring floats have no middle.
    close = np.array([1.0, np.nextafter(1.0, 2.0)])
    np.testing.assert_array_equal(quantile_bins(close, close, 2)[1], [0, 1])


def test_a_code_for_each_factor_is_all_there_is(factors):
    codes = np.hstack([np.exp(factors[:, ::-1]), np.ones((900, 1))])
    found = scores(codes, factors)
    assert found.metadata["assigned_codes"] == [1, 0]
    assert found.values["snc"] == 1.0
    assert found.values["mlp"] > 0.95
    # Without its code a factor is guessed: at best as its most frequent value is.
    chance = np.array([1 / 3, 1 / 5])
    expected = np.array(found.per_factor["mlp"]) - chance
    np.testing.assert_allclose(found.per_factor["nk"], expected, atol=0.08)


def test_a_second_code_for_a_factor_is_seen_by_the_knockout_only(factors):
    codes = np.hstack([factors, factors]).astype(float)
    parts = scores(codes, factors).values
    assert parts["snc"] == 1.0
    assert parts["nk"] == pytest.approx(0.0, abs=0.03)


def test_a_rotated_code_is_read_by_the_perceptron_not_alone(factors):
    codes = factors @ np.array([[1.0, 1.0], [1.0, -1.0]])
    parts = scores(codes, factors).values
    assert parts["mlp"] > 0.95
    assert parts["snc"] < 0.7


def test_two_bins_may_not_stand_for_one_value():
    """The code's four parts are the values 0, 1, 0, 1: half at most is matched."""
    order = np.random.default_rng(3).permutation(800)
    line = np.arange(800.0)
    values = (line // 200).astype(int) % 2
    codes = np.stack([line, np.sin(line)], axis=1)[order]
    found = scores(codes, values[order][:, None])
    assert found.values["snc"] == pytest.approx(0.5, abs=0.05)


def test_a_factor_without_a_code_counts_nothing_and_threads_change_nothing():
    rng = np.random.default_rng(4)
    factors = rng.integers(0, 3, (300, 3))
    codes = factors[:, :2] + 0.1 * rng.normal(size=(300, 2))
    one, two = scores(codes, factors, jobs=1), scores(codes, factors, jobs=2)
    assert one.values == two.values
    assert one.metadata["assigned_codes"] == [0, 1, -1]
    assert one.per_factor["snc"][2] == one.per_factor["nk"][2] == 0.0


def test_one_code_cannot_be_knocked_out(factors):
    with pytest.raises(UserError, match="codes has one column"):
        score(factors[:, :1].astype(float), factors, "snc_nk")
