"""Combinations that training left out: by hand, and planted codes."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics import Settings, read_representation, score
from disentangle.metrics.compositional import compositional, left_out


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, k, 1200) for k in (4, 5)], axis=1)


def test_what_is_left_out_by_hand():
    """First of each factor: 5 and 9; of the values 9, 2, 4 the half is one."""
    factors = np.array([[5, 9], [1, 9], [5, 2], [1, 4], [5, 9], [5, 9], [1, 9], [5, 3]])
    table = read_representation(np.zeros((8, 1)), factors, num_train=5)
    train, test = left_out(table, 0, 1)
    np.testing.assert_array_equal(train, [True, False, False, False, True])
    # 3 is no value of training: not of a combination left out.
    np.testing.assert_array_equal(test, [True, False, False])
    for found, other in zip((train, test), left_out(table, 1, 0), strict=True):
        np.testing.assert_array_equal(found, other)


def test_every_value_stays_in_training(factors):
    table = read_representation(factors.astype(float), factors)
    train, _ = left_out(table, 0, 1)
    share = 2 * 2 / (4 * 5)
    assert np.mean(train) == pytest.approx(share, abs=0.04)
    for column in table.factors.T:
        assert set(column[~train]) == set(column)


def test_clean_codes_lose_nothing(factors):
    table = read_representation(factors.astype(float), factors)
    parts = compositional(table, Settings()).values
    assert parts["linear"] == parts["forest"] == 1.0
    assert parts["linear_gap"] == parts["forest_gap"] == 0.0


def test_a_code_per_combination_knows_only_what_it_has_seen(factors):
    """One code for each of 20 combinations: those left out look like each other."""
    number = factors[:, 0] * 5 + factors[:, 1]
    codes = (number[:, None] == np.arange(20)).astype(float)
    parts = compositional(read_representation(codes, factors), Settings()).values
    for name in ("linear", "forest"):
        assert parts[name] < 0.45
        assert parts[f"{name}_gap"] > 0.5


def test_a_rotation_hurts_the_axes_of_trees_not_lines(factors):
    rng = np.random.default_rng(1)
    turn = np.array([[1.0, 1.0], [1.0, -1.0]])
    codes = factors @ turn + 0.05 * rng.normal(size=(1200, 2))
    parts = compositional(read_representation(codes, factors), Settings()).values
    assert parts["linear"] > 0.95
    assert parts["forest_gap"] > 0.2


def test_pairs_that_cannot_be_tested_do_not_count():
    """The second factor's partner is nearly constant: no test row is left out."""
    first = np.arange(60) % 3
    rare = np.zeros(60, int)
    rare[0], rare[5] = 1, 2  # 1 comes first, in training only
    found = compositional(
        read_representation(first[:, None] * 1.0, np.stack([first, rare], axis=1)),
        Settings(),
    )
    assert found.values == {}
    assert "no combination of two factors' values" in found.why_not


def test_one_factor_has_no_combinations(factors):
    with pytest.raises(UserError, match="factors has one column"):
        score(factors.astype(float), factors[:, :1], "compositional")
