"""What ADDE and methods of sets say of their codes, as the retrieval tasks use it."""

import dataclasses

import numpy as np
import pytest

import disentangle as dt
from disentangle.methods.adde_losses import l2_normalise
from disentangle.retrieval import Asking
from disentangle.study.member_models import Part, joined
from disentangle.study.own_codes import one_model
from disentangle.study.searches import Searches, models_of
from disentangle.training.run import Run, prepare

FEW = Asking(labels=20, queries=6, triplets=20, searches=4, sets=20, bootstrap=0)
NAMES = ("shape", "size", "x", "turn")
pytestmark = pytest.mark.usefixtures("toy_world")


def trained(toy, method, **fields):
    quick = {"steps": 2, "batch_size": 8, "progress": False, "encoder": "dense"}
    return dt.train(method, toy, **quick, **fields)


@pytest.mark.slow
def test_edits_classifiers_and_subspaces_are_the_methods_own(toy):
    run = trained(toy, "adde", seeds=2, subspace=3, hidden=4)
    assert run.method.subspaces is not None
    asked = Searches(models_of(run), toy, FEW)
    asked.prepare(["edit"])
    made = asked.encoder(1, asked.subject("edit"))
    index = asked.subject("edit").labelled[:6]
    codes, one = made.encode(index), one_model(run, 1)
    np.testing.assert_allclose(codes, run.encode(toy.images(index))[1], atol=1e-6)
    told = run.method.subspaces.names
    place = [[n.partition(":")[0] for n in told].index(name) for name in NAMES]
    new = np.full((6, 4), -1)
    new[:, 2] = 1
    for mode in ("replace", "add"):
        old = made.predicted(codes)
        expected = one.edit_codes(codes, told[place[2]], 1, mode=mode)[0]
        found = made.edits[mode](codes, old, new)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    logs = one.classify(codes)[0]
    ends = np.cumsum((0, *run.method.subspaces.sizes))
    for a, p in enumerate(place):
        own = logs[:, ends[p] : ends[p + 1]]
        np.testing.assert_array_equal(made.classify(codes)[a], own)
    whole = np.asarray(l2_normalise(codes))
    np.testing.assert_allclose(made.compared(codes), whole, atol=1e-6)
    embedded = run.embed(toy.images(index))[1]
    np.testing.assert_allclose(made.compared(codes), embedded, atol=1e-6)
    chunk = codes.reshape(6, len(told), -1)[:, place[1]]
    alike = np.asarray(l2_normalise(chunk))
    np.testing.assert_allclose(made.respect(codes, 1), alike, atol=1e-6)
    outcome = asked.outcome(0, "edit")
    assert 0 <= outcome.value("replace", "exact@1") <= 1 and not outcome.notes


@pytest.mark.slow
def test_the_parts_of_one_model_joined_are_that_model(toy, monkeypatch):
    """Its chunks, as if each were of a model of its own, in another order."""
    run = trained(toy, "adde", seeds=2, subspace=3, hidden=4, train_size=40)
    owners = np.array(run.method.attributes)
    order = dict.fromkeys(owners[::-1].tolist())
    columns = [np.flatnonzero(owners == name) for name in order]
    parts = [Part(run, 1, own, name) for name, own in zip(order, columns, strict=True)]
    few = dataclasses.replace(FEW, labels=8)
    both = [
        Searches(models, toy, few) for models in (models_of(run), joined(parts, "p", 0))
    ]
    made = []
    for asked, member in zip(both, (1, 0), strict=True):
        asked.prepare(["edit"])
        made.append(asked.encoder(member, asked.subject("edit")))
    whole, apart = made
    np.testing.assert_array_equal(whole.labels, apart.labels)
    trained_on = np.asarray(prepare(run.config, toy)[2].subset)
    assert set(apart.labels) <= set(trained_on.tolist())  # and no others
    spot = np.concatenate(columns)
    index = whole.labels[:6]
    codes, split = whole.encode(index), apart.encode(index)
    np.testing.assert_allclose(split, codes[:, spot], atol=1e-6)
    calls, encode = [], Run.encode
    counted = lambda run, images: calls.append(1) or encode(run, images)
    monkeypatch.setattr(Run, "encode", counted)
    both[1].models.encode(toy.images(index))
    assert len(calls) == 1  # for its four parts
    rng = np.random.default_rng(0)
    old = np.array([rng.integers(0, len(x[0]), 6) for x in whole.classify(codes)]).T
    new = np.where(rng.random((6, 4)) < 0.4, old[::-1], -1)
    old[::2] = -1
    for mode, edit in whole.edits.items():
        found = apart.edits[mode](split, old, new)
        np.testing.assert_allclose(found, edit(codes, old, new)[:, spot], atol=1e-5)
        assert not np.allclose(found, split)
    for ours, own in zip(apart.classify(split), whole.classify(codes), strict=True):
        np.testing.assert_allclose(ours, own, atol=1e-5)
    np.testing.assert_allclose(
        apart.compared(split), whole.compared(codes)[:, spot], atol=1e-6
    )
    for a in range(4):
        own = whole.respect(codes, a)
        np.testing.assert_allclose(apart.respect(split, a), own, atol=1e-6)


@pytest.mark.slow
def test_methods_of_sets_compare_by_themselves(toy):
    run = trained(toy, "adde_outfits", subspace=3, hidden=4)
    outcome = Searches(models_of(run), toy, FEW).outcome(0, "complete")
    assert 0 <= outcome.value("attention", "fitb hard") <= 1
    looked = outcome.arrays["attention attention"]
    assert looked.shape == (3, 3, 4)
    np.testing.assert_allclose(looked.sum(2), 1, atol=1e-5)


@pytest.mark.slow
def test_a_method_that_was_told_other_attributes_says_so(toy):
    run = trained(toy, "adde", subspace=3, hidden=4, attributes=("shape", "x:2"))
    outcome = Searches(models_of(run), toy, FEW).outcome(0, "edit")
    assert any("was told shape, x, so" in note for note in outcome.notes)


@pytest.mark.slow
def test_an_edit_of_amnet_starts_as_no_edit(toy):
    run = trained(toy, "amnet", learning_rate=1e-12)
    codes = run.encode(toy.images(np.arange(6)))
    assert codes.std() > 0
    for value in (0, 1):
        np.testing.assert_allclose(run.edit_codes(codes, "x", value), codes, atol=1e-6)
