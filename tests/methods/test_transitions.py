"""Pairs that follow one another, and what SlowVAE, PCL and iVAE make of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from disentangle.data.samplers import Split
from disentangle.errors import UserError
from disentangle.methods import ivae, pcl, slow_vae
from disentangle.methods.transitions import log_transitions, transitions


def test_a_transition_is_a_laplace_distribution_on_the_values_there_are():
    table = np.exp(log_transitions((3,), 0.7)[0])
    e1, e2 = np.exp(-0.7), np.exp(-1.4)
    by_hand = np.array([[1, e1, e2], [e1, 1, e1], [e2, e1, 1]])
    by_hand /= by_hand.sum(1, keepdims=True)
    np.testing.assert_allclose(table, by_hand, rtol=1e-6)
    for rate, row in ((0.0, [0.25] * 4), (99.0, [0, 1, 0, 0])):
        found = np.exp(log_transitions((4,), rate)[0][1])
        np.testing.assert_allclose(found, row, atol=1e-6)


def test_pairs_move_as_often_as_the_table_says(toy):
    """20,000 pairs from all images: every factor on its own, as often as its table."""
    collate = transitions(toy.space, "laplace", 1.0)
    index = jnp.arange(20_000, dtype=jnp.int32) % 96
    split = Split(toy)
    factors = jax.eval_shape(lambda: collate(split, index, jax.random.key(0)))
    assert factors["images"].shape == (40_000, 64, 64, 1)
    found = jax.jit(lambda key: collate(split, index, key)["factors"])
    before, now = np.split(np.asarray(found(jax.random.key(0))), 2)
    np.testing.assert_array_equal(before, toy.space.factors(np.asarray(index)))
    for column, size in enumerate(toy.space.sizes):
        expected = np.exp(log_transitions((size,), 1.0)[0])
        for value in range(size):
            rows = now[before[:, column] == value, column]
            often = np.bincount(rows, minlength=size) / len(rows)
            np.testing.assert_allclose(often, expected[value], atol=0.025)
    moved = (now != before).astype(float)
    assert np.abs(np.corrcoef(moved.T) - np.eye(4)).max() < 0.03


def test_what_is_no_transition_is_refused(toy):
    with pytest.raises(UserError, match="Did you mean 'laplace'"):
        transitions(toy.space, "laplac", 1.0)


def test_the_expected_distance_is_the_integral_and_the_mean_of_draws():
    rng = np.random.default_rng(0)
    for m, v in ((0.0, 1.0), (0.7, 0.01), (-3.0, 4.0), (0.01, 1e-4)):
        s = np.sqrt(v)
        density = lambda d, m=m, s=s: abs(d) * norm.pdf(d, m, s)
        exact = sum(
            quad(density, *ends)[0] for ends in ((m - 9 * s, 0), (0, m + 9 * s))
        )
        exact = exact if abs(m) < 9 * s else abs(m)
        found = slow_vae.expected_distance(jnp.float32(m), jnp.float32(v))
        np.testing.assert_allclose(found, exact, rtol=1e-5)
        draws = np.abs(rng.normal(m, s, 400_000))
        np.testing.assert_allclose(found, draws.mean(), atol=4 * s / 600)


def test_the_kl_to_the_transition_is_the_mean_over_draws():
    """log q(z_t|x_t) - log p(z_t|z_{t-1}) of 400,000 draws, in float64."""
    rng = np.random.default_rng(1)
    mean, logvar = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)) - 1
    found = slow_vae.kl_to_transition(jnp.float32(mean), jnp.float32(logvar), 6.0)
    z = mean + np.exp(logvar / 2) * rng.normal(size=(400_000, 4, 3))
    log_q = norm.logpdf(z[:, 2:], mean[2:], np.exp(logvar[2:] / 2))
    log_p = np.log(3.0) - 6.0 * np.abs(z[:, 2:] - z[:, :2])
    draws = (log_q - log_p).mean(1)
    gap = np.abs(draws.mean(0) - found)
    assert (gap < 4 * draws.std(0) / np.sqrt(len(draws))).all()


def test_the_regression_of_pcl_is_the_log_ratio_of_a_laplace_transition():
    """With a = -a' = 2, p(s_t|s_{t-1}) / p(s_t) of a Laplace move and a normal s."""
    params = pcl.start(2)
    params["now"], params["before"] = jnp.full(2, 2.0), jnp.full(2, -2.0)
    params["scale"] = jnp.full(2, np.sqrt(0.5))
    params["constant"] = jnp.float32(np.log(2 * np.pi))
    now, before = np.random.default_rng(0).normal(size=(2, 50, 2))
    ratio = np.log(1.0) - 2 * np.abs(now - before) - norm.logpdf(now)
    found = pcl.log_odds(params, jnp.float32(now), jnp.float32(before))
    np.testing.assert_allclose(found, ratio.sum(1), rtol=1e-4, atol=1e-5)


def test_the_kl_between_gaussians_is_the_vaes_where_the_prior_is_normal(toy):
    from disentangle.methods.gaussian_vae import kl_to_prior

    rng = np.random.default_rng(0)
    mean, logvar = jnp.float32(rng.normal(size=(2, 6, 4)))
    none = jnp.zeros_like(mean)
    np.testing.assert_allclose(
        ivae.kl_between(mean, logvar, none, none), kl_to_prior(mean, logvar), rtol=1e-5
    )
    np.testing.assert_allclose(
        ivae.kl_between(mean, logvar, mean, logvar), np.zeros(4), atol=1e-6
    )


def test_all_combinations_of_the_condition_or_none():
    every = ivae.every_condition((2, 3))
    assert every.shape == (6, 5)
    np.testing.assert_array_equal(every.sum(1), np.full(6, 2))
    assert len(np.unique(every, axis=0)) == 6
    assert ivae.every_condition((70, 70)).shape == (0, 140)
