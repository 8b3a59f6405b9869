"""Who does the units: devices of a machine, workers of a cluster, jobs of an array."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from disentangle.errors import UserError
from disentangle.files import read_arrays
from disentangle.study.sweeps import table
from disentangle.study.sweeps.executors import EXECUTORS, ray, slurm
from disentangle.study.sweeps.executors.base import Task
from disentangle.study.sweeps.plan import Ledger
from disentangle.study.sweeps.run import run_sweep
from disentangle.study.sweeps.shelf import Shelf
from disentangle.study.sweeps.work import Place

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "training" / "toy_program.py"
METHODS = ("beta_vae", "dip_vae_i")


def task(folder, address="", units=3):
    place = Place(folder, Ledger(), {"metrics": ["mig"]})
    names = [f"u{number}" for number in range(units)]
    return Task(place, names, Shelf(), print, address)


def table_of(folder):
    """The rows, whatever units they were in, and whatever time that took."""
    return table.read(folder).drop(columns=[*table.SECONDS, "unit"])


def parameters(folder):
    """ "<model>:<leaf>" -> the bytes of its array."""
    found = {}
    for unit, held in Ledger.load(folder).units.items():
        arrays = read_arrays(folder / "models" / f"{unit}.npz")
        for row, model in enumerate(held.models):
            found |= {
                f"{model.id}:{name}": array[row].tobytes()
                for name, array in arrays.items()
                if np.ndim(array)
            }
    return found


def test_the_script_of_an_array_is_shown(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    said = slurm.script(task(tmp_path, "gpu,gpus_per_node=1,time=600"))
    for line in (
        "--array=0-2%3",
        "--signal=USR2@90",
        "--partition=gpu",
        "--gpus-per-node=1",
        "--time=600",
        "--shard=1/3",
        f"--workdir={tmp_path}",
    ):
        assert line in said, said
    assert not [*tmp_path.iterdir()]
    with pytest.raises(UserError, match="Did you mean 'partition'"):
        slurm.script(task(tmp_path, "partitio=gpu"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no SLURM, also where there is one
    with pytest.raises(UserError, match="executor=slurm"):
        slurm.run(task(tmp_path))


def test_every_unit_is_in_a_shard_and_no_array_is_too_long(tmp_path):
    assert [len(slurm.shards(task(tmp_path, units=n))) for n in (1, 5, 999)] == [
        1,
        5,
        64,
    ]
    words = slurm.shards(task(tmp_path, units=2))[1].words
    assert words[1:4] == ["-m", "disentangle", "study"] and "--shard=2/2" in words
    given = task(tmp_path)
    place = given.place._replace(loggers=("tensorboard", "wandb"))
    words = slurm.shards(given._replace(place=place))[0].words
    assert "--loggers=tensorboard,wandb" in words
    with pytest.raises(UserError, match="PARTITION,NAME=VALUE"):
        slurm.parameters(task(tmp_path, "a,b="))


@pytest.mark.parametrize(("name", "library"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_extra_is_named(name, library, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"pip install -e '.\[{name}\]'"):
        EXECUTORS[name].run(task(tmp_path))


def study(folder, *more, **environment):
    """The toy study as a process."""
    words = [sys.executable, "-W", "ignore", str(TOY), "study", "--noprogress"]
    words += [f"--config={ROOT}/experiments/study.py:toy", f"--workdir={folder}"]
    words += [f"--config.methods={','.join(METHODS)}", "--config.steps=20"]
    words += ["--config.strengths=2", "--config.seeds=3", "--config.batch_size=4"]
    words += ["--config.score.metrics=mig,udr", "--config.score.num_train=200"]
    words += ["--config.score.num_test=100"]
    words += [
        f"--config.runs.{method}.method.{network}=dense"
        for method in METHODS
        for network in ("encoder", "decoder")
    ]
    given = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen(
        [*words, *more], env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def ended(process):
    said, _ = process.communicate(timeout=3000)
    assert process.returncode == 0, said.decode()[-3000:]
    return said.decode()


@pytest.mark.slow
@pytest.mark.timeout(6000)
def test_eight_devices_give_the_bits_of_one(tmp_path):
    flags = os.environ.get("XLA_FLAGS", "")
    eight = f"{flags} --xla_force_host_platform_device_count=8"
    ended(study(tmp_path / "one"))
    ended(study(tmp_path / "eight", XLA_FLAGS=eight))
    counts = [len(Ledger.load(tmp_path / name).units) for name in ("one", "eight")]
    assert counts == [2, 12]  # of 6 models each; of 1
    pd.testing.assert_frame_equal(
        table_of(tmp_path / "eight"), table_of(tmp_path / "one"), check_exact=True
    )
    assert parameters(tmp_path / "eight") == parameters(tmp_path / "one")


@pytest.mark.slow
@pytest.mark.timeout(6000)
def test_two_writers_make_one_table(tmp_path):
    """Started at once, each with models that the other does not ask for as well."""
    ended(study(tmp_path / "one", "--config.seeds=4"))
    both = [
        study(tmp_path / "two", "--config.seeds=4"),
        study(tmp_path / "two", "--config.strengths=1"),
    ]
    for process in both:
        ended(process)
    ended(study(tmp_path / "two", "--config.seeds=4"))
    pd.testing.assert_frame_equal(
        table_of(tmp_path / "two"), table_of(tmp_path / "one"), check_exact=True
    )
    assert not [*(tmp_path / "two").glob("claims/*")]
    again = time.monotonic()
    ended(study(tmp_path / "two", "--config.seeds=4", "--dry_run"))
    assert time.monotonic() - again < 300


def own_config(path):
    """A study of images in a file, which any process can read."""
    from disentangle.study.sweeps.config import default_sweep

    found = default_sweep("own", {"vae": {"latents": 2}}).to_dict()
    found["data"] |= {"path": str(path), "test_size": 20}
    found["score"] |= {"metrics": ["mig"], "num_train": 60, "num_test": 30}
    return found | {"seeds": 2, "steps": 40, "batch_size": 4, "checkpoint_every": 5}


@pytest.mark.slow
@pytest.mark.timeout(6000)
def test_a_killed_worker_loses_nothing(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr("disentangle.study.sweeps.width.ON_CPU", 1)
    own_images(tmp_path / "own.npz")
    config = own_config(tmp_path / "own.npz")
    run_sweep(config, tmp_path / "serial", progress=False)
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = [sys.executable, "-W", "ignore", "-m", "disentangle", "study"]
    words += [f"--config={tmp_path}/config.json", f"--workdir={tmp_path}/ray"]
    process = subprocess.Popen(
        [*words, "--executor=ray", "--noprogress"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    killed = worker(tmp_path / "ray", process)
    os.kill(killed, 9)
    ended(process)
    # Two units of one model here, one of two there: bits do not depend on that.
    units = [len(Ledger.load(tmp_path / name).units) for name in ("serial", "ray")]
    assert units == [2, 1]
    pd.testing.assert_frame_equal(
        table_of(tmp_path / "ray"), table_of(tmp_path / "serial"), check_exact=True
    )
    assert parameters(tmp_path / "ray") == parameters(tmp_path / "serial")


@pytest.mark.slow
@pytest.mark.timeout(6000)
def test_a_killed_job_of_slurm_loses_nothing(tmp_path):
    """Where there is a SLURM: all files on a file system that its nodes share."""
    pytest.importorskip("submitit")
    if not shutil.which("sinfo") or subprocess.run(["sinfo"], timeout=60).returncode:
        pytest.skip("no SLURM that answers")
    own_images(tmp_path / "own.npz")
    config = own_config(tmp_path / "own.npz")
    run_sweep(config, tmp_path / "serial", progress=False)
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = [sys.executable, "-W", "ignore", "-m", "disentangle", "study"]
    words += [f"--config={tmp_path}/config.json", f"--workdir={tmp_path}/slurm"]
    words += ["--executor=slurm", "--address=cpus_per_task=1", "--noprogress"]
    given = {
        "env": os.environ | {"PYTHONPATH": str(ROOT)},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }
    process = subprocess.Popen(words, **given)
    os.kill(worker(tmp_path / "slurm", process), 9)
    said, _ = process.communicate(timeout=3000)
    assert process.returncode == 2, said.decode()[-3000:]
    assert "ended with code -9" in said.decode(), said.decode()[-3000:]
    ended(subprocess.Popen(words, **given))
    pd.testing.assert_frame_equal(
        table_of(tmp_path / "slurm"), table_of(tmp_path / "serial"), check_exact=True
    )
    assert parameters(tmp_path / "slurm") == parameters(tmp_path / "serial")


def own_images(path):
    """120 noise images with their factors."""
    generator = np.random.default_rng(0)
    factors = np.stack(np.unravel_index(np.arange(120), (2, 3, 20)), 1)
    images = (generator.random((120, 16, 16, 1)) < 0.3).astype(np.uint8)
    np.savez(path, images=images, factors=factors)


def worker(folder, study):
    """The process that trains a unit of a study and has saved some of it."""
    while study.poll() is None:
        for path in folder.glob("training/*/checkpoints/[0-9]*"):
            unit = path.parents[1].name
            for claim in folder.glob(f"claims/{unit}.*"):
                return json.loads(claim.read_text())["process"]
        time.sleep(0.05)
    raise AssertionError(f"the study ended first: {study.communicate()[0].decode()}")


def test_ray_hides_from_the_network():
    assert ray.QUIET["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
