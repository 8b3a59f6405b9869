"""Trees on codes sorted once against scikit-learn's: the same ones, bit for bit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils._sorting import _py_simultaneous_sort

from disentangle.metrics import boosting, tree_kernels

ROOT = Path(__file__).resolve().parents[2]


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
        "binary": codes > 0,
        "quantised": np.round(2 * codes),
        "some values twice": np.round(codes, 3),
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
    "binary",
    "quantised",
    "some values twice",
)


def residuals(codes, trees, seed=1):
    """y - p of `trees` classes that have to do with the codes; the classes."""
    rng = np.random.default_rng(seed)
    spread = np.argsort(np.argsort(codes[:, 0])) / len(codes)
    classes = ((spread + 0.2 * rng.random(len(codes))) * trees).astype(int) % trees
    p = rng.dirichlet(np.ones(trees), len(codes)).T
    return (np.arange(trees)[:, None] == classes) - p, classes


def check_tree(codes, target, seed):
    """Our tree is scikit-learn's: every node, and the leaf of every row."""
    table = boosting.presort(codes)
    ours = boosting.grow(table, target, np.random.RandomState(seed).randint(2**31 - 1))
    grower = DecisionTreeRegressor(max_depth=3, random_state=seed).fit(codes, target)
    theirs = grower.tree_
    nodes, inner = theirs.node_count, theirs.children_left >= 0
    expected = np.where(inner, theirs.feature, -1)
    np.testing.assert_array_equal(ours.code[:nodes], expected)
    np.testing.assert_array_equal(
        ours.threshold[:nodes][inner], theirs.threshold[inner]
    )
    np.testing.assert_array_equal(
        ours.right[:nodes][inner], theirs.children_right[inner]
    )
    size = theirs.weighted_n_node_samples * theirs.impurity
    children = theirs.children_left[inner], theirs.children_right[inner]
    gain = size[inner] - size[children[0]] - size[children[1]]
    np.testing.assert_allclose(ours.gain[:nodes][inner], gain, 1e-7, 1e-10)
    np.testing.assert_array_equal(ours.leaf, grower.apply(codes))
    np.testing.assert_array_equal(boosting.leaves(ours, table.values), ours.leaf)


@pytest.mark.parametrize("rows", [2, 7, 90, 700])
@pytest.mark.parametrize("kind", KINDS)
def test_every_split_is_scikit_learns(kind, rows):
    for seed in range(3):
        codes = codes_of(kind, rows, seed)
        for target in residuals(codes, 5, seed + 1)[0]:
            check_tree(codes, target, seed)


@pytest.mark.parametrize("kind", ["quantised", "two values, twins", "many zeros"])
def test_splits_as_good_as_each_other_are_decided_as_there(kind):
    """Targets of few values: most nodes have several best splits."""
    for seed in range(30):
        codes = codes_of(kind, 300, seed)
        rng = np.random.default_rng(seed)
        check_tree(codes, 0.1 * rng.integers(0, 3, 300) - 0.07, seed)


def test_a_tree_is_grown_again_where_the_order_of_equal_values_may_decide():
    codes, rng = codes_of("quantised", 300), np.random.default_rng(0)
    table, room = boosting.presort(codes), boosting.room
    unsure = [
        tree_kernels.grow_tree(
            table,
            target,
            boosting.drawn_by(0, 4),
            room(table),
            boosting.new_tree(300),
            False,
        )
        for target in (rng.normal(size=300), 0.1 * (codes[:, 0] > 0))
    ]
    assert unsure == [False, True]


@pytest.mark.parametrize("values", [8, 40])
def test_a_code_and_its_mirror_image_are_told_apart_as_there(values):
    """They split alike, by sums from either end, beside a code without equal values."""
    for seed in (26, 32, 33, 44, 62, 69, 71, 75, 80, 82, 84, 87):
        rng = np.random.default_rng(seed)
        a = rng.integers(0, values, (300, 2)).astype(float)[:, :1]
        codes = np.concatenate([a, -a, rng.normal(size=(300, 4))], axis=1)
        check_tree(codes, rng.normal(size=300), seed)
        check_tree(codes, 0.1 * rng.integers(0, 3, 300) - 0.07, seed)


def test_images_that_were_drawn_twice_do_not_make_a_tree_unsure():
    """One class and the others are told apart by every code: all splits are equal."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 250, 300)
    classes = (np.arange(250) % 5 == 0)[drawn]
    codes = (rng.normal(size=(250, 6)) + 9.0 * (np.arange(250) % 5 == 0)[:, None])[
        drawn
    ]
    assert len(np.unique(codes[:, 0])) < 200
    target = classes - 0.2
    table, tree = boosting.presort(codes), boosting.new_tree(300)
    given = boosting.drawn_by(3, 6), boosting.room(table), tree
    assert not tree_kernels.grow_tree(table, target, *given, False)
    for seed in range(10):
        check_tree(codes, target, seed)
    apart = target + 0.1 * rng.random(300)  # rows of one image are told apart
    for seed in range(10):
        check_tree(codes, apart, seed)


@pytest.mark.parametrize("shape", ["drawn", "equal", "two values", "an organ pipe"])
@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 400, 3000])
def test_equal_values_are_left_in_scikit_learns_order(shape, rows):
    rng = np.random.default_rng(rows)
    values = {
        "drawn": rng.integers(0, 40, rows),
        "equal": np.zeros(rows),
        "two values": rng.integers(0, 2, rows),
        # The middle of three is near an end: partitions stay long, heapsort takes over.
        "an organ pipe": np.minimum(np.arange(rows), np.arange(rows)[::-1]),
    }[shape].astype(np.float32)
    ours, theirs = values.copy(), values.copy()
    our_rows, their_rows = np.arange(rows, dtype=np.int32), np.arange(rows)
    tree_kernels._sort(ours, our_rows, 0, rows)
    _py_simultaneous_sort(theirs, their_rows, rows, use_three_way_partition=True)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(our_rows, their_rows)


@pytest.mark.parametrize("rows", [300, 3000])
def test_nodes_whose_variance_is_rounding(rows):
    codes = codes_of("continuous", rows)
    for seed in range(12):
        target = np.where(codes[:, 1] > 0.3, 0.9 - 0.07 * seed, -0.1 - 0.03 * seed)
        check_tree(codes, target, seed)


def test_a_node_without_variance_is_a_leaf():
    codes = codes_of("continuous", 50)
    table = boosting.presort(codes)
    assert boosting.grow(table, np.full(50, -0.25), 0).code[0] == -1
    target = np.where(codes[:, 1] > 0, 0.5, -0.5)
    tree = boosting.grow(table, target, 0)
    np.testing.assert_array_equal(tree.code[:3], [1, -1, -1])
    assert tree.gain[0] == pytest.approx(50 * target.var(), rel=1e-12)


@pytest.mark.parametrize(
    ("kinds", "rows", "rounds", "codes"),
    [
        (2, 600, 100, lambda y, rng: y + rng.integers(-1, 2, (3, len(y)))),
        (5, 300, 100, lambda y, rng: np.stack([y, rng.integers(0, 3, len(y))])),
        (3, 4000, 3, lambda y, rng: y + rng.normal(size=(3, len(y)))),
        (10, 700, 30, lambda y, rng: y + 3 * rng.normal(size=(6, len(y)))),
        (3, 300, 100, lambda y, rng: np.tile(y + rng.normal(size=len(y)), (3, 1))),
        (3, 40, 100, lambda y, rng: np.zeros((2, len(y)))),
        (6, 400, 60, lambda y, rng: np.round(y + 2 * rng.normal(size=(5, len(y))))),
        (6, 400, 60, lambda y, rng: y + 4 * rng.normal(size=(8, len(y))) > 2),
        (2, 300, 60, lambda y, rng: y + rng.normal(size=(6, len(y))) > 1),
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


@pytest.mark.slow
def test_kernels_are_compiled_where_nothing_can_be_kept(tmp_path):
    """Neither beside the package nor in the user's cache: numba finds "no locator"."""
    said = subprocess.run(
        [sys.executable, "-c", NOWHERE], cwd=ROOT, capture_output=True, text=True
    )
    assert said.stdout.split() == ["kept", "here", "3"], said.stderr


NOWHERE = """
import numba
keep = numba.njit
def njit(function, **options):
    if options.pop("cache", False):
        raise RuntimeError("cannot cache function: no locator available for file")
    return keep(function, **options)
numba.njit = njit
from disentangle.metrics import tree_kernels
import numpy as np
print("kept here", tree_kernels._below(np.array([3], np.uint32), 7) + 0)
"""
