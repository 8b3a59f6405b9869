"""Trees on codes sorted once, against scikit-learn's, split by split."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.tree import DecisionTreeRegressor

from disentangle.metrics import boosting, presorted


def codes_of(kind, rows, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(rows, 4))
    changed = {
        "continuous": codes,
        "a code twice": codes[:, [0, 0, 1, 2]],
        "a code and its negative": np.hstack([codes[:, :3], -codes[:, :1]]),
        "one decimal": np.round(codes, 1),
        "three values": np.round(codes).clip(-1, 1),
        "a constant code": codes * [1, 0, 1, 1],
        "a code within 1e-7": codes * [1, 2e-8, 1, 1],
        "neighbours within 1e-7": codes * 1e-6,
        "partly within 1e-7": codes * 5e-5,
        "huge and shifted": codes * 1e20 + 1e20,
        "many zeros": codes * (rng.random(codes.shape) < 0.3),
    }
    return changed[kind].astype(np.float32)


KINDS = (
    "continuous",
    "a code twice",
    "a code and its negative",
    "one decimal",
    "three values",
    "a constant code",
    "a code within 1e-7",
    "neighbours within 1e-7",
    "partly within 1e-7",
    "huge and shifted",
    "many zeros",
)


def residuals(codes, trees, seed=1):
    """y - p of `trees` classes that have to do with the codes; the classes."""
    rng = np.random.default_rng(seed)
    spread = np.argsort(np.argsort(codes[:, 0])) / len(codes)
    classes = ((spread + 0.2 * rng.random(len(codes))) * trees).astype(int) % trees
    p = rng.dirichlet(np.ones(trees), len(codes)).T
    return (np.arange(trees)[:, None] == classes) - p, classes


def disagreement(codes, target, levels, tree):
    """How scikit-learn's tree of one target differs; a tie may go either way."""
    theirs = DecisionTreeRegressor(max_depth=3, random_state=0).fit(codes, target).tree_
    size = theirs.weighted_n_node_samples * theirs.impurity
    todo = [(0, 0, 0)]
    while todo:
        at, level, node = todo.pop()
        left, right = theirs.children_left[at], theirs.children_right[at]
        if level == 3:
            continue
        code, _, threshold, gain = (x[node, tree] for x in levels[level])
        if left < 0 or np.isinf(threshold):
            if left >= 0 or np.isfinite(threshold):
                return f"only one splits at level {level}"
            continue
        if not np.isclose(gain, size[at] - size[left] - size[right], 1e-7, 1e-10):
            return f"gain {gain} against {size[at] - size[left] - size[right]}"
        if code == theirs.feature[at] and threshold == theirs.threshold[at]:
            todo += [(left, level + 1, 2 * node), (right, level + 1, 2 * node + 1)]
    return None


@pytest.mark.parametrize("rows", [2, 7, 90, 700])
@pytest.mark.parametrize("kind", KINDS)
def test_every_split_is_as_good_as_scikit_learns(kind, rows):
    codes = codes_of(kind, rows)
    target, classes = residuals(codes, 5)
    table = presorted.presort(codes, boosting.SAME)
    levels = boosting._grow(table, target, classes, np.random.default_rng(0))
    for tree in range(5):
        assert disagreement(codes, target[tree], levels, tree) is None


@pytest.mark.parametrize("blocks", [1, 2, 30, 10_000])
def test_the_number_of_blocks_changes_nothing(blocks, monkeypatch):
    codes = codes_of("continuous", 500)
    target, classes = residuals(codes, 3)
    found = []
    for number in (presorted.BLOCKS, blocks):
        monkeypatch.setattr(presorted, "BLOCKS", number)
        monkeypatch.setattr(presorted, "ROWS", 1)
        table = presorted.presort(codes, boosting.SAME)
        found.append(boosting._grow(table, target, classes, np.random.default_rng(0)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one.threshold, other.threshold)
        np.testing.assert_allclose(one.gain, other.gain, rtol=1e-9, atol=1e-12)


def test_a_node_without_variance_is_a_leaf():
    codes = codes_of("continuous", 50)
    target = np.stack([np.full(50, -0.25), np.where(codes[:, 1] > 0, 0.5, -0.5)])
    table = presorted.presort(codes, boosting.SAME)
    above = np.where(codes[:, 1] > 0, 1, -1)
    levels = boosting._grow(table, target, above, np.random.default_rng(0))
    assert np.isinf(levels[0].threshold[0, 0])
    assert np.isinf(levels[1].threshold[:, 1]).all()
    assert levels[0].code[0, 1] == 1
    assert levels[0].gain[0, 1] == pytest.approx(50 * target[1].var(), rel=1e-12)


# Tables whose splits are never drawn: no node is small, or no code is another's like.
@pytest.mark.parametrize(
    ("kinds", "rows", "rounds", "codes"),
    [
        (2, 600, 100, lambda y, rng: y + rng.integers(-1, 2, (3, len(y)))),
        (5, 300, 100, lambda y, rng: np.stack([y, rng.integers(0, 3, len(y))])),
        (3, 4000, 3, lambda y, rng: y + rng.normal(size=(3, len(y)))),
        (7, 800, 20, lambda y, rng: y + rng.normal(size=(1, len(y)))),
        (3, 40, 100, lambda y, rng: np.zeros((2, len(y)))),
    ],
)
def test_boosting_is_scikit_learns(kinds, rows, rounds, codes, monkeypatch):
    rng = np.random.default_rng(7)
    classes = np.append(np.arange(kinds), rng.integers(0, kinds, 2 * rows - kinds))
    table = np.asarray(codes(classes, rng), float).T
    monkeypatch.setattr(boosting, "ROUNDS", rounds)
    ours = boosting.boost(table[:rows], classes[:rows], table[rows:], seed=3)
    theirs = GradientBoostingClassifier(n_estimators=rounds, random_state=1)
    theirs.fit(table[:rows], classes[:rows])
    np.testing.assert_allclose(ours.importance, theirs.feature_importances_, atol=1e-9)
    assert np.mean(ours.guesses != theirs.predict(table[:rows])) == 0
    assert np.mean(ours.test_guesses != theirs.predict(table[rows:])) == 0


def test_draws_among_equals_are_fair():
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 3, 200)
    code = classes + rng.normal(size=200)
    table = np.stack([code, code, code], axis=1)
    shares = [boosting.boost(table, classes, table, seed).importance for seed in (0, 1)]
    assert np.ptp(shares) < 0.2
    assert not np.array_equal(*shares)


def test_more_classes_than_trees_at_once(monkeypatch):
    rng = np.random.default_rng(5)
    classes = np.arange(400) % 9
    table = np.stack([classes, rng.integers(0, 3, 400)], axis=1).astype(float)
    whole = boosting.boost(table, classes, table, 0)
    monkeypatch.setattr(boosting, "TOGETHER", 4)
    parts = boosting.boost(table, classes, table, 0)
    np.testing.assert_allclose(whole.importance, parts.importance, atol=1e-9)
    np.testing.assert_array_equal(parts.guesses, classes)
