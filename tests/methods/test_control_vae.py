"""ControlVAE's controller: a float64 loop by hand, its ends, a set point reached."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_awake import shortly, sparse

from disentangle.errors import UserError
from disentangle.methods import control_vae
from disentangle.training.run import fit, load_run
from disentangle.training.writers import read_metrics

FIELDS = ("proportional", "integral", "beta_min", "beta_max")


def by_hand(errors, kp, ki, least, most):
    """Alg. 1 in float64, but that the integral waits only where it would go on out."""
    total, beta, found = 0.0, 0.0, []
    for e in errors:
        change = -ki * e
        if not ((beta > most and change > 0) or (beta < least and change < 0)):
            total += change
        beta = kp / (1 + np.exp(e)) + total + least
        found.append(min(max(beta, least), most))
    return np.array(found)


def ours(errors, *numbers):
    hyper = control_vae.Settings(**dict(zip(FIELDS, numbers, strict=True)))

    def step(state, error):
        state = control_vae.control(state, error, hyper)
        return state, control_vae.weight(state, hyper)

    _, found = jax.lax.scan(step, control_vae.start(), jnp.float32(errors))
    return np.asarray(found)


@pytest.mark.parametrize(
    "numbers", [(0.01, 0.001, 1.0, 100.0), (2.0, 0.05, 0.0, 3.0), (0.0, 0.3, 1.0, 1.5)]
)
def test_the_controller_is_the_loop_by_hand(numbers):
    rng = np.random.default_rng(0)
    errors = np.concatenate([rng.normal(-9, 3, 120), rng.normal(9, 3, 120)] * 2)
    expected = by_hand(errors, *numbers)
    np.testing.assert_allclose(ours(errors, *numbers), expected, rtol=1e-5)
    assert expected.min() < numbers[2] + 0.02 and expected.max() > numbers[2] + 0.4


def test_a_weight_at_its_end_leaves_it_at_once_when_the_error_turns():
    """After 1,000 steps at the end the integral is no further out than one step."""
    for sign, end in ((-1.0, 2.0), (1.0, 1.0)):
        errors = np.r_[np.full(1000, 5 * sign), np.full(3, -5 * sign)]
        beta = ours(errors, 0.0, 0.1, 1.0, 2.0)
        assert beta[999] == end
        assert abs(beta[-1] - end) >= 0.5  # an integral wound up takes 1,000 steps


def test_a_least_weight_above_the_largest_is_refused():
    hyper = control_vae.Settings(beta_min=3.0, beta_max=2.0)
    with pytest.raises(UserError, match="beta_min=3 must be at most"):
        control_vae.in_order(hyper)


@pytest.mark.slow
def test_the_kl_reaches_the_set_points_and_the_state_is_kept(toy, tmp_path):
    """Two set points in one population; stopped half way and gone on with."""
    data, wanted = sparse(toy, 4), [1.5, 3.0]
    fields = {
        "kl": wanted,
        "ramp": 200.0,
        "beta_min": 0.0,
        "integral": 0.01,
        "proportional": 4.0,
    }
    config = shortly("control_vae", likelihood="bernoulli", **fields)
    config |= {"steps": 900, "log_every": 50, "eval_every": 450}
    whole = fit(config, data, workdir=tmp_path / "whole", progress=False)
    parts = tmp_path / "parts"
    fit(config | {"steps": 450}, data, workdir=parts, progress=False)
    resumed = fit(config, data, workdir=parts, progress=False)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, whole.params)
    rows = read_metrics(tmp_path / "whole")
    for member, nats in zip(whole.members, wanted, strict=True):
        last = [r for r in rows if r["member"] == member and "kl" in r][-6:]
        kl = np.mean([row["kl"] for row in last])
        print(member, "KL", kl, "beta", last[-1]["beta"])
        assert abs(kl - nats) < 0.1 * nats
    held = whole.params["controller"].state["beta"]
    assert held[0] > held[1] > 0
    np.testing.assert_array_equal(
        held, load_run(parts).params["controller"].state["beta"]
    )
