"""FashionSearchNet's network against loops: where a class is seen, what is there."""

import jax
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.nn import activation_maps

SIZES = (2, 3)


def relu(x):
    return np.maximum(0.0, x)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer(x, params):
    return x @ np.float64(params["kernel"]) + np.float64(params["bias"])


def convolved(x, params, stride):
    """4x4 of stride 2, or 3x3 of stride 1, a border of one zero, place by place."""
    kernel = np.float64(params["kernel"])
    k, border = len(kernel), np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    side = x.shape[1] // stride
    found = np.zeros((len(x), side, side, kernel.shape[3]))
    for i in range(side):
        for j in range(side):
            window = border[:, stride * i : stride * i + k, stride * j : stride * j + k]
            found[:, i, j] = np.tensordot(window, kernel, 3)
    return relu(found + np.float64(params["bias"]))


@pytest.fixture(scope="module")
def seen():
    """Three images of 16 x 16, the network's parameters, and what it says of them."""
    net = activation_maps((16, 16, 2), SIZES, subspace=3, hidden=5)
    params = jax.tree.map(lambda x: 1.5 * x, net.init(jax.random.key(0)))
    images = np.random.default_rng(0).random((3, 16, 16, 2)).astype(np.float32)
    return images, params, jax.jit(net.apply)(params, images)


def test_an_attribute_is_what_is_where_its_class_is_seen(seen):
    images, params, found = seen
    f = np.float64(images)
    for i in range(3):
        f = convolved(f, params[f"Conv_{i}"], 2)
    g = f
    for i in range(2):
        g = convolved(g, params[f"Same_{i}"], 1)
    for a in range(2):
        logits = layer(g.mean((1, 2)), params[f"map_{a}"])
        w = np.float64(params[f"map_{a}"]["kernel"])[:, logits.argmax(1)]
        map_ = softmax(np.einsum("bijc,cb->bij", g, w).reshape(3, -1))
        r = np.einsum("bp,bpc->bc", map_, f.reshape(3, -1, f.shape[3]))
        for i in range(2):
            r = relu(layer(r, params[f"hidden_{a}_{i}"]))
        r = layer(r, params[f"code_{a}"])
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        close(found.maps[:, a].reshape(3, -1), map_)
        close(found.coarse[a], logits)
        close(found.codes[:, a], r)
        close(found.predictions[a], layer(r, params[f"prediction_{a}"]))
    assert found.maps.shape == (3, 2, 2, 2)
    assert np.ptp(found.maps) > 1e-4  # somewhere more than elsewhere


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(UserError, match="multiples of 16"):
        activation_maps((20, 20, 1), SIZES, subspace=3, hidden=5)
