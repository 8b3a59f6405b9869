"""Trees on codes sorted once against scikit-learn's: the same splits, ties too."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.tree import DecisionTreeRegressor

from disentangle.metrics import boosting, presorted, ties


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
        "constants and twins": codes[:, [0, 1, 0, 1, 2, 2, 3]] * [1, 0, 1, 0, 1, 1, 0],
        "two values, twins": np.hstack([codes[:, :2], codes > 1, codes < -1]),
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
    "constants and twins",
    "two values, twins",
    "many zeros",
)


def residuals(codes, trees, seed=1):
    """y - p of `trees` classes that have to do with the codes; the classes."""
    rng = np.random.default_rng(seed)
    spread = np.argsort(np.argsort(codes[:, 0])) / len(codes)
    classes = ((spread + 0.2 * rng.random(len(codes))) * trees).astype(int) % trees
    p = rng.dirichlet(np.ones(trees), len(codes)).T
    return (np.arange(trees)[:, None] == classes) - p, classes


# Sums over rows with the same value may be rounded otherwise: a tie may go either way.
REPEATED = ("one decimal", "two values, twins", "three values", "many zeros")


def grown(codes, target, classes, seed=0):
    """Our trees; the seed is that of scikit-learn's tree."""
    y = np.arange(len(target))[:, None] == classes
    seeds = np.full(len(target), np.random.RandomState(seed).randint(0, ties.SEEDS))
    table = presorted.presort(codes, boosting.SAME)
    return boosting._grow(table, target, y.astype(float), seeds)[0]


def disagreement(codes, target, levels, tree, seed, ties_too):
    """How scikit-learn's tree of one target differs."""
    grower = DecisionTreeRegressor(max_depth=3, random_state=seed)
    theirs = grower.fit(codes, target).tree_
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
        elif ties_too:
            return f"level {level}: code {code}, theirs {theirs.feature[at]}"
    return None


@pytest.mark.parametrize("rows", [2, 7, 90, 700])
@pytest.mark.parametrize("kind", KINDS)
def test_every_split_is_scikit_learns(kind, rows):
    for seed in range(3):
        codes = codes_of(kind, rows, seed)
        target, classes = residuals(codes, 5, seed + 1)
        levels = grown(codes, target, classes, seed)
        for tree in range(5):
            found = disagreement(
                codes, target[tree], levels, tree, seed, kind not in REPEATED
            )
            assert found is None


@pytest.mark.parametrize("rows", [300, 3000])
def test_nodes_whose_variance_is_rounding(rows):
    codes = codes_of("continuous", rows)
    for seed in range(12):
        target = np.where(codes[:, 1] > 0.3, 0.9 - 0.07 * seed, -0.1 - 0.03 * seed)
        levels = grown(codes, target[None], np.where(codes[:, 1] > 0.3, 0, -1), seed)
        assert disagreement(codes, target, levels, 0, seed, True) is None


@pytest.mark.parametrize("blocks", [1, 2, 30, 10_000])
def test_the_number_of_blocks_changes_nothing(blocks, monkeypatch):
    codes = codes_of("continuous", 500)
    target, classes = residuals(codes, 3)
    found = []
    for number in (presorted.BLOCKS, blocks):
        monkeypatch.setattr(presorted, "BLOCKS", number)
        monkeypatch.setattr(presorted, "ROWS", 1)
        found.append(grown(codes, target, classes))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one.threshold, other.threshold)
        np.testing.assert_allclose(one.gain, other.gain, rtol=1e-9, atol=1e-12)


def test_a_node_without_variance_is_a_leaf():
    codes = codes_of("continuous", 50)
    target = np.stack([np.full(50, -0.25), np.where(codes[:, 1] > 0, 0.5, -0.5)])
    levels = grown(codes, target, np.where(codes[:, 1] > 0, 1, -1))
    assert np.isinf(levels[0].threshold[0, 0])
    assert np.isinf(levels[1].threshold[:, 1]).all()
    assert levels[0].code[0, 1] == 1
    assert levels[0].gain[0, 1] == pytest.approx(50 * target[1].var(), rel=1e-12)


@pytest.mark.parametrize(
    ("kinds", "rows", "rounds", "codes"),
    [
        (2, 600, 100, lambda y, rng: y + rng.integers(-1, 2, (3, len(y)))),
        (5, 300, 100, lambda y, rng: np.stack([y, rng.integers(0, 3, len(y))])),
        (3, 4000, 3, lambda y, rng: y + rng.normal(size=(3, len(y)))),
        (10, 700, 30, lambda y, rng: y + 3 * rng.normal(size=(6, len(y)))),
        (3, 300, 100, lambda y, rng: np.tile(y + rng.normal(size=len(y)), (3, 1))),
        (3, 40, 100, lambda y, rng: np.zeros((2, len(y)))),
    ],
)
def test_boosting_is_scikit_learns(kinds, rows, rounds, codes, monkeypatch):
    rng = np.random.default_rng(7)
    classes = np.append(np.arange(kinds), rng.integers(0, kinds, 2 * rows - kinds))
    table = np.asarray(codes(classes, rng), float).T
    monkeypatch.setattr(boosting, "ROUNDS", rounds)
    ours = boosting.boost(table[:rows], classes[:rows], table[rows:], seed=3)
    theirs = GradientBoostingClassifier(n_estimators=rounds, random_state=3)
    theirs.fit(table[:rows], classes[:rows])
    np.testing.assert_allclose(ours.importance, theirs.feature_importances_, atol=1e-12)
    np.testing.assert_array_equal(ours.guesses, theirs.predict(table[:rows]))
    np.testing.assert_array_equal(ours.test_guesses, theirs.predict(table[rows:]))


def test_a_seed_draws_what_scikit_learns_seed_draws():
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 3, 200)
    code = classes + rng.normal(size=200)
    table = np.stack([code, code, code], axis=1)
    shares = []
    for seed in (0, 1):
        theirs = GradientBoostingClassifier(random_state=seed).fit(table, classes)
        shares.append(boosting.boost(table, classes, table, seed).importance)
        np.testing.assert_allclose(shares[-1], theirs.feature_importances_, atol=1e-12)
    assert not np.array_equal(*shares)


@pytest.mark.parametrize("rows", [1, 2, 3, 13])
def test_rows_end_where_two_pointers_leave_them(rows):
    for bits in range(min(2**rows, 600)):
        left = (bits * 7919 >> np.arange(rows)) % 2 == 1
        items, front, back = list(range(rows)), 0, rows
        while front < back:
            if left[items[front]]:
                front += 1
            else:
                back -= 1
                items[front], items[back] = items[back], items[front]
        np.testing.assert_array_equal(ties.partitioned(left), items)


@pytest.mark.slow
def test_more_classes_than_trees_at_once(monkeypatch):
    rng = np.random.default_rng(5)
    classes = np.arange(400) % 9
    table = np.stack([classes, rng.integers(0, 3, 400)], axis=1).astype(float)
    whole = boosting.boost(table, classes, table, 0)
    monkeypatch.setattr(boosting, "TOGETHER", 4)
    parts = boosting.boost(table, classes, table, 0)
    np.testing.assert_allclose(whole.importance, parts.importance, atol=1e-9)
    np.testing.assert_array_equal(parts.guesses, classes)
