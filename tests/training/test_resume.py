"""Killed at random moments, the same command ends with the same bits."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from killable import config, dataset

from disentangle.errors import UserError
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.run import fit, load_run
from disentangle.training.writers import read_metrics

SCRIPT = Path(__file__).with_name("killable.py")
SHORT = config() | {"steps": 12}


def start(workdir):
    """A process that trains there; what it says is beside, in run.log."""
    with open(workdir.with_suffix(".log"), "w") as log:
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), str(workdir)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def finish(workdir):
    """Trains there to the end."""
    process = start(workdir)
    said = workdir.with_suffix(".log")
    assert process.wait(timeout=300) == 0, said.read_text()


def newest(workdir):
    return max(Checkpoints(workdir / "checkpoints").steps(), default=0)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    fit(SHORT, dataset(), workdir=workdir, progress=False)
    return workdir


@pytest.mark.slow
def test_killed_runs_end_with_the_same_bits(tmp_path):
    """kill -9 at three random moments after training began, then to the end."""
    unbroken = tmp_path / "unbroken"
    finish(unbroken)
    workdir, moments = tmp_path / "run", random.Random(4)
    kills = 0
    for _ in range(3):
        process, before = start(workdir), newest(workdir)
        while process.poll() is None and newest(workdir) <= before:
            time.sleep(0.02)
        time.sleep(moments.random() * 0.5)  # anywhere: in a step, in a save
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 2
    assert newest(workdir) < 90  # it was really broken off
    finish(workdir)
    left, right = load_run(workdir), load_run(unbroken)
    assert left.step == right.step == 90
    for a, b in zip(
        jax.tree.leaves(left.params), jax.tree.leaves(right.params), strict=True
    ):
        assert np.array_equal(a, b)
    assert read_metrics(workdir) == read_metrics(unbroken)


def test_a_finished_run_is_not_trained_again(unbroken):
    before = read_metrics(unbroken)
    run = fit(SHORT, dataset(), workdir=unbroken, progress=False)
    assert run.step == 12
    assert read_metrics(unbroken) == before


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def _forget_list(path):
    """As a kill after the folder was renamed and before its list was written."""
    folder = next(p for p in path.parents if p.name == "12")
    folder.with_name("12.files.json").unlink()


SLOW = [pytest.param(d, marks=pytest.mark.slow) for d in (_truncate, Path.unlink)]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [_flip, _forget_list, *SLOW])
def test_a_damaged_newest_checkpoint_falls_back(unbroken, tmp_path, damage):
    """Every file of the newest checkpoint in turn would be slow: the largest."""
    workdir = tmp_path / "run"
    shutil.copytree(unbroken, workdir)
    files = [p for p in (workdir / "checkpoints/12").rglob("*") if p.is_file()]
    damage(max(files, key=lambda p: p.stat().st_size))
    with pytest.warns(UserWarning, match="checkpoint 12 .* damaged .* one before"):
        assert load_run(workdir).step == 9
    assert (workdir / "checkpoints/12").exists()  # a reader moves nothing
    with pytest.warns(UserWarning, match="checkpoint 12"):
        run = fit(SHORT, dataset(), workdir=workdir, progress=False)
    assert run.step == 12
    whole = load_run(unbroken)
    for a, b in zip(
        jax.tree.leaves(run.params), jax.tree.leaves(whole.params), strict=True
    ):
        assert np.array_equal(a, b)
    names = {path.name for path in (workdir / "checkpoints").iterdir()}
    assert not any("damaged" in name for name in names)  # a later one was saved


def test_no_room_for_a_checkpoint_leaves_the_old_ones(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    tree = {"a": np.arange(2000, dtype=np.float32)}
    checkpoints.save(1, tree)
    free = type("Usage", (), {"free": 7999})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.save(2, tree)
    step, found = checkpoints.restore(jax.tree.map(np.zeros_like, tree), mend=False)
    assert step == 1
    assert np.array_equal(found["a"], tree["a"])


@pytest.mark.slow
def test_a_second_process_on_one_workdir_refuses(tmp_path):
    process = start(tmp_path / "run")
    try:
        while not (tmp_path / "run/config.json").exists():
            assert process.poll() is None
            time.sleep(0.02)
        with pytest.raises(UserError, match="in use by another process"):
            fit(config(), dataset(), workdir=tmp_path / "run", progress=False)
    finally:
        process.kill()
        process.wait()


def test_another_config_on_a_workdir_is_refused_with_the_difference(unbroken):
    other = SHORT | {"steps": 11, "seed": 1}
    with pytest.raises(
        UserError, match=r"seed: 0 -> 1, the.*; steps: 12 -> 11, it can"
    ):
        fit(other, dataset(), workdir=unbroken, progress=False)


def test_a_workdir_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("kept")
    with pytest.raises(UserError, match="is a file"):
        fit(config(), dataset(), workdir=path, progress=False)
    assert path.read_text() == "kept"


def test_loading_what_is_no_run(tmp_path):
    with pytest.raises(UserError, match="not a folder"):
        load_run(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"data\.json"):
        load_run(tmp_path)
