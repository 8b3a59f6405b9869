"""Spectral norm, equalised rates and batch norm, each alone against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen

from disentangle.nn import Variables, from_module
from disentangle.nn.weights import Conv3, Down, Linear, Up, he_constant, spectral_norm

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def test_the_power_iteration_finds_the_largest_singular_value():
    kernel = RNG.normal(size=(3, 3, 4, 6)).astype(np.float32)
    matrix = np.float64(kernel).reshape(-1, 6)
    u = np.float32(np.eye(6)[0])
    for _ in range(60):
        scaled, u = spectral_norm(kernel, u)
    sigma = np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(scaled, kernel / sigma, rtol=1e-4, atol=1e-5)
    often, _ = spectral_norm(kernel, np.float32(np.eye(6)[0]), steps=60)
    np.testing.assert_allclose(often, scaled, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_miyato_et_al_equation_12():
    """(G - <G, W / sigma> v u^T) / sigma, where u and v are held."""
    kernel = RNG.normal(size=(5, 3)).astype(np.float32)
    g = RNG.normal(size=(5, 3)).astype(np.float32)
    u = np.float32(np.linalg.svd(kernel)[2][0])
    found = jax.grad(lambda k: (spectral_norm(k, u)[0] * g).sum())(kernel)
    left, s, right = np.linalg.svd(np.float64(kernel))
    inner = (g * kernel).sum() / s[0]
    expected = (g - inner * np.outer(left[:, 0], right[0])) / s[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_dead_kernel_is_no_division_by_zero():
    scaled, u = spectral_norm(jnp.zeros((4, 3)), jnp.eye(3)[0])
    assert np.isfinite(scaled).all() and np.isfinite(u).all()


class Spectral(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool):
        x = Down(4, "spectral")(x, train)
        return Linear(2, "spectral")(x.reshape(x.shape[0], -1), train)


@pytest.mark.slow
def test_a_spectral_layer_moves_its_vector_in_training_alone():
    net = from_module(Spectral(), (4, 4, 2))
    variables = net.init(KEY)
    x = jnp.asarray(RNG.normal(size=(3, 4, 4, 2)), jnp.float32)
    step = jax.jit(lambda variables: net.train(variables, x)[1])
    for _ in range(40):
        state = step(variables)
        variables = Variables(variables.params, state)
    kernels = [variables.params[n]["kernel"] for n in ("Down_0", "Linear_0")]
    flat = [np.float64(k).reshape(-1, k.shape[-1]) for k in kernels]
    first, second = (m / np.linalg.svd(m, compute_uv=False)[0] for m in flat)
    padded = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = [
        padded[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4].reshape(3, -1)
        for i in range(2)
        for j in range(2)
    ]
    hidden = np.stack([w @ first for w in windows], axis=1).reshape(3, -1)
    np.testing.assert_allclose(net.apply(variables, x), hidden @ second, atol=1e-4)
    again, same = net.train(Variables(variables.params, state, is_frozen=True), x)
    np.testing.assert_array_equal(again, net.apply(variables, x))
    jax.tree.map(np.testing.assert_array_equal, same, state)


@pytest.mark.parametrize(
    ("layer", "shape", "fan_in"),
    [
        (Linear, (40,), 40),
        (Conv3, (4, 4, 8), 72),
        pytest.param(Down, (4, 4, 8), 128, marks=pytest.mark.slow),
        pytest.param(Up, (4, 4, 8), 128, marks=pytest.mark.slow),
    ],
)
def test_an_equalised_layer_has_unit_parameters_and_he_s_scale(layer, shape, fan_in):
    net = from_module(layer(64, "equalised"), shape)
    variables = net.init(KEY)
    params, kernel = variables.params, variables.params["kernel"]
    assert np.std(kernel) == pytest.approx(1.0, abs=0.05)
    assert he_constant(kernel.shape) == pytest.approx(np.sqrt(2 / fan_in))
    x = jnp.asarray(RNG.normal(size=(2, *shape)), jnp.float32)
    plain = from_module(layer(64), shape)
    scaled = params | {"kernel": kernel * np.float32(np.sqrt(2 / fan_in))}
    expected = plain.apply(Variables(scaled, {}), x)
    np.testing.assert_allclose(net.apply(variables, x), expected, atol=1e-5)


@pytest.mark.slow
def test_adam_moves_equalised_layers_of_any_width_at_one_relative_rate():
    """One step: plain kernels move by lr, equalised ones by lr of their own spread."""
    moves = {}
    for width in (16, 1024):
        net = from_module(Linear(8, "equalised"), (width,))
        params = net.init(KEY).params
        x = jnp.ones((1, width))
        total = lambda p, net=net, x=x: net.apply(Variables(p, {}), x).sum()
        gradient = jax.grad(total)(params)
        tx = optax.adam(1e-3)
        with jax.numpy_dtype_promotion("standard"):  # optax: float ** int count
            update, _ = tx.update(gradient, tx.init(params))
        used = np.std(params["kernel"]) * he_constant((width, 8))
        step = np.abs(np.asarray(update["kernel"])).mean() * he_constant((width, 8))
        moves[width] = float(step / used)
    assert moves[16] == pytest.approx(moves[1024], rel=0.1)


class Normed(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool):
        return linen.BatchNorm(use_running_average=not train, momentum=0.9)(x)


def test_batch_norm_of_maps_is_over_images_and_pixels():
    net = from_module(Normed(), (4, 4, 3))
    variables = net.init(KEY)
    x = RNG.normal(2.0, 3.0, size=(5, 4, 4, 3))
    y, state = net.train(variables, jnp.float32(x))
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)
    held = state["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(held["mean"], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(held["var"], 0.9 + 0.1 * var, rtol=1e-4)
    found = net.apply(Variables(variables.params, state), jnp.float32(x))
    expected = (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * var + 1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-4)
