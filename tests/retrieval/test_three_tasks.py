"""The three tasks on codes whose answers are known, and by hand on a small world."""

import dataclasses

import numpy as np
import pytest
from ideal import one_hot

from disentangle.data.worlds import WORLDS, world
from disentangle.errors import UserError
from disentangle.retrieval import TASKS, Asking
from disentangle.retrieval.asking import labelled, tuples_of, world_of
from disentangle.retrieval.complete import agreement
from disentangle.retrieval.encoder import discriminant, from_labels
from disentangle.retrieval.masks import mask

FEW = Asking(
    gallery="mini",
    labels=600,
    queries=60,
    triplets=300,
    searches=30,
    sets=300,
    bootstrap=20,
)


def encoder(name, asking=FEW, **told):
    asked = world_of(name, world(name).attributes.space, asking)
    encode, chunks = one_hot(asked, **told)
    images = labelled(name, asking)
    values = asked.attributes.labels(images)
    return asked, from_labels(encode, images, values, asked.attributes.sizes, chunks)


def answer(task, name, asking=FEW, **told):
    asked, made = encoder(name, asking, **told)
    found = TASKS[task]
    return found.answer(found.questions(asked, asking), made, asking)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "dsprites" else pytest.mark.slow)
        for name in WORLDS
    ],
)
def test_a_code_that_is_the_attributes_answers_everything(name):
    edit = answer("edit", name)
    for way in ("replace", "add", "add, old known", "filter", "expected"):
        for score in ("exact@1", "target@1", "kept@1", "mrr", "hit@30", "median rank"):
            assert edit.value(way, score) == 1, (way, score)
    # The nearest of what is not edited differ in one attribute.
    leak = edit.arrays["leak nothing"]
    np.testing.assert_allclose(leak.sum(1), 1)
    np.testing.assert_array_equal(
        edit.arrays["leak replace"], np.eye(len(edit.arrays["leak replace"]))
    )
    similar = answer("similar", name)
    for score in ("random", "conflict", "map"):
        assert similar.value("own", score) == 1, score
    assert similar.value("whole", "conflict") == 0
    sets = answer("complete", name)
    for way in ("learned", "owner"):
        for score in ("fitb easy", "fitb hard", "auc easy", "auc hard", "recall@1"):
            assert sets.value(way, score) == 1, (way, score)
    assert sets.value("learned", "agreement") == 1
    assert sets.value("whole", "recall@1") < 0.5


@pytest.mark.slow
def test_chance_is_what_random_codes_have():
    few = dataclasses.replace(FEW, queries=400, searches=60, sets=800)
    asked, made = encoder("shapes3d", few)
    of = asked.attributes
    table = np.random.default_rng(0).normal(size=(of.space.size, 4)).astype("f")
    values = of.labels(made.labels)
    chunks = [np.arange(4)] * len(of.names)
    noise = from_labels(
        lambda images: table[images], made.labels, values, of.sizes, chunks
    )
    for task, way in (("edit", "nothing"), ("similar", "own"), ("complete", "whole")):
        found = TASKS[task].answer(TASKS[task].questions(asked, few), noise, few)
        for row in found.rows:
            if row.way == "chance" and not row.attribute and row.score != "agreement":
                value = found.value(way, row.score)
                assert value == pytest.approx(row.value, abs=0.03), (task, row.score)


@pytest.mark.slow
def test_chance_of_the_published_gain_is_that_of_the_protocol():
    """adde.md: .104, others .106, target .135 on five attributes of Shapes3D."""
    few = dataclasses.replace(FEW, gallery="tuples", queries=40)
    asked, _ = encoder("shapes3d", few)
    from disentangle.retrieval import edit

    rows = {
        r.score: r.value
        for r in edit.chance(edit.questions(asked, few))
        if not r.attribute
    }
    assert rows["ndcg@30"] == pytest.approx(0.104, abs=5e-4)
    assert rows["ndcg_others@30"] == pytest.approx(0.106, abs=1.5e-3)
    assert rows["ndcg_target@30"] == pytest.approx(0.135, abs=5e-4)
    assert rows["hit@30"] == pytest.approx(30 / 31_999)
    assert rows["exact@1"] == pytest.approx(1 / 31_999)


@pytest.mark.slow
def test_nothing_is_found_by_hand_among_neighbours():
    """Without noise the nearest of an unedited one-hot code differ in one attribute."""
    found = answer("edit", "shapes3d")
    asked, _ = encoder("shapes3d")
    sizes = np.array([5, 5, 5, 4, 4])  # of the mini gallery
    neighbours = (sizes - 1).sum()
    assert found.value("nothing", "hit@30") == 1
    assert found.value("nothing", "hit@10") == pytest.approx(10 / neighbours, abs=0.1)
    assert len(tuples_of(asked, FEW)) == 2000


@pytest.mark.slow
def test_a_rotated_code_loses_what_an_axis_aligned_one_wins():
    """The control of set completion: masks on columns cannot follow a rotation."""
    straight = answer("complete", "shapes3d", noise=0.15)
    turned = answer("complete", "shapes3d", noise=0.15, turned=True)
    for score in ("fitb hard", "recall@10", "auc hard"):
        assert straight.value("learned", score) > 0.97, score
    assert turned.value("learned", "fitb hard") < 0.75
    assert turned.value("learned", "recall@10") < 0.4
    whole = straight.value("whole", "fitb hard")  # distances do not turn
    assert turned.value("whole", "fitb hard") == pytest.approx(whole, abs=0.05)


def test_an_attribute_without_columns_is_a_guess():
    asked, made = encoder("dsprites")
    without = (*made.chunks[:2], np.empty(0, np.int64), *made.chunks[3:])
    images = labelled("dsprites", FEW)
    blind = from_labels(
        made.encode,
        images,
        asked.attributes.labels(images),
        asked.attributes.sizes,
        without,
    )
    found = TASKS["edit"].answer(TASKS["edit"].questions(asked, FEW), blind, FEW)
    for score in ("target@1", "exact@1", "median rank"):
        nothing = found.value("nothing", score, "x_position")
        assert found.value("replace", score, "x_position") == nothing
    assert found.value("replace", "exact@1", "shape") == 1
    similar = TASKS["similar"]
    found = similar.answer(similar.questions(asked, FEW), blind, FEW)
    assert found.value("own", "conflict", "x_position") == 0.5
    prevalence = found.value("chance", "map", "x_position")
    assert found.value("own", "map", "x_position") == pytest.approx(
        prevalence, abs=0.01
    )


@pytest.mark.slow
def test_a_hole_asks_for_test_tuples_only():
    asking = dataclasses.replace(FEW, split="comp", gallery="tuples")
    asked, made = encoder("shapes3d", asking)
    hole = set(asked.tuples("comp").tolist())
    of = asked.attributes
    edits = TASKS["edit"].questions(asked, asking)
    assert set(of.number(edits.wanted).tolist()) <= hole
    similar = TASKS["similar"].questions(asked, asking)
    assert set(of.number(similar.wanted).tolist()) <= hole
    seen = set(of.tuple_of(made.labels).tolist())
    assert not seen & hole
    views = {
        int(i)
        for v in ("gallery", "query")
        for i in asked.view(v, np.arange(of.tuples))
    }
    assert not views & set(made.labels.tolist())


def test_larger_budgets_contain_smaller_ones_and_too_many_are_refused():
    few = labelled("dsprites", FEW)
    more = labelled("dsprites", dataclasses.replace(FEW, labels=900))
    np.testing.assert_array_equal(few, more[:600])
    with pytest.raises(UserError, match=r"labels=1,000,000 are more than"):
        labelled("dsprites", dataclasses.replace(FEW, labels=10**6))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"gallery": "fulll"}, "unknown gallery 'fulll'. Did you mean 'full'"),
        ({"queries": 0}, "queries=0 must be a whole number from 1"),
        ({"bootstrap": 1}, "bootstrap=1 must be .*not 1"),
        ({"labels": 1.5}, "labels=1.5 must be"),
        ({"seed": -1}, "seed=-1 must be"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(told, message):
    with pytest.raises(UserError, match=message):
        Asking(**told)


def test_worlds_refuse_other_data_sets_and_splits():
    space = world("shapes3d").attributes.space
    with pytest.raises(UserError, match="unknown data set with queries 'mnist'"):
        world_of("mnist", space, FEW)
    with pytest.raises(UserError, match="queries are asked of all images of dsprites"):
        world_of("dsprites", space, FEW)
    with pytest.raises(UserError, match=r"unknown split 'com'\. Did you mean 'comp'"):
        world_of("shapes3d", space, dataclasses.replace(FEW, split="com"))
    full = Asking(gallery="full", split="comp")
    with pytest.raises(UserError, match="full gallery has no split 'comp'"):
        world_of("shapes3d", space, full)


def test_the_full_gallery_is_every_image_and_all_factors():
    asking = dataclasses.replace(FEW, gallery="full", queries=3)
    asked = world_of("shapes3d", world("shapes3d").attributes.space, asking)
    assert asked.attributes.tuples == 480_000 and asked.attributes.states == 1
    assert len(asked.attributes.names) == 6
    from disentangle.data.queries import edits

    found = edits(asked, "orientation", 5)
    before, after = (asked.attributes.labels(i) for i in (found.image, found.truth))
    assert ((before != after).sum(1) == 1).all()
    np.testing.assert_array_equal(found.truth, found.target)


def test_the_linear_discriminant_is_the_posterior_of_gaussian_classes():
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    values = rng.integers(0, 3, (3000, 1))
    spread = np.linalg.cholesky(np.array([[1.0, 0.4], [0.4, 0.5]]))
    codes = (means[values[:, 0]] + rng.normal(size=(3000, 2)) @ spread.T).astype("f")
    found = np.exp(discriminant(codes, values, (3,))(codes[:50])[0])
    inverse = np.linalg.inv(spread @ spread.T)
    gaps = codes[:50, None] - means
    density = np.exp(-0.5 * np.einsum("nki,ij,nkj->nk", gaps, inverse, gaps))
    np.testing.assert_allclose(
        found, density / density.sum(1, keepdims=True), atol=0.06
    )
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-4)


def test_a_mask_is_the_likelihood_ratio_of_compatible_pairs():
    """Column 0 carries the shared value, 1 an offset of the slots, 2 noise."""
    rng = np.random.default_rng(1)
    own, other = rng.integers(0, 4, 900), rng.integers(0, 4, 900)
    first = np.stack(
        [own + 0.1 * rng.normal(size=900), np.full(900, 5.0), rng.normal(size=900)], 1
    )
    second = np.stack(
        [other + 0.1 * rng.normal(size=900), np.zeros(900), rng.normal(size=900)], 1
    )
    second[:, 1] += 0.01 * rng.normal(size=900)
    found = mask(first, second, own, other)
    np.testing.assert_allclose(found.middle, [0, 5, 0], atol=0.1)
    assert found.weights[0] == pytest.approx(1 / 0.02 - 1 / (2 * 1.25 + 0.02), rel=0.1)
    assert found.weights[2] < 0.02 and found.mass.argmax() == 0
    nobody = mask(first, second, own, other + 10)
    assert (nobody.weights == 1).all() and not nobody.mass.any()


def test_agreement_counts_ordered_pairs():
    owner = np.array([[-1, 0, 1], [0, -1, 2], [1, 2, -1]])
    looked = np.zeros((3, 3, 3))
    looked[0, 1, 0] = looked[1, 0, 0] = looked[0, 2, 1] = looked[2, 0, 0] = 1
    assert agreement(looked, owner) == pytest.approx(3 / 6)  # nothing is no answer
