"""The bench's own reference rows, and what it counts, by hand and by closed forms."""

import itertools

import numpy as np
import pytest
from exact import bench_of, pictures, reference_rows, small

from disentangle.data import dsprites, fashion_sprites, shapes3d
from disentangle.data.worlds import world
from disentangle.editing import (
    SCORES,
    Asking,
    Bench,
    Judged,
    Requests,
    leakage,
    requests,
    rows,
)
from disentangle.editing.counterfactual import around, is_nearest, psnr
from disentangle.editing.equality import chance, equal
from disentangle.editing.scores import fooled
from disentangle.errors import UserError
from disentangle.retrieval.outcome import Row

SPACES = {
    "dsprites": dsprites.SPACE,
    "shapes3d": shapes3d.SPACE,
    "fashion_sprites": fashion_sprites.SPACE,
}


@pytest.fixture(scope="module")
def references(toy):
    return reference_rows(small(toy))


def test_what_is_no_edit_has_none(references):
    copy, reference = references["copy"], references["reference"]
    assert copy["", "hit"] == 0 and copy["", "pres"] == 1 and copy["", "rec"] == 1
    assert copy["", "edit"] == copy["", "exact"] == copy["", "nn"] == 0
    assert reference["", "hit"] == 1
    assert reference["", "edit"] < 0.15  # what is kept is kept by chance
    assert references["pixel-mean"]["", "edit"] < 0.15


def test_the_true_answer_is_perfect(references):
    for way in ("render", "nearest-train"):  # the answers were trained on
        for name in ("", "shape", "size", "turn", "x"):
            for score in ("edit", "hit", "pres", "exact", "rec", "nn", "pres_of_rec"):
                assert references[way][name, score] == 1, (way, name, score)
            assert references[way][name, "psnr"] == pytest.approx(60)


def test_the_best_retrieval_has_nothing_where_the_answers_were_not_trained_on(toy):
    asked = requests("toy", toy.space, Asking(requests=12))
    rest = np.setdiff1d(np.arange(len(toy)), asked.truth)
    assert len(rest) < len(toy)
    held = reference_rows(small(toy), Asking(requests=12, bootstrap=0), rest)
    for score in ("nn", "exact"):
        assert held["nearest-train"]["", score] < 0.35  # by symmetry alone
        assert held["nearest-train"]["shape", score] < 0.35
    assert held["render"]["", "exact"] == 1


def test_values_are_equal_up_to_steps_and_turns():
    """dSprites against angles in float64."""
    space = dsprites.SPACE
    step = 2 * np.pi / 39
    pairs = np.array(list(itertools.product(range(40), range(40))))
    for shape, order in enumerate((4, 2, 1)):
        left, right = np.zeros((2, len(pairs), 5), int)
        left[:, 0] = right[:, 0] = shape
        left[:, 2], right[:, 2] = pairs.T
        turned = order * step * (pairs[:, 0] - pairs[:, 1])
        gap = np.abs(np.angle(np.exp(1j * turned))) / order
        np.testing.assert_array_equal(
            equal(space, left, right)[:, 2], gap <= step * (1 + 1e-9)
        )
    rows_ = np.array([[0, 1, 0, 5, 5], [0, 1, 39, 6, 7], [1, 2, 0, 4, 3]])
    found = equal(space, rows_[1:], np.stack([rows_[0]] * 2))
    assert found.tolist() == [
        [True, True, True, True, False],
        [False] * 2 + [True] * 2 + [False],
    ]
    hues = np.array([[9, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    assert not equal(shapes3d.SPACE, hues[0], hues[1])[0]  # one step is another hue


def test_chance_is_that_of_pairs():
    expected = (1 / 10, 1 / 10, 1 / 10, 1 / 8, 1 / 4, (15 + 2 * 14) / 225)
    np.testing.assert_allclose(chance(shapes3d.SPACE), expected)
    found = chance(dsprites.SPACE)
    np.testing.assert_allclose(found[[0, 1]], (1 / 3, 1 / 6))
    np.testing.assert_allclose(found[3:], (32 + 2 * 31) / 32**2)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, dsprites.SPACE.sizes, (2, 200_000, 5))
    drawn[1, :, 0] = drawn[0, :, 0]  # symmetry is the target's
    share = equal(dsprites.SPACE, drawn[0], drawn[1])[:, 2].mean()
    assert found[2] == pytest.approx(share, abs=0.004)


@pytest.mark.parametrize("name", SPACES)
def test_requests_change_one_factor_and_are_the_same_for_ever(name):
    space, asking = SPACES[name], Asking(requests=40)
    asked = requests(name, space, asking)
    old, new = space.factors(asked.source), space.factors(asked.truth)
    at = np.arange(len(old)), asked.attribute
    moved = old != new
    assert moved.sum(1).tolist() == [1] * len(old) and moved[at].all()
    assert not equal(space, old, new)[at].any()
    np.testing.assert_array_equal(new[at], asked.value)
    np.testing.assert_array_equal(space.factors(asked.exemplar)[at], asked.value)
    assert (np.bincount(asked.attribute) == 40).all()
    more = requests(name, space, Asking(requests=90))
    for column in asked.judged:
        first = more.truth[more.of(column)][:40]
        np.testing.assert_array_equal(asked.truth[asked.of(column)], first)


def test_the_first_requests_are_written_down():
    """Of a counter: no library's generator may move them."""
    asked = requests("shapes3d", shapes3d.SPACE, Asking(requests=2))
    assert asked.source.tolist()[:4] == FIRST[0]
    assert asked.truth.tolist()[:4] == FIRST[1]


FIRST = [166459, 439306, 390803, 366570], [454459, 247306, 414803, 347370]


@pytest.mark.parametrize(
    ("name", "split"),
    [("shapes3d", "comp"), ("fashion_sprites", "pairs"), ("dsprites", "rand")],
)
def test_what_is_asked_for_was_held_out(name, split):
    space, found = SPACES[name], world(name)
    asked = requests(name, space, Asking(requests=30, split=split))
    trained = set(found.training(split).tolist())
    assert not trained & set(asked.source.tolist())
    if split != "rand":
        tuples = np.asarray(found.attributes.tuple_of(asked.truth))
        assert set(tuples.tolist()) <= set(found.tuples(split).tolist())
        assert not trained & set(asked.truth.tolist())


def test_requests_are_read_back(toy, tmp_path):
    asked = requests("toy", toy.space, Asking(requests=5, attributes=("x", "size")))
    asked.save(tmp_path)
    held = Requests.load(tmp_path)
    for name, value in vars(asked).items():
        np.testing.assert_array_equal(getattr(held, name), value)
    assert held.judged.tolist() == [3, 1]


def test_counts_are_those_by_hand():
    """Four edits of scale (column 3); two oracles; shape and scale are judged."""
    bench = Bench(shapes3d.SPACE, (3, 4), np.array([1, 1, 1, 0.99, 1.0, 1]))
    source = np.zeros((4, 6), int)
    target = source.copy()
    target[:, 3] = 5
    found = np.stack([target, target])
    found[1, 0, 3] = 4  # one oracle disagrees: no hit
    found[:, 1, 4] = 1  # the shape is lost
    found[:, 2, 0] = 7  # not judged
    rebuilt = np.stack([source, source])
    rebuilt[:, 1, 4] = 2  # it was never rebuilt
    judged = Judged(found, rebuilt, target, source, np.full(4, 20.0), np.arange(4) > 1)
    named = {
        row.score: row.value for row in rows("a", bench, {3: judged}, 0)[: len(SCORES)]
    }
    assert named["hit"] == named["pres"] == 0.75
    assert named["exact"] == named["nn"] == 0.5
    assert named["rec"] == 7 / 8 and named["psnr"] == 20
    assert named["pres_of_rec"] == 1
    h = (0.75 - 1 / 8) / (0.99 - 1 / 8)
    p = (0.75 - 1 / 4) / (1 - 1 / 4)
    assert named["edit"] == pytest.approx(2 * h * p / (h + p))
    np.testing.assert_allclose(
        leakage(bench, {3: judged}), [[1, 0.25], [np.nan, np.nan]]
    )


def test_intervals_are_those_of_shares():
    bench = Bench(shapes3d.SPACE, (3, 4), np.ones(6))
    rng = np.random.default_rng(5)
    target = np.zeros((900, 6), int)
    found = np.zeros((2, 900, 6), int)
    found[:, :, 3] = rng.uniform(size=900) < 0.3
    zero = np.zeros((2, 900, 6), int)
    judged = Judged(found, zero, target, target, np.zeros(900), np.zeros(900, bool))
    named = {row.score: row for row in rows("a", bench, {3: judged}, 400)}
    share = named["hit"].value
    half = 1.96 * np.sqrt(share * (1 - share) / 900)
    assert named["hit"].high - share == pytest.approx(half, rel=0.1)
    assert named["pres"].high == named["pres"].low == 1
    assert named["edit"].low < named["edit"].value < named["edit"].high


def test_the_true_picture_is_told_from_its_neighbours(toy):
    toy = small(toy)
    assert len(np.unique(np.asarray(toy.arrays), axis=0)) == 96
    draw = pictures(toy)
    rng = np.random.default_rng(0)
    target = toy.factors(rng.integers(0, 96, 30))
    local = around(toy.space, target)
    assert local.shape == (30, 1 + 1 + 2 + 3 + 3, 4)
    assert (local != target[:, None]).sum(2).max() == 1
    assert {len({tuple(row) for row in rows_}) for rows_ in local.tolist()} == {10}
    edited = draw(toy.space.index(target)) + rng.normal(0, 0.1, (30, 16, 16, 1))
    edited[:10] = draw(toy.space.index(local[:10, 4]))  # a neighbour itself
    found = is_nearest(edited, target, toy.space, draw)
    for i in range(30):
        gaps = np.square(draw(toy.space.index(local[i])) - edited[i]).sum((1, 2, 3))
        best = local[i, gaps.argmin()]
        assert found[i] == equal(toy.space, best, target[i]).all()
    assert found[10:].all() and not found[:10].all()
    half = np.full((1, 2, 2, 1), 0.5)
    assert psnr(half, half + 0.1)[0] == pytest.approx(20)
    assert psnr(half, half)[0] == pytest.approx(60)


def test_edits_that_only_oracles_like_are_named():
    rows_ = [Row("a", "", "exact", 0.9), Row("a", "", "nn", 0.7)]
    assert "call 90% of the edits exact, but of 70%" in fooled(rows_)
    assert not fooled([rows_[0], rows_[1]._replace(value=0.85)])


def test_what_cannot_be_asked_is_a_sentence(toy):
    for given, message in (
        ({"requests": 0}, "requests=0 must be a whole number from 1 to 1,000,000"),
        ({"bootstrap": 1}, "bootstrap=1 must be a whole number from 0 to 100,000, not"),
        ({"labels": True}, "labels=True must be a whole number from 2"),
    ):
        with pytest.raises(UserError) as error:
            Asking(**given)
        assert message in str(error.value)
    for given, message in (
        ({"attributes": ("shap", "x")}, "unknown factor 'shap'. Did you mean 'shape'"),
        ({"attributes": ("x",)}, "must be at least two"),
        ({"attributes": ("x", "x")}, "attributes=x,x repeat"),
        ({"split": "comp"}, "unknown data set with queries 'toy'"),
    ):
        with pytest.raises(UserError) as error:
            requests("toy", toy.space, Asking(**given))
        assert message in str(error.value)
    with pytest.raises(UserError, match="unknown split 'com'"):
        requests("shapes3d", shapes3d.SPACE, Asking(split="com"))
    assert bench_of(toy, requests("toy", toy.space, Asking(requests=1))).columns
