"""Checkpoints of before networks had a state: written here by hand, loaded today."""

import json
import zlib

import jax
import numpy as np
import pytest
import slopes
from killable import dataset
from orbax.checkpoint import v1 as ocp

from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.training.batches import Job
from disentangle.training.config import default_config
from disentangle.training.run import fit, load_run, prepare
from disentangle.training.stages import keep_folder

RATE, SLOPE = 0.125, 2.0
NEWER = ("schedule", "warmup", "decay", "decay_steps", "clip_norm")  # of optimizer


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "slopes", slopes.RECIPE)


def config(steps):
    chosen = default_config("noise", "slopes", "sgd").to_dict()
    chosen["method"]["slope"] = SLOPE
    chosen["optimizer"]["learning_rate"] = RATE
    chosen |= {"steps": steps, "batch_size": 4, "eval_every": 0}
    return chosen | {"log_every": 2, "checkpoint_every": 2}


def leaves():
    """What a checkpoint of step 2 held: 5 parts of a state, the log, no observer."""
    first, second = (SLOPE * np.array(slopes.TOWARDS[n], np.float32) for n in "ab")
    _, key = jax.random.split(jax.random.key(0))
    held = {
        "state.params.a.w": -2 * np.float32(RATE) * first,
        "state.params.b.w": -np.float32(slopes.OWN_RATE) * second,  # of step 0 alone
        "state.optimizer.first.0.trace.a.w": first,
        "state.key": np.asarray(jax.random.key_data(key)),
        "state.step": np.int32(2),
        "state.alive": np.bool_(True),
        "window.total.first/loss": np.float32(0),
        "window.total.second/loss": np.float32(0),
        "window.total.a/seen": np.float32(0),
        "window.total.b/seen": np.float32(0),
        "window.steps": np.float32(0),
    }
    return {name: np.asarray(value)[None] for name, value in held.items()}


@pytest.fixture
def workdir(tmp_path):
    """A run of two steps as an older version left it: no members.json, fewer fields."""
    folder, job = tmp_path / "w", Job(*prepare(config(2), dataset()))
    keep_folder(folder, job, dataset())
    held = json.loads((folder / "config.json").read_text())
    del held["init_from"], held["stages"]
    held["optimizer"] = {k: v for k, v in held["optimizer"].items() if k not in NEWER}
    (folder / "config.json").write_text(json.dumps(held))
    (folder / "checkpoints").mkdir()
    ocp.save(folder / "checkpoints/2", leaves())
    sums = {
        path.relative_to(folder / "checkpoints/2").as_posix(): zlib.crc32(
            path.read_bytes()
        )
        for path in (folder / "checkpoints/2").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    (folder / "checkpoints/2.files.json").write_text(json.dumps(sums))
    return folder


def test_an_old_checkpoint_loads(workdir):
    with pytest.warns(UserWarning, match="config.json of an older version"):
        run = load_run(workdir)
    assert (run.step, run.before, run.members) == (2, 0, ("seed=0",))
    np.testing.assert_array_equal(run.params["a"]["w"], [[-1.5, -2.0]])
    np.testing.assert_array_equal(run.params["b"]["w"], [[-3.0, -4.0]])


@pytest.mark.slow
def test_an_old_checkpoint_goes_on_with_the_bits_of_a_run_of_today(workdir):
    with pytest.warns(UserWarning, match="config.json of an older version"):
        run = fit(config(6), dataset(), workdir=workdir, progress=False)
    whole = fit(config(6), dataset(), progress=False)
    jax.tree.map(np.testing.assert_array_equal, run.params, whole.params)
    assert (run.step, whole.step) == (6, 6)


@pytest.mark.filterwarnings("ignore:a config.json of an older version")
def test_an_old_checkpoint_of_a_method_that_has_averages_now_is_refused(
    workdir, monkeypatch
):
    average = {"a": lambda hyper, step: 0.9}
    build = lambda *given: slopes.build(*given)._replace(averages=average)
    monkeypatch.setitem(METHODS, "slopes", slopes.RECIPE._replace(build=build))
    said = r"checkpoint .* is of another program: it holds nothing where state\.averag"
    with pytest.raises(UserError, match=said):
        load_run(workdir)
    with pytest.raises(UserError, match=said):
        fit(config(6), dataset(), workdir=workdir, progress=False)
    assert (workdir / "checkpoints/2").is_dir()  # nothing is lost
