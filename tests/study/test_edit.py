"""The edit bench on models whose edits are known, its files, command and oracles."""

import functools
import json
import time
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import disentangle as dt
from disentangle.__main__ import main
from disentangle.data.dataset import Dataset, draw_rows
from disentangle.editing import REFERENCES, Asking, Known, requests
from disentangle.editing.equality import equal
from disentangle.errors import UserError
from disentangle.methods.base import init
from disentangle.metrics import forest_importance
from disentangle.report.page import write_report
from disentangle.study import edit_bench, editing, judges
from disentangle.study.edit_asked import Asked
from disentangle.study.edit_bench import edited_rows, of_its_own
from disentangle.study.editing import EditExamples, Edits, judge_edits
from disentangle.study.editors import EDITORS, ways_of
from disentangle.study.judges import Judge, Judges, judges_of, values_of
from disentangle.training.config import default_config
from disentangle.training.data_spec import data_spec
from disentangle.training.run import prepare

FEW = Asking(requests=30, labels=90, bootstrap=0)


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_importance, "TREES", 5)
        yield


@pytest.fixture(scope="module")
def data(toy) -> Dataset:
    """Every fourth pixel of the toy: 16x16, all 96 pictures still differ."""
    images = jax.numpy.asarray(toy.arrays)[:, ::4, ::4]
    return replace(toy, arrays=images, shape=(16, 16, 1))


@pytest.fixture(scope="module")
def every(data):
    return np.asarray(data.images(np.arange(96)), np.float32)


@pytest.fixture(scope="module")
def read(data, every):
    """Pictures -> the factors of the nearest one: an oracle that is never wrong."""
    factors = np.asarray(data.factors(np.arange(96)))

    def read(images):
        gap = np.square(np.float32(images)[:, None] - every[None]).sum((2, 3, 4))
        return factors[gap.argmin(1)]

    return read


@pytest.fixture(scope="module")
def exact(read):
    """Two oracles that are never wrong."""
    features = lambda images: np.float32(images).reshape(len(images), -1)[:, :40]
    one = Judge("a", SimpleNamespace(step=0), read, features, np.ones(4))
    return Judges((one, one._replace(name="b")), np.ones(4))


@pytest.fixture(scope="module")
def asked(data, exact):
    index = np.arange(96)
    images = judges.pictures(data, index)
    known = Known(images, np.asarray(data.factors(index)), images)
    wanted = requests("toy", data.space, FEW)
    return Asked(data, FEW, wanted, known, exact)


def planted(data, read, **method):
    """A model of one member whose codes are the factors, decoded without a fault."""
    draw = lambda rows: judges.pictures(data, np.asarray(data.space.index(rows)))
    known = {"attributes": None, "subspaces": None, "given": data.space.names}
    known |= {"edit": None, "decode": True, "generate": None, "sample": None}
    known |= {"components": 0, "annihilates": False}
    rounded = lambda codes: np.rint(codes).astype(np.int32)
    return SimpleNamespace(
        config={"method": {"name": "planted"}},
        method=SimpleNamespace(**(known | method)),
        encode=lambda images: read(images).astype(np.float32)[None],
        decode=lambda codes: draw(rounded(codes))[None],
        edit=lambda images, factors, wanted: draw(wanted)[None],
        generate=lambda factors, seed: draw(factors)[None],
        sample=lambda n, seed: draw(data.factors(np.arange(n) * 7 % 96))[None],
    )


def scores_of(asked, name, run, source=None):
    editor = EDITORS[name].make(run, asked.known, asked.data.space)
    done = edited_rows(asked, name, editor, source)
    return {(r.attribute, r.score): r.value for r in done.rows}, done


WAYS = ["own", "dimensions", "directions", "exchange", "retrieval"]


@pytest.mark.parametrize("name", WAYS)
def test_a_perfect_code_edits_perfectly(name, asked, data, read):
    found, done = scores_of(asked, name, planted(data, read))
    for score in ("edit", "hit", "pres", "exact", "rec", "nn"):
        assert found["", score] == 1, score
    assert found["", "psnr"] == pytest.approx(60) and found["", "asked"] == 1
    assert found["", "frechet"] == pytest.approx(0, abs=1e-6)
    np.testing.assert_array_equal(done.edited, done.truth)
    assert done.right.all() and len(done.captions) == 8
    assert done.leak.diagonal().tolist() == [1] * 4


@pytest.mark.parametrize("name", ["prototypes", "retrieval"])
def test_a_method_edits_its_codes_itself(name, asked, data, read):
    """It was told x in two bins, and not the turn: nothing changes there."""
    told = ("shape", "size", "x:2")
    known = SimpleNamespace(names=told, sizes=(2, 3, 2), edit=True, compared=None)
    run = planted(data, read, subspaces=known)
    column = dict(zip(told, (0, 1, 3), strict=True))

    def edit_codes(codes, attribute, value):
        new = np.array(codes)
        new[:, column[attribute]] = value * (2 if attribute == "x:2" else 1)
        return new[None]

    run.edit_codes = edit_codes
    found, done = scores_of(asked, name, run)
    assert found["shape", "edit"] == found["size", "edit"] == 1
    assert found["turn", "hit"] == 0 and found["turn", "pres"] == 1
    even = asked.requests.value[asked.requests.of(3)] % 2 == 0
    assert found["x", "hit"] == pytest.approx(even.mean()) and found["x", "pres"] == 1
    assert done.notes[0] == "the method was not told turn"


@pytest.mark.parametrize("name", ["dimensions", "exchange"])
def test_factors_of_a_shared_part_move_it_and_others_have_the_free_columns(
    name, asked, data, read
):
    """Shape and size own two columns together; turn and x are in those of none."""
    own = ("shape+size", "shape+size", "(rest)", "(rest)")
    found, done = scores_of(asked, name, planted(data, read, attributes=own))
    assert found["turn", "edit"] == found["x", "edit"] == 1
    assert found["shape", "hit"] == 1 and found["size", "hit"] == 1
    assert found["shape", "pres"] < 1  # the size goes with it
    assert not done.notes


@pytest.mark.parametrize("name", ["dimensions", "exchange"])
def test_a_piece_is_annihilated_where_the_value_is_0(name, asked, data, read):
    """Codes are values + 5, of which a decoder knows none below 5 but 0 itself."""
    names = ("shape", "size", "turn", "x:2")
    run, seen = planted(data, read, attributes=names, annihilates=True), []
    plain = planted(data, read)
    run.encode = lambda images: plain.encode(images) + 5.0

    def decode(codes):
        seen.append(codes)
        return plain.decode(np.maximum(np.float32(codes) - 5.0, 0.0))

    run.decode = decode
    for column, bin_size in ((1, 1), (3, 2)):
        q = asked.question(column)
        EDITORS[name].make(run, asked.known, data.space).edit(q)
        is_zero = q.value // bin_size == 0
        assert 0 < is_zero.sum() < len(is_zero)
        np.testing.assert_array_equal(seen[-1][:, column] == 0.0, is_zero)
        others = np.delete(seen[-1], column, axis=1)
        assert (others >= 5).all()


def test_what_an_entangled_code_changes_is_in_the_leakage(asked, data, read):
    """Size and x are stored as their sum and difference: neither has its own."""
    base = planted(data, read)
    mix = np.eye(4)
    mix[[1, 1, 3, 3], [1, 3, 1, 3]] = 0.5, 0.5, 0.5, -0.5
    most = np.array(data.space.sizes) - 1
    mixed = planted(data, read)
    mixed.encode = lambda images: base.encode(images) @ np.float32(mix)
    mixed.decode = lambda codes: base.decode(
        np.clip(np.rint(codes @ np.linalg.inv(mix)), 0, most)
    )
    found, done = scores_of(asked, "dimensions", mixed)
    assert found["shape", "edit"] == found["turn", "edit"] == 1
    assert found["size", "pres_of_rec"] < 1 or found["x", "pres_of_rec"] < 1
    assert max(done.leak[1, 3], done.leak[3, 1]) > 0.2
    assert found["", "rec"] == 1  # nothing is wrong with the decoder


def test_a_generator_that_ignores_a_factor_never_hits_it(asked, data, read):
    run = planted(data, read, decode=None, generate=True)
    source = of_its_own(asked, run)
    found, _ = scores_of(asked, "generated", run, source)
    assert found["", "edit"] == found["", "asked"] == 1
    deaf = planted(data, read, decode=None, generate=True)
    deaf.generate = lambda rows, seed: run.generate(
        np.where(np.arange(4) == 1, 0, rows), seed
    )
    found, _ = scores_of(asked, "generated", deaf, of_its_own(asked, deaf))
    assert found["size", "hit"] == 0 and found["x", "hit"] == 1
    drawn = planted(data, read, sample=True)
    found, _ = scores_of(asked, "dimensions", drawn, of_its_own(asked, drawn))
    assert found["", "edit"] == 1 and 0.5 < found["", "asked"] < 1


def test_sources_that_no_oracle_can_read_are_said(asked, data, read):
    split = asked.judges.each[0]._replace(read=lambda images: 1 - read(images) % 2)
    other = asked._replace(judges=Judges((asked.judges.each[0], split), np.ones(4)))
    run = planted(data, read, sample=True)
    found, done = scores_of(other, "dimensions", run, of_its_own(other, run))
    assert found == {("", "asked"): 0} and "read no picture" in done.notes[-1]


@pytest.fixture(scope="module")
def run(data) -> dt.Run:
    """Two VAEs as they are before the first step."""
    config = default_config("toy", "vae").to_dict() | {"seeds": 2, "batch_size": 8}
    config["method"] |= {"encoder": "dense", "decoder": "dense"}
    experiment, method, _, _ = prepare(config, data)
    models = [init(method, key=jax.random.key(seed)) for seed in range(2)]
    return dt.Run(
        experiment.config,
        experiment.population,
        method,
        jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *models),
        np.ones(2, bool),
        0,
        data_spec(data),
        {},
    )


@pytest.mark.slow
def test_a_bench_goes_on_where_it_was_stopped(run, data, exact, tmp_path, monkeypatch):
    few = replace(FEW, requests=4, attributes=("shape", "size"))
    told = {"sources": ["real"], "judges": exact, "progress": False}
    folder, real, calls, most = tmp_path, edit_bench.edited_rows, [], [6]

    def counted(asked, way, editor, source=None):
        if len(calls) == most[0]:
            raise RuntimeError("killed")
        calls.append(way)
        return real(asked, way, editor, source)

    monkeypatch.setattr(edit_bench, "edited_rows", counted)
    with pytest.raises(RuntimeError, match="killed"):
        judge_edits(run, data, few, folder=folder, **told)
    assert calls == [*REFERENCES, "dimensions"]
    most[0], calls[:] = 99, []
    found = judge_edits(run, data, few, folder=folder, **told)
    assert calls == ["exchange", "dimensions", "exchange"]  # of both models
    first, second = run.members
    both = [(name, way) for name in (first, second) for way in ways_of(run)]
    whole = [*(("", way) for way in REFERENCES), *both]
    assert [(one.member, one.way) for one in found.told] == whole
    again = judge_edits(run, data, few, folder=folder, **told)
    assert len(calls) == 3 and again == found == Edits.load(folder)
    named = {
        (o.way, r.score): r.value for o in found.told for r in o.rows if not r.attribute
    }
    assert named["render", "edit"] == 1 and named["copy", "edit"] == 0
    held = EditExamples.load(folder)
    assert set(held.leak_ways) == {*REFERENCES, "dimensions", "exchange"}
    assert set(editing.table(found)["attribute"]) == {"all", "shape", "size"}
    calls[:], most[0] = [], 1
    with pytest.raises(RuntimeError, match="killed"):  # another question: anew
        judge_edits(run, data, replace(few, requests=5), folder=folder, **told)
    assert calls == ["copy"]


@pytest.mark.slow
def test_the_command_keeps_what_the_page_shows(
    data, exact, capsys, tmp_path, monkeypatch
):
    quick = {"steps": 2, "batch_size": 8, "progress": False, "workdir": tmp_path}
    run = dt.train("vae", data, encoder="dense", decoder="dense", **quick)
    monkeypatch.setattr("disentangle.study.sample.data_of", lambda run: data)
    monkeypatch.setattr(editing, "judges_of", lambda data, **told: exact)
    words = ["edit", f"--workdir={run.workdir}", "--noprogress", "--requests=20"]
    out = run.workdir / "rows.json"
    assert main([*words, "--labels=90", "--bootstrap=20", f"--json={out}"]) == 0
    said = capsys.readouterr().out
    assert "rows known in advance" in said and "dimensions of its own" in said
    held = Edits.load(run.workdir)
    assert held.supervision == "none" and held.attributes == list(data.space.names)
    rows = {
        (r["member"], r["way"], r["attribute"], r["score"]): r["value"]
        for r in json.loads(out.read_text())
    }
    for one in held.told:
        for row in one.rows:
            key = (one.member, one.way, row.attribute or "all", row.score)
            assert rows[key] == row.value
    page = write_report(run.workdir).read_text()
    assert 'id="edits"' in page and "beside the true picture" in page


@pytest.mark.slow
def test_pictures_of_ones_own_are_edited(run, data):
    found = dt.edit(run, np.arange(5), "size", 2, data=data, labels=90)
    assert found.shape == (2, 5, 16, 16, 1) and 0 <= found.min() <= found.max() <= 1
    images = data.images(np.arange(5))
    same = dt.edit(run, images, "size", np.full(5, 2), data=data, labels=90)
    np.testing.assert_allclose(found, same, atol=1e-6)
    for given, message in (
        ((images, "siz", 1), "unknown factor 'siz'. Did you mean 'size'"),
        ((images, "size", 3), "value=3 of 'size' must be a whole number in 0 .. 2"),
        ((images[:, :8], "size", 1), "images have shape (5, 8, 16, 1)"),
    ):
        with pytest.raises(UserError) as error:
            dt.edit(run, *given, data=data, labels=90)
        assert message in str(error.value)
    with pytest.raises(UserError, match="takes no pictures: the factor's dimensions"):
        dt.edit(run, images, "size", 1, data=data, editor="exchange")
    with pytest.raises(UserError, match="'directions' must be told what pictures show"):
        dt.edit(run, images, "size", 1, data=data, editor="directions", labels=90)
    with pytest.raises(UserError, match="factor 'turn' of image 2 is -1, not in 0"):
        had = np.array(data.factors(np.arange(5)))
        had[2, 2] = -1
        dt.edit(run, images, "size", 1, data=data, factors=had, labels=90)
    small = replace(run, config=run.config | {"data": narrow(run)})
    assert dt.edit(small, images, "size", 1, data=data).shape == found.shape
    with pytest.raises(UserError, match="labels=81 are more than the 80"):
        dt.edit(small, images, "size", 1, data=data, labels=81)


@pytest.mark.slow
def test_an_attribute_that_stays_as_it_is_is_refused(data):
    quick = {"steps": 1, "batch_size": 8, "progress": False, "condition": ("shape",)}
    told = dt.train("conditional_vae", data, encoder="dense", decoder="dense", **quick)
    index = np.arange(4)
    assert dt.edit(told, index, "shape", 1, data=data, labels=90).shape[1] == 4
    with pytest.raises(UserError, match="leaves 'size' as it is: size, turn, x cannot"):
        dt.edit(told, index, "size", 1, data=data, labels=90)


def narrow(run):
    return run.config["data"] | {"train_size": 80, "test_size": 10}


def test_what_cannot_be_asked_is_said_before_an_oracle_is_trained(
    run, data, monkeypatch
):
    monkeypatch.setattr(editing, "judges_of", None)
    ask = functools.partial(judge_edits, run, data, progress=False)
    for asking, told, message in (
        (FEW, {"editors": ["own"]}, "editor 'own' is not for method 'vae': it has no"),
        (FEW, {"editors": ["dimension"]}, "Did you mean 'dimensions'"),
        (FEW, {"sources": ["reel"]}, "Did you mean 'real'"),
        (replace(FEW, split="comp"), {}, "unknown data set with queries 'toy'"),
        (replace(FEW, attributes=("hue", "x")), {}, "unknown factor 'hue'"),
        (replace(FEW, labels=97), {}, "labels=97 are more than the 96 training"),
    ):
        with pytest.raises(UserError) as error:
            ask(asking, **told)
        assert message in str(error.value)
    assert ways_of(run) == ("dimensions", "exchange")


def test_the_command_says_what_it_cannot(capsys):
    words = ["edit", "--workdir=runs/none", "--noprogress"]
    for flag, message in (
        ("--requests=0", "requests=0 must be a whole number"),
        ("--oracle_steps=0", "oracle_steps=0"),
        ("--sources=reel", "Did you mean 'real'"),
        ("--json=/no/such/rows.json", "there is no folder"),
    ):
        assert main([*words, flag]) == 2
        assert message in capsys.readouterr().err
    assert main(["edit"]) == 2
    assert "--workdir=FOLDER is missing" in capsys.readouterr().err


def test_angles_are_read_with_the_symmetry_of_what_is_read(data):
    """Shape 1 looks the same after half a turn, so its angle counts double."""
    rows = np.asarray(data.factors(np.arange(96)))
    order = np.where(rows[:, 0] == 1, 2, 1)
    turn = 2 * np.pi * order * rows[:, 2] / 4
    parts = {
        name: np.eye(size)[rows[:, i]]
        for i, (name, size) in enumerate(
            zip(data.space.names, data.space.sizes, strict=True)
        )
    }
    parts["turn"] = 3.0 * np.stack([np.cos(turn + 0.3), np.sin(turn + 0.3)], axis=1)
    found = values_of(data, parts, 96)
    assert equal(data.space, found, rows).all()
    plain = rows[:, 0] == 0
    np.testing.assert_array_equal(found[plain], rows[plain])


def test_an_oracle_below_the_gate_judges_nothing(exact):
    low = exact.each[0]._replace(
        name="reader",
        accuracy=np.array([1, 0.98764, 1, 0.5]),
        run=SimpleNamespace(step=40),
    )
    found = Judges((low, exact.each[1]), exact.accuracy)
    found.require((0, 2), ("shape", "size", "turn", "x"))
    with pytest.raises(UserError) as error:
        found.require((0, 1, 2), ("shape", "size", "turn", "x"))
    assert (
        "the oracle 'reader' reads 'size' of held-out images rightly with accuracy "
        "0.9876 after 40 steps, below 0.99" in str(error.value)
    )


@pytest.fixture(scope="module")
def quarters() -> Dataset:
    """81 pictures of 16x16: four quarters, each of one of three greys."""
    names = ("first", "second", "third", "fourth")
    space = dt.data.FactorSpace(
        tuple(dt.data.Factor(n, 3, "ordinal", (0.0, 1.0, 2.0)) for n in names)
    )
    greys = np.array([20, 120, 230], np.uint8)[space.factors(np.arange(81))]
    rows = greys.reshape(81, 2, 2, 1).repeat(8, 1).repeat(8, 2)
    return Dataset(jax.numpy.asarray(rows), "own", space, (16, 16, 1), 255, draw_rows)


@pytest.mark.slow
def test_oracles_are_trained_once_and_a_conditional_vae_edits(
    quarters, tmp_path, monkeypatch
):
    """In earnest: oracles that pass, and a CVAE above all that is trivial."""
    data, real, steps = quarters, judges.fit, []

    def watched(config, data, **told):
        run = real(config, data, **told)
        steps.append(run.step)
        return run

    ask = functools.partial(judges_of, data, steps=200, cache_dir=tmp_path)
    found = ask(progress=False)
    found.require(range(4), data.space.names)
    assert [judge.name for judge in found.each] == ["reader", "patches"]
    held = judges.held_out(found.each[0].run, data)
    trained = prepare(found.each[0].run.config, data)[2].subset
    assert len(held) == 8 and not set(held) & set(np.asarray(trained).tolist())
    monkeypatch.setattr(judges, "fit", watched)
    began = time.process_time()
    again = ask(progress=False)
    np.testing.assert_array_equal(again.accuracy, found.accuracy)
    assert steps == [200, 200] and len(list(tmp_path.glob("oracles/*/*"))) == 2
    assert time.process_time() - began < 60  # nothing was trained
    run = dt.train(
        "conditional_vae",
        data,
        encoder="dense",
        decoder="dense",
        condition=data.space.names,
        learning_rate=2e-3,
        steps=800,
        progress=False,
    )
    asking = Asking(requests=60, labels=80, bootstrap=50)
    told = judge_edits(run, data, asking, judges=found, progress=False)
    edit = {
        one.way: row.value
        for one in told.told
        for row in one.rows
        if row.score == "edit" and not row.attribute
    }
    assert edit["copy"] == 0 and edit["render"] > 0.98
    assert edit["own"] > 0.9 and edit["own of its own"] > 0.9
    assert edit["reference"] < 0.2 and edit["pixel-mean"] < 0.4
