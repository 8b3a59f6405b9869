"""Sizes of images each network takes: the others are a sentence, not a traceback."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.nn import DECODERS, ENCODERS, decoder, encoder

SIZES = [
    (64, 64, 1),
    (32, 48, 3),
    (16, 16, 1),
    (28, 28, 1),
    (64, 218, 3),
    (1, 1, 1),
    (8, 8, 1),
    (0, 64, 1),
    (64, 64, 0),
]
LEAST = {
    "chen": 1,
    "mlp": 1,
    "padded": 1,
    "hsu": 32,
    "normalised": 32,
}  # of an encoder; 16 for the others


def takes(shape, least):
    height, width, channels = shape
    if least == 1:
        return min(shape) > 0
    return channels > 0 and all(n >= least and n % 16 == 0 for n in (height, width))


def outputs(net, given):
    """The shape of two outputs; nothing is computed."""
    x = jax.ShapeDtypeStruct((2, *given), jnp.float32)
    return jax.eval_shape(lambda x: net.apply(net.init(jax.random.key(0)), x), x).shape


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize(
    "name", [n for n in ENCODERS if n not in ("dense", "alexnet", "resnet18")]
)
def test_every_encoder_takes_a_size_or_names_it(name, shape):
    if takes(shape, LEAST.get(name, 16)):
        assert outputs(encoder(name, shape, 6), shape) == (2, 6)
        return
    with pytest.raises(UserError, match=said(shape)):
        encoder(name, shape, 6)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", [n for n in DECODERS if n not in ("dense", "smooth")])
def test_every_decoder_gives_a_size_or_names_it(name, shape):
    if takes(shape, 1 if name in ("chen", "mlp", "padded") else 16):
        assert outputs(decoder(name, shape, 6), (6,)) == (2, *shape)
        return
    with pytest.raises(UserError, match=said(shape)):
        decoder(name, shape, 6)


def said(shape):
    height, width, channels = shape
    return f"not {height}x{width}x{channels}|have no pixels"


@pytest.mark.parametrize(
    "name", [n for n in DECODERS if decoder(n, (32, 32, 1), 3).layers is not None]
)
def test_the_layers_of_a_smooth_decoder_end_in_its_output(name):
    net = decoder(name, (32, 32, 1), 3)
    params = jax.jit(net.init)(jax.random.key(0))
    z = jax.random.normal(jax.random.key(1), (4, 3))
    both = jax.jit(lambda params: (net.layers(params, z), net.apply(params, z)))
    (*hidden, logits), truth = both(params)
    assert jnp.allclose(logits, truth, atol=1e-5)
    assert len(hidden) >= 1
    assert all(len(h) == 4 and float(h.std(0).max()) > 0.01 for h in hidden)


def test_relu_decoders_have_no_layers():
    for name in ("locatello", "burgess", "hsu"):
        assert decoder(name, (32, 32, 1), 3).layers is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hsu", "normalised"])
def test_a_normalised_encoder_tells_images_apart_from_the_start(name):
    """Spread over images against one level of QLAE (0.11) and of Tripod (0.18)."""
    images = np.zeros((8, 32, 32, 1), np.float32)
    for i in range(8):
        images[i, 2 * i : 2 * i + 8, 3 * i : 3 * i + 6] = 1.0

    @jax.jit
    def spread(key):
        nets = (encoder(n, (32, 32, 1), 6) for n in (name, "locatello"))
        return [net.apply(net.init(key), images).std(0) for net in nets]

    ours, plain = spread(jax.random.key(0))
    assert ours.min() > 0.1 > plain.max()
