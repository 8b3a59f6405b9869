"""R^2 against scikit-learn's regressions, and on planted codes."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from disentangle.metrics import Settings, read_representation
from disentangle.metrics.r2 import r2


def table(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(0, k, rows) for k in (3, 8)], axis=1)
    mixed = np.sin(factors @ rng.normal(size=(2, 3))) + 0.2 * rng.normal(size=(rows, 3))
    return read_representation(mixed * np.array([1.0, 30.0, 0.1]) + 5.0, factors)


def test_both_equal_scikit_learn():
    drawn = table()
    scaler = StandardScaler().fit(drawn.codes)
    target = StandardScaler().fit(drawn.factors)
    train, test = scaler.transform(drawn.codes), scaler.transform(drawn.test_codes)
    y, truth = target.transform(drawn.factors), drawn.test_factors
    for name, model in (
        ("linear", LinearRegression()),
        ("kernel", KernelRidge(kernel="rbf", gamma=1 / 3, alpha=1.0)),
    ):
        guesses = target.inverse_transform(model.fit(train, y).predict(test))
        expected = r2_score(truth, guesses, multioutput="raw_values")
        # 200 training rows are all landmarks: the approximation is exact.
        found = r2(drawn, Settings()).per_factor[name]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_landmarks_are_enough_and_drawn_by_the_seed():
    drawn = table(rows=1500)
    exact = r2(drawn, Settings(), landmarks=1000).values["kernel"]
    few = [
        r2(drawn, Settings(seed=s), landmarks=100).values["kernel"] for s in (1, 2, 1)
    ]
    assert few[0] == few[2] != few[1]
    assert few[0] == pytest.approx(exact, abs=0.02)


def test_a_folded_code_is_read_by_the_kernel_only():
    factor = np.random.default_rng(1).integers(-3, 4, (900, 1))
    sign = np.random.default_rng(2).choice([-1, 1], (900, 1))
    codes = sign * np.sqrt(np.abs(factor + 3.0))
    parts = r2(read_representation(codes, factor + 3), Settings()).values
    assert parts["linear"] < 0.05
    assert parts["kernel"] > 0.95


def test_a_rotation_changes_nothing():
    drawn = np.random.default_rng(3).integers(0, 6, (400, 2))
    codes = drawn + 0.5 * np.random.default_rng(4).normal(size=(400, 2))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    plain = r2(read_representation(codes, drawn), Settings()).values
    turned = r2(read_representation(codes @ turn, drawn), Settings()).values
    assert turned["linear"] == pytest.approx(plain["linear"], abs=1e-9)
    assert plain["linear"] == pytest.approx(35 / 12 / (35 / 12 + 0.25), abs=0.03)
