"""Discrete latents: categorical KL, relaxed samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from disentangle.errors import UserError
from disentangle.methods import base, joint_vae

SHAPE = (64, 64, 1)
DENSE = {"encoder": "dense", "decoder": "dense"}


def test_categorical_kl_is_that_of_scipy_and_hits_both_ends():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 20)
    ours = joint_vae.kl_to_uniform(jnp.float32(np.log(p))).sum()
    expected = scipy.stats.entropy(p, np.full((20, 5), 0.2), axis=1).mean()
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    logits = jnp.float32([[80.0, 0.0, 0.0], [0.0, 80.0, 0.0], [0.0, 0.0, 80.0]])
    for log_p, ends in (
        (jax.nn.log_softmax(logits), np.full(3, np.log(3) / 3)),
        (jnp.full((4, 3), -jnp.log(3.0)), np.zeros(3)),
    ):
        np.testing.assert_allclose(joint_vae.kl_to_uniform(log_p), ends, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.67, 5.0])
def test_relaxed_samples_choose_each_value_with_its_probability(temperature):
    """Counts of the argmax are multinomial: chi-squared does not reject p."""
    p, n = np.array([0.1, 0.2, 0.3, 0.4]), 20_000
    log_p = jnp.broadcast_to(jnp.log(jnp.float32(p)), (n, 4))
    y = joint_vae.gumbel_softmax(log_p, temperature, key=jax.random.key(0))
    np.testing.assert_allclose(y.sum(1), 1.0, rtol=1e-5)
    counts = np.bincount(np.argmax(y, axis=1), minlength=4)
    assert scipy.stats.chisquare(counts, n * p).pvalue > 0.01


def test_a_cold_sample_is_one_hot_and_a_hot_one_uniform():
    log_p = jnp.log(jnp.float32([[0.2, 0.8]] * 100))
    cold = joint_vae.gumbel_softmax(log_p, 1e-3, key=jax.random.key(1))
    assert np.mean(np.max(cold, axis=1) > 0.999) > 0.98
    hot = joint_vae.gumbel_softmax(log_p, 1e4, key=jax.random.key(1))
    np.testing.assert_allclose(hot, 0.5, atol=0.01)


def test_capacity_grows_linearly_to_its_end_and_never_beyond_log_k():
    c = lambda t, most: joint_vae.capacity(jnp.float32(1.1), t, jnp.float32(10.0), most)
    np.testing.assert_allclose(
        [c(t, np.inf) for t in (0, 5, 10, 99)], [0, 0.55, 1.1, 1.1]
    )
    np.testing.assert_allclose(c(99, float(np.log(3))), np.log(3), rtol=1e-6)


def test_joint_codes_are_means_then_probabilities(toy):
    settings = joint_vae.Settings(continuous=2, categories=(3, 4), **DENSE)
    method = joint_vae.build(settings, toy.space, SHAPE)
    params = base.init(method, key=jax.random.key(0))
    images = jnp.asarray(toy.images(np.arange(7)), jnp.float32)
    codes = np.asarray(method.represent(params, images))
    assert codes.shape == (7, 9)
    out = np.asarray(method.nets["encoder"].apply(params["encoder"], images))
    assert out.shape == (7, 2 * 2 + 3 + 4)
    np.testing.assert_array_equal(codes[:, :2], out[:, :2])
    np.testing.assert_allclose(codes[:, 2:5].sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(codes[:, 5:].sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(codes[:, 5:].argmax(1), out[:, 7:].argmax(1))


@pytest.mark.parametrize("categories", [(), (1,), (3, 2.5)])
def test_wrong_categories_are_refused(categories):
    with pytest.raises(UserError, match="categories"):
        joint_vae.Settings(categories=categories)
