"""Quantised codes: codebooks, levels, the papers' optimiser, Tripod's penalties."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from disentangle.data.samplers import take
from disentangle.errors import UserError
from disentangle.methods import base, qlae, quantised, tripod
from disentangle.training.config import default_config
from disentangle.training.run import fit

SHAPE = (64, 64, 1)
RNG = np.random.default_rng


def test_nearest_is_found_by_hand_and_learns_where_it_was_chosen():
    values = jnp.float32([[-1.0, 0.0, 2.0], [5.0, 6.0, 7.0]])
    z = jnp.float32([[0.9, 0.0], [1.1, 6.4], [-9.0, 6.5]])  # 6.5: a tie, the first
    q = qlae.nearest(values, z)
    np.testing.assert_array_equal(q, [[0, 5], [2, 6], [-1, 6]])
    to_values, to_z = jax.grad(lambda v, z: qlae.nearest(v, z).sum(), (0, 1))(values, z)
    np.testing.assert_array_equal(to_values, [[1, 1, 1], [1, 2, 0]])
    assert not np.any(to_z)


def test_straight_through_is_exact_forward_and_the_identity_backward():
    z = jnp.float32(RNG(0).normal(size=(50, 4)) * 1e4)
    q = jnp.round(z, 1)
    np.testing.assert_array_equal(quantised.straight_through(z, q), q)
    gradient = jax.grad(lambda z: quantised.straight_through(z, q).sum())(z)
    np.testing.assert_array_equal(gradient, np.ones_like(z))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values"),
    [("qlae", 10), ("tripod", 12)],
)
def test_codes_take_few_values_and_twice_as_many_latents_as_factors(toy, name, values):
    config = default_config("toy", name).to_dict()
    config["method"] |= {"encoder": "dense", "decoder": "smooth"}
    config |= {"steps": 5, "log_every": 5, "batch_size": 16}
    run = fit(config, toy, progress=False)
    images = toy.images(np.arange(96))
    codes = run.encode(images)[0]
    assert codes.shape == (96, 2 * 4)
    assert all(len(np.unique(column)) <= values for column in codes.T)
    if name == "qlae":
        book = np.asarray(run.params["codebook"]["values"])[0]
        assert book.shape == (8, values)
        assert all(np.isin(codes[:, d], book[d]).all() for d in range(8))
        assert not np.allclose(book, np.linspace(-0.5, 0.5, values))  # it learned
    else:
        grid = np.float32(np.linspace(-1, 1, values))
        np.testing.assert_allclose(
            codes, grid[np.abs(codes[..., None] - grid).argmin(-1)], rtol=1e-6
        )


def test_both_penalties_pull_one_end_each():
    """d L / d q = 2 P l_q (q - z) / n and d L / d z = 2 P l_c (z - q) / n."""
    z, q = (jnp.float32(RNG(i).normal(size=(3, 2))) for i in (0, 1))
    hyper = qlae.Settings(quantization=0.3, commitment=0.7)
    loss = lambda z, q: qlae.objective(jnp.float32(0.0), z, q, hyper, 4096)[0]
    to_z, to_q = jax.grad(loss, (0, 1))(z, q)
    np.testing.assert_allclose(to_q, 2 * 4096 * 0.3 * (q - z) / 6, rtol=1e-5)
    np.testing.assert_allclose(to_z, 2 * 4096 * 0.7 * (z - q) / 6, rtol=1e-5)


@pytest.mark.parametrize("clipped", [quantised.are_kernels, quantised.are_any])
def test_an_update_is_the_papers_on_the_mean_over_pixels(clipped):
    """Float64 AdamW on the clipped gradient of the mean; only kernels decay."""
    rng, numbers, rate, decay = RNG(2), 4096, 1e-3, 0.1
    params = {
        "encoder": {"kernel": rng.normal(size=(3, 2)), "bias": rng.normal(size=2)},
        "codebook": {"values": rng.normal(size=(2, 10))},
    }
    expected = jax.tree.map(np.float64, params)
    moments = jax.tree.map(lambda x: (0 * x, 0 * x), expected)
    ours = jax.tree.map(jnp.float32, params)
    tx = quantised.adamw(rate, decay, numbers, clipped)
    state = tx.init(ours)
    for t in (1, 2, 3):
        gradient = jax.tree.map(lambda x: rng.normal(size=x.shape) * 2, params)
        sums = jax.tree.map(lambda g: jnp.float32(g * numbers), gradient)
        with jax.numpy_dtype_promotion("standard"):
            updates, state = tx.update(sums, state, ours)
        ours = optax.apply_updates(ours, updates)
        for net, leaves in gradient.items():
            for leaf, g in leaves.items():
                kernel = leaf == "kernel"
                is_clipped = kernel or clipped is quantised.are_any
                g = np.clip(g, -1, 1) if is_clipped else g
                m, v = moments[net][leaf]
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
                moments[net][leaf] = m, v
                step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
                step = step + kernel * decay * expected[net][leaf]
                expected[net][leaf] = expected[net][leaf] - rate * step
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
        ours,
        expected,
    )


def test_levels_are_a_grid_and_the_nearest_of_it():
    z = jnp.float32(np.linspace(-1, 1, 501))
    q = np.asarray(tripod.levels(z, 12))
    grid = np.linspace(-1, 1, 12)
    np.testing.assert_allclose(np.unique(np.round(q, 5)), grid, atol=1e-5)
    assert np.abs(q - np.asarray(z)).max() < 1 / 11 + 1e-5


def test_silverman_in_one_dimension_is_1_06_n_to_the_minus_one_fifth():
    assert tripod.silverman(64, 1) == pytest.approx(1.0592 * 64**-0.2, rel=1e-4)


@pytest.mark.slow
def test_a_latent_that_is_saturated_everywhere_has_a_gradient(toy):
    """tanh is 1 for every image: the loss and its gradient are numbers all the same."""
    settings = tripod.Settings(latents=3, encoder="dense", decoder="smooth")
    method = tripod.build(settings, toy.space, SHAPE)
    params = base.init(method, key=jax.random.key(0))
    bias = params["encoder"]["Dense_1"]["bias"]
    params["encoder"]["Dense_1"]["bias"] = bias.at[0].set(100.0)
    batch = take(toy, jnp.arange(8))
    loss = lambda p: method.players["autoencoder"].loss(
        p, tripod.Settings(), batch, key=jax.random.key(1), step=0
    )
    value, gradient = jax.jit(jax.value_and_grad(lambda p: loss(p)[0]))(params)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    spread = tripod.spread(jnp.float32([[1.0, 0.0], [1.0, 2.0]]))
    np.testing.assert_allclose(spread, [1e-6, 1.0], rtol=1e-5)


def gaussian_information(covariance, joint, marginal):
    """The estimate's limit: smoothing adds the kernels' variance to the density's."""
    s, m = covariance + np.diag(joint**2), np.diag(covariance) + marginal**2
    log_q = -0.5 * (np.linalg.slogdet(s)[1] + np.trace(np.linalg.solve(s, covariance)))
    return log_q + 0.5 * (np.log(m) + np.diag(covariance) / m).sum()


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
@pytest.mark.parametrize("marginal", [0.3, 1.0])
def test_multi_information_of_gaussians_is_its_closed_form(correlation, marginal):
    covariance = np.array([[1.0, correlation], [correlation, 1.0]])
    z = RNG(3).multivariate_normal([2.0, -1.0], covariance, 2000)
    joint, marginal = np.full(2, 0.3), np.full(2, marginal)
    ours = tripod.multi_information(*map(jnp.float32, (z, joint, marginal)))
    expected = gaussian_information(covariance, joint, marginal)
    assert float(ours) == pytest.approx(expected, abs=0.05)


@pytest.mark.slow
def test_multi_information_is_zero_when_independent_and_grows_with_copies():
    levels = np.linspace(-1, 1, 12)
    z = levels[RNG(4).integers(12, size=(2000, 3))]
    width = jnp.full(3, 0.3)
    values = [
        float(tripod.multi_information(jnp.float32(codes), width, width))
        for codes in (z, z[:, [0, 1, 1]], z[:, [0, 0, 0]])
    ]
    assert abs(values[0]) < 0.05
    assert values[1] > 0.8
    assert values[2] > values[1] + 0.8


HESSIANS = np.array(
    [[[2.0, 1.0, 0.0], [1.0, -1.0, 0.5], [0.0, 0.5, 3.0]], np.diag([1.0, 0.0, -2.0])]
)


def quadratic(hessians):
    h = jnp.float32(hessians)
    return lambda z: (0.5 * jnp.einsum("bi,oij,bj->bo", z, h, z) + 3.0 * z[:, :1],)


@pytest.mark.slow
def test_probes_see_the_planted_hessian():
    """2 sum_{i != j} H_ij^2 by signs, 2 sum_ij H_ij^2 by normals, over the outputs."""
    z = jnp.float32(RNG(5).normal(size=(2, 3)))
    scale = np.array([1.0, 2.0, 0.5])
    scaled = HESSIANS * scale[:, None] * scale
    off = scaled - np.stack([np.diag(np.diag(h)) for h in scaled])
    f, epsilon = quadratic(HESSIANS), 0.5
    rng = RNG(6)
    for draw, expected in (
        (rng.choice([-1.0, 1.0], size=(20_000, 2, 3)), 2 * (off**2).sum() / 2),
        (rng.normal(size=(20_000, 2, 3)), 2 * (scaled**2).sum() / 2),
    ):
        v = jnp.float32(epsilon * scale * draw)
        (spread,) = tripod.curvature_spread(f, z, v, epsilon)
        np.testing.assert_allclose(spread, expected, rtol=0.1)
    penalty = tripod.normalised_hessian_penalty(
        f, z, jnp.float32(scale), epsilon, 20_000, key=jax.random.key(0)
    )
    assert float(penalty) == pytest.approx((off**2).sum() / (scaled**2).sum(), rel=0.1)


@pytest.mark.parametrize(
    ("f", "most"),
    [
        (lambda z: (z @ jnp.float32(RNG(8).normal(size=(3, 5))),), 1e-3),
        (quadratic(HESSIANS[1:]), 1e-6),
        (lambda z: (jnp.sin(3.0 * z) + jnp.square(z),), 1e-6),
    ],
    ids=["linear", "diagonal", "separable"],
)
def test_hessian_penalty_is_zero_where_latents_do_not_interfere(f, most):
    z = jnp.float32(RNG(7).normal(size=(64, 3)))
    penalty = tripod.normalised_hessian_penalty(
        f, z, jnp.ones(3), 0.5, 2, key=jax.random.key(1)
    )
    assert 0 <= float(penalty) < most


def test_wrong_settings_are_refused():
    with pytest.raises(UserError, match="values"):
        qlae.Settings(values=1)
    with pytest.raises(UserError, match="latents"):
        tripod.Settings(latents=-1)
    with pytest.raises(UserError, match="probes"):
        tripod.Settings(probes=1)


@pytest.mark.slow
def test_latents_can_be_given(toy):
    settings = tripod.Settings(latents=3, encoder="dense", decoder="smooth")
    method = tripod.build(settings, toy.space, SHAPE)
    params = base.init(method, key=jax.random.key(0))
    assert method.represent(params, jnp.zeros((2, *SHAPE))).shape == (2, 3)
