"""One model on several devices and processes: the same as on one, but for last bits."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import toy_program

from disentangle.errors import UserError
from disentangle.training.config import default_config
from disentangle.training.data_axis import DataAxis, data_axis, join
from disentangle.training.run import fit, load_run
from disentangle.training.writers import read_metrics

SCRIPT = Path(toy_program.__file__)
ROUNDING = 1e-6  # of parameters of order 1 after 20 steps


def config(**changes):
    chosen = default_config("toy", "beta_vae").to_dict()
    chosen["method"] |= {"encoder": "dense", "decoder": "dense", "latents": 2}
    return chosen | {"steps": 2, "batch_size": 8} | changes


@pytest.fixture(autouse=True, scope="module")
def toy_networks():
    toy_program.register()


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("auto", {}),
        (
            "node7:1234,1/3",
            {
                "coordinator_address": "node7:1234",
                "process_id": 1,
                "num_processes": 3,
            },
        ),
    ],
)
def test_joining_says_who_is_who(words, given):
    """The words become what JAX is told."""
    told = {}
    join(words, connect=lambda **own: told.update(own))
    assert told == given


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("atuo", "neither auto nor HOST:PORT,I/N"),
        ("node7,0/2", "neither auto nor HOST:PORT,I/N"),
        ("node7:1234", "neither auto nor HOST:PORT,I/N"),
        ("node7:port,0/2", "neither auto nor HOST:PORT,I/N"),
        ("node7:1234,2/2", "processes are 0 .. 1, not 2"),
    ],
)
def test_wrong_words_are_refused(words, reason):
    """Nothing is tried then."""
    with pytest.raises(UserError, match=reason):
        join(words, connect=lambda **own: pytest.fail("it was tried"))


def test_others_that_do_not_come_are_said():
    """JAX's own sentence, behind the words."""

    def connect(**own):
        raise RuntimeError("deadline exceeded\nand much more")

    with pytest.raises(UserError, match=r"join='a:1,0/2': deadline exceeded$"):
        join("a:1,0/2", connect=connect)


def test_devices_are_checked_before_any_compute(tmp_path):
    """A typo, a stream; an uneven batch is refused by the number of devices."""
    workdir = tmp_path / "run"
    with pytest.raises(UserError, match=r"'image'.*images"):
        fit(config(), toy_program.dataset(), workdir=workdir, devices="image")
    with pytest.raises(UserError, match="stream"):
        data_axis(8, "stream")
    assert not workdir.exists()


@pytest.mark.slow
def test_one_device_is_an_axis_too():
    """With one device the images stay together, and so do the bits."""
    data = toy_program.dataset()
    runs = [
        fit(config(), data, devices=devices, progress=False)
        for devices in ("members", "images")
    ]
    for one, other in zip(*(jax.tree.leaves(run.params) for run in runs), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_fields_that_do_not_divide_stay_whole():
    """A scalar of a batch of its own, as a weight per group, is on every device."""
    axis = data_axis(8, "")
    assert isinstance(axis, DataAxis)
    batch = {"images": np.ones((8, 2)), "weights": np.arange(3.0)}
    dealt = jax.jit(axis.dealt)(batch)
    for name, values in batch.items():
        np.testing.assert_array_equal(dealt[name], values)


# --- devices and processes of their own ------------------------------------------


def words(workdir, steps, *more):
    chosen = toy_program.train_words(workdir, steps, *more)
    return [*chosen, "--config.checkpoint_every=10", "--config.log_every=5"]


def start(words, devices=1):
    flags = f"{os.environ.get('XLA_FLAGS', '')} "
    flags += f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"XLA_FLAGS": flags}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(*processes):
    """What each said, once all have ended well."""
    try:
        said = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0] * len(said), said
    return said


def together(workdir, steps):
    """Two joined processes; what each said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    join = [f"--join=127.0.0.1:{port},{number}/2" for number in range(2)]
    return ended(*(start(words(workdir, steps, "--devices=images", j)) for j in join))


def apart(one, other):
    """The largest difference of parameters of two workdirs."""
    leaves = [jax.tree.leaves(load_run(workdir).params) for workdir in (one, other)]
    return max(
        float(np.abs(np.asarray(a) - np.asarray(b)).max())
        for a, b in zip(*leaves, strict=True)
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """20 steps on one device."""
    workdir = tmp_path_factory.mktemp("alone") / "run"
    ended(start(words(workdir, 20)))
    return workdir


@pytest.mark.slow
def test_two_devices_train_one_model(alone, tmp_path):
    """Also with a batch that three devices could not share, which is refused."""
    ended(start(words(tmp_path / "two", 20, "--devices=images"), devices=2))
    assert apart(alone, tmp_path / "two") < ROUNDING
    with pytest.raises(AssertionError, match="evenly over 3 devices"):
        ended(start(words(tmp_path / "three", 20, "--devices=images"), devices=3))
    assert not (tmp_path / "three").exists()


@pytest.mark.slow
def test_two_processes_train_one_model(alone, tmp_path):
    """Gloo between them; ended at 10 steps and gone on with, no row is there twice."""
    workdir = tmp_path / "joined"
    together(workdir, 10)
    said = together(workdir, 20)
    assert "trained to step 20" in said[0] and "trained to step" not in said[1]
    assert apart(alone, workdir) < ROUNDING
    rows = [row["step"] for row in read_metrics(workdir) if row["split"] == "train"]
    assert sorted(set(rows)) == [5, 10, 15, 20] and len(rows) == 4 * 4
