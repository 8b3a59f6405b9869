"""AdaIN against float64 statistics, and the layer with a learning rate of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.nn import from_module
from disentangle.nn.adain import (
    EPSILON,
    AdaIN,
    InstanceNorm,
    Style,
    adaptive_instance_norm,
)
from disentangle.nn.weights import Linear, he_constant

KEY = jax.random.key(0)
RNG = np.random.default_rng(3)


def maps():
    spread = np.array([0.5, 2.0, 30.0])
    return RNG.normal(size=(4, 6, 5, 3)) * spread + np.array([7.0, -1.0, 0.0])


def test_statistics_behind_adain_are_those_of_the_style():
    x = maps()
    scale, shift = RNG.normal(size=(2, 4, 3))
    y = adaptive_instance_norm(*(jnp.float32(part) for part in (x, scale, shift)))
    y = np.float64(y)
    variance = x.var((1, 2))
    np.testing.assert_allclose(y.mean((1, 2)), shift, atol=1e-5)
    spread = np.abs(scale) * np.sqrt(variance / (variance + EPSILON))
    np.testing.assert_allclose(y.std((1, 2)), spread, rtol=1e-5)
    whitened = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    expected = whitened * scale[:, None, None] + shift[:, None, None]
    np.testing.assert_allclose(y, expected, atol=2e-5)
    np.testing.assert_allclose(expected.mean((1, 2)), shift, atol=1e-12)


def test_a_constant_map_becomes_the_shift():
    flat = jnp.full((1, 4, 4, 2), 3.0)
    found = adaptive_instance_norm(flat, jnp.ones((1, 2)), jnp.float32([[1, -2]]))
    np.testing.assert_array_equal(found[0, 0, 0], [1.0, -2.0])
    assert np.ptp(found, axis=(1, 2)).max() == 0


def test_the_norm_alone_starts_with_mean_0_and_variance_1():
    x = jnp.float32(maps())
    net = from_module(InstanceNorm(), (6, 5, 3))
    y = np.float64(net.apply(net.init(KEY), x))
    np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var((1, 2)), 1, rtol=1e-5)


def test_a_style_s_scale_is_1_plus_half_of_one_affine_map():
    net = from_module(Style(3), (5,))
    params = net.init(KEY)
    w = RNG.normal(size=(4, 5))
    both = w @ np.float64(params["affine"]["kernel"])
    scale, shift = net.apply(net.init(KEY), jnp.float32(w))
    np.testing.assert_allclose(scale, 1 + both[:, :3], atol=1e-6)
    np.testing.assert_allclose(shift, both[:, 3:], atol=1e-6)


def test_the_module_takes_its_style_from_the_vector():
    class Both(AdaIN):
        def __call__(self, x):
            return super().__call__(x["maps"], x["style"])

    net = from_module(Both(), {"maps": (6, 5, 3), "style": (2,)})
    x = {"maps": jnp.float32(maps()), "style": jnp.float32(RNG.normal(size=(4, 2)))}
    variables = net.init(KEY)
    scale, shift = from_module(Style(3), (2,)).apply(variables["style"], x["style"])
    y = np.float64(net.apply(variables, x))
    np.testing.assert_allclose(y.mean((1, 2)), shift, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2)), np.abs(scale), rtol=1e-4)


def test_a_rate_changes_how_fast_a_layer_moves_and_not_what_it_starts_as():
    """x' = r k c x + r b: gradients and start values differ by r, outputs do not."""
    plain = from_module(Linear(64, "equalised"), (40,))
    slow = from_module(Linear(64, "equalised", gain=1.0, rate=0.01), (40,))
    x = jnp.float32(RNG.normal(size=(8, 40)))
    start = slow.init(KEY)
    kernel = np.asarray(start.params["kernel"])
    assert kernel.std() == pytest.approx(100, rel=0.05)
    found = slow.apply(start, x)
    expected = np.float64(x) @ np.float64(kernel) * (0.01 * he_constant((40, 64), 1.0))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    ratio = np.std(plain.apply(plain.init(KEY), x)) / np.std(found)
    assert ratio == pytest.approx(np.sqrt(2), rel=0.05)
    raised = jax.tree.map(jnp.ones_like, start.params)
    moved = slow.apply(type(start)(raised, {}), jnp.zeros((1, 40)))
    np.testing.assert_allclose(moved, 0.01, rtol=1e-6)  # a bias of 1
