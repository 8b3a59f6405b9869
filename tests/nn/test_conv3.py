"""The 3x3 convolution against lax.conv and float64 sums; loops, models, penalties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.nn.conv3 import conv3, kernel_gradient

LAYERS = [(3, 6, 5), (5, 4, 3), (4, 8, 4)]  # C_in, size, C_out


def arrays(layer, batch=2):
    c_in, size, c_out = layer
    draw = np.random.default_rng(c_in + size + c_out).standard_normal
    shapes = (batch, size, size, c_in), (3, 3, c_in, c_out), (batch, size, size, c_out)
    return [draw(shape).astype(np.float32) for shape in shapes]


def reference(x, kernel):
    """In float64, tap by tap."""
    _, h, w, _ = x.shape
    padded = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        np.einsum("bhwc,co->bhwo", padded[:, a : a + h, b : b + w], kernel[a, b])
        for a in range(3)
        for b in range(3)
    )


def lax_conv(x, kernel):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=numbers
    )


def products(function, x, kernel, dy):
    y, pull = jax.vjp(function, x, kernel)
    return (y, *pull(dy))


def close(ours, truth):
    assert ours.shape == truth.shape
    truth = np.asarray(truth)
    np.testing.assert_allclose(ours, truth, rtol=0, atol=1e-5 * np.abs(truth).max())


@pytest.mark.parametrize("layer", LAYERS)
def test_convolution_and_gradients_equal_those_of_lax(layer):
    x, kernel, dy = arrays(layer)
    found = jax.jit(lambda *a: products(conv3, *a))(x, kernel, dy)
    for ours, truth in zip(found, products(lax_conv, x, kernel, dy), strict=True):
        close(ours, truth)
    close(found[0], reference(x, kernel))


def test_a_hand_counted_convolution():
    y = conv3(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0]
    assert y[0, 0] == 4 and y[0, 1] == 6 and y[1, 1] == 9


def test_inside_a_loop():
    x, kernel, dy = arrays(LAYERS[0])

    def body(step, carry):
        found = products(conv3, x / (1 + step).astype(jnp.float32), kernel, dy)
        return jax.tree.map(jnp.add, carry, found)

    zero = jax.tree.map(jnp.zeros_like, products(conv3, x, kernel, dy))
    run = jax.jit(lambda n: jax.lax.fori_loop(0, n, body, zero))
    y, dx, dk = run(3)
    truth = products(lax_conv, x, kernel, dy)
    weight = 1 + 1 / 2 + 1 / 3  # y and dk are linear in x, dx does not see it
    for ours, scale, whole in zip((y, dx, dk), (weight, 3, weight), truth, strict=True):
        close(ours, scale * whole)


def test_over_models_it_is_batched_products_that_equal_each_alone():
    alone = [[a * (1 + m) for a in arrays(LAYERS[1])] for m in range(3)]
    stacked = [jnp.stack(parts) for parts in zip(*alone, strict=True)]
    run = jax.jit(jax.vmap(lambda *a: products(conv3, *a)))
    text = run.lower(*stacked).as_text()
    assert "convolution" not in text and text.count("dot_general") == 3
    for member, parts in enumerate(alone):
        for ours, truth in zip(run(*stacked), products(lax_conv, *parts), strict=True):
            close(ours[member], truth)


@pytest.mark.parametrize("count", [1, 3])
def test_a_kernel_that_all_share_stays_one_convolution(count):
    """Of one model, and of cotangents of several tasks."""
    x, kernel, dy = arrays(LAYERS[0])
    pull = jax.vjp(conv3, x, kernel)[1]
    cotangents = jnp.stack([dy * (1 + i) for i in range(count)])
    run = jax.jit(jax.vmap(pull))
    text = run.lower(cotangents).as_text()
    assert text.count("stablehlo.convolution") == 1
    assert "feature_group_count = 1 " in text and "batch_group_count = 1 " in text
    dx, dk = run(cotangents)
    for i in range(count):
        close(dx[i], (1 + i) * pull(dy)[0])
        close(dk[i], (1 + i) * pull(dy)[1])
    single = [jnp.asarray(a)[None] for a in (x, kernel, dy)]
    for ours, truth in zip(
        jax.vmap(lambda *a: products(conv3, *a))(*single),
        products(lax_conv, x, kernel, dy),
        strict=True,
    ):
        close(ours[0], truth)


def test_gradients_of_gradients_are_those_of_lax():
    """A penalty |dx|^2 + |dk|^2, its gradients in input, kernel and cotangent."""
    given = arrays(LAYERS[1])

    def penalty(function, x, kernel, dy):
        _, dx, dk = products(lambda x, k: jnp.tanh(function(x, k)), x, kernel, dy)
        return jnp.square(dx).sum() + jnp.square(dk).sum()

    gradient = lambda function: jax.jit(
        jax.grad(lambda *a: penalty(function, *a), argnums=(0, 1, 2))
    )(*given)
    for ours, truth in zip(gradient(conv3), gradient(lax_conv), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=0, atol=3e-5 * np.abs(truth).max())
    stacked = [jnp.stack([a, 2 * a]) for a in given]
    both = jax.jit(jax.vmap(jax.grad(lambda *a: penalty(conv3, *a))))(*stacked)
    close(both[0], gradient(conv3)[0])


def test_the_kernel_gradient_takes_the_narrower_side():
    x, _, dy = arrays((5, 4, 2))
    text = jax.jit(kernel_gradient).lower(x, dy).as_text()
    assert "tensor<32x18xf32>" in text and "32x45" not in text
    text = jax.jit(kernel_gradient).lower(dy, x).as_text()
    assert "tensor<32x18xf32>" in text and "32x45" not in text


def test_wrong_shapes_are_refused():
    x = jnp.zeros((1, 8, 8, 3))
    with pytest.raises(ValueError, match="3x3"):
        conv3(x, jnp.zeros((4, 4, 3, 2)))
    with pytest.raises(ValueError, match="channels differ"):
        conv3(x, jnp.zeros((3, 3, 4, 2)))
