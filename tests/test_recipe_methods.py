"""Toy methods with a state, an average and a weighting: one file and one line each.

The line is `monkeypatch.setitem` here; for good it is a line of the dict literal.
"""

import jax
import numpy as np
import pytest
from recipes import batch_norm, loudest_task, spectral_gan

import disentangle as dt
from disentangle.methods import METHODS
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import default_config
from disentangle.training.loop import start
from disentangle.training.run import fit, prepare
from disentangle.training.step import batch_of
from disentangle.weightings import WEIGHTINGS

QUICK = {"batch_size": 8, "log_every": 2, "eval_every": 4, "checkpoint_every": 2}


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "batch_norm", batch_norm.RECIPE)
    monkeypatch.setitem(METHODS, "spectral_gan", spectral_gan.RECIPE)
    monkeypatch.setitem(WEIGHTINGS, "loudest_task", loudest_task.WEIGHTING)


def config(name, steps, **fields):
    chosen = default_config("toy", name).to_dict() | QUICK | {"steps": steps}
    chosen["method"] |= fields
    chosen["data"]["test_size"] = 20
    return chosen


def leaves(folder, part):
    """The newest checkpoint's leaves under "state.<part>"."""
    step = max(Checkpoints(folder / "checkpoints").steps())
    found = Checkpoints(folder / "checkpoints")._load(step).leaves
    return {name: v for name, v in found.items() if name.startswith(f"state.{part}.")}


@pytest.mark.slow
def test_batch_statistics_and_an_average(toy, tmp_path):
    run = fit(
        config("batch_norm", 6, decay=[0.0, 0.5]),
        toy,
        workdir=tmp_path / "whole",
        progress=False,
    )
    state = leaves(tmp_path / "whole", "state")
    (mean,) = (v for k, v in state.items() if k.endswith("mean"))
    # Six updates with momentum 0.9 from 0, by hand from the batches of the steps.
    experiment, method, split, _ = prepare(config("batch_norm", 6), toy)
    first = jax.tree.map(lambda x: x[0], start(method, experiment))
    expected = np.zeros(4096)
    for step in range(6):
        now = first._replace(step=jax.numpy.int32(step))
        images = np.asarray(batch_of(method, split, now, 8)[0]["images"])
        expected = 0.9 * expected + 0.1 * images.reshape(8, -1).mean(0)
    np.testing.assert_allclose(mean, [expected] * 2, atol=1e-6)
    # A decay of 0 is no average: the parameters themselves; 0.5 lags behind.
    live, mean_of = leaves(tmp_path / "whole", "params"), "average"
    average = leaves(tmp_path / "whole", mean_of)
    key = "encoder.Dense_0.kernel"
    own, lagging = live[f"state.params.{key}"], average[f"state.average.{key}"]
    np.testing.assert_array_equal(own[0], lagging[0])
    assert np.abs(own[1] - lagging[1]).max() > 1e-5
    kernel = run.params["encoder"].params["Dense_0"]["kernel"]
    np.testing.assert_array_equal(kernel, lagging)
    # Codes use running statistics: an image's code does not depend on its company.
    images = toy.images(np.arange(8))
    np.testing.assert_allclose(run.encode(images)[:, :1], run.encode(images[:1]), 1e-4)


@pytest.mark.slow
def test_a_state_survives_a_stop_and_a_load_with_its_bits(toy, tmp_path):
    whole = fit(
        config("batch_norm", 6), toy, workdir=tmp_path / "whole", progress=False
    )
    fit(config("batch_norm", 4), toy, workdir=tmp_path / "cut", progress=False)
    cut = fit(config("batch_norm", 6), toy, workdir=tmp_path / "cut", progress=False)
    for part in ("params", "state", "average"):
        one, other = leaves(tmp_path / "whole", part), leaves(tmp_path / "cut", part)
        assert one and one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    loaded = dt.load_run(tmp_path / "whole")
    for run in (cut, loaded):
        jax.tree.map(np.testing.assert_array_equal, run.params, whole.params)


@pytest.mark.slow
def test_a_gan_with_spectral_norms_and_a_diverged_member(toy, tmp_path):
    chosen = config("spectral_gan", 6, rate=[1e-3, 1e30])
    run = fit(chosen, toy, workdir=tmp_path / "gan", progress=False)
    assert run.alive.tolist() == [True, False]
    assert run.sample(3).shape == (2, 3, 64, 64, 1)
    for leaf in jax.tree.leaves(run.params):
        assert np.isfinite(leaf).all()
    state = leaves(tmp_path / "gan", "state")
    (sigma,) = (v for k, v in state.items() if "Dense_0" in k and k.endswith("sigma"))
    kernel = run.params["D"].params["Dense_0"]["kernel"][0]
    largest = np.linalg.norm(np.asarray(kernel), 2)
    assert 0.5 * largest < sigma[0] <= 1.05 * largest


@pytest.mark.slow
def test_a_weighting_with_a_memory(toy, tmp_path):
    chosen = config("supervised", 4, encoder="dense", weighting="loudest_task")
    fit(chosen, toy, workdir=tmp_path / "run", progress=False)
    ((_, memory),) = leaves(tmp_path / "run", "balancing").items()
    assert memory.shape == (1, 4)
    assert (memory > 0.3).all()  # losses of about 1, of which 15/16 is remembered
