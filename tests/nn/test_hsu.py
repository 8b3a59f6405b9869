"""The networks of Hsu et al. 2023: the norm, sizes and costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.nn import decoder, encoder
from disentangle.nn.hsu import instance_norm

RNG = np.random.default_rng


def test_instance_norm_is_mean_0_and_variance_1_of_each_map_alone():
    x = RNG(2).normal(size=(3, 8, 8, 4)) * [1, 5, 0.1, 2] + [0, 9, -3, 1]
    y = np.asarray(instance_norm(jnp.float32(x)))
    np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2)), 1, rtol=1e-3)
    alone = instance_norm(jnp.float32(x[1:2]))
    np.testing.assert_allclose(y[1:2], alone, rtol=1e-5, atol=1e-6)
    assert not np.any(instance_norm(jnp.ones((1, 4, 4, 2))))  # constant: no NaN


def size(net):
    shapes = jax.eval_shape(net.init, jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def products(net, shape):
    """Multiplications of one image by XLA's own count."""
    params = jax.eval_shape(net.init, jax.random.key(0))
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    return jax.jit(net.apply).lower(params, x).cost_analysis()["flops"] / 2


def test_sizes_counted_by_hand():
    """Widths, windows and channels as in the authors' configs, 12 latents, colour."""
    convolutions, norms, styles, start = 0, 0, 0, 4 * 4 * 256
    into = 3
    for width in (32, 64, 128, 256):
        convolutions += 9 * into * width + 9 * width**2 + 16 * width**2
        norms += 3 * 2 * width
        into = width
    dense = (4096 + 1) * 256 + (256 + 1) * 256 + (256 + 1) * 12
    assert size(encoder("hsu", (64, 64, 3), 12)) == convolutions + norms + dense
    convolutions, into = 9 * 32 * 3, 256
    for width in (256, 128, 64, 32):
        convolutions += 9 * into * width + 9 * width**2 + 16 * width**2
        styles += 3 * (256 + 1) * 2 * width
        into = width
    dense = (12 + 1) * 256 + (256 + 1) * 256
    total = start + convolutions + styles + dense
    assert size(decoder("hsu", (64, 64, 3), 12)) == total


@pytest.mark.slow
def test_costs_are_as_documented():
    shape = (64, 64, 3)
    costs = {
        name: products(encoder(name, shape, 12), shape)
        + products(decoder(name, shape, 12), (12,))
        for name in ("hsu", "locatello")
    }
    assert costs["hsu"] == pytest.approx(508e6, rel=0.1)
    assert costs["locatello"] == pytest.approx(17e6, rel=0.1)


@pytest.mark.slow
def test_the_decoder_listens_to_its_input_and_every_parameter_has_a_gradient():
    net = decoder("hsu", (64, 64, 1), 4)
    params = net.init(jax.random.key(0))
    z = jax.random.normal(jax.random.key(1), (2, 4))

    def contrast(params):
        x = net.apply(params, z)
        return jnp.square(x[0] - x[1]).mean()

    value, gradient = jax.jit(jax.value_and_grad(contrast))(params)
    assert value > 1e-6
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        assert np.any(leaf), path
