"""Architectures: parameter counts, shapes, populations, heads."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.nn import (
    DECODERS,
    ENCODERS,
    attribute_heads,
    decoder,
    encoder,
    output_width,
)


def compiled(table):
    """Its names; the large ones are compiled where minutes are."""
    large = {"hsu", "chen"}
    slow = pytest.mark.slow
    return [pytest.param(n, marks=slow if n in large else ()) for n in table]


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def test_locatello_has_the_published_number_of_parameters():
    """690,517 on dSprites and 692,567 on Shapes3D, as counted in methods.md."""
    key = jax.random.key(0)
    sizes = {}
    for channels in (1, 3):
        shape = (64, 64, channels)
        sizes[channels] = (
            count(jax.eval_shape(encoder("locatello", shape, 20).init, key)),
            count(jax.eval_shape(decoder("locatello", shape, 10).init, key)),
        )
    assert sizes[1] == (309_204, 381_313)
    assert sum(sizes[3]) == 692_567


def test_chen_is_4096_1200_1200_20_and_10_1200_1200_1200_4096():
    """Against NumPy: ReLU in the encoder, tanh in the decoder, none at the ends."""
    shape, rng = (64, 64, 1), np.random.default_rng(0)
    for net, given, widths, bend in (
        (encoder("chen", shape, 20), shape, (4096, 1200, 1200, 20), "relu"),
        (decoder("chen", shape, 10), (10,), (10, 1200, 1200, 1200, 4096), "tanh"),
    ):
        params = jax.jit(net.init)(jax.random.key(0))
        sizes = [params[f"Dense_{i}"]["kernel"].shape for i in range(len(params))]
        assert sizes == list(itertools.pairwise(widths))
        x = rng.random((3, *given))
        ours = jax.jit(net.apply)(params, jnp.float32(x))
        y = x.reshape(3, -1)
        for i in range(len(params)):
            y = y @ np.float64(params[f"Dense_{i}"]["kernel"])
            if i < len(params) - 1:
                y = np.maximum(y, 0) if bend == "relu" else np.tanh(y)
        np.testing.assert_allclose(ours.reshape(3, -1), y, rtol=1e-4, atol=1e-5)


BACKBONES = ("alexnet", "resnet18")  # tests/nn/test_backbones.py is about them
WIDTHS = {"chen": 1200, "pooled": 64, "small": 128, "alexnet": 4096, "resnet18": 512}


@pytest.mark.parametrize("name", ENCODERS)
def test_output_width_is_found_without_a_run(name):
    net = encoder(name, (64, 64, 1), None, in_training=True)
    assert output_width(net, (64, 64, 1)) == WIDTHS.get(name, 256)


@pytest.mark.slow
@pytest.mark.parametrize("name", compiled([n for n in ENCODERS if n not in BACKBONES]))
def test_every_encoder(name):
    """In numbers for three channels, in shapes and types for one."""

    def outputs(images, key):
        shape = images.shape[1:]
        net, features = encoder(name, shape, 20), encoder(name, shape, None)
        params = net.init(key)
        h = features.apply(features.init(key), images)
        assert h.shape == (2, output_width(features, shape))
        return params, net.apply(params, images), h

    key, images = (
        jax.random.key(0),
        jax.random.uniform(jax.random.key(1), (2, 64, 64, 3)),
    )
    for found in (
        jax.eval_shape(outputs, images[..., :1], key),
        jax.jit(outputs)(images, key),
    ):
        params, y, h = found
        assert {x.dtype for x in jax.tree.leaves(params)} == {jnp.dtype("float32")}
        assert y.shape == (2, 20) and y.dtype == jnp.float32
    least = -0.171 if name == "normalised" else 0.0  # the minimum of GELU, of ReLU
    assert jnp.all(h >= least) and jnp.any(h > 0)


@pytest.mark.parametrize("name", compiled(DECODERS))
def test_every_decoder(name):
    """In numbers for three channels, in shapes and types for one."""
    z = jax.random.normal(jax.random.key(1), (2, 10))

    def outputs(key, channels):
        net = decoder(name, (64, 64, channels), 10)
        return net.apply(net.init(key), z)

    run = jax.jit(outputs, static_argnums=1)
    one = jax.eval_shape(lambda key: run(key, 1), jax.random.key(0))
    assert one.shape == (2, 64, 64, 1) and one.dtype == jnp.float32
    logits = run(jax.random.key(0), 3)
    assert logits.shape == (2, 64, 64, 3) and logits.dtype == jnp.float32
    assert jnp.any(logits < 0) and jnp.any(logits > 0)


def test_kernels_start_glorot_uniform_and_biases_zero():
    params = encoder("locatello", (64, 64, 1), 20).init(jax.random.key(3))
    kernel = np.asarray(params["Conv_1"]["kernel"])
    limit = np.sqrt(6 / (16 * 32 + 16 * 32))
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    np.testing.assert_allclose(kernel.var(), limit**2 / 3, rtol=0.05)
    assert not np.any(params["Conv_1"]["bias"])


@pytest.mark.slow
def test_population_equals_its_members():
    shape = (32, 32, 3)
    enc, dec = encoder("locatello", shape, 20), decoder("locatello", shape, 10)
    images = jax.random.uniform(jax.random.key(5), (3, 2, *shape))

    def loss(params, x):
        logits = dec.apply(params[1], enc.apply(params[0], x)[:, :10])
        return jnp.mean((jax.nn.sigmoid(logits) - x) ** 2)

    keys = jax.random.split(jax.random.key(0), 3)
    params = jax.vmap(lambda key: (enc.init(key), dec.init(key)))(keys)
    together = jax.jit(jax.vmap(jax.grad(loss)))(params, images)
    for member in range(3):
        own = jax.tree.map(lambda leaf: leaf[member], params)  # noqa: B023
        alone = jax.jit(jax.grad(loss))(own, images[member])
        for ours, truth in zip(
            jax.tree.leaves(together), jax.tree.leaves(alone), strict=True
        ):
            atol = 1e-5 * np.abs(truth).max()
            np.testing.assert_allclose(ours[member], truth, rtol=0, atol=atol)


def test_heads_equal_numpy():
    net = attribute_heads((3, 1, 2), 5, 4, 7)
    params = net.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(0)
    leaves = [rng.standard_normal(leaf.shape).astype(np.float32) for leaf in leaves]
    params = jax.tree.unflatten(tree, leaves)
    h = rng.standard_normal((6, 5)).astype(np.float32)
    codes, predictions = net.apply(params, h)
    assert codes.shape == (6, 3, 4)
    assert [p.shape for p in predictions] == [(6, 3), (6, 1), (6, 2)]

    def affine(layer, x):
        kernel = np.asarray(params[layer]["kernel"], np.float64)
        return x @ kernel + np.asarray(params[layer]["bias"], np.float64)

    for a in range(3):
        code = affine(f"code_{a}", np.maximum(affine(f"hidden_{a}", h), 0))
        truth = affine(f"prediction_{a}", code)
        np.testing.assert_allclose(codes[:, a], code, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(predictions[a], truth, rtol=1e-5, atol=1e-4)


def test_unknown_names_get_a_guess():
    with pytest.raises(UserError, match="Did you mean 'locatello'"):
        encoder("locatelo", (64, 64, 1), 20)
    with pytest.raises(UserError, match="Did you mean 'burgess'"):
        decoder("burges", (64, 64, 1), 10)
