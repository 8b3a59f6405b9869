"""DCI-ES: curves by hand, truncated forests against scikit-learn's own."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from disentangle.metrics import Settings, score_details
from disentangle.metrics.base import Representation
from disentangle.metrics.dci_es import DEPTHS, dci_es, explicitness
from disentangle.metrics.forest_curve import (
    add_shares,
    forest_curve,
    node_levels,
    tree_importance,
)


@pytest.fixture(scope="module")
def tangled():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 900) for k in (3, 5)], axis=1)
    return factors @ rng.normal(size=(2, 4)) + 0.5 * rng.normal(size=(900, 4)), factors


def test_explicitness_by_hand():
    depths = np.array([1.0, 2.0, 4.0])
    loss = np.array([[0.5, 0.2, 0.8], [0.25, 0.3, 0.8], [0.0, 0.2, 0.8]])
    # (0.5 + 0.25) / 2 + (0.25 + 0) / 2 * 2; the second never gets better; the third
    # is flat.
    areas = np.array([0.375 + 0.25, 0.0, 0.0])
    guessing = np.array([0.5, 0.5, 0.8])
    expected = 1 - 2 * areas / (3 * guessing)
    np.testing.assert_allclose(explicitness(depths, loss, guessing), expected)


@pytest.mark.parametrize("shape", ["line", "late", "at once"])
def test_explicitness_of_three_curves(shape):
    depths = np.arange(11.0)
    fall = {"line": 0.8 * (1 - depths / 10), "late": 0.8 * (depths < 10)}
    loss = fall.get(shape, np.zeros(11))[:, None]
    expected = {"line": 0.0, "late": 1 - 2 * 0.95, "at once": 1.0}[shape]
    assert explicitness(depths, loss, np.array([0.8])) == pytest.approx(expected)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_the_first_levels_of_a_tree_are_the_shallow_tree(tangled, depth):
    """Where every split sees all codes, the truncated tree is the shallow one."""
    codes, factors = tangled
    classes = factors[:, 1]
    deep = DecisionTreeClassifier(random_state=0).fit(codes, classes)
    shallow = DecisionTreeClassifier(max_depth=depth, random_state=0)
    shallow.fit(codes, classes)
    share = np.zeros((1, len(codes), 5))
    add_shares(share, deep.tree_, deep.apply(codes), (depth,), deep.classes_)
    np.testing.assert_allclose(share[0], shallow.predict_proba(codes), atol=1e-12)
    np.testing.assert_allclose(
        tree_importance(deep.tree_, (depth,), 4)[0],
        shallow.feature_importances_,
        atol=1e-12,
    )
    assert node_levels(deep.tree_)[1].max() == deep.get_depth()


@pytest.mark.slow
def test_forests_are_those_of_scikit_learn_within_chance(tangled):
    codes, factors = tangled
    train, test = slice(0, 600), slice(600, None)
    curve = forest_curve(
        codes[train],
        factors[train, 1],
        codes[test],
        factors[test, 1],
        (1, 4, 32),
        trees=100,
        max_features="sqrt",
        seed=0,
    )
    for q, depth in enumerate((1, 4, 32)):
        found = []
        for seed in range(3):
            forest = RandomForestClassifier(max_depth=depth, random_state=seed)
            forest.fit(codes[train], factors[train, 1])
            accuracy = forest.score(codes[test], factors[test, 1])
            found.append([accuracy, *forest.feature_importances_])
        ours = [curve.test[q], *curve.importance[q]]
        np.testing.assert_allclose(ours, np.mean(found, axis=0), atol=0.05)


def dci_es_of(codes, factors, **constants):
    rows = 2 * len(codes) // 3
    names = tuple(str(j) for j in range(factors.shape[1]))
    split = (codes[:rows], factors[:rows], codes[rows:], factors[rows:])
    return dci_es(Representation(*split, names), Settings(jobs=2), **constants)


def test_parts_come_from_the_curves(tangled):
    result = dci_es_of(*tangled)
    assert result.arrays["loss"].shape == (len(DEPTHS), 2)
    guessing = np.array([2 / 3, 4 / 5])
    expected = explicitness(np.array(DEPTHS), result.arrays["loss"], guessing)
    assert result.values["explicitness"] == pytest.approx(np.mean(expected))
    assert result.values["size"] == 0.5
    best = DEPTHS.index(result.metadata["best_depth"])
    losses = result.arrays["loss"].mean(axis=1)
    assert losses[best] == losses.min()
    assert result.values["informativeness_test"] == pytest.approx(1 - losses.min())
    np.testing.assert_allclose(result.arrays["importance"].sum(axis=0), 1.0)


@pytest.mark.slow
def test_a_perfect_code_with_and_without_drawn_codes():
    rng = np.random.default_rng(1)
    factors = np.stack([rng.integers(0, 4, 600) for _ in range(3)], axis=1)
    drawn = dci_es_of(factors.astype(float), factors).values
    every = dci_es_of(factors.astype(float), factors, max_features=None).values
    assert every["disentanglement"] == pytest.approx(1.0, abs=1e-6)
    assert every["completeness"] == pytest.approx(1.0, abs=1e-6)
    assert every["explicitness"] > 0.9
    assert drawn["informativeness_test"] == every["informativeness_test"] == 1.0
    assert drawn["disentanglement"] < 0.8  # the trap that the docstring names


def test_a_code_that_needs_depth_is_less_explicit():
    """The same values in order, and shuffled over the line: equal information."""
    rng = np.random.default_rng(2)
    place = rng.integers(0, 64, 3000)
    noise = rng.normal(size=(3000, 1))
    plain = np.hstack([place[:, None], noise])
    easy, hard = (place // 32)[:, None], (rng.permutation(64) // 32)[place][:, None]
    every = {"trees": 10, "max_features": None}
    found = [dci_es_of(plain, y, **every).values for y in (easy, hard)]
    assert min(p["informativeness_test"] for p in found) > 0.98
    assert found[1]["explicitness"] < found[0]["explicitness"] - 0.1


def test_constant_codes_and_a_value_only_the_test_rows_have():
    factors = np.tile(np.arange(3), 30)[:, None]
    dead = dci_es_of(np.zeros((90, 2)), factors).values
    assert dead["explicitness"] == 1.0
    assert dead["disentanglement"] == dead["completeness"] == 0.0
    late = factors.copy()
    late[60:] = 7
    assert dci_es_of(factors.astype(float), late).values["informativeness_test"] == 0.0


@pytest.mark.slow
def test_threads_change_nothing(tangled):
    one, two = (
        score_details(*tangled, "dci_es", Settings(jobs=jobs))["dci_es"].values
        for jobs in (1, 2)
    )
    assert one == two
