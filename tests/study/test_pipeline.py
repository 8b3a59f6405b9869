"""The main job on toy images: its files agree, and it goes on after a stop."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from recipes import noted
from stored import arrays

import disentangle as dt
from disentangle.affinity import Affinity
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError
from disentangle.report.page import write_report
from disentangle.report.text import result_tables
from disentangle.study import pipeline, representations
from disentangle.study.groups import Groups
from disentangle.study.pipeline import default_pipeline, run_pipeline
from disentangle.study.representations import Serving, write_losses
from disentangle.training.loggers import LOGGERS
from disentangle.training.run import load_run


@pytest.fixture(scope="module", autouse=True)
def registered(toy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
        yield


def job(**changes):
    config = default_pipeline("toy").to_dict()
    config["data"] |= {"train_size": 64, "test_size": 32}
    config["affinity"]["every"] = 3
    small = {"steps": 12, "batch_size": 8, "eval_every": 6, "log_every": 4}
    for part in ("supervised", "unsupervised"):
        config[part] |= small | {"seeds": 2}
        config[part]["method"]["encoder"] = "narrow"
        config[part]["optimizer"]["learning_rate"] = 1e-3
    config["unsupervised"]["method"]["decoder"] = "dense"
    config["score"] |= {"metrics": ("mig", "sap"), "num_train": 120, "num_test": 60}
    return config | changes


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("job") / "p"
    quiet = {"progress": False, "log": lambda line: None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOGGERS, "noted", noted.LOGGER)
        return run_pipeline(job(), workdir, loggers=["noted"], **quiet)


def read(folder, name):
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize("tasks", [(), ("x", "still")])
def test_a_constant_factor_is_named_before_anything_is_trained(toy, tmp_path, tasks):
    still = Factor("still", 1, "categorical", (0.0,))
    data = dataclasses.replace(toy, space=FactorSpace((*toy.space.items, still)))
    config = job()
    config["supervised"]["method"]["tasks"] = tasks
    says = "factor 'still' has one value, 0, .* these vary: shape, size, turn, x$"
    with pytest.raises(UserError, match=says):
        run_pipeline(config, tmp_path / "p", data=data, progress=False, log=print)
    assert not list(tmp_path.glob("p/*/")) and not (tmp_path / "p/config.json").exists()
    with pytest.raises(UserError, match=says):
        dt.measure_affinity(data, tasks=tasks, steps=1, progress=False)


def test_loggers_of_the_job_write_beside_every_training(done):
    for part, told in (("multitask", "loss"), ("networks", "loss"), ("vae", "kl")):
        lines = (done / part / noted.FILE).read_text().splitlines()
        said = {line.split()[1] for line in lines}
        assert {"seed", "steps", f"train/{told}", "test/loss"} <= said, part
    assert "test/reconstruction" in said  # the VAE's alone: the others do not decode


def test_losses_come_from_the_networks_that_serve(done, toy):
    """losses.json against the task losses of the loaded networks, by hand."""
    groups, losses = read(done, "groups.json"), read(done, "losses.json")
    tasks = losses["tasks"]
    networks = load_run(done / "networks")
    rows = {}
    for line in (done / "networks/metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["split"] == "test" and row["step"] == 12:
            rows[row["member"]] = row["task_losses"]
    assert len(rows) == len(networks.members)
    for seed in (0, 1):
        for t, task in enumerate(tasks):
            alone = "+".join("1" if name == task else "0" for name in tasks)
            expected = rows[f"weights={alone},seed={seed}"][t]
            assert losses["networks"]["single-task"][seed][t] == expected
            group = groups["groups"][groups["serves"][task]]
            if 1 < len(group) < len(tasks):
                mask = "+".join("1" if name in group else "0" for name in tasks)
                expected = rows[f"weights={mask},seed={seed}"][t]
                assert losses["networks"]["grouped"][seed][t] == expected
    for name in ("grouped", "all-together"):
        rows, alone = (np.array(losses["networks"][n]) for n in (name, "single-task"))
        gains = (1 - rows / alone).mean(axis=1)
        np.testing.assert_allclose(losses["delta_m"][name], gains, rtol=1e-9)


@pytest.mark.slow
def test_losses_do_not_come_from_a_log(done, toy, tmp_path):
    """With logs cut to an earlier step, and without final.json, they stay."""
    workdir = shutil.copytree(done, tmp_path / "p")
    held = read(done, "losses.json")
    for run in ("multitask", "networks"):
        log = workdir / run / "metrics.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        log.write_text("".join(line for line in lines if '"step": 12' not in line))
        assert "test" in log.read_text()
    serving = Serving(
        load_run(workdir / "multitask"),
        (load_run(workdir / "networks"),),
        load_run(workdir / "vae"),
        Groups.load(done),
    )
    write_losses(serving, toy, workdir)
    assert read(workdir, "losses.json") == held
    (workdir / "networks/final.json").unlink()
    (workdir / "multitask/final.json").write_text('{"step": 6, "rows": {}}')
    write_losses(serving, toy, workdir)
    again = read(workdir, "losses.json")
    for name, rows in held["networks"].items():
        np.testing.assert_allclose(again["networks"][name], rows, rtol=1e-5)
    assert read(workdir, "multitask/final.json")["step"] == 12


def test_a_network_that_diverged_has_no_loss(done, toy, tmp_path):
    networks = load_run(done / "networks")
    alive = np.arange(len(networks.members)) > 0
    serving = Serving(
        load_run(done / "multitask"),
        (dataclasses.replace(networks, alive=alive),),
        load_run(done / "vae"),
        Groups.load(done),
    )
    write_losses(serving, toy, tmp_path)
    rows = read(tmp_path, "losses.json")["networks"]["single-task"]
    assert [row[0] is None for row in rows] == [True, False]
    assert all(loss is not None for row in rows for loss in row[1:])


def test_groups_are_those_of_the_measured_matrix(done):
    affinity = Affinity.from_csv(done / "affinity.csv")
    again = dt.group_tasks(affinity, budget=2).to_json()
    assert read(done, "groups.json")["groups"] == again["groups"]
    assert read(done, "groups.json")["stability"]["redraws"] == 500
    table = read(done, "affinity.json")["lookahead"]
    assert np.array_equal(affinity.matrix, table["matrix"])
    assert table["samples"] == 2 * 4  # two seeds, steps 0, 3, 6, 9


def test_scores_are_those_of_the_stored_codes(done, toy):
    rows = read(done, "scores.json")["rows"]
    assert {(r["representation"], r["seed"]) for r in rows} == {
        (name, seed)
        for name in ("single-task", "all-together", "grouped", "beta_vae")
        for seed in (0, 1)
    }
    for row in rows[:4]:
        check_scores(done, row, ["mig", "sap"])


def check_scores(folder, row, metrics):
    """A row of scores.json against the scores of the codes beside it."""
    stored = arrays(folder / f"codes/{row['representation']}-{row['seed']}.npz")
    table = (stored["codes"], stored["factors"])
    scores = dt.score(*table, metrics, num_train=120, num_test=60, backend="fast")
    assert {name for name in row if "/" in name} == set(scores)
    for name, value in scores.items():
        assert row[name] == pytest.approx(value, abs=1e-9)


@pytest.mark.slow
def test_other_scores_are_made_of_the_codes_that_are_there(done, tmp_path):
    workdir = shutil.copytree(done, tmp_path / "p")
    changed = job()
    changed["score"]["metrics"] = ("dci", "mig")
    run_pipeline(changed, workdir, progress=False, log=lambda line: None)
    rows = read(workdir, "scores.json")["rows"]
    assert len(rows) == len(read(done, "scores.json")["rows"])
    check_scores(workdir, rows[0], ["dci", "mig"])
    names = {row["representation"] for row in rows}
    assert names <= set(arrays(workdir / "importance.npz"))


def test_a_code_is_made_of_the_serving_networks_subspaces(done, toy):
    groups = read(done, "groups.json")
    stored = arrays(done / "codes/grouped-1.npz")
    index = toy.space.index(stored["factors"])
    networks = load_run(done / "networks")
    codes = networks.encode(toy.images(index))
    tasks = groups["serves"]
    for t, task in enumerate(tasks):
        group = groups["groups"][groups["serves"][task]]
        mask = [float(name in group) for name in tasks]
        if all(mask):
            continue
        member = networks.swept.index({"weights": mask, "seed": 1})
        ours = stored["codes"][:, 4 * t : 4 * t + 4]
        np.testing.assert_allclose(
            ours, codes[member][:, 4 * t : 4 * t + 4], rtol=1e-5, atol=1e-6
        )


def test_the_same_command_again_changes_nothing(done):
    before = {
        p.relative_to(done): p.read_bytes()
        for p in done.rglob("*.json*")
        if p.name != "summary.json"
    }
    run_pipeline(job(), done, progress=False, log=lambda line: None)
    for name, held in before.items():
        assert (done / name).read_bytes() == held, name


def test_a_finished_job_computes_nothing_again(done, monkeypatch):
    for name in ("fit", "load_data", "write_panels", "choose_groups"):
        monkeypatch.setattr(pipeline, name, None)
    for name in ("write_losses", "write_scores"):
        monkeypatch.setattr(pipeline.representations, name, None)
    said = []
    run_pipeline(job(), done, progress=False, log=said.append)
    assert said == []


@pytest.mark.slow
def test_a_damaged_result_is_made_anew_and_nothing_else(done, tmp_path, monkeypatch):
    workdir = shutil.copytree(done, tmp_path / "p")
    (workdir / "losses.json").write_text("{}")
    monkeypatch.setattr(pipeline.representations, "write_scores", None)
    run_pipeline(job(), workdir, progress=False, log=lambda line: None)
    assert read(workdir, "losses.json") == read(done, "losses.json")


@pytest.mark.slow
def test_another_budget_trains_only_the_networks_that_are_missing(done, tmp_path):
    """Single-task and all-together losses stay; every group has a network."""
    workdir = shutil.copytree(done, tmp_path / "p")
    before = (workdir / "networks/metrics.jsonl").read_bytes()
    changed = job(budget=3)
    run_pipeline(changed, workdir, progress=False, log=lambda line: None)
    assert read(workdir, "groups.json")["budget"] == 3
    assert read(workdir, "config.json")["budget"] == 3
    assert (workdir / "networks/metrics.jsonl").read_bytes() == before
    old, new = read(done, "losses.json"), read(workdir, "losses.json")
    for name in ("single-task", "all-together"):
        assert new["networks"][name] == old["networks"][name]
    with pytest.raises(UserError, match=r"affinity.every: 3 -> 4.*take another"):
        other = job()
        other["affinity"]["every"] = 4
        run_pipeline(other, workdir, progress=False)


@pytest.mark.slow
def test_a_job_stopped_between_stages_goes_on(done, tmp_path, monkeypatch):
    """Stopped after the groups; the second call ends with the same files."""

    def stop(*arguments):
        raise KeyboardInterrupt

    workdir = tmp_path / "p"
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_networks", stop)
        with pytest.raises(KeyboardInterrupt):
            run_pipeline(job(), workdir, progress=False, log=lambda line: None)
    assert not (workdir / "losses.json").exists()
    run_pipeline(job(), workdir, progress=False, log=lambda line: None)
    for name in ("groups.json", "losses.json", "scores.json", "affinity.json"):
        assert read(workdir, name) == read(done, name), name


@pytest.mark.slow
def test_scoring_goes_on_with_what_is_not_scored(done, tmp_path, monkeypatch):
    """Stopped before the last representation: the others are not scored again."""
    workdir = shutil.copytree(done, tmp_path / "p")
    (workdir / "scores.json").unlink()
    (workdir / "codes/grouped-1.json").unlink()
    scored, details = [], representations.score_details

    def counted(codes, *arguments, **named):
        scored.append(codes.shape)
        return details(codes, *arguments, **named)

    monkeypatch.setattr(representations, "score_details", counted)
    run_pipeline(job(), workdir, progress=False, log=lambda line: None)
    assert len(scored) == 1
    assert read(workdir, "scores.json") == read(done, "scores.json")


@pytest.mark.slow
def test_the_report_and_the_tables_show_the_job(done):
    page = write_report(done).read_text()
    text = result_tables(done)
    for task in read(done, "losses.json")["tasks"]:
        assert task in page
        assert task in text
    assert "row: the task that takes the step" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 0}, "budget=0"),
        ({"budget": 9}, "9 networks for 4 tasks"),
        ({"bugdet": 1}, "Did you mean 'budget'"),
        ({"singletons": "never"}, "unknown singletons 'never'"),
        ({"singletons": "value"}, "singleton_value is needed"),
        ({"singleton_value": 1.0}, "singleton_value is needed"),
        ({"budget": True}, "budget=True"),
    ],
)
def test_wrong_jobs_are_refused_and_leave_nothing(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        run_pipeline(job(**changes), tmp_path / "p", progress=False)
    assert not (tmp_path / "p/multitask").exists()


def test_a_config_of_an_older_version_trains_no_adde():
    held = job()
    lacking = {k: v for k, v in held.items() if k not in pipeline.NEWER}
    found = pipeline.check(lacking)
    assert found["edits"] is False and found["singleton_value"] is None
    assert set(found) == set(held)


def test_the_addes_of_a_job_are_not_swept():
    """A member of each is a seed of the networks."""
    config = job(edits=True)
    config["adde"]["method"]["margin"] = [0.1, 0.5]
    with pytest.raises(UserError, match="one value of each field"):
        pipeline.check(config)


@pytest.mark.slow
def test_a_finished_job_trains_an_adde_for_each_group(done, toy, tmp_path):
    """Scores of its parts stand beside those that were there, which stay."""
    workdir = shutil.copytree(done, tmp_path / "p")
    config = job(edits=True)
    config["adde"] |= {"steps": 4, "batch_size": 8, "eval_every": 0}
    config["adde"]["method"]["encoder"] = "narrow"
    quiet = {"progress": False, "log": lambda line: None}
    dense = {"method": config["adde"]["method"] | {"memory": "dense"}}
    with pytest.raises(UserError, match="choose 'block'"):
        run_pipeline(config | {"adde": config["adde"] | dense}, workdir, **quiet)
    assert not (workdir / "adde").exists()
    before = read(workdir, "scores.json")
    run_pipeline(config, workdir, **quiet)
    groups, tasks = read(workdir, "groups.json"), read(workdir, "losses.json")["tasks"]
    wanted = {"+".join(t for t in tasks if t in group) for group in groups["groups"]}
    wanted |= {*tasks, "+".join(tasks)}
    assert {path.name for path in (workdir / "adde").iterdir()} == wanted
    for name in wanted:
        run = load_run(workdir / "adde" / name)
        assert [row["seed"] for row in run.swept] == [0, 1]
        told = [n.partition(":")[0] for n in run.config["method"]["attributes"]]
        assert told == [n.partition(":")[0] for n in name.split("+")]
        assert run.config["method"]["learns"] == "edits"
    after = read(workdir, "scores.json")
    added = {f"adde-{n}" for n in ("grouped", "single-task", "all-together")}
    new = [row for row in after["rows"] if row["representation"] in added]
    assert [row for row in after["rows"] if row not in new] == before["rows"]
    assert {row["representation"] for row in new} == added and len(new) == 6
    codes = arrays(workdir / "codes/adde-single-task-0.npz")["codes"]
    beside = arrays(workdir / "codes/single-task-0.npz")["codes"]
    assert codes.shape == (len(beside), 32 * len(tasks))
    assert "adde-grouped" in write_report(workdir).read_text()
