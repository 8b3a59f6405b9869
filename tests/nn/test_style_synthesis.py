"""The parts of StyleGAN against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.nn import Variables
from disentangle.nn.style_synthesis import (
    average_style,
    batch_deviation,
    blurred,
    layers_of,
    mapping,
    noise_of,
    pixel_norm,
    synthesis,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def test_a_blur_is_the_product_of_two_kernels():
    dot = np.zeros((1, 5, 5, 1), np.float32)
    dot[0, 2, 2] = 1
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    np.testing.assert_allclose(blurred(jnp.asarray(dot))[0, 1:4, 1:4, 0], kernel)
    flat = jnp.full((2, 4, 6, 3), 0.7)
    np.testing.assert_allclose(blurred(flat), flat, rtol=1e-6)


def test_a_pixel_norm_gives_a_mean_square_of_1():
    z = RNG.normal(size=(5, 8)) * 3
    expected = z / np.sqrt((z**2).mean(1, keepdims=True))
    np.testing.assert_allclose(pixel_norm(jnp.float32(z)), expected, rtol=1e-5)


@pytest.mark.parametrize(("count", "group"), [(8, 4), (6, 2), (5, 1)])
def test_a_batch_s_deviation_is_over_groups(count, group):
    """Image i goes with i + B / group, i + 2 B / group, ..."""
    h = RNG.normal(size=(count, 7))
    found = np.asarray(batch_deviation(jnp.float32(h)))[:, 0]
    for i in range(count):
        own = h[i % (count // group) :: count // group]
        assert len(own) == group
        assert found[i] == pytest.approx(own.std(0).mean(), abs=2e-4)


def test_a_mapping_keeps_the_average_of_w():
    """w-bar <- .995 w-bar + .005 mean w, from 0, in training alone."""
    net = mapping(3, 2, 4)
    variables = net.init(KEY)
    np.testing.assert_array_equal(average_style(variables), np.zeros(4))
    expected = np.zeros(4)
    for step in range(3):
        z = jnp.float32(RNG.normal(size=(6, 3)))
        w, state = net.train(variables, z)
        np.testing.assert_array_equal(w, net.apply(variables, z))
        variables = Variables(variables.params, state)
        expected = 0.995 * expected + 0.005 * np.float64(w).mean(0)
        np.testing.assert_allclose(average_style(variables), expected, rtol=1e-5)
        assert step < 3


@pytest.mark.parametrize(
    ("shape", "layers", "noise"),
    [
        ((32, 32, 3), 8, 2 * (16 + 64 + 256 + 1024)),
        ((28, 28, 1), 6, 2 * (49 + 196 + 784)),
        ((64, 64, 1), 10, 2 * (16 + 64 + 256 + 1024 + 4096)),
    ],
)
def test_layers_and_noise_are_counted(shape, layers, noise):
    assert (layers_of(shape), noise_of(shape)) == (layers, noise)


@pytest.mark.slow
def test_noise_counts_for_nothing_at_the_start_and_each_layer_has_its_own():
    shape = (12, 10, 2)  # cut off a first map of 6 x 5
    net, size = synthesis(shape, 3, 4), noise_of(shape)
    variables = net.init(KEY)
    styles = jnp.float32(RNG.normal(size=(2, layers_of(shape), 3)))
    draw = lambda v, noise: net.apply(v, {"styles": styles, "noise": noise})
    still = jnp.zeros((2, size))
    plain = draw(variables, still)
    assert plain.shape == (2, *shape)
    noise = jnp.float32(RNG.normal(size=(2, size)))
    np.testing.assert_array_equal(plain, draw(variables, noise))
    for layer in range(layers_of(shape)):
        params = dict(variables.params)
        params[f"noise_{layer}"] = jnp.ones_like(params[f"noise_{layer}"])
        moved = Variables(params, variables.state)
        start = sum(30 * 4 ** (i // 2) for i in range(layer))
        own = slice(start, start + 30 * 4 ** (layer // 2))
        others = noise.at[:, own].set(0.0)
        np.testing.assert_array_equal(draw(moved, others), plain)
        if layer < layers_of(shape) - 1:  # the last is before a norm as well
            assert np.abs(draw(moved, noise) - plain).max() > 1e-4
