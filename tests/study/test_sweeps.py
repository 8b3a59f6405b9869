"""A large study: planned once, each unit done once, whatever comes between."""

import json
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from recipes import noted

from disentangle.data import DATASETS
from disentangle.data.dataset import Dataset, Recipe, draw_rows
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError
from disentangle.files import read_arrays
from disentangle.study.sweeps import run as running
from disentangle.study.sweeps import table, work
from disentangle.study.sweeps.config import check, default_sweep, spread
from disentangle.study.sweeps.models import load_models, model_file
from disentangle.study.sweeps.plan import Ledger, extended, wanted
from disentangle.study.sweeps.run import read_shard, run_sweep
from disentangle.study.sweeps.wide import models
from disentangle.training import loop
from disentangle.training.config import default_config
from disentangle.training.loggers import LOGGERS
from disentangle.training.run import train

DENSE = {"encoder": "dense", "decoder": "dense"}
SPACE = FactorSpace(
    tuple(Factor(n, 4, "ordinal", (0.0, 1.0, 2.0, 3.0)) for n in ("x", "y", "z"))
)


@pytest.fixture(scope="module")
def bars():
    """64 images of 16x16x1."""
    images = np.zeros((SPACE.size, 16, 16, 1), np.uint8)
    for i, (x, y, z) in enumerate(SPACE.factors(np.arange(SPACE.size))):
        images[i, 2 + 3 * y : 4 + 3 * y, x : x + 4 + 2 * z] = 1
    return Dataset(np.asarray(images), "bars", SPACE, (16, 16, 1), 1, draw_rows)


@pytest.fixture(autouse=True)
def named(bars, monkeypatch):
    monkeypatch.setitem(DATASETS, "bars", Recipe(SPACE, lambda cache_dir: bars))


def config(**fields):
    found = default_sweep(
        "bars", {"beta_vae": DENSE | {"beta": (1.0, 2.0, 4.0)}, "vae": DENSE}
    ).to_dict()
    found["score"] |= {"metrics": ["mig"], "num_train": 60, "num_test": 30}
    found |= {"methods": ["beta_vae"], "strengths": 1, "steps": 3, "batch_size": 4}
    return found | {"log_every": 2, "checkpoint_every": 2} | fields


def go(folder, bars, loggers=(), **fields):
    found, data = config(**fields), {"bars": bars}
    return run_sweep(found, folder, data=data, loggers=loggers, progress=False)


def values(folder):
    found = table.read(folder)
    return found.drop(columns=list(table.SECONDS))


@pytest.fixture(scope="module")
def finished(bars, tmp_path_factory):
    """One unit of two models, only to be copied."""
    folder = tmp_path_factory.mktemp("sweep") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "bars", Recipe(SPACE, lambda cache_dir: bars))
        patch.setitem(LOGGERS, "noted", noted.LOGGER)
        go(folder, bars, "noted", seeds=2)
    return folder


@pytest.fixture
def study(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "study")


def stamps(folder):
    files = [*folder.glob("results/*"), *folder.glob("models/*.npz")]
    return {path: path.stat().st_mtime_ns for path in files}


def test_the_table_has_a_row_per_model_and_part(study):
    found = pd.read_parquet(study / "results")
    mine = found[found.metric == "mig"]
    assert len(mine) == 2 and sorted(mine.seed) == [0, 1]
    assert set(mine.method) == {"beta_vae"} and set(mine.beta) == {1.0}
    assert set(mine.strength_field) == {"method.beta"} and set(mine.strength) == {1.0}
    assert list(mine.part) == ["score"] * 2 and mine.value.between(0, 1).all()
    assert set(mine.protocol) == {"locatello"} and set(mine.num_train) == {60}
    losses = found[found.metric == "training"]
    assert {"loss", "kl", "elbo", "reconstruction"} <= set(losses.part)
    assert set(losses.num_train.isna()) == {True}
    assert json.loads(found.versions[0]).keys() >= {"jax", "disentangle", "python"}
    assert len(set(found.unit)) == 1 and len(set(found.model)) == 2
    assert set(table.FIXED) <= set(found)
    assert not [*study.glob("training/*"), *study.glob("claims/*")]


def test_loggers_of_a_study_write_to_a_folder_per_unit(study, bars, tmp_path):
    """What a unit logged stays when the folder that it trained in is gone."""
    (unit,) = Ledger.load(study).units
    lines = (study / "logs" / unit / noted.FILE).read_text().splitlines()
    for member in ("seed=0", "seed=1"):
        own = [line.split()[1] for line in lines if line.startswith(f"{member} ")]
        assert {"method.beta", "train/kl", "test/reconstruction"} <= set(own)
    with pytest.raises(UserError, match="Did you mean 'tensorboard'"):
        go(tmp_path / "no", bars, "tensorbord")
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_a_model_has_the_bits_of_an_ordinary_run(study, bars):
    (unit,) = Ledger.load(study).units
    held = load_models(study, Ledger.load(study), unit)
    few = {"steps": 3, "batch_size": 4, "seed": 1, "progress": False}
    alone = train("beta_vae", bars, beta=1.0, **few, **DENSE)
    ours, theirs = (run.encode(bars.images(np.arange(9))) for run in (held, alone))
    assert ours.shape[0] == 2 and np.array_equal(ours[1], theirs[0])


def test_a_finished_study_is_left_as_it_is(study, bars, monkeypatch):
    before = stamps(study)
    monkeypatch.setattr(work, "train_in_folders", None)
    monkeypatch.setattr(work, "score_run", None)
    monkeypatch.setattr(running, "prepare", None)
    go(study, bars, seeds=2)
    assert stamps(study) == before


def test_a_study_of_an_older_version_goes_on(study, bars, monkeypatch):
    """Its configs lacked two fields, static and swept; its hashes are others."""
    text = (study / "plan.json").read_text()
    (key,) = Ledger.load(study).groups
    tree = json.loads(text.replace(key, "0" * 16))
    (group,) = tree["groups"].values()
    del group["config"]["data"]["split_seed"], group["config"]["optimizer"]["clip_norm"]
    (unit,) = tree["units"].values()
    for number, model in enumerate(unit["models"]):
        del model["values"]["learning_rate"]
        model["member"] = f"{number}"
    del group["config"]["optimizer"]["learning_rate"]
    (study / "plan.json").write_text(json.dumps(tree))
    monkeypatch.setattr(work, "train_in_folders", None)
    before = stamps(study)
    go(study, bars, seeds=2)
    assert stamps(study) == before
    ledger = Ledger.load(study)
    (id,) = ledger.units
    assert load_models(study, ledger, id).members == ("seed=0", "seed=1")
    monkeypatch.setattr(work, "score_run", lambda run, *rest: [{} for _ in run.members])
    go(study, bars, seeds=2, score=config()["score"] | {"metrics": ["sap"]})
    assert len(table.read(study).query("metric == 'sap'")) == 2


def test_a_cut_file_is_named_and_done_again(study, bars, monkeypatch):
    monkeypatch.setattr(work, "train_in_folders", None)  # scores alone are lost
    before = values(study)
    (path,) = study.glob("results/*-*.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=path.name):
        table.read(study)
    with pytest.warns(UserWarning, match=f"{path.name}.*done again"):
        go(study, bars, seeds=2)
    pd.testing.assert_frame_equal(values(study), before)


def test_a_bit_that_turned_in_a_file_is_found(study):
    (path,) = study.glob("results/*-*.parquet")
    data, same = path.read_bytes(), table.read_file(path)[1]
    for place in range(4, len(data), 97):
        turned = bytearray(data)
        turned[place] ^= 1
        path.write_bytes(turned)
        try:
            assert table.read_file(path)[1].equals(same)  # of what nobody reads
        except UserError as error:
            assert path.name in str(error)


def test_a_full_disk_is_one_sentence_and_nothing_is_torn(study, bars, monkeypatch):
    before = stamps(study)

    def full(self, data):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    (score,) = [config()["score"] | {"metrics": ["mig", "sap"]}]
    with pytest.raises(UserError, match=r"cannot write .*No space left"):
        go(study, bars, seeds=2, score=score)
    monkeypatch.undo()
    assert stamps(study) == before
    assert len(table.read(study)) and not [*study.glob("claims/*")]


@pytest.mark.slow
def test_what_comes_later_changes_nothing_of_what_is_there(study, bars, tmp_path):
    before = stamps(study)
    score = config()["score"] | {"metrics": ["mig", "sap", "udr"]}
    go(study, bars, seeds=2, score=score)  # of two seeds, to be replaced
    assert len(table.read(study).query("metric == 'udr'")) == 2
    more = {"seeds": 3, "strengths": 2, "methods": ["beta_vae", "vae"], "score": score}
    go(study, bars, **more)
    after = stamps(study)
    schema = {p for p in before if p.parent.name == "results"}  # new columns
    assert {p: after[p] for p in before if p not in schema} == {
        p: before[p] for p in before if p not in schema
    }
    go(tmp_path / "at-once", bars, **more)
    both = (study, tmp_path / "at-once")
    found, whole = (values(folder).drop(columns="unit") for folder in both)
    pd.testing.assert_frame_equal(found, whole)
    assert len(set(found.model)) == 9
    counts = [(found.metric == name).sum() for name in score["metrics"]]
    assert counts == [9, 9, 9] and not found.note.notna().any()
    files = study.glob("results/*.parquet")
    assert len({str(table.read_file(path)[1].schema.names) for path in files}) == 1


@pytest.mark.slow
def test_shards_and_damaged_models(bars, tmp_path, monkeypatch):
    monkeypatch.setattr("disentangle.study.sweeps.width.ON_CPU", 1)
    both = {"seeds": 2, "strengths": 2}
    go(tmp_path / "whole", bars, **both)
    folder = tmp_path / "shards"
    for number in (2, 1):
        run_sweep(
            config(**both),
            folder,
            data={"bars": bars},
            progress=False,
            shard=f"{number}/2",
        )
        assert len(set(table.read(folder).model)) == {2: 2, 1: 4}[number]
    pd.testing.assert_frame_equal(values(folder), values(tmp_path / "whole"))
    unit = next(iter(Ledger.load(folder).units))
    path = model_file(folder, unit)
    path.write_bytes(path.read_bytes()[:-1000])
    score = config()["score"] | {"metrics": ["mig", "sap"]}
    with pytest.warns(UserWarning, match="the models are trained again"):
        go(folder, bars, score=score, **both)
    assert len(table.read(folder).query("metric == 'sap'")) == 4


@pytest.mark.slow
def test_a_damaged_checkpoint_of_a_unit_is_passed_over(bars, tmp_path, monkeypatch):
    """Killed after its second checkpoint, which is then cut: it goes on from the first,
    and ends with the table and the parameters of a study that nothing happened to."""
    steps = {"seeds": 2, "steps": 6}
    go(tmp_path / "whole", bars, **steps)

    def killed(checkpoints, step, *rest):
        saves(checkpoints, step, *rest)
        if step == 4:
            raise KeyboardInterrupt

    saves = loop.save
    monkeypatch.setattr(loop, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "cut", bars, **steps)
    monkeypatch.undo()
    monkeypatch.setitem(DATASETS, "bars", Recipe(SPACE, lambda cache_dir: bars))
    (newest,) = tmp_path.glob("cut/training/**/checkpoints/4")
    largest = max(newest.rglob("*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-50])
    with pytest.warns(UserWarning, match="4.*damaged"):
        go(tmp_path / "cut", bars, **steps)
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    pd.testing.assert_frame_equal(values(cut), values(whole))
    (one,), (other,) = (sorted(f.glob("models/*.npz")) for f in (cut, whole))
    first, second = read_arrays(one), read_arrays(other)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_every_beginning_of_the_order_is_spread():
    assert spread(6) == [0, 5, 2, 3, 1, 4]
    assert [spread(n) for n in (1, 2, 3)] == [[0], [0, 1], [0, 2, 1]]
    assert sorted(spread(50)) == list(range(50))


def planned(**fields):
    return wanted(check(config(**fields)))


def test_the_grid_is_the_product_and_static_fields_make_groups():
    (one,) = planned(strengths=9, seeds=4)
    assert [(m.values["beta"], m.seed) for m in one.models[:5]] == [
        (1.0, 0),
        (1.0, 1),
        (1.0, 2),
        (1.0, 3),
        (2.0, 0),
    ]
    assert len({m.id for m in one.models}) == 12
    tree = config(strengths=2)
    tree["runs"]["beta_vae"]["method"]["latents"] = [5, 10]
    tree["runs"]["beta_vae"]["optimizer"]["learning_rate"] = [1e-3, 1e-4]
    found = wanted(check(tree))
    assert [w.group.config["method"]["latents"] for w in found] == [5, 10]
    ends = [(m.values["beta"], m.values["learning_rate"]) for m in found[0].models]
    assert ends == [(1.0, 1e-3), (4.0, 1e-4)]
    assert [w.group.strength for w in found] == ["", ""]


def test_a_model_is_the_same_in_any_study():
    (few,), (many,) = planned(), planned(strengths=9, seeds=5, log_every=7)
    assert few.models[0] == many.models[0] and few.key == many.key
    assert {m.id for m in few.models} < {m.id for m in many.models}
    (longer,) = planned(steps=4)
    assert longer.key != few.key and longer.models[0].id != few.models[0].id


def test_units_stay_when_models_are_added():
    width = lambda want, lacking: 2
    first = extended(Ledger(), planned(seeds=3), width, {})
    more = extended(first, planned(seeds=4, strengths=2), width, {"beta": "double"})
    assert list(more.units)[:2] == list(first.units)
    assert [len(unit.models) for unit in more.units.values()] == [2, 1, 2, 2, 1]
    assert len(more.models) == 8 and more.columns == {"beta": "double"}


def test_half_the_steps_are_for_those_that_are_named():
    found = planned(methods=["beta_vae", "vae"], steps=9, half_steps=["vae"])
    assert [w.group.config["steps"] for w in found] == [9, 4]
    assert [w.group.config["eval_every"] for w in found] == [9, 4]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"methods": ["beta_vea"]}, "Did you mean 'beta_vae'"),
        ({"methods": []}, "methods"),
        ({"strengths": 0}, "strengths=0 must be at least 1"),
        ({"steps": 0}, "steps=0 must be at least 1"),
        ({"seeds": "2"}, "seeds='2' must be a whole number"),
        ({"seed": -1}, "seed=-1"),
        ({"half_steps": ["dci"]}, "unknown method of the study 'dci'"),
        ({"runs": {}}, "the study has no runs"),
        ({"runs": {"a": {"method": {}}}}, "must have the sections"),
        ({"step": 3}, "Did you mean 'steps'"),
    ],
)
def test_what_is_wrong_is_said_before_anything(fields, says, tmp_path):
    with pytest.raises(UserError, match=says):
        run_sweep(config(**fields), tmp_path / "w")
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("name", ["bars+bars", "bars+dsprite"])
def test_data_sets_are_named_once_and_right(name):
    tree = config()
    tree["data"]["name"] = name
    with pytest.raises(UserError, match=r"twice|Did you mean 'dsprites'"):
        check(tree)


def test_the_budget_of_a_workdir_stays(study, bars):
    for fields in ({"steps": 4}, {"batch_size": 5}):
        with pytest.raises(UserError, match=next(iter(fields))):
            go(study, bars, seeds=2, **fields)


def test_shards_are_named_from_1():
    assert read_shard(None) == (1, 1) and read_shard("3/8") == (3, 8)
    for word in ("0/8", "9/8", "8", "a/b", "1/0", "-1/3"):
        with pytest.raises(UserError, match="shard="):
            read_shard(word)


def test_a_dry_run_writes_nothing(bars, tmp_path):
    said = run_sweep(
        config(seeds=40, strengths=3), tmp_path / "w", data={"bars": bars}, dry_run=True
    )
    assert "120 models in 8 units of 1 groups" in said
    assert not (tmp_path / "w").exists()


def test_a_dry_run_says_what_is_left(study, bars):
    before = stamps(study)
    said = run_sweep(config(seeds=3), study, data={"bars": bars}, dry_run=True)
    assert "3 models in 2 units" in said and "1 models are to be trained" in said
    assert "as measured here" in said and stamps(study) == before


def test_the_defaults_are_those_of_a_training_run():
    found = default_sweep("dsprites", {"vae": {}})
    one = default_config("dsprites", "vae")
    assert found.runs.vae.method == one.method and found.batch_size == one.batch_size


def test_no_warning_of_a_whole_study(study, bars):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        go(study, bars, seeds=2)


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("protocol", "paper"),
        ("num_train", 30),
        ("num_test", 15),
        ("backend", "reference"),
    ],
)
def test_scores_computed_otherwise_are_not_averaged_with_those_asked_for(
    monkeypatch, column, other
):
    """mig has both definitions; rmig has one, whichever is asked for."""
    score = config()["score"]
    asked = {"backend": score["backend"], "num_train": 60, "num_test": 30}
    model = {"model": "a", "data": "bars", "run": "vae", "strength": 1.0, "seed": 0}
    common = model | asked | {"protocol": "locatello", "score_seed": score["seed"]}
    rows = [
        common | {"metric": "mig", "part": "score", "value": 0.25},
        common | {"metric": "mig", "part": "score", "value": 0.75} | {column: other},
        common | {"metric": "rmig", "part": "score", "value": 0.5, "protocol": "paper"},
        model | {"metric": "training", "part": "kl", "value": 2.0},
    ]
    monkeypatch.setattr(table, "read", lambda workdir: pd.DataFrame(rows))
    (found,) = models("anywhere", score).to_dict("records")
    assert found["mig/score"] == 0.25
    assert found["rmig/score"] == 0.5
    assert found["training/kl"] == 2.0
