"""Members as objects; in batches, on devices, and joining a run later: equal bits."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_program
from recipes import mean_pixel

from disentangle.data import DATASETS
from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.nn import DECODERS, ENCODERS
from disentangle.training import batches, run_logs, stages, width
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import default_config, read_experiment
from disentangle.training.devices import deal
from disentangle.training.final import read_final
from disentangle.training.members import Member, members
from disentangle.training.population import over_members
from disentangle.training.roster import Roster, checkpoint_folder
from disentangle.training.run import fit, load_run
from disentangle.training.writers import JsonlWriter, read_metrics

SCRIPT = Path(__file__).with_name("on_devices.py")


@pytest.fixture(autouse=True, scope="module")
def small_method():
    """A method whose programs compile at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "mean_pixel", mean_pixel.RECIPE)
        yield


def config(**changes):
    chosen = default_config("toy", "mean_pixel").to_dict()
    chosen["optimizer"]["learning_rate"] = 1e-2
    chosen |= {"steps": 4, "batch_size": 8, "log_every": 2, "checkpoint_every": 2}
    for name in list(changes):
        if name in chosen["method"]:
            chosen["method"][name] = changes.pop(name)
    return chosen | changes


def bits(run):
    """id -> all parameters of the model, as bytes."""
    return {
        member.id: b"".join(
            np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(run.member(member))
        )
        for member in run.population
    }


def kept(workdir):
    """What a run leaves, its checkpoints apart: every row, its numbers by themselves.

    The parameters have equal bits in batches of any size; means over test images may
    differ in the last digit, as XLA unrolls the loop over a single member.
    """
    final = read_final(workdir)
    rows = [*read_metrics(workdir), *final.rows.values()]
    words, numbers = [], []
    for row in rows:
        for name, value in row.items():
            (numbers if isinstance(value, float) else words).append((name, value))
    names = [name for name, _ in numbers]
    heads = [(workdir / "config.json").read_text(), final.ids, list(final.rows)]
    near = pytest.approx([value for _, value in numbers], rel=1e-5, abs=1e-6)
    return [*heads, final.step, words, names], near


def same(one, other):
    """Whether two runs leave the same."""
    return one[0] == other[0] and list(one[1].expected) == other[1]


@pytest.fixture(scope="module")
def five(small_method, toy, tmp_path_factory):
    """Five seeds trained at once."""
    workdir = tmp_path_factory.mktemp("five") / "run"
    return fit(config(seeds=5), toy, workdir=workdir, progress=False)


# --- the record ---------------------------------------------------------------


def swept(**sweeps):
    return members({"beta": [4.0], "learning_rate": [1e-4]} | sweeps, 0, 2)


def test_an_id_is_that_of_the_numbers_as_they_are_trained():
    """Float32 values decide, whatever the run sweeps and however it is written."""
    alone, together = swept(), swept(beta=[1.0, 4.0, 16.0])
    assert [one.id for one in alone] == [one.id for one in together[2:4]]
    assert alone[0].name == "seed=0" and together[2].name == "beta=4,seed=0"
    assert alone[0].label == "" and together[2].label == together[3].label == "beta=4"
    near = float(np.float32(0.1))
    assert near != 0.1 and swept(beta=[near])[0].id == swept(beta=[0.1])[0].id
    assert swept(beta=[0.0])[0].id == swept(beta=[-0.0])[0].id
    other = float(np.nextafter(np.float32(0.1), np.float32(1)))
    assert swept(beta=[other])[0].id != swept(beta=[0.1])[0].id


def test_ids_are_unique_whatever_the_numbers():
    """Neighbouring floats, vectors that read alike when run together, and seeds."""
    values = np.float32([0, 1e-45, 0.1, 1, 11, 3e38])
    near = np.nextafter(values, np.float32(np.inf))
    scalars = sorted({*values.tolist(), *near[:-1].tolist()})
    many = members(
        {"beta": scalars, "weights": [[1.0, 11.0], [11.0, 1.0], [1.0, 1.0]]}, 0, 12
    )
    assert len({one.id for one in many}) == len(many) == len(scalars) * 36
    assert len({one.name for one in many}) == len(many)


def test_a_member_is_a_frozen_record(five):
    member = five.population[1]
    assert (member.seed, member.swept, member.name) == (1, {}, "seed=1")
    assert member.values["beta"] == 4.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        member.seed = 2
    assert five.members == tuple(one.name for one in five.population)
    assert five.swept[1] == {"seed": 1}
    assert len({*five.population}) == 5  # can be a key


def test_a_model_is_named_by_its_object_its_id_its_name_or_its_place(five):
    member = five.population[3]
    for which in (3, -2, np.int64(3), member, member.id, "seed=3"):
        assert five.index(which) == 3
    for other in ("seed=7", "", Member("0" * 16, {}, 7, "", {})):
        with pytest.raises(UserError, match=r"unknown model .*one of: seed=0"):
            five.member(other)
    for other in (5, -6, True, None, 1.0, ["seed=1"]):
        with pytest.raises(UserError, match="no model"):
            five.member(other)


# --- batches ------------------------------------------------------------------


@pytest.mark.slow
def test_batches_of_any_size_have_the_bits_and_the_logs_of_one(five, toy, tmp_path):
    run = fit(config(seeds=5), toy, workdir=tmp_path / "r", progress=False, at_once=3)
    assert bits(run) == bits(load_run(tmp_path / "r")) == bits(five)
    assert same(kept(tmp_path / "r"), kept(five.workdir))
    held = json.loads((tmp_path / "r/members.json").read_text())
    assert [len(batch) for batch in held["batches"]] == [3, 2]
    for batch in range(2):
        assert Checkpoints(checkpoint_folder(tmp_path / "r", batch)).steps() == [2, 4]


class Killed(Exception):
    """Stands for kill -9."""


def killed_in(monkeypatch, batch, step):
    """The process dies when this batch has saved this step."""
    save = Checkpoints.save

    def dies(self, at, tree):
        save(self, at, tree)
        if self.folder.name == f"batch-{batch}" and at == step:
            raise Killed

    monkeypatch.setattr(Checkpoints, "save", dies)


@pytest.mark.slow
def test_killed_in_the_second_batch_and_resumed_has_the_same_bits(
    five, toy, tmp_path, monkeypatch
):
    """And the batch that was finished is not trained again."""
    workdir = tmp_path / "r"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_in(patch, 1, 2)
        fit(config(seeds=5), toy, workdir=workdir, progress=False, at_once=3)
    with pytest.raises(UserError, match="not finished: 3 of 5 models"):
        load_run(workdir)
    saved = []
    save = Checkpoints.save
    monkeypatch.setattr(
        Checkpoints,
        "save",
        lambda self, at, tree: (
            saved.append((self.folder.name, at)),
            save(self, at, tree),
        ),
    )
    run = fit(config(seeds=5), toy, workdir=workdir, progress=False, at_once=5)
    assert saved == [("batch-1", 4)]
    assert bits(run) == bits(five)
    assert same(kept(workdir), kept(five.workdir))


def test_how_many_at_once_is_a_whole_number(toy, tmp_path):
    for asked in (0, -1, 2.0, True, "2"):
        with pytest.raises(UserError, match="at_once="):
            fit(config(), toy, workdir=tmp_path / "r", progress=False, at_once=asked)
    assert not (tmp_path / "r").exists()


# --- a workdir gains members --------------------------------------------------


@pytest.mark.slow
def test_a_run_of_three_seeds_grown_to_five_has_the_bits_of_five(five, toy, tmp_path):
    workdir = tmp_path / "r"
    fit(config(seeds=3), toy, workdir=workdir, progress=False)
    before = {
        path: path.read_bytes()
        for path in (workdir / "checkpoints/4").rglob("*")
        if path.is_file()
    }
    run = fit(config(seeds=5), toy, workdir=workdir, progress=False)
    assert run.members == five.members
    assert bits(run) == bits(load_run(workdir)) == bits(five)
    assert same(kept(workdir), kept(five.workdir))
    assert before and all(path.read_bytes() == was for path, was in before.items())


@pytest.mark.slow
def test_values_steps_and_seeds_join_in_any_order(toy, tmp_path):
    """Names change with the sweep; models, logs and results keep to their ids."""
    workdir, whole = tmp_path / "r", tmp_path / "whole"
    last = config(beta=[0.1000001, 0.1, 9.0], seeds=2, steps=6)
    once = fit(last, toy, workdir=whole, progress=False)
    fit(config(beta=0.1000001, seed=1), toy, workdir=workdir, progress=False)
    fit(config(beta=[9.0, 0.1000001], seed=1), toy, workdir=workdir, progress=False)
    grown = fit(last, toy, workdir=workdir, progress=False)
    assert grown.members == once.members
    assert bits(grown) == bits(load_run(workdir)) == bits(once)
    rows = lambda folder: [
        (row["id"], row["member"], row["step"])
        for row in read_metrics(folder)
        if row["split"] == "train"
    ]
    assert rows(workdir) == rows(whole)
    here, there = read_final(workdir), read_final(whole)
    assert (here.step, here.ids) == (there.step, there.ids)
    for name, row in there.rows.items():
        assert here.rows[name]["loss"] == pytest.approx(row["loss"], rel=1e-5)


@pytest.mark.slow
def test_an_older_workdir_without_members_gains_some_too(five, toy, tmp_path):
    """One of before: no members.json, lines without ids, a name that is now another."""
    workdir = tmp_path / "r"
    fit(config(seeds=2, beta=4.0), toy, workdir=workdir, progress=False)
    (workdir / "members.json").unlink()
    log = workdir / "metrics.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    for row in rows:
        del row["id"]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (workdir / "metrics.sum.json").unlink()
    final = json.loads((workdir / "final.json").read_text())
    del final["ids"]
    (workdir / "final.json").write_text(json.dumps(final))
    assert bits(load_run(workdir)).items() <= bits(five).items()
    grown = fit(config(seeds=2, beta=[1.0, 4.0]), toy, workdir=workdir, progress=False)
    old = {m.id: m.name for m in grown.population if m.id in bits(five)}
    assert sorted(old.values()) == ["beta=4,seed=0", "beta=4,seed=1"]
    assert {row["member"] for row in read_metrics(workdir)} == set(grown.members)
    held = read_final(workdir)
    assert list(held.rows) == list(grown.members)
    ids = {member.name: member.id for member in grown.population}
    assert held.ids == ids
    for row in read_metrics(workdir):
        assert row["id"] == ids[row["member"]]


@pytest.mark.slow
def test_a_kill_between_the_files_of_a_growing_run_is_gone_on_from(
    five, toy, tmp_path, monkeypatch
):
    workdir = tmp_path / "r"
    fit(config(seeds=3), toy, workdir=workdir, progress=False)

    def dies(*_):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(stages, "settle_config", dies)  # members.json is written by then
        fit(config(seeds=5), toy, workdir=workdir, progress=False)
    assert bits(load_run(workdir)).items() <= bits(five).items()
    grown = fit(config(seeds=5), toy, workdir=workdir, progress=False)
    assert bits(grown) == bits(five)
    assert same(kept(workdir), kept(five.workdir))


def test_a_model_that_would_be_left_out_is_named(toy, five):
    before = (five.workdir / "members.json").read_bytes()
    for change, said in (
        ({"seeds": 4}, "seeds: 5 -> 4, the model seed=4 would be left out"),
        ({"seed": 2, "seeds": 5}, "the model seed=0 and 1 more would be left out"),
        ({"seeds": 5, "beta": 2.0}, "method.beta: 4.0 -> 2.0, the model seed=0 and 4"),
    ):
        with pytest.raises(UserError, match=f"{said}.*give another workdir"):
            fit(config(**change), toy, workdir=five.workdir, progress=False)
    assert (five.workdir / "members.json").read_bytes() == before


def test_members_json_that_is_damaged_is_one_sentence(five, toy, tmp_path):
    import shutil

    workdir = shutil.copytree(five.workdir, tmp_path / "r")
    tree = json.loads((workdir / "members.json").read_text())
    for text in ("{", "[]", json.dumps(tree | {"batches": []})):
        (workdir / "members.json").write_text(text)
        for door in (load_run, lambda w: fit(config(seeds=5), toy, workdir=w)):
            with pytest.raises(UserError, match=r"members\.json is not"):
                door(workdir)


# --- devices and platforms ----------------------------------------------------


@pytest.mark.slow
def test_eight_devices_have_the_bits_of_one(tmp_path, monkeypatch):
    """Ten models on eight host devices, in a process of their own; killed once."""
    for table, name in ((ENCODERS, "dense"), (DECODERS, "dense"), (DATASETS, "toy")):
        monkeypatch.setitem(table, name, None)  # put back at the end
    toy_program.register()

    def start(devices, workdir, *more):
        flags = f"--xla_force_host_platform_device_count={devices}"
        environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
        words = [sys.executable, "-W", "ignore", str(SCRIPT), str(workdir), *more]
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=560
        )
        return done.returncode, done.stdout + done.stderr

    assert start(1, tmp_path / "one") == (0, "1 device\n")
    code, said = start(8, tmp_path / "eight", "stop")
    assert code == 143, said
    code, said = start(8, tmp_path / "eight")
    assert (code, said) == (0, "8 devices\n")
    held = json.loads((tmp_path / "eight/members.json").read_text())
    assert [len(batch) for batch in held["batches"]] == [2] * 5
    one, eight = load_run(tmp_path / "one"), load_run(tmp_path / "eight")
    assert bits(one) == bits(eight)
    assert same(kept(tmp_path / "one"), kept(tmp_path / "eight"))


def test_work_is_dealt_out_and_a_failure_stops_the_rest():
    devices = [*jax.local_devices(), *jax.local_devices()]
    assert deal([lambda lane, i=i: i for i in range(5)], devices) == list(range(5))
    seen = []

    def fails(lane):
        raise ValueError("this one")

    def waits(lane):
        while not lane.signals.number:
            pass
        seen.append("stopped")

    with pytest.raises(ValueError, match="this one"):
        deal([waits, fails, *[lambda lane: seen.append("begun")] * 9], devices)
    assert seen == ["stopped"]


def lowered(platform, at_once=None):
    """A product of matrices of every member, for a platform."""
    members = over_members(lambda x, y: jnp.tanh(x @ y), at_once)
    shape = jax.ShapeDtypeStruct((3, 4, 4), jnp.float32)
    exported = jax.export.export(jax.jit(members), platforms=[platform])
    return exported(shape, shape).mlir_module()


def test_the_form_is_that_of_the_platform_that_is_lowered_for():
    """On this CPU, for others: batched products there, a loop over members here."""
    assert "while" in lowered("cpu") and "batching_dims" not in lowered("cpu")
    for platform in ("cuda", "tpu"):
        assert "batching_dims" in lowered(platform)
        assert "while" not in lowered(platform) + lowered(platform, 3)
        assert "while" in lowered(platform, 2)
        assert "batching_dims" in lowered(platform, 2)


# --- how many at once ---------------------------------------------------------


def test_the_width_is_where_twice_as_many_gain_no_more():
    """Speed that saturates at 100 members; memory that ends at 200; a fast machine."""
    saturates = lambda k: max(1 / k, 1 / 100)
    assert width.widest(saturates, 1000) == 128
    assert width.widest(lambda k: 1 / k if k <= 200 else None, 1000) == 128
    assert width.widest(lambda k: 1 / k, 1000) == 1000
    assert width.widest(lambda k: 1.0, 1000) == width.FEW

    def never(k):
        raise AssertionError("measured")

    assert width.widest(never, 7) == 7


def test_on_a_cpu_memory_decides(toy, monkeypatch):
    job = batches.Job(*prepared(config(seeds=5), toy))
    assert width.members_at_once(job, 5, None) == 5
    one = sum(
        leaf.size * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(jax.eval_shape(lambda: state_of(job)))
    )
    monkeypatch.setattr(width, "_memory", lambda: 3 * one * 2)
    assert width.members_at_once(job, 5, None) == 2
    assert width.members_at_once(job, 5, 4) == 4
    assert width.seconds_per_step(job, 1) > 0  # the measurement itself runs


def prepared(tree, data):
    from disentangle.training.run import prepare

    return prepare(tree, data)


def state_of(job):
    """One member's state, by hand."""
    from disentangle.training.state import init

    experiment = job.experiment
    one = jax.tree.map(lambda x: jnp.asarray(x[0]), experiment.hyperparameters)
    return init(job.method, experiment.optimizer, one, jnp.uint32(0))


# --- logs ---------------------------------------------------------------------


def test_lines_of_batches_end_in_the_order_of_one(tmp_path):
    """Any interleaving of two writers, and a batch that begins again."""
    ids = {"a": "1", "b": "2"}
    both = run_logs.SharedWriters([JsonlWriter(tmp_path / "metrics.jsonl", ids=ids)])
    (writer,) = both.begin(0, ["b"])
    for step in (1, 2, 3):
        writer.write_scalars(step, "train", {"b": {"loss": step}})
    writer.write_scalars(2, "test", {"b": {"loss": 0.5}})
    both.begin(0, ["a"])
    writer.write_scalars(1, "train", {"a": {"loss": 1.0}})
    both.begin(1, ["b"])
    writer.write_scalars(2, "train", {"b": {"loss": 7.0}})
    writer.write_scalars(2, "train", {"a": {"loss": 2.0}})
    both.close_all()
    found = [(r["step"], r["member"], r["loss"]) for r in read_metrics(tmp_path)]
    assert found == [(1, "a", 1.0), (1, "b", 1.0), (2, "a", 2.0), (2, "b", 7.0)]


def test_a_name_that_went_to_another_member_is_told_apart_by_id(tmp_path):
    """ "beta=0.1" was 0.1000001 while it stood alone; done again, it is the same."""
    old = members({"beta": [0.1000001, 9.0]}, 0, 1)
    new = members({"beta": [0.1000001, 0.1, 9.0]}, 0, 1)
    assert old[0].name == new[1].name != new[0].name
    ids = {one.name: one.id for one in old}
    writer = JsonlWriter(tmp_path / "metrics.jsonl", ids=ids)
    writer.write_scalars(1, "train", {old[0].name: {"loss": 1.5}})
    by_id = {old[0].id: new[0], old[1].id: new[2]}
    for _ in range(2):
        run_logs.rename_members(tmp_path, by_id, {old[0].name: new[0]})
        (row,) = read_metrics(tmp_path)
        assert (row["member"], row["id"]) == (new[0].name, old[0].id)
        assert row["loss"] == 1.5


def test_a_roster_knows_models_across_versions_with_other_fields():
    """A field that came with an update is at its default in what is there."""
    from disentangle.training.roster import grown, in_batches, lost

    before = members({"beta": [1.0, 4.0]}, 0, 1)
    today = members({"beta": [4.0, 1.0, 9.0], "gamma": [2.0]}, 0, 1)
    held = in_batches(before, 2)
    assert lost(before, today) == [] and lost(today, before) == [today[2].name]
    found = grown(held, today, 5)
    assert found == Roster(today, ((today[1].id, today[0].id), (today[2].id,)))


def test_an_experiment_of_some_members_is_theirs():
    experiment = read_experiment(config(beta=[1.0, 4.0, 9.0], seeds=2))
    own = batches.part(experiment, [4, 1])
    assert own.members == ("beta=9,seed=0", "beta=1,seed=1")
    assert own.hyperparameters.method.beta.tolist() == [9.0, 1.0]
    assert own.seeds.tolist() == [0, 1]
