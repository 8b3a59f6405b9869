"""DCI by lasso and forests against scikit-learn, by hand and on planted codes."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Lasso
from sklearn.metrics import root_mean_squared_error
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from disentangle.metrics import Settings, read_representation
from disentangle.metrics.bagging import bagged, likeliest, mean_prediction
from disentangle.metrics.dci import dci
from disentangle.metrics.dci_regression import dci_forest, dci_lasso

SETTINGS = Settings(seed=3)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 450) for k in (3, 5, 7)], axis=1)
    codes = factors @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(450, 4))
    return read_representation(codes * np.array([1.0, 50.0, 0.1, 1.0]), factors)


def scaled(table):
    """Standardised codes and factors, training and test, by scikit-learn."""
    pairs = ((table.codes, table.test_codes), (table.factors, table.test_factors))
    for train, test in pairs:
        scaler = StandardScaler().fit(train)
        yield scaler.transform(train), scaler.transform(test)


def by_hand(models, importance, table):
    """D, C and both errors, one sum of the paper a line."""
    (codes, test_codes), (factors, test_factors) = scaled(table)
    dims, kinds = importance.shape

    def entropy(p, base):
        return -sum(x * np.log(x) for x in p if x > 0) / np.log(base)

    d = [1 - entropy(row / row.sum(), kinds) for row in importance]
    c = [1 - entropy(column / column.sum(), dims) for column in importance.T]
    errors = [
        [
            root_mean_squared_error(y[:, j], m.predict(z)) / y[:, j].std()
            for j, m in enumerate(models)
        ]
        for z, y in ((codes, factors), (test_codes, test_factors))
    ]
    return {
        "disentanglement": np.sum(d * importance.sum(axis=1)) / importance.sum(),
        "completeness": np.mean(c),
        "informativeness_error_train": np.mean(errors[0]),
        "informativeness_error_test": np.mean(errors[1]),
    }


def test_lasso_equals_scikit_learn(table):
    (codes, _), (factors, _) = scaled(table)
    models = [Lasso(alpha=0.02).fit(codes, y) for y in factors.T]
    importance = np.abs(np.stack([m.coef_ for m in models], axis=1))
    found = dci_lasso(table, SETTINGS)
    np.testing.assert_allclose(found.arrays["importance"], importance, atol=1e-10)
    assert found.values == pytest.approx(by_hand(models, importance, table), abs=1e-8)


def test_forest_equals_scikit_learn(table):
    (codes, _), (factors, _) = scaled(table)
    # Columns in the order of their ranks, which scikit-learn's draws depend on.
    ranks = [tuple(np.unique(c, return_inverse=True)[1]) for c in table.codes.T]
    order = sorted(range(4), key=lambda i: ranks[i])
    models = [
        RandomForestRegressor(10, max_depth=4, random_state=3).fit(codes[:, order], y)
        for y in factors.T
    ]
    found = dci_forest(table, SETTINGS, depths=(4,))
    for j, model in enumerate(models):
        column = found.arrays["importance"][order, j]
        # Standardised in float64, cut in float32: a tie may fall the other way.
        np.testing.assert_allclose(column, model.feature_importances_, atol=5e-3)
    assert found.metadata["depths"] == [4, 4, 4]
    importance = found.arrays["importance"]

    class Ordered:
        def __init__(self, model):
            self.model = model

        def predict(self, z):
            return self.model.predict(z[:, order])

    hand = by_hand([Ordered(m) for m in models], importance, table)
    assert found.values == pytest.approx(hand, abs=5e-3)


def test_bagged_trees_are_those_of_scikit_learns_forests():
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(300, 4))
    target = codes[:, 0] + 0.3 * rng.normal(size=300)
    classes = np.digitize(codes[:, 1], [-1, 0, 2])  # the last is rare
    forest = RandomForestRegressor(7, max_depth=5, random_state=3).fit(codes, target)
    bag = bagged(
        lambda seed: DecisionTreeRegressor(max_depth=5, random_state=seed),
        codes,
        target,
        trees=7,
        seed=3,
    )
    np.testing.assert_allclose(mean_prediction(bag, codes), forest.predict(codes))
    np.testing.assert_allclose(bag.importance, forest.feature_importances_)
    forest = RandomForestClassifier(7, max_features=None, random_state=3)
    forest.fit(codes, classes)
    bag = bagged(
        lambda seed: DecisionTreeClassifier(random_state=seed),
        codes,
        classes,
        trees=7,
        seed=3,
    )
    new = rng.normal(size=(200, 4))
    np.testing.assert_array_equal(likeliest(bag, new), forest.predict(new))


def test_the_depth_has_the_least_error_on_the_last_ninth():
    """A noisy step needs one split, 12 levels fit its noise; 16 steps need four."""
    rng = np.random.default_rng(2)
    codes = rng.random((900, 2))
    noisy = rng.random(900) < 0.2
    factors = np.stack([(codes[:, 0] < 0.5) ^ noisy, codes[:, 1] * 16], axis=1)
    table = read_representation(codes, factors.astype(int))
    assert dci_forest(table, SETTINGS, depths=(1, 12)).metadata["depths"] == [1, 12]


def test_planted_codes_have_the_error_that_the_penalty_makes():
    """Code = factor: the coefficient is 1 - alpha, the error alpha, no other code."""
    rng = np.random.default_rng(4)
    factors = np.stack([rng.integers(0, k, 600) for k in (4, 6)], axis=1)
    codes = np.hstack([factors[:, ::-1] * [3.0, -0.5], np.ones((600, 1))])
    found = dci_lasso(read_representation(codes, factors), SETTINGS, alpha=0.1)
    expected = np.array([[0.0, 0.9], [0.9, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(found.arrays["importance"], expected, atol=1e-12)
    assert found.values["informativeness_error_train"] == pytest.approx(0.1)
    assert found.values["disentanglement"] == pytest.approx(1.0)
    assert found.values["completeness"] == pytest.approx(1.0)
    forest = dci_forest(read_representation(codes, factors), SETTINGS).values
    assert forest["disentanglement"] == pytest.approx(1.0)
    assert forest["informativeness_error_test"] == pytest.approx(0.0, abs=1e-12)


def test_an_even_rotation_has_no_disentanglement():
    rng = np.random.default_rng(5)
    factors = rng.integers(0, 9, (900, 2))
    codes = factors @ np.array([[1.0, 1.0], [1.0, -1.0]])
    parts = dci_lasso(read_representation(codes, factors), SETTINGS).values
    assert parts["disentanglement"] < 0.01
    assert parts["completeness"] < 0.01
    assert parts["informativeness_error_test"] < 0.05


def test_dci_of_the_paper_is_both(table):
    found = dci(table, Settings(seed=3, protocol="paper"))
    forest, lasso = dci_forest(table, SETTINGS), dci_lasso(table, SETTINGS)
    named = {f"lasso_{part}": value for part, value in lasso.values.items()}
    assert found.values == forest.values | named
    assert found.metadata["lasso_estimator"] == "scikit-learn Lasso(alpha=0.02)"
    assert "lower is better" in found.metadata["definition"]
