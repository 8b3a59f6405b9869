"""What ADDE and methods of sets say of their codes, as the retrieval tasks use it."""

import numpy as np
import pytest

import disentangle as dt
from disentangle.methods.adde_losses import l2_normalise
from disentangle.retrieval import Asking
from disentangle.study.own_codes import one_model
from disentangle.study.searches import Searches, models_of

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
