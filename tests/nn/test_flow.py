"""Flows: invertible, their densities exact, their start read off the data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equations.flows import (
    density64,
    matrix64,
    norm64,
    squeeze64,
    step64,
    trees64,
)

from disentangle.nn.flow import flow, squeeze, unsqueeze, with_params
from disentangle.nn.flow_steps import start_steps, step

TURNS = (pytest.param("plu", marks=pytest.mark.slow), "dense")


def moved(variables, spread, seed=1):
    """The variables with all parameters away from their start."""
    params = getattr(variables, "params", variables)
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(seed)
    noise = [jnp.float32(spread * rng.normal(size=x.shape)) for x in leaves]
    new = [a + b for a, b in zip(leaves, noise, strict=True)]
    return with_params(variables, jax.tree.unflatten(tree, new))


def small(turn):
    """(flow, variables) of images of 4x4x2."""
    made = flow((4, 4, 2), levels=2, depth=2, width=4, turn=turn)
    return made, jax.jit(made.net.init)(jax.random.key(0))


def images(*shape, seed=2):
    return jnp.float32(np.random.default_rng(seed).uniform(-0.5, 0.5, shape))


@pytest.mark.parametrize("turn", TURNS)
def test_a_flow_is_invertible_and_its_density_that_of_the_jacobian(turn):
    """log N(eps) + log|det d eps / dx|, the Jacobian by autodiff, 32 x 32; and float64.

    By reverse mode: `conv3` has no other. max |x - f^-1(f(x))| < 1e-4 in float32.
    """
    made, variables = small(turn)
    density, back = jax.jit(made.density), jax.jit(made.inverse)
    flat = lambda own, one: made.net.apply(own, one.reshape(1, 4, 4, 2))[0]
    jacobian = jax.jit(jax.jacrev(flat, 1))
    for seed in range(5):
        own = moved(variables, 0.07, seed)
        x = images(3, 4, 4, 2, seed=seed)
        eps, log_p = density(own, x)
        assert eps.shape == (3, 32)
        expected = np.linalg.slogdet(np.float64(jacobian(own, x[0].ravel())))[1]
        expected -= 0.5 * (np.square(np.float64(eps[0])) + np.log(2 * np.pi)).sum()
        np.testing.assert_allclose(log_p[0], expected, rtol=5e-6)
        eps64, log64 = density64(*trees64(own), np.float64(x), 2)
        np.testing.assert_allclose(eps, eps64, atol=5e-5)
        np.testing.assert_allclose(log_p, log64, rtol=5e-6)
        np.testing.assert_allclose(back(own, eps), x, atol=1e-4)
        drawn = jax.random.normal(jax.random.key(seed), (3, 32))
        again, _ = density(own, back(own, drawn))
        np.testing.assert_allclose(again, drawn, atol=1e-4)


def test_squeezed_pixels_of_a_window_are_neighbouring_channels():
    x = images(2, 4, 6, 3)
    y = np.asarray(squeeze(x))
    assert y.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(unsqueeze(jnp.asarray(y)), x)
    np.testing.assert_array_equal(y, squeeze64(np.asarray(x)))


def test_a_started_actnorm_normalises_and_one_that_has_moved_stays():
    """Every step's input has mean 0 and variance 1 per channel after its actnorm."""
    made = flow((4, 4, 3), levels=1, depth=2, width=4, turn="plu")
    variables = jax.jit(made.net.init)(jax.random.key(0))
    level, held = (tree["level_0"] for tree in trees64(variables))
    for k in range(2):
        own, kept = jax.tree.map(lambda leaf, k=k: leaf[k], (level["turn"], held))
        w = matrix64(own, kept)
        np.testing.assert_allclose(w @ w.T, np.eye(12), atol=2e-6)
        np.testing.assert_allclose(own["logs"].sum(), 0, atol=2e-6)
    x = 3.0 + 0.2 * images(32, 4, 4, 3)
    begin = jax.jit(made.begin)
    begun = begin(variables, x)
    level, held = (tree["level_0"] for tree in trees64(begun))
    here = squeeze64(np.float64(x))
    for k in range(2):
        own, kept = jax.tree.map(lambda leaf, k=k: leaf[k], (level, held))
        y = norm64(own["actnorm"], here)
        np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=1e-4)
        here, _ = step64(own, kept, here)
    again = begin(begun, 5.0 * x)
    jax.tree.map(np.testing.assert_array_equal, again, begun)


def test_the_density_of_one_pixel_integrates_to_one():
    """Over a grid of the plane: one pixel of two channels, two steps."""
    start = jax.jit(lambda key: start_steps(key, 2, 2, 4, "dense"))
    params, fixed = start(jax.random.key(0))
    params = moved(params, 0.3)
    side = np.linspace(-12, 12, 481)
    plane = np.stack(np.meshgrid(side, side), -1).reshape(-1, 1, 1, 2)

    @jax.jit
    def log_density(x):
        total = jnp.zeros(x.shape[0])
        for k in range(2):
            own, held = jax.tree.map(lambda leaf, k=k: leaf[k], (params, fixed))
            _, x, log = step(own, held, x)
            total = total + log
        return total - 0.5 * jnp.square(x).sum((1, 2, 3)) - jnp.log(2 * jnp.pi)

    mass = np.exp(np.float64(log_density(jnp.float32(plane)))).sum()
    np.testing.assert_allclose(mass * (side[1] - side[0]) ** 2, 1.0, atol=1e-3)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="2 levels do not halve images of"):
        flow((6, 8, 1), levels=2, depth=1, width=4, turn="plu")
