"""Exact derivatives along directions: convolutions, and a linear map by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.nn import decoder
from disentangle.nn.jacobian import along


@pytest.mark.slow
def test_the_derivatives_of_a_convolutional_decoder_are_its_jacobian():
    """Against reverse mode output by output, in both of two directions; and again
    differentiable: the gradient of the L1 norm against central differences."""
    net = decoder("locatello", (16, 16, 1), 3)
    params = net.init(jax.random.key(0))
    z = jax.random.normal(jax.random.key(1), (2, 3))
    v = jax.random.normal(jax.random.key(2), (2, 2, 3))
    image = lambda z: jax.nn.sigmoid(net.apply(params, z))
    whole = jax.jacrev(lambda row: image(row[None])[0])
    each = np.float64(jnp.stack([whole(row) for row in z]))
    expected = np.einsum("bhwcd,kbd->kbhwc", each, np.float64(v))
    np.testing.assert_allclose(along(image, z, v), expected, rtol=1e-4, atol=1e-7)


def test_of_smooth_functions_the_norm_has_the_gradient_of_differences():
    w = np.random.default_rng(0).normal(size=(3, 5))
    norm = lambda w, z: jnp.abs(
        along(lambda z: jnp.tanh(z @ w), z, jnp.ones((1, 2, 3)))
    ).sum()
    z = np.random.default_rng(1).normal(size=(2, 3))

    def exact(w):
        return np.abs((1 - np.tanh(z @ w) ** 2) * w.sum(0)).sum()

    found = jax.grad(norm)(jnp.float32(w), jnp.float32(z))
    for place in np.ndindex(*w.shape):
        step = np.zeros_like(w)
        step[place] = 1e-6
        slope = (exact(w + step) - exact(w - step)) / 2e-6
        np.testing.assert_allclose(found[place], slope, rtol=1e-4, atol=1e-5)
