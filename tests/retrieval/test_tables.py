"""Edits asked of a table of labels: all that can be asked, by brute force."""

import dataclasses
import itertools

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.retrieval import Asking
from disentangle.retrieval.edit import chance, edit_retrieval
from disentangle.retrieval.encoder import from_labels
from disentangle.retrieval.tables import table_edits
from disentangle.study.retrieval import retrieve

SIZES = (3, 2, 4)
NAMES = ("a", "b", "c")
ALL = Asking(queries=10**6, bootstrap=0)


def table(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    values = np.stack([rng.integers(-1, k, rows) for k in SIZES], axis=1)
    return np.arange(100, 100 + rows), values


def by_hand(values):
    """(row, attribute, value) of every edit whose labels some image has."""
    known = {tuple(row) for row in values.tolist()}
    found = []
    for r, row in enumerate(values.tolist()):
        for a, size in enumerate(SIZES):
            for v in range(size):
                edited = (*row[:a], v, *row[a + 1 :])
                if v != row[a] and edited in known:
                    found.append((r, a, v))
    return found


def test_every_edit_that_some_image_answers_is_asked():
    images, values = table()
    asked = table_edits(NAMES, SIZES, images, values, ALL)
    place = {int(image): i for i, image in enumerate(images)}
    rows = [place[int(image)] for image in asked.image]
    wanted = asked.wanted[np.arange(len(rows)), asked.attribute]
    found = zip(rows, asked.attribute.tolist(), wanted.tolist(), strict=True)
    assert sorted(found) == sorted(by_hand(values))
    assert (asked.old == values[rows]).all()
    truth = values[[place[int(image)] for image in asked.truth]]
    np.testing.assert_array_equal(truth, asked.wanted)
    np.testing.assert_array_equal(asked.gallery[asked.excluded], asked.image)
    few = table_edits(NAMES, SIZES, images, values, dataclasses.replace(ALL, queries=5))
    assert np.bincount(few.attribute).tolist() == [5, 5, 5]


def test_codes_that_are_labels_find_an_image_that_has_them():
    images, values = table(60)
    codes = np.concatenate(
        [np.eye(k + 1)[column + 1] for k, column in zip(SIZES, values.T, strict=True)],
        1,
    )
    ends = np.cumsum((0, *(k + 1 for k in SIZES)))
    chunks = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
    encode = lambda index: codes[np.asarray(index) - 100].astype(np.float32)
    made = from_labels(encode, images, values, SIZES, chunks)
    asked = table_edits(NAMES, SIZES, images, values, ALL)
    found = edit_retrieval(asked, made, ALL)
    assert found.value("replace", "exact@1") == 1
    assert found.value("replace", "mrr") == found.value("replace", "ndcg_true@30") == 1
    # A guess: how many other images have the labels, of each edit.
    rows = {r.score: r.value for r in chance(asked) if not r.attribute}
    share = [
        [
            (values == wanted).all(1).sum() / 59
            for wanted in asked.wanted[asked.attribute == a]
        ]
        for a in range(3)
    ]
    assert rows["exact@1"] == pytest.approx(np.mean([np.mean(s) for s in share]))
    target, kept = ([[] for _ in NAMES] for _ in range(2))
    for a, wanted, own in zip(
        asked.attribute, asked.wanted, asked.excluded, strict=True
    ):
        others = np.delete(values[asked.gallery - 100], own, axis=0)
        same = (others == wanted).mean(0)
        target[a].append(same[a])
        kept[a].append(np.delete(same, a).mean())
    for score, parts in (("target@1", target), ("kept@1", kept)):
        assert rows[score] == pytest.approx(np.mean([np.mean(part) for part in parts]))


def test_a_gallery_in_which_nothing_can_be_asked_is_refused():
    values = np.array([[0, 0, 0], [1, 1, 1]])
    with pytest.raises(UserError, match="there is no edit to ask for"):
        table_edits(NAMES, SIZES, np.arange(2), values, ALL)


@pytest.mark.slow
def test_own_images_with_labels_are_asked_for_edits():
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, 3, 90), rng.integers(0, 2, 90)], axis=1)
    images = np.zeros((90, 8, 8), np.uint8)
    images[:, :4] = 80 * labels[:, 0, None, None]
    images[:, 4:] = 200 * labels[:, 1, None, None]
    data = dt.from_arrays(images, labels, ["top", "bottom"])
    halves = lambda x: np.asarray(x, np.float32)[:, [0, 7], 0, 0] / 100
    told = {"labels": 40, "bootstrap": 0, "progress": False}
    found = retrieve(halves, data, "edit", **told)
    score = found.set_index(["way", "attribute", "score"])["value"]
    assert score["replace", "all", "exact@1"] == 1
    assert score["nothing", "all", "exact@1"] < 0.5
    with pytest.raises(
        UserError, match=r"'complete' is asked of dsprites.*'edit' alone"
    ):
        retrieve(halves, data, "edit,complete", **told)
    with pytest.raises(UserError, match="neither splits nor galleries"):
        retrieve(halves, data, "edit", gallery="mini", **told)
