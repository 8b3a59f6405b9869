"""Learning rates over the steps, and clipped gradients, against closed forms."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import slopes
from killable import dataset
from slopes import OWN_RATE, TOWARDS

from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.training.config import default_config, read_experiment
from disentangle.training.loop import start
from disentangle.training.older import policy
from disentangle.training.run import fit, prepare
from disentangle.training.step import make_step
from disentangle.training.workdir import check_workdir, settle_config

STEPS = 12


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "slopes", slopes.RECIPE)


def config(optimizer="sgd", slope=1.0, steps=STEPS, **fields):
    chosen = default_config("noise", "slopes", optimizer).to_dict()
    chosen["method"]["slope"] = slope
    chosen["optimizer"] |= fields
    chosen |= {"steps": steps, "batch_size": 4, "log_every": 3, "checkpoint_every": 3}
    return chosen


def moved(chosen, steps=STEPS):
    """What each step moved: {"a": (steps, 2), "b": (steps, 2)}."""
    experiment, method, split, _ = prepare(chosen, dataset())
    step = make_step(method, experiment.optimizer, 4)
    one = lambda tree: jax.tree.map(lambda x: jnp.asarray(x)[0], tree)
    hyper = one(experiment.hyperparameters)

    def body(state, _):
        new, _ = step(state, hyper, split)
        return new, {net: new.params[net]["w"] - state.params[net]["w"] for net in "ab"}

    run = jax.jit(lambda state: jax.lax.scan(body, state, length=steps)[1])
    return jax.device_get(run(one(start(method, experiment))))


AT = np.arange(STEPS)
FACTORS = {
    "constant": (dict(), np.ones(STEPS)),
    "warmup": (dict(warmup=4.0), np.minimum(AT / 4, 1)),
    "share": (dict(warmup=0.5), np.minimum(AT / 6, 1)),
    "cosine": (dict(schedule="cosine"), (1 + np.cos(np.pi * AT / STEPS)) / 2),
    "warm cosine": (
        dict(schedule="cosine", warmup=2.0),
        np.where(AT < 2, AT / 2, (1 + np.cos(np.pi * (AT - 2) / 10)) / 2),
    ),
    "step": (
        dict(schedule="step", decay=0.5, decay_steps=3.0),
        [1.0] * 3 + [0.5] * 3 + [0.25] * 3 + [0.125] * 3,
    ),
    "warm step": (
        dict(schedule="step", decay=0.1, decay_steps=0.25, warmup=2.0),
        [0, 0.5, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001],
    ),
    "exponential": (
        dict(schedule="exponential", decay=0.5, decay_steps=4.0),
        0.5 ** (AT / 4),
    ),
}


@pytest.mark.parametrize("name", FACTORS)
def test_the_rate_of_a_step_is_the_peak_times_the_closed_form(name):
    fields, factors = FACTORS[name]
    found = moved(config(learning_rate=0.1, slope=0.2, **fields))
    expected = -0.1 * np.outer(factors, 0.2 * np.array(TOWARDS["a"]))
    np.testing.assert_allclose(found["a"], expected, atol=2e-6)
    # The other player's own rate, by the steps of the run, on those it moves on.
    expected = -OWN_RATE * np.outer(factors, 0.2 * np.array(TOWARDS["b"]))
    expected[1::2] = 0
    np.testing.assert_allclose(found["b"], expected, atol=5e-6)


def test_the_gradients_of_both_players_are_clipped_to_the_norm():
    found = moved(config(learning_rate=0.1, clip_norm=7.0), 1)
    np.testing.assert_allclose(found["a"][0], [-0.3, -0.4], rtol=1e-6)  # 5 < 7
    np.testing.assert_allclose(found["b"][0], [-0.25 * 4.2, -0.25 * 5.6], rtol=1e-6)
    found = moved(config(learning_rate=0.1, clip_norm=2.0), 1)
    np.testing.assert_allclose(found["a"][0], [-0.12, -0.16], rtol=1e-6)
    np.testing.assert_allclose(found["b"][0], [-0.3, -0.4], rtol=1e-6)


@pytest.mark.slow
def test_a_run_stopped_within_the_warm_up_and_a_sweep_have_the_same_bits(tmp_path):
    fields = dict(warmup=7.0, schedule="step", decay_steps=2.0, clip_norm=4.0)
    swept_rates = lambda **more: config(
        "adam", learning_rate=[0.1, 0.3], **fields, **more
    )
    whole = fit(swept_rates(), dataset(), progress=False)
    fit(swept_rates(steps=5), dataset(), workdir=tmp_path / "cut", progress=False)
    cut = fit(swept_rates(), dataset(), workdir=tmp_path / "cut", progress=False)
    jax.tree.map(np.testing.assert_array_equal, whole.params, cut.params)
    for place, rate in enumerate((0.1, 0.3)):
        alone = config("adam", learning_rate=rate, **fields)
        single = fit(alone, dataset(), progress=False)
        same = lambda a, b, at=place: np.testing.assert_array_equal(a[at], b[0])
        jax.tree.map(same, whole.params, single.params)
    assert np.abs(whole.params["a"]["w"]).min() > 0.1


HELD = {
    "warmup is a share": (dict(warmup=0.5), r"4 -> 6, optimizer\.warmup is a share"),
    "decay is a share": (dict(schedule="step"), r"optimizer\.decay_steps is a share"),
    "cosine": (dict(schedule="cosine", warmup=2.0), "new workdir with init_from this"),
    "constant": (dict(decay_steps=0.5, clip_norm=1.0), ""),
    "in steps": (dict(schedule="step", warmup=2.0, decay_steps=3.0), ""),
}


@pytest.mark.parametrize("name", HELD)
def test_what_hangs_on_the_steps_lets_a_workdir_have_no_more(tmp_path, name):
    fields, said = HELD[name]
    settle_config(tmp_path, read_experiment(config(steps=4, **fields)).config)
    wanted = read_experiment(config(steps=6, **fields)).config
    check = lambda: check_workdir(tmp_path, wanted, policy(wanted))
    if not said:
        return check()
    with pytest.raises(UserError, match=said):
        check()


def test_a_cosine_needs_steps_after_the_warm_up():
    with pytest.raises(UserError, match="4 of the run's 4 steps: a cosine has none"):
        read_experiment(config(steps=4, schedule="cosine", warmup=1.0))


@pytest.mark.slow
def test_a_workdir_of_before_the_schedules_goes_on(tmp_path):
    whole = fit(config("adam"), dataset(), progress=False)
    fit(config("adam", steps=6), dataset(), workdir=tmp_path / "w", progress=False)
    path = tmp_path / "w/config.json"
    held = json.loads(path.read_text())
    kept = ("name", "b1", "b2", "eps", "learning_rate")
    held["optimizer"] = {name: held["optimizer"][name] for name in kept}
    path.write_text(json.dumps(held))
    with pytest.warns(UserWarning, match=r"older version: optimizer\.clip_norm, opt"):
        run = fit(config("adam"), dataset(), workdir=tmp_path / "w", progress=False)
    jax.tree.map(np.testing.assert_array_equal, run.params, whole.params)
