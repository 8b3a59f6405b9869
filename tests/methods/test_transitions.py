"""Pairs that follow one another, and what SlowVAE, PCL and iVAE make of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import laplace, norm

import disentangle as dt
from disentangle.data.samplers import Split
from disentangle.errors import UserError
from disentangle.methods import ivae, pcl, slow_vae
from disentangle.methods.transitions import log_transitions, movable, transitions


def test_a_transition_is_a_laplace_distribution_on_the_values_there_are():
    """Its scale is ln K / rate, as in Klindt et al.'s code."""
    for size, rate in ((2, 1.0), (3, 0.7), (32, 2.0)):
        values = np.arange(size)
        by_hand = [laplace.pdf(values, j, np.log(size) / rate) for j in values]
        by_hand /= np.sum(by_hand, axis=1, keepdims=True)
        np.testing.assert_allclose(
            np.exp(log_transitions(size, rate)), by_hand, rtol=1e-6
        )
    for rate, row in ((0.0, [0.25] * 4), (99.0, [0, 1, 0, 0])):
        found = np.exp(log_transitions(4, rate)[1])
        np.testing.assert_allclose(found, row, atol=1e-6)


def drawn(space, data, kind, rate=1.0, count=20_000):
    """Factors (count, F) of images of the data set, and of what follows them."""
    collate = transitions(space, kind, rate)
    index = jnp.arange(count, dtype=jnp.int32) % space.size
    split = Split(data)
    shapes = jax.eval_shape(lambda: collate(split, index, jax.random.key(0)))
    assert shapes["images"].shape == (2 * count, *data.shape)
    found = jax.jit(lambda key: collate(split, index, key)["factors"])
    before, now = np.split(np.asarray(found(jax.random.key(0))), 2)
    np.testing.assert_array_equal(before, space.factors(np.asarray(index)))
    return before, now


def test_pairs_move_as_often_as_the_tables_say(toy):
    """Every ordered factor on its own, one of them where none would have moved."""
    before, now = drawn(toy.space, toy, "laplace")
    assert movable(toy.space) == [1, 2, 3]  # the shape has no order
    np.testing.assert_array_equal(now[:, 0], before[:, 0])
    assert (now != before).any(1).all()
    tables = [np.exp(log_transitions(size, 1.0)) for size in toy.space.sizes[1:]]
    stay = [table.diagonal()[before[:, c + 1]] for c, table in enumerate(tables)]
    still = np.prod(stay, axis=0)  # of each pair, that no factor moves at first
    for c, table in enumerate(tables):
        others = table * (1 - np.eye(len(table)))
        others /= others.sum(1, keepdims=True)
        rows = before[:, c + 1]
        change = others[rows] - np.eye(len(table))[rows]
        expected = table[rows] + (still / 3)[:, None] * change
        often = np.eye(len(table))[now[:, c + 1]]
        for value in range(len(table)):
            own = rows == value
            gap = (often[own] - expected[own]).mean(0)
            np.testing.assert_allclose(gap, 0.0, atol=0.025)


def test_factors_without_an_order_move_where_there_are_no_others():
    labels = np.stack(np.meshgrid(np.arange(3), np.arange(4), indexing="ij"), -1)
    data = dt.from_arrays(np.zeros((12, 4, 4), np.uint8), labels.reshape(-1, 2))
    before, now = drawn(data.space, data, "laplace", count=2_000)
    assert (now != before).any(1).all() and (now != before).any(0).all()


def test_of_uniform_pairs_some_factors_have_another_value(toy):
    """1 to 3 of the 4, as often each; a factor that is drawn never keeps its value."""
    before, now = drawn(toy.space, toy, "uniform")
    counts = np.bincount((now != before).sum(1), minlength=5) / len(now)
    np.testing.assert_allclose(counts, [0, 1 / 3, 1 / 3, 1 / 3, 0], atol=0.02)


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
