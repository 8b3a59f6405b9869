"""Jobs of two stages by toy methods: one file and one line each.

Of the mechanism, tests/training/test_stages.py has what can be asked of a method of
two numbers.
"""

import jax
import numpy as np
import pytest
from recipes import growing, readout

import disentangle as dt
from disentangle.methods import METHODS
from disentangle.training.config import default_config
from disentangle.training.init_from import Origin
from disentangle.training.run import fit

QUICK = {"batch_size": 8, "log_every": 5, "eval_every": 0, "checkpoint_every": 100}


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "growing", growing.RECIPE)
    monkeypatch.setitem(METHODS, "readout", readout.RECIPE)


def config(name, stages, **fields):
    chosen = default_config("toy", name).to_dict() | QUICK | {"steps": 10}
    chosen["method"] |= fields
    chosen["optimizer"]["learning_rate"] = 1e-2
    chosen["data"]["test_size"] = 20
    return chosen | {"stages": stages}


def losses(run, data, count=96):
    """Cross-entropy of a readout on all images, by NumPy."""
    codes = np.asarray(run.encode(data.images(np.arange(count))))[0]
    factors = data.factors(np.arange(count))
    total = 0.0
    for i, factor in enumerate(data.space.items):
        logits = codes @ np.asarray(run.params[factor.name]["kernel"])[0]
        logits -= logits.max(1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        total -= np.log(p[np.arange(count), factors[:, i]]).mean()
    return total


@pytest.mark.slow
def test_a_readout_of_what_another_method_learned(toy, tmp_path):
    stages = ({"steps": 4}, {"steps": 80, "method.name": "readout"})
    chosen = config("beta_vae", stages, encoder="dense", decoder="dense", latents=3)
    run = fit(chosen, toy, workdir=tmp_path / "w", progress=False)
    assert (run.config["method"]["name"], run.step, run.before) == ("readout", 80, 4)
    first = dt.load_run(tmp_path / "w/stage-1")
    assert first.config["method"]["name"] == "beta_vae"
    same = np.testing.assert_array_equal
    jax.tree.map(same, run.params["encoder"], first.params["encoder"])
    origin = Origin.load(tmp_path / "w")
    assert (origin.source, origin.step, origin.before) == ("stage-1", 4, 4)
    assert {path.split(".")[1] for path in origin.copied} == {"encoder"}
    assert {path.split(".")[1] for path in origin.fresh} == set(toy.space.names)
    chance = np.log(toy.space.sizes).sum()  # what heads of 0 give
    assert losses(run, toy) < 0.9 * chance
    jax.tree.map(same, dt.load_run(tmp_path / "w").params, run.params)


@pytest.mark.slow
def test_resolution_grows_and_the_layers_that_are_there_go_over(toy, tmp_path):
    stages = [{"method.resolution": size} for size in (4, 8)]
    run = fit(config("growing", stages), toy, workdir=tmp_path, progress=False)
    assert run.before == 10
    origin = Origin.load(tmp_path)
    layers = lambda paths: {path.split(".", 1)[1].rpartition(".")[0] for path in paths}
    assert layers(origin.copied) == {"encoder.code", "decoder.open"}
    new = {"encoder.from_8", "encoder.down_to_4", "decoder.up_to_8", "decoder.to_8"}
    assert layers(origin.fresh) == new
    assert run.decode(np.zeros((1, 2), np.float32)).shape == (1, 1, 64, 64, 1)
