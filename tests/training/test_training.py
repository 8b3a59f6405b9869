"""The loop: population against alone, divergence, players, logs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.methods.base import Method, Player, Recipe
from disentangle.nn.net import Net
from disentangle.training.config import default_config, read_experiment
from disentangle.training.run import fit, prepare


def quick(toy, method="vae", **arguments):
    defaults = {"steps": 6, "batch_size": 8, "learning_rate": 1e-3, "progress": False}
    defaults |= {"encoder": "narrow", "decoder": "dense"}
    return dt.train(method, toy, **(defaults | arguments))


def close(left, right, rtol):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        scale = np.abs(np.asarray(b)).max() + 1e-6
        np.testing.assert_allclose(a, b, atol=rtol * scale)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["dense", "locatello"])
def test_each_member_of_a_population_is_the_model_trained_alone(toy, network):
    nets = {"encoder": network, "decoder": network}
    together = quick(toy, "beta_vae", beta=[1.0, 9.0], seeds=2, **nets)
    assert together.members == (
        "beta=1,seed=0",
        "beta=1,seed=1",
        "beta=9,seed=0",
        "beta=9,seed=1",
    )
    for i, row in enumerate(together.swept):
        if i not in (0, 3):
            continue  # two of the four: each alone is a compile
        alone = quick(toy, "beta_vae", beta=row["beta"], seed=row["seed"], **nets)
        close(together.member(i), alone.member(0), 1e-4)
    different = (
        jax.tree.leaves(together.member(0))[0] - jax.tree.leaves(together.member(2))[0]
    )
    assert np.abs(different).max() > 1e-5  # beta does something


@pytest.mark.slow
def test_a_diverged_member_is_frozen_and_named_and_the_others_finish(toy, capsys):
    run = quick(toy, learning_rate=[1e-3, 1e30], steps=8)
    alone = quick(toy, learning_rate=1e-3, steps=8)
    assert run.alive.tolist() == [True, False]
    close(run.member(0), alone.member(0), 1e-4)
    for leaf in jax.tree.leaves(run.params):
        assert np.isfinite(leaf).all()
    said = capsys.readouterr().out
    assert "learning_rate=1e+30,seed=0 diverged between steps" in said
    assert "learning_rate=0.001" not in said


@pytest.mark.slow
def test_a_run_cut_into_other_chunks_has_the_same_bits(toy, tmp_path):
    """Logging and saving at odd steps must not move the trajectory."""
    config = default_config("toy", "vae").to_dict()
    config["method"] |= {"encoder": "narrow", "decoder": "dense"}
    config |= {"steps": 7, "batch_size": 8, "eval_every": 0}
    whole = fit(config, toy, progress=False)
    cut = config | {"log_every": 2, "checkpoint_every": 3, "eval_every": 5}
    other = fit(cut, toy, workdir=tmp_path / "r", progress=False)
    for a, b in zip(
        jax.tree.leaves(whole.params), jax.tree.leaves(other.params), strict=True
    ):
        assert np.array_equal(a, b)


@pytest.mark.slow
def test_metrics_file_has_a_line_a_member_and_the_window_means(toy, tmp_path):
    config = default_config("toy", "vae").to_dict()
    config["method"] |= {"encoder": "narrow", "decoder": "dense"}
    config["optimizer"]["learning_rate"] = 1e-3
    config |= {"seeds": 2, "steps": 20, "batch_size": 4, "log_every": 10}
    fit(config, toy, workdir=tmp_path / "r", progress=False)
    rows = [
        json.loads(s)
        for s in (tmp_path / "r/metrics.jsonl").read_text().split("\n")[:-1]
    ]
    train = [r for r in rows if r["split"] == "train"]
    assert [(r["step"], r["member"]) for r in train] == [
        (10, "seed=0"),
        (10, "seed=1"),
        (20, "seed=0"),
        (20, "seed=1"),
    ]
    assert {r["step"] for r in rows if r["split"] == "test"} == {20}
    assert all(np.isfinite(r["loss"]) for r in rows)
    assert train[2]["loss"] < train[0]["loss"]


class Nothing(tuple):
    """Hyper-parameters of a method that has none."""


def two_players() -> Method:
    """A quadratic game: `low` descends f(a, b), `high` ascends, every 2nd step.

    f(a, b) = a^2 / 2 + a b - b^2 / 2 + a; solved by a = -1/2, b = -1/2.
    """
    net = lambda: Net(lambda key: {"v": jnp.zeros(())}, lambda params, x: params["v"])

    def value(params):
        a, b = params["low"]["v"], params["high"]["v"]
        return a**2 / 2 + a * b - b**2 / 2 + a

    def lower(params, hyper, batch, *, key, step):
        return value(params), {}

    def raise_(params, hyper, batch, *, key, step):
        return -value(params), {}

    return Method(
        nets={"low": net(), "high": net()},
        players={
            "low": Player(("low",), lower),
            "high": Player(("high",), raise_, every=2),
        },
        represent=lambda params, images: images.reshape(images.shape[0], -1)[:, :2],
    )


@pytest.fixture
def game(monkeypatch):
    from disentangle.fields import settings
    from disentangle.methods import METHODS

    @settings
    class Settings:
        pass

    recipe = Recipe(lambda *_: two_players(), Settings, "a game")
    monkeypatch.setitem(METHODS, "game", recipe)


def test_two_players_need_no_other_loop(toy, game):
    """Trajectory against hand-rolled float64 updates, players in order."""
    run = dt.train(
        "game",
        toy,
        steps=40,
        batch_size=2,
        optimizer="sgd",
        learning_rate=0.25,
        progress=False,
    )
    a = b = 0.0
    for step in range(40):
        a -= 0.25 * (a + b + 1)
        if step % 2 == 0:
            b += 0.25 * (a - b)
    found = run.member(0)
    assert float(found["low"]["v"]) == pytest.approx(a, abs=1e-5)
    assert float(found["high"]["v"]) == pytest.approx(b, abs=1e-5)
    assert a == pytest.approx(-0.5, abs=0.02)  # and it is the game's solution


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": -1}, "steps=-1 must be at least 1"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 33, "train_size": 32}, "larger than the 32 training images"),
        ({"train_size": 97}, "98 images, but toy has 96"),
        ({"betta": 4.0}, "Did you mean 'beta'"),
        ({"beta": float("nan")}, r"method\.beta=nan must be a finite number"),
        ({"beta": [1.0, float("inf")]}, r"method\.beta=inf must be a finite number"),
        ({"beta": "x"}, "must be a number"),
        ({"beta": []}, "empty list"),
        ({"latents": [5, 10]}, "static and cannot be swept"),
        ({"latents": 0}, "method.latents=0"),
        ({"likelihood": "bernouli"}, "Did you mean 'bernoulli'"),
        ({"encoder": "locatelo"}, "Did you mean 'locatello'"),
        ({"optimizer": "adamm"}, "Did you mean 'adam'"),
        ({"seeds": 0}, "seeds=0"),
    ],
)
def test_wrong_arguments_are_named_before_compute(toy, arguments, message):
    with pytest.raises(UserError, match=message):
        quick(toy, "beta_vae", **arguments)


def test_unknown_method_has_a_guess(toy):
    with pytest.raises(UserError, match="Did you mean 'beta_vae'"):
        quick(toy, "betavae")


def test_config_with_a_missing_or_extra_field_is_refused():
    config = read_experiment(default_config("toy", "vae")).config
    with pytest.raises(UserError, match=r"Did you mean 'steps'"):
        read_experiment(
            {k: v for k, v in config.items() if k != "steps"} | {"stesp": 3}
        )
    with pytest.raises(UserError, match="no field 'steps'"):
        read_experiment({k: v for k, v in config.items() if k != "steps"})


def test_a_sweep_of_a_learning_rate_that_nobody_uses_is_refused(toy):
    config = default_config("toy", "qlae").to_dict()
    config["method"] |= {"encoder": "narrow", "decoder": "dense"}
    config["optimizer"]["learning_rate"] = [1e-3, 1e-4]
    with pytest.raises(UserError, match=r"would train equal models"):
        prepare(config, toy)
