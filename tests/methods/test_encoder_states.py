"""An encoder with batch norms is trained as it is meant to be, or refused."""

import jax
import numpy as np
import pytest
from flax import linen

import disentangle as dt
from disentangle.errors import UserError
from disentangle.fields import fields_of
from disentangle.methods import METHODS
from disentangle.nn import ENCODERS, from_module
from disentangle.training.config import default_config, read_experiment

MOVES = {"adde", "adde_paper", "adde_outfits", "amnet", "csa_net", "csn", "supervised"}
MOVES |= {"type_aware"}
FROZEN = {"diffusion_on_codes"}  # reads an encoder that is there


class Norm(linen.Module):
    """Batch norm of the means of 16 patches, then a linear layer."""

    outputs: int

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, H, W, C) -> (B, outputs)."""
        patches = x.reshape(-1, 4, x.shape[1] // 4, 4, x.shape[2] // 4, x.shape[3])
        x = patches.mean((2, 4)).reshape(len(x), -1)
        norm = linen.BatchNorm(use_running_average=not train, momentum=0.5)
        return linen.Dense(self.outputs)(norm(x))


@pytest.fixture
def normed(monkeypatch):
    """ENCODERS with one that has batch norms."""
    build = lambda shape, outputs: from_module(Norm(outputs or 6), shape)
    monkeypatch.setitem(ENCODERS, "normed", build)


def choices(name):
    return [f for f in fields_of(METHODS[name].settings) if f in ("encoder", "source")]


WITH_ENCODER = [name for name in METHODS if choices(name)]


@pytest.mark.parametrize("name", WITH_ENCODER)
def test_a_method_refuses_batch_norms_or_has_a_pass_for_them(name, toy, normed):
    config = default_config("toy", name).to_dict()
    config["method"] |= dict.fromkeys(choices(name), "normed")
    experiment = read_experiment(config)
    build = lambda: experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    if name in MOVES | FROZEN:
        assert build().nets["encoder"].update is not None
        return
    with pytest.raises(UserError, match="'normed' has batch norms or dropout"):
        build()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MOVES))
def test_running_statistics_are_those_of_the_batches(name, toy, normed):
    """After 12 steps at momentum .5: the mean of the patches, up to a batch's noise."""
    fields = {"encoder": "normed", "steps": 12, "batch_size": 32}
    run = dt.train(name, toy, seeds=1, progress=False, **fields)
    state = run.member(0)["encoder"].state["batch_stats"]["BatchNorm_0"]
    images = np.asarray(toy.images(np.arange(96)), np.float64)
    patches = images.reshape(96, 4, 16, 4, 16, 1).mean((2, 4)).reshape(96, -1)
    np.testing.assert_allclose(state["mean"], patches.mean(0), atol=0.15)
    assert np.abs(np.asarray(state["mean"])).max() > 0.05
