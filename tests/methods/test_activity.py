"""Which latents tell images apart, and members that have one code for all."""

import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.methods.activity import code_logs, collapsed, is_active, measured
from disentangle.methods.base import Method
from disentangle.study.visualize import active_latents
from disentangle.training.config import default_config, read_experiment
from disentangle.training.lost import ENOUGH, report_collapsed
from disentangle.training.run import fit
from disentangle.training.writers import read_metrics


def test_active_is_more_than_a_hundredth_of_the_variance():
    """By hand: 0.02 of 1.02 and 0.02 of 2.02 (above and below 0.01); as points."""
    variance, noise = np.array([0.02, 0.02, 0.0]), np.array([1.0, 2.0, 1.0])
    assert is_active(variance, noise).tolist() == [True, False, False]
    assert is_active(variance).tolist() == [True, True, False]
    scaled = is_active(variance * 1e-6, noise * 1e-6)  # HFS at beta 0 has no unit
    assert scaled.tolist() == [True, False, False]


def test_features_of_a_critic_are_measured_in_their_root_mean_square():
    """A code that is decoded has a unit; one that nothing reads has not."""
    nothing = lambda *given: given[0]
    critic = Method({}, {}, nothing, generate=nothing)
    reads = Method({}, {}, nothing, decode=nothing, generate=nothing)
    codes = np.random.default_rng(0).normal(size=(2, 50, 4)) * [[[1.0]], [[1e-3]]]
    found = measured(critic, codes)
    np.testing.assert_allclose((found**2).mean((1, 2)), 1.0, rtol=1e-5)
    np.testing.assert_allclose(found[0] * codes[0, 0, 0], codes[0] * found[0, 0, 0])
    assert is_active(found.var(1)).all() and not is_active(codes.var(1))[1].any()
    assert measured(reads, codes) is codes
    alike = measured(critic, np.ones((1, 50, 4)))
    assert not is_active(alike.var(1)).any()


def test_a_shift_of_all_posteriors_is_a_collapse_whatever_its_kl():
    """Two members: one has mean 3 for every image (4.5 nats a latent), one does not."""
    rng = np.random.default_rng(0)
    codes = np.stack([np.full((50, 2), 3.0), rng.normal(size=(50, 2))])
    moments = {
        "mean": jnp.float32(codes.mean(1)),
        "square": jnp.float32((codes**2).mean(1)),
        "noise": jnp.full((2, 2), 0.9),
    }
    logs = code_logs(moments) | {"kl": np.array([9.0, 1.0])}
    np.testing.assert_allclose(logs["code_std"], codes.std(1), atol=2e-3)
    assert np.asarray(logs["active"]).tolist() == [[0, 0], [1, 1]]
    assert list(collapsed(logs)) == [0]
    assert "at a KL of 9 nats" in collapsed(logs)[0]


def test_living_members_that_carry_nothing_are_named(capsys):
    experiment = read_experiment(
        default_config("toy", "beta_vae").to_dict() | {"seeds": 3}
    )
    logs = {
        "code_std": np.full((3, 2), 0.004),
        "active": np.array([[0, 0], [0, 1]] * 2),
    }
    logs["active"] = logs["active"][:3]
    alive = np.array([True, True, False])
    report_collapsed(experiment, alive, logs, images=ENOUGH - 1)
    assert not capsys.readouterr().err  # too few to tell
    report_collapsed(experiment, alive, logs, images=ENOUGH)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("seed=0 has collapsed: no latent tells images apart")
    assert "0.004" in line


@pytest.mark.slow
@pytest.mark.parametrize("name", ["autoencoder", "joint_vae"])
def test_codes_without_a_posterior_have_their_deviation_in_the_log(toy, name, tmp_path):
    config = default_config("toy", name).to_dict()
    config["method"] |= {"encoder": "dense", "decoder": "dense"}
    config |= {"steps": 2, "batch_size": 8, "eval_every": 2}
    run = fit(config, toy, workdir=tmp_path / "run", progress=False)
    (row,) = [r for r in read_metrics(tmp_path / "run") if r["split"] == "test"]
    assert active_latents(run, toy, images=20).shape == (1, len(row["active"]))
    assert len(row["code_std"]) == run.encode(toy.images(np.arange(2))).shape[2]
