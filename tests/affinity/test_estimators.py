"""Estimators against closed forms, slow loops and planted truths."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.affinity import ESTIMATORS, probe
from disentangle.affinity.probe import Probe

USUAL = ("lookahead", "first_order", "cosine")  # of gradients and one lookahead


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def quadratic(seed=0, tasks=4, rows=6, size=5):
    """L_j = 1/2 |A_j theta - b_j|^2: every quantity has a closed form."""
    matrices, offsets = normal(seed, tasks, rows, size), normal(seed + 1, tasks, rows)
    theta = normal(seed + 2, size)

    def losses(shared, private):
        residual = jnp.einsum("jrs,s->jr", private["A"], shared) - private["b"]
        return 0.5 * jnp.sum(residual**2, axis=1)

    return losses, theta, {"A": matrices, "b": offsets}


def quadratic_truth(theta, private, eta):
    """Losses, gradients and Z of the quadratic problem in float64 NumPy."""
    A, b = (np.float64(private[name]) for name in "Ab")
    value = lambda t: 0.5 * ((A @ t - b) ** 2).sum(axis=1)
    gradients = np.einsum("jrs,jr->js", A, A @ theta - b)
    after = np.array([value(theta - eta * g) for g in gradients])
    return value(theta), gradients, 1 - after / value(theta)[None]


def network(seed=0, tasks=3, batch=8, channels=4, conv=True):
    """A small network with one linear head and one regression target a task."""
    x = jnp.asarray(normal(seed, batch, 8, 8, 1))
    y = jnp.asarray(normal(seed + 1, batch, tasks))
    kernel = (3, 3, 1, channels) if conv else (64, channels)
    shared = {
        "kernel": jnp.asarray(0.3 * normal(seed + 2, *kernel)),
        "dense": jnp.asarray(0.3 * normal(seed + 3, channels, 5)),
    }
    private = jnp.asarray(normal(seed + 4, 5, tasks))

    def losses(shared, private):
        if conv:
            maps = jax.lax.conv_general_dilated(
                x, shared["kernel"], (2, 2), "SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )  # fmt: skip
            h = jnp.tanh(maps).mean(axis=(1, 2))
        else:
            h = jnp.tanh(x.reshape(batch, -1) @ shared["kernel"])
        predictions = jnp.tanh(h @ shared["dense"]) @ private
        return jnp.mean((predictions - y) ** 2, axis=0)

    return losses, shared, private


def run(name, problem, learning_rate=0.1):
    losses, shared, private = problem

    @jax.jit
    def estimated(shared, private):
        return ESTIMATORS[name](
            probe(losses, shared, private, learning_rate=learning_rate)
        )

    return np.asarray(estimated(shared, private))


@pytest.mark.parametrize("eta", [0.3, 0.01])
def test_lookahead_equals_the_closed_form_of_a_quadratic(eta):
    losses, theta, private = quadratic()
    truth = quadratic_truth(theta, private, eta)[2]
    measured = run("lookahead", (losses, jnp.asarray(theta), private), eta)
    np.testing.assert_allclose(measured, truth, rtol=1e-4, atol=2e-6)
    assert np.abs(truth - truth.T).max() > 0.01  # so a transpose would be seen


def test_first_order_and_cosine_equal_the_closed_form_of_a_quadratic():
    losses, theta, private = quadratic()
    values, g, _ = quadratic_truth(theta, private, 0.0)
    problem = (losses, jnp.asarray(theta), private)
    first = 0.1 * g @ g.T / values[None]
    np.testing.assert_allclose(run("first_order", problem), first, rtol=1e-4)
    lengths = np.linalg.norm(g, axis=1)
    cosine = g @ g.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(run("cosine", problem), cosine, rtol=1e-4, atol=1e-6)


def test_rows_are_sources_and_columns_targets():
    # Task 0 moves only x, task 1 has loss 9 there and task 2 does not depend on x.
    # A step of task 0 (x: 1 -> 0) changes L_1 from 9 to 4; L_2 stays.
    def losses(shared, private):
        x, y = shared
        return jnp.stack([0.5 * x**2, (x + 2) ** 2 + 0 * y, 1 + y**2])

    shared = (jnp.float32(1.0), jnp.float32(0.0))
    z = run("lookahead", (losses, shared, ()), learning_rate=1.0)
    np.testing.assert_allclose(z[0], [1.0, 5 / 9, 0.0], atol=1e-6)
    # A step of task 1 (x: 1 -> -5) makes L_0 25 times as large.
    np.testing.assert_allclose(z[1, 0], 1 - 25, rtol=1e-6)
    np.testing.assert_allclose(z[2], [0.0, 0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("conv", [True, False])
def test_lookahead_equals_a_naive_loop(conv):
    losses, shared, private = network(conv=conv)
    eta = 0.5
    value = jax.jit(losses)
    naive = np.zeros((3, 3))
    for i in range(3):
        g = jax.jit(jax.grad(lambda s, i=i: losses(s, private)[i]))(shared)
        moved = {name: shared[name] - eta * g[name] for name in shared}
        for j in range(3):
            after, before = value(moved, private)[j], value(shared, private)[j]
            naive[i, j] = 1 - float(after) / float(before)
    measured = run("lookahead", (losses, shared, private), eta)
    np.testing.assert_allclose(measured, naive, atol=1e-6)
    assert np.abs(naive).max() > 0.01


@pytest.mark.parametrize("chunk", [2, 8])
def test_the_chunk_changes_nothing_but_speed(chunk):
    losses, shared, private = network()

    @partial(jax.jit, static_argnums=0)
    def after(chunk):
        seen = probe(losses, shared, private, learning_rate=0.1, chunk=chunk)
        return seen.after

    one, many = after(1), after(chunk)
    np.testing.assert_allclose(one, many, rtol=1e-6)


@pytest.mark.parametrize("conv", [True, False])
def test_gradients_sum_to_the_training_gradient(conv):
    losses, shared, private = network(conv=conv)
    total = lambda s, p: jnp.sum(losses(s, p))
    expected = jax.jit(jax.grad(total, argnums=(0, 1)))(shared, private)

    @jax.jit
    def measured(shared, private):
        seen = probe(losses, shared, private, learning_rate=0.1)
        return jax.tree.map(lambda g: g.sum(0), seen.gradients), seen.joint

    summed, joint = measured(shared, private)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, summed, expected[0])
    jax.tree.map(close, joint, expected)


def test_the_joint_gradient_is_bit_equal_to_plain_training():
    losses, shared, private = network()

    @jax.jit
    def plain(shared, private):
        return jax.grad(lambda s, p: losses(s, p).sum(), (0, 1))(shared, private)

    @jax.jit
    def measured(shared, private):
        seen = probe(losses, shared, private, learning_rate=0.1)
        return seen.joint, {name: ESTIMATORS[name](seen) for name in USUAL}

    same = lambda a, b: np.testing.assert_array_equal(a, b)
    jax.tree.map(same, measured(shared, private)[0], plain(shared, private))


def test_lookahead_tends_to_first_order_as_eta_vanishes():
    losses, theta, private = quadratic(seed=3)
    problem = (losses, jnp.asarray(theta), private)
    gaps = []
    for eta in (0.1, 0.01):
        ahead, first = run("lookahead", problem, eta), run("first_order", problem, eta)
        gaps.append(np.abs(ahead - first).max() / np.abs(first).max())
    assert gaps[1] < 0.12 * gaps[0]  # the gap is of order eta
    assert gaps[1] > 0.001  # and it is there


def test_cosine_is_symmetric_bounded_and_safe_at_zero():
    def losses(shared, private):
        return jnp.stack([shared.sum(), (shared**2).sum(), 0 * shared.sum() + 1])

    z = run("cosine", (losses, jnp.asarray([1.0, 2.0, 4.0]), ()))
    np.testing.assert_allclose(z[:2, :2].diagonal(), 1, rtol=1e-6)
    np.testing.assert_allclose(z, z.T)
    np.testing.assert_array_equal(z[2], 0)
    np.testing.assert_allclose(z[0, 1], 7 / np.sqrt(3 * 21), rtol=1e-6)


def test_a_probe_is_a_named_tuple_of_documented_parts():
    losses, shared, private = network()
    seen = probe(losses, shared, private, learning_rate=0.1)
    assert isinstance(seen, Probe)
    assert seen.losses.shape == (3,)
    assert seen.gradients["kernel"].shape == (3, *shared["kernel"].shape)
    still = probe(losses, shared, private, learning_rate=0.0)
    np.testing.assert_allclose(still.after, jnp.tile(seen.losses, (3, 1)), rtol=1e-6)
