"""The convolution primitive against its defining sums in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.nn.conv import conv, conv_transpose

# (kernel size, input height = width, C_in, C_out): every conv of the networks.
CONVS = [
    (4, 64, 1, 32),
    (4, 64, 3, 32),
    (4, 32, 32, 32),
    (4, 16, 32, 32),
    (4, 8, 32, 32),
    (2, 16, 32, 64),
    (2, 8, 64, 64),
]
TRANSPOSES = [
    (4, 4, 64, 64),
    (4, 4, 32, 32),
    (4, 8, 64, 32),
    (4, 8, 32, 32),
    (4, 16, 32, 32),
    (4, 32, 32, 1),
    (4, 32, 32, 3),
]


def padded(x, k):
    p = {4: 1, 2: 0}[k]
    return np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))


def reference_conv(x, kernel):
    """The sum of the docstring, tap by tap, in float64."""
    k = kernel.shape[0]
    height, width = x.shape[1:3]
    x = padded(np.asarray(x, np.float64), k)
    y = 0.0
    for a in range(k):
        for b in range(k):
            window = x[:, a : a + height : 2, b : b + width : 2]
            y = y + np.einsum("nhwc,co->nhwo", window, np.float64(kernel[a, b]))
    return y


def reference_conv_gradients(x, kernel, dy):
    k = kernel.shape[0]
    height, width = x.shape[1:3]
    padded_x = padded(np.asarray(x, np.float64), k)
    dx = np.zeros_like(padded_x)
    dk = np.zeros(kernel.shape)
    dy = np.asarray(dy, np.float64)
    for a in range(k):
        for b in range(k):
            rows, columns = slice(a, a + height, 2), slice(b, b + width, 2)
            dk[a, b] = np.einsum("nhwc,nhwo->co", padded_x[:, rows, columns], dy)
            tap = np.einsum("nhwo,co->nhwc", dy, np.float64(kernel[a, b]))
            dx[:, rows, columns] += tap
    p = {4: 1, 2: 0}[k]
    return dx[:, p : p + height, p : p + width], dk


def reference_transpose(x, kernel):
    shape = (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[3])
    swapped = kernel.transpose(0, 1, 3, 2)
    return reference_conv_gradients(np.zeros(shape), swapped, x)[0]


def reference_transpose_gradients(x, kernel, dy):
    swapped = kernel.transpose(0, 1, 3, 2)
    dk = reference_conv_gradients(dy, swapped, x)[1]
    return reference_conv(dy, swapped), dk.transpose(0, 1, 3, 2)


def arrays(k, size, c_in, c_out, scale, batch=2):
    """Input, kernel and output cotangent of a layer; `scale` is out / in size."""
    draw = np.random.default_rng(k * size + c_in + c_out).standard_normal
    out = (batch, int(size * scale), int(size * scale), c_out)
    shapes = ((batch, size, size, c_in), (k, k, c_in, c_out), out)
    return [draw(shape).astype(np.float32) for shape in shapes]


def close(ours, truth):
    """Equal to float32 rounding of sums of this length."""
    assert ours.dtype == jnp.float32
    assert ours.shape == truth.shape
    np.testing.assert_allclose(ours, truth, rtol=0, atol=4e-6 * np.abs(truth).max())


def products(function, x, kernel, dy):
    y, pull = jax.vjp(function, x, kernel)
    return (y, *pull(dy))


@pytest.mark.parametrize("layer", CONVS)
def test_conv_and_gradients_equal_the_float64_sums(layer):
    x, kernel, dy = arrays(*layer, 0.5)
    y, dx, dk = jax.jit(lambda *a: products(conv, *a))(x, kernel, dy)
    truth_dx, truth_dk = reference_conv_gradients(x, kernel, dy)
    close(y, reference_conv(x, kernel))
    close(dx, truth_dx)
    close(dk, truth_dk)


@pytest.mark.parametrize("layer", TRANSPOSES)
def test_conv_transpose_and_gradients_equal_the_float64_sums(layer):
    x, kernel, dy = arrays(*layer, 2)
    y, dx, dk = jax.jit(lambda *a: products(conv_transpose, *a))(x, kernel, dy)
    truth_dx, truth_dk = reference_transpose_gradients(x, kernel, dy)
    close(y, reference_transpose(x, kernel))
    close(dx, truth_dx)
    close(dk, truth_dk)


def test_uneven_but_even_sizes():
    x, kernel, _ = arrays(4, 12, 3, 5, 0.5)
    x = x[:, :6]
    close(conv(x, kernel), reference_conv(x, kernel))
    close(conv_transpose(x, kernel), reference_transpose(x, kernel))


def test_a_hand_counted_convolution():
    """Ones under a kernel of ones: 16 inside, 12 on the edge, 9 in the corner."""
    y = conv(jnp.ones((1, 8, 8, 1)), jnp.ones((4, 4, 1, 1)))[0, :, :, 0]
    assert y[0, 0] == 9 and y[0, 1] == 12 and y[1, 1] == 16 and y[3, 3] == 9


def in_fori_loop(function):
    """The function as the training loop meets it: traced trip count, carried data."""

    def looped(trips, x, kernel, dy):
        start = jax.tree.map(jnp.zeros_like, products(function, x, kernel, dy))

        def body(step, carry):
            fade = (1 + step).astype(jnp.float32)
            found = products(function, x / fade, kernel, dy)
            return jax.tree.map(jnp.add, carry, found)

        return jax.lax.fori_loop(0, trips, body, start)

    return jax.jit(looped)


def in_scan(function):
    def looped(trips, x, kernel, dy):
        start = jax.tree.map(jnp.zeros_like, products(function, x, kernel, dy))

        def body(carry, fade):
            found = products(function, x / fade, kernel, dy)
            return jax.tree.map(jnp.add, carry, found), None

        return jax.lax.scan(body, start, jnp.arange(1.0, trips + 1))[0]

    return jax.jit(looped, static_argnums=0)


@pytest.mark.parametrize("loop", [in_fori_loop, in_scan])
@pytest.mark.parametrize(
    ("function", "layer", "scale"),
    [(conv, (4, 16, 3, 8), 0.5), (conv_transpose, (4, 8, 8, 3), 2)],
)
def test_inside_loops(loop, function, layer, scale):
    x, kernel, dy = arrays(*layer, scale)
    y, dx, dk = loop(function)(3, x, kernel, dy)
    weight = 1 + 1 / 2 + 1 / 3  # y and dk are linear in x, dx does not see it
    if function is conv:
        truth_dx, truth_dk = reference_conv_gradients(x, kernel, dy)
        truth_y = reference_conv(x, kernel)
    else:
        truth_dx, truth_dk = reference_transpose_gradients(x, kernel, dy)
        truth_y = reference_transpose(x, kernel)
    close(y, weight * truth_y)
    close(dx, 3 * truth_dx)
    close(dk, weight * truth_dk)


LAYERS = [
    (conv, (4, 16, 3, 8), 0.5),
    (conv, (2, 16, 3, 8), 0.5),
    (conv_transpose, (4, 8, 8, 3), 2),
]


@pytest.mark.parametrize(("function", "layer", "scale"), LAYERS)
def test_vmapped_over_models_equals_each_alone(function, layer, scale):
    alone = [arrays(*layer, scale, batch=size) for size in (2, 2, 2)]
    alone = [[a * (1 + m) for a in parts] for m, parts in enumerate(alone)]
    stacked = [jnp.stack(parts) for parts in zip(*alone, strict=True)]
    run = jax.jit(jax.vmap(lambda *a: products(function, *a)))
    together = run(*stacked)
    for member, parts in enumerate(alone):
        for ours, truth in zip(together, products(function, *parts), strict=True):
            close(ours[member], truth)


@pytest.mark.parametrize(("function", "layer", "scale"), LAYERS)
def test_vmapped_over_cotangents_equals_each_alone(function, layer, scale):
    x, kernel, dy = arrays(*layer, scale)
    cotangents = np.stack([dy, 2 * dy, -dy])
    pull = jax.vjp(function, x, kernel)[1]
    dx, dk = jax.jit(jax.vmap(pull))(cotangents)
    for task, cotangent in enumerate(cotangents):
        for ours, truth in zip((dx[task], dk[task]), pull(cotangent), strict=True):
            close(ours, truth)


@pytest.mark.parametrize(("function", "layer", "scale"), LAYERS)
def test_population_compiles_to_no_grouped_convolution(function, layer, scale):
    stacked = [jnp.stack([a] * 3) for a in arrays(*layer, scale)]
    run = jax.jit(jax.vmap(lambda *a: products(function, *a)))
    text = run.lower(*stacked).compile().as_text()
    assert "feature_group_count" not in text
    assert "batch_group_count" not in text


@pytest.mark.parametrize(("function", "layer", "scale"), LAYERS)
def test_cotangents_fold_into_one_product(function, layer, scale):
    """With the kernel shared there is nothing to batch over: no batched product."""
    x, kernel, dy = arrays(*layer, scale)
    pull = jax.vjp(function, x, kernel)[1]
    jaxpr = str(jax.make_jaxpr(jax.vmap(pull))(jnp.stack([dy] * 3)))
    products = [line for line in jaxpr.splitlines() if "dimension_numbers" in line]
    assert len(products) == 2
    assert all("([], [])" in line for line in products), products


@pytest.mark.slow
def test_gradients_of_gradients():
    """The penalty |dx|^2 has the kernel gradient that finite differences find."""
    x, kernel, dy = arrays(4, 8, 2, 3, 0.5)

    def penalty(kernel):
        dx = jax.grad(lambda x: jnp.vdot(conv(x, kernel), dy))(jnp.asarray(x))
        return jnp.vdot(dx, dx)

    found = jax.grad(penalty)(jnp.asarray(kernel))
    bump = np.zeros_like(kernel)
    bump[1, 2, 0, 1] = 0.5
    truth_dx = [reference_conv_gradients(x, kernel + s * bump, dy)[0] for s in (1, -1)]
    slope = np.sum(truth_dx[0] ** 2) - np.sum(truth_dx[1] ** 2)  # exact: quadratic
    np.testing.assert_allclose(found[1, 2, 0, 1], slope, rtol=1e-4)


@pytest.mark.parametrize("function", [conv, conv_transpose])
def test_wrong_shapes_are_refused(function):
    x = jnp.zeros((1, 8, 8, 3))
    with pytest.raises(ValueError, match="4x4 or 2x2"):
        function(x, jnp.zeros((3, 3, 3, 2)))
    with pytest.raises(ValueError, match="channels differ"):
        function(x, jnp.zeros((4, 4, 2, 2)))


def test_odd_sizes_are_refused():
    with pytest.raises(ValueError, match="even"):
        conv(jnp.zeros((1, 7, 8, 3)), jnp.zeros((4, 4, 3, 2)))
