"""MCC against SciPy's correlations and all assignments tried."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from disentangle.metrics import score_details
from disentangle.metrics.mcc import assigned


def mcc(codes, factors):
    return score_details(codes, factors, "mcc", num_train=len(codes))["mcc"]


@pytest.fixture
def tangled():
    rng = np.random.default_rng(3)
    factors = np.stack([rng.integers(0, k, 300) for k in (3, 5, 7)], axis=1)
    return factors @ rng.normal(size=(3, 5)) + rng.normal(size=(300, 5)), factors


@pytest.mark.parametrize(
    ("name", "corr"), [("pearson", pearsonr), ("spearman", spearmanr)]
)
def test_equals_scipy_under_every_assignment_tried(tangled, name, corr):
    codes, factors = tangled
    matrix = np.array([[abs(corr(z, y)[0]) for y in factors.T] for z in codes.T])
    result = mcc(codes, factors)
    np.testing.assert_allclose(result.arrays[name], matrix, atol=1e-12)
    best = max(
        np.mean([matrix[i, j] for j, i in enumerate(chosen)])
        for chosen in permutations(range(5), 3)
    )
    assert result.values[name] == pytest.approx(best, abs=1e-12)


def test_greedy_choice_is_not_the_assignment():
    np.testing.assert_allclose(assigned(np.array([[0.9, 0.8], [0.8, 0.1]])), [0.8, 0.8])


def test_monotone_maps_keep_spearman_and_sign_matters_to_neither():
    values = np.arange(60) % 6
    codes = np.stack([-np.exp(2.0 * values), np.zeros(60)], axis=1)
    parts = mcc(codes, values[:, None]).values
    assert parts["spearman"] == pytest.approx(1.0)
    assert 0.5 < parts["pearson"] < 0.95


def test_a_quarter_turn_of_the_plane_halves_what_is_shared():
    """Two independent factors of one size turned by 45 degrees: cos 45 each."""
    factors = np.stack([x.ravel() for x in np.indices((5, 5))], axis=1)
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    parts = mcc(factors @ turn, factors).values
    assert parts["pearson"] == pytest.approx(np.sqrt(0.5))


def test_fewer_codes_than_factors_and_constant_codes():
    factors = np.stack([x.ravel() for x in np.indices((3, 4))], axis=1)
    alone = mcc(factors[:, 1:], factors)
    assert alone.per_factor["pearson"] == pytest.approx((0.0, 1.0))
    assert mcc(np.full((12, 2), 1e30), factors).values == {"pearson": 0, "spearman": 0}
    huge = mcc(1e29 * factors, factors).values
    assert huge["pearson"] == pytest.approx(1.0)
