"""Retrieval for the models of a run: as a table, as scores, on the command line."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import disentangle as dt
from disentangle.__main__ import main
from disentangle.data import worlds
from disentangle.errors import UserError
from disentangle.metrics import METRICS
from disentangle.report.page import write_report
from disentangle.report.retrieval import edits_figure
from disentangle.retrieval import TASKS, Asking
from disentangle.retrieval.asking import labelled
from disentangle.retrieval.encoder import from_labels
from disentangle.study import searches
from disentangle.study.retrieval import Retrievals, Shown, choose_tasks, retrieve
from disentangle.study.searches import assigned
from disentangle.study.subjects import subject_of
from disentangle.training.run import prepare

FEW = {"labels": 20, "queries": 8, "triplets": 40, "searches": 6, "sets": 30}
NAMES = ("shape", "size", "x", "turn")


@pytest.fixture(scope="module", autouse=True)
def few_questions(toy_world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches, "SCORED", Asking(**FEW))
        yield


@pytest.fixture(scope="module")
def run(toy):
    quick = {"steps": 3, "batch_size": 8, "progress": False}
    return dt.train("vae", toy, encoder="dense", decoder="dense", seeds=2, **quick)


def means(images):
    """Codes that no model made: sums of pixels over rows and over columns, halved."""
    pixels = np.asarray(images, np.float32)[..., 0]
    return np.concatenate([pixels.sum(1)[:, ::4], pixels.sum(2)[:, ::4]], axis=1)


@pytest.mark.slow
def test_every_living_model_is_asked_what_its_codes_say(run, toy, toy_world):
    one_dead = replace(run, alive=np.array([False, True]))
    found = retrieve(one_dead, toy, bootstrap=0, progress=False, **FEW)
    assert set(found["member"]) == {run.members[1]}
    assert set(found["seed"]) == {1} and set(found["task"]) == set(TASKS)
    asking = Asking(bootstrap=0, **FEW)
    images = labelled("toy", asking)
    values = toy_world.attributes.labels(images)
    encode = lambda index: run.encode(toy.images(index))[1]
    chunks = assigned(encode(images), values)
    made = from_labels(encode, images, values, toy_world.attributes.sizes, chunks)
    for name, task in TASKS.items():
        expected = task.answer(task.questions(toy_world, asking), made, asking)
        own = found[found["task"] == name]
        assert len(own) == len(expected.rows)
        for row in expected.rows:
            same = (own["way"] == row.way) & (own["score"] == row.score)
            same &= own["attribute"] == (row.attribute or "all")
            assert own[same]["value"].item() == pytest.approx(row.value, abs=1e-6)


@pytest.mark.slow
def test_a_function_of_images_is_an_encoder(toy):
    few = {**FEW, "progress": False}
    found = retrieve(means, toy, "edit", **few)
    assert set(found["member"]) == {"means"} and "seed" not in found
    every = retrieve(means, toy, "edit", columns="all", **few)
    given = {name: range(32) for name in NAMES}
    same = retrieve(means, toy, "edit", columns=given, **few)
    np.testing.assert_array_equal(every["value"], same["value"])
    assert (every["low"] <= every["value"] + 1e-9)[every["low"].notna()].all()
    with pytest.raises(UserError, match="needs data="):
        retrieve(means)
    with pytest.raises(UserError, match=r"gives codes of shape \(\d+,\)"):
        retrieve(lambda images: np.zeros(len(images)), toy, "edit", **few)


@pytest.mark.slow
def test_scores_of_evaluate_are_those_of_retrieve(run, toy):
    with pytest.warns(UserWarning, match="is left out|no column"):
        scored = dt.evaluate(
            run,
            "mig,edit_retrieval,similar_retrieval,set_completion",
            data=toy,
            num_train=60,
            num_test=20,
            bootstrap=20,
            progress=False,
        )
    asked = retrieve(run, toy, bootstrap=20, progress=False, **FEW)
    mean = asked[asked["attribute"] == "all"]
    keyed = mean.set_index(["member", "way", "score"])["value"]
    scores = scored.set_index(["member", "metric"])["value"]
    from disentangle.metrics import queries

    for metric, parts in (
        ("edit_retrieval", queries.EDIT_PARTS),
        ("similar_retrieval", queries.SIMILAR_PARTS),
        ("set_completion", queries.COMPLETE_PARTS),
    ):
        for part, (way, score) in parts.items():
            for member in run.members:
                value = scores[member, f"{metric}/{part}"]
                assert value == pytest.approx(keyed[member, way, score])
        assert set(parts) == set(METRICS[metric].parts)
    low = scores[run.members[0], "edit_retrieval/exact/low"]
    assert low <= scores[run.members[0], "edit_retrieval/exact"]


def test_what_cannot_be_asked_is_said_before_anything_is_encoded(run, toy, monkeypatch):
    monkeypatch.setattr(type(run), "encode", None)
    for given, message in (
        ({"tasks": "edits"}, "unknown retrieval task 'edits'. Did you mean 'edit'"),
        ({"split": "comb"}, "unknown split 'comb'. Did you mean 'comp'"),
        ({"labels": 1000}, "labels=1,000 are more than the 24 training images"),
        ({"columns": "al"}, "unknown choice of columns 'al'. Did you mean 'all'"),
        ({"columns": {"hue": [0]}}, "unknown attribute 'hue'"),
        ({"gallery": "tiny"}, "unknown gallery 'tiny'"),
    ):
        with pytest.raises(UserError) as error:
            retrieve(run, toy, progress=False, **({**FEW} | given))
        assert message in str(error.value)
    monkeypatch.delitem(worlds.WORLDS, "toy")
    with pytest.raises(UserError, match="unknown data set with queries 'toy'"):
        retrieve(run, toy, progress=False)
    assert choose_tasks("edit,all") == tuple(TASKS)


def test_a_column_is_of_the_attribute_it_tells_most_of():
    rng = np.random.default_rng(0)
    values = np.stack([rng.integers(0, k, 800) for k in (4, 3, 2)], axis=1)
    noise = rng.normal(size=(800, 4))
    codes = noise.copy()
    codes[:, 0] = values[:, 1] + 0.1 * noise[:, 0]
    codes[:, 3] = 5.0 * values[:, 0] + noise[:, 3]
    found = assigned(codes, values)
    assert [of.tolist() for of in found] == [[3], [0], []]


@pytest.mark.slow
def test_the_command_keeps_what_the_page_shows(toy, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    quick = {"steps": 3, "batch_size": 8, "progress": False, "workdir": folder}
    run = dt.train("vae", toy, encoder="dense", decoder="dense", **quick)
    monkeypatch.setattr("disentangle.study.sample.data_of", lambda run: toy)
    words = ["retrieve", f"--workdir={folder}", "--noprogress", "--bootstrap=10"]
    words += [f"--{name}={value}" for name, value in FEW.items()]
    out = tmp_path / "rows.json"
    assert main([*words, f"--json={out}"]) == 0
    said = capsys.readouterr().out
    assert "This picture in another value" in said and "expected" in said
    held, shown = Retrievals.load(folder), Shown.load(folder)
    assert held.attributes == list(NAMES) and set(held.members[0].tasks) == set(TASKS)
    rows = {
        (r["task"], r["way"], r["attribute"], r["score"]): r["value"]
        for r in json.loads(out.read_text())
    }
    for task, answers in held.members[0].tasks.items():
        for row in answers:
            key = (task, row.way, row.attribute or "all", row.score)
            assert rows[key] == row.value
    assert shown.found.shape[0] == 2 * len(NAMES) == len(shown.captions)
    # The true picture differs from the one asked with, and is never the same.
    assert (shown.truth != shown.asked).any((1, 2, 3)).all()
    frames = edits_figure(shown).axes[0].patches
    assert len(frames) == shown.right.size
    assert not any(frame.get_clip_on() for frame in frames)  # whole at the edges too
    page = write_report(folder).read_text()
    assert 'id="retrieval"' in page and "beside the true picture" in page
    (folder / "retrieval.npz").write_bytes(b"PK")
    (folder / "retrieval.json").write_text("{}")
    assert "retrieval.json cannot be shown" in write_report(folder).read_text()
    assert main(["retrieve", f"--workdir={folder}", "--tasks=edt"]) == 2
    assert "Did you mean 'edit'" in capsys.readouterr().err
    assert run.members


def test_values_of_fashion_have_words():
    from disentangle.data.worlds import world
    from disentangle.retrieval.outcome import Example
    from disentangle.study.retrieval import caption
    from disentangle.study.subjects import Subject

    def subject(name):
        of = world(name).attributes
        values = of.labels, np.empty(0, int), lambda: None
        return Subject(of.names, of.sizes, of.widths, of.space, *values, len)

    example = Example("colour", 2, 5, 0, 0, np.zeros(1), np.zeros(1, bool))
    assert caption(example, subject("fashion_sprites")) == "colour: red to sky"
    example = example._replace(attribute="x_position", old=-1)
    assert caption(example, subject("dsprites")) == "x_position: unknown to 5"


def test_sets_are_of_the_rule_that_the_method_was_told(monkeypatch):
    """K6 of FashionSprites has a slot per category, the usual K4 four."""
    data = dt.load("fashion_sprites")
    monkeypatch.setattr("disentangle.study.subjects._trained", lambda data, run: None)
    few = Asking(sets=2, labels=50)
    slots = {}
    for own, asked in (("", ""), ("k6", ""), ("k6", "k4")):
        run = SimpleNamespace(config={"method": {"rule": own} if own else {}})
        found = subject_of("complete", data, replace(few, rule=asked), run)
        slots[own, asked] = len(found.questions().rule.slots)
    assert slots == {("", ""): 4, ("k6", ""): 6, ("k6", "k4"): 4}


def test_what_sets_need_is_said_before_anything_is_encoded(run, toy, toy_world):
    with pytest.raises(UserError, match="sets=1 must be a whole number from 2"):
        Asking(sets=1)
    few = FEW | {"bootstrap": 0, "progress": False}
    with pytest.raises(UserError, match="unknown rule of sets 'k7'"):
        retrieve(run, toy, "complete", rule="k7", **few)
    asked = TASKS["complete"].questions(toy_world, Asking(**FEW))
    every = toy_world.attributes.values(np.arange(toy_world.attributes.tuples))
    of_slot = asked.slot_of(np.arange(len(every)))
    TASKS["complete"].check(asked, every)
    with pytest.raises(UserError, match="labelled images is of slot 1 of the sets"):
        TASKS["complete"].check(asked, every[of_slot != 1])


@pytest.mark.slow
def test_labelled_images_are_first_those_a_model_was_trained_on(toy):
    """More labels than the 40 images of a model: its own, then others, each once."""
    quick = {"steps": 1, "batch_size": 8, "progress": False, "train_size": 40}
    own = dt.train("vae", toy, encoder="dense", decoder="dense", **quick)
    trained = np.asarray(prepare(own.config, toy)[2].subset)
    for count in (4, 24):
        asking = Asking(**FEW | {"labels": count})
        found = subject_of("edit", toy, asking, own).labelled
        allowed = set(labelled("toy", Asking(**FEW | {"labels": 0})))
        kept = [image for image in trained if image in allowed]
        assert found[: len(kept)].tolist() == kept[:count]
        assert len(set(found.tolist())) == count and set(found) <= allowed
