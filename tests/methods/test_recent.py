"""JL1-VAE's columns, Lie group VAE's algebra, FactorQVAE's codes: by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from disentangle.methods import factor_qvae, jacobian_l1_vae, lie_group_vae


def test_columns_drawn_give_the_whole_norm_on_average():
    """Of a linear map it is sum_dp |W_dp|, whatever z; 4,000 images draw 2 of 3."""
    w = np.random.default_rng(0).normal(size=(3, 7))
    decode = lambda z: z @ jnp.float32(w)
    norm = lambda n, z: jacobian_l1_vae.jacobian_l1(decode, z, n, key=jax.random.key(0))
    z = jnp.ones((4_000, 3))
    exact = np.abs(w).sum()
    np.testing.assert_allclose(norm(0, z[:5]), exact, rtol=1e-5)
    spread = 3 * np.abs(w).sum(1).std() / np.sqrt(2 * 4_000)
    assert abs(float(norm(2, z)) - exact) < 4 * spread


def test_the_norm_of_a_rotated_code_is_larger():
    """Each latent of its own pixel: rotated by 45 degrees it is sqrt(2) as much."""
    turn = np.sqrt(0.5) * np.array([[1, -1], [1, 1]])
    z, key = jnp.ones((2, 2)), jax.random.key(0)
    straight = jacobian_l1_vae.jacobian_l1(lambda z: z, z, 0, key=key)
    turned = jacobian_l1_vae.jacobian_l1(lambda z: z @ jnp.float32(turn), z, 0, key=key)
    np.testing.assert_allclose(turned / straight, np.sqrt(2), rtol=1e-5)


def test_the_group_of_the_algebra_is_scipys_exponential():
    net = lie_group_vae.algebra(3, 5, 0.7)
    params = net.init(jax.random.key(0))
    t = np.random.default_rng(0).normal(size=(6, 3))
    bases = np.float64(params["bases"])
    expected = np.stack([expm(np.tensordot(row, bases, 1)) for row in t])
    found = net.apply(params, jnp.float32(t))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_the_exponential_of_small_and_of_large_matrices_is_scipys():
    """Of what is left beside I, too, which a start of 0.001 makes small."""
    rng = np.random.default_rng(0)
    for norm in (1e-3, 1.0, 30.0):
        m = rng.normal(size=(8, 8))
        m = (m - m.T) * norm / np.linalg.norm(m - m.T, 2)  # of turns: no overflow
        found = np.float64(lie_group_vae.exponential(jnp.float32(m)[None])[0])
        expected = expm(np.float64(np.float32(m)))
        gap = np.linalg.norm(found - expected, 2)
        assert gap < 2e-6 * max(1.0, norm)
    held = jnp.float32(m * 1e-6)[None]
    np.testing.assert_allclose(
        lie_group_vae.exponential(held)[0] - jnp.eye(8), m * 1e-6, atol=1e-7
    )


def test_planted_generators_that_commute_cost_nothing():
    """Turns of planes of their own: products are 0; the diagonal: commutators are."""
    turns = np.zeros((3, 6, 6), np.float32)
    for i in range(3):
        turns[i, 2 * i, 2 * i + 1], turns[i, 2 * i + 1, 2 * i] = 1, -1
    np.testing.assert_array_equal(lie_group_vae.pair_penalties(jnp.array(turns)), 0)
    diagonal = jnp.stack([jnp.diag(jnp.float32([1, 2])), jnp.diag(jnp.float32([3, 1]))])
    hessian, commutator = lie_group_vae.pair_penalties(diagonal)
    assert (float(hessian), float(commutator)) == (6.5, 0.0)  # (3^2 + 2^2) 2 / 2^2
    mixed = jnp.float32([[[0, 1], [0, 0]], [[0, 0], [1, 0]]])  # [A, B] = diag(1, -1)
    hessian, commutator = lie_group_vae.pair_penalties(mixed)
    assert (float(hessian), float(commutator)) == (0.5, 1.0)
    assert float(lie_group_vae.pair_penalties(mixed[:1])[0]) == 0.0


def test_with_commuting_generators_the_group_is_a_product():
    turns = np.zeros((2, 4, 4), np.float32)
    turns[0, 0, 1], turns[0, 1, 0], turns[1, 2, 3], turns[1, 3, 2] = 1, -1, 1, -1
    g = lambda *t: lie_group_vae.algebra(2, 4, 0.0).apply(
        {"bases": jnp.array(turns)}, jnp.float32([t])
    )[0]
    np.testing.assert_allclose(g(0.4, 1.1), g(0.4, 0) @ g(0, 1.1), atol=1e-6)


def test_codes_are_drawn_as_often_as_their_probabilities():
    """exp(-(z - e)^2 / (2 s^2)), normalised; 20,000 draws of one z."""
    values, z = jnp.float32([-1.0, 0.0, 2.0]), jnp.float32([[0.3], [1.2]])
    log_p = factor_qvae.log_probabilities(z, values, 0.8)
    weights = np.exp(-((np.float64(z) - np.float64(values)) ** 2) / (2 * 0.64))
    expected = weights / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(np.exp(log_p[:, 0]), expected, rtol=1e-5)
    many = jnp.broadcast_to(log_p[:1], (20_000, 1, 3))
    drawn = factor_qvae.draw(many, 0.7, key=jax.random.key(0))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean((0, 1)), expected[0], atol=0.015)


@pytest.mark.slow
def test_the_gradient_of_a_draw_is_the_relaxed_ones():
    log_p = jax.nn.log_softmax(jax.random.normal(jax.random.key(1), (4, 2, 5)))
    weights, key = jax.random.normal(jax.random.key(2), (4, 2, 5)), jax.random.key(3)
    hard = jax.grad(lambda l: (weights * factor_qvae.draw(l, 0.9, key=key)).sum())
    soft = jax.grad(
        lambda l: (weights * factor_qvae.gumbel_softmax(l, 0.9, key=key)).sum()
    )
    np.testing.assert_allclose(hard(log_p), soft(log_p), rtol=1e-6)


@pytest.mark.slow
def test_both_ways_to_the_critic_are_one():
    of_ones, of_numbers = factor_qvae.critic(3, 4, (8,))
    params = of_ones.init(jax.random.key(0))
    numbers = np.random.default_rng(0).integers(0, 4, (6, 3))
    ones = jnp.eye(4, dtype=jnp.float32)[numbers]
    np.testing.assert_array_equal(
        of_ones.apply(params, ones), of_numbers.apply(params, jnp.float32(numbers))
    )
