"""Glow: bits per dimension of images whose cost is known, codes that are images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from benchmarks.glow_bits import histogram_bits, pixels
from disentangle.data.samplers import Split
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError
from disentangle.methods import base, conditional_glow, glow
from disentangle.training.config import default_config
from disentangle.training.run import fit, prepare

GAUSS = 0.5 * np.log2(2 * np.pi * np.e / 12)  # KL(U(0, 1) || its Gaussian), 0.2546 bits


def built(shape, **fields):
    """(method, fresh parameters)."""
    settings = glow.Settings(**{"depth": 1, "width": 4, "levels": 1} | fields)
    method = glow.build(settings, None, shape)
    init = jax.jit(lambda key: base.init(method, key=key))
    return method, init(jax.random.key(0))


@pytest.mark.slow
def test_uniform_noise_costs_its_bits_and_what_a_gaussian_lacks():
    """8 bits a number, and 0.2546 more: no rotation makes a cube a ball.

    A first coupling multiplies half of the numbers by s = sigmoid(2), which costs
    (s^2 - 1) / 2 - log s nats each until the prior has learned it.
    """
    noise = np.random.default_rng(0).integers(0, 256, (256, 4, 4, 1), np.uint8)
    method, params = built((4, 4, 1), bits=8)
    begun = jax.jit(method.begin)(params, Split(dt.from_arrays(noise)))
    log_p = jax.jit(lambda p, x, key: method.log_prob(p, x, key=key))
    images, key = jnp.float32(noise) / 255, jax.random.key(1)
    found = glow.bits_per_dimension(log_p(begun, images, key), 16)
    s = 1 / (1 + np.exp(-2.0))
    left = 0.5 * ((s**2 - 1) / 2 - np.log(s)) / np.log(2)
    np.testing.assert_allclose(found, 8 + GAUSS + left, atol=0.03)
    assert np.isfinite(log_p(params, images, key)).all()  # before `begin` too


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_an_image_is_its_code_decoded_at_its_levels(bits):
    """Of 6x5 pixels, padded; sampled images have no other levels."""
    method, params = built((6, 5, 3), bits=bits)
    top = 2**bits - 1
    bytes_ = np.random.default_rng(0).integers(0, 256, (5, 6, 5, 3), np.uint8)
    images = jnp.float32(bytes_) / 255
    codes = jax.jit(method.represent)(params, images)
    assert codes.shape == (5, 6 * 6 * 3)
    back = jax.jit(method.decode)(params, codes)
    np.testing.assert_allclose(back, (bytes_ // 2 ** (8 - bits)) / top, atol=1e-4)
    sample = jax.jit(lambda p, key: method.sample(p, key=key, n=4))
    drawn = np.float64(sample(params, jax.random.key(0))) * top
    np.testing.assert_allclose(drawn, drawn.round(), atol=1e-4)
    assert drawn.min() >= 0 and drawn.max() <= top


def test_codes_far_from_those_of_images_decode_to_images():
    """The inverse of a coupling divides by a sigmoid: float32 may end on the way."""
    method, params = built((4, 4, 1), turn="dense")
    last = params["flow"]["level_0"]["last"]
    last["bias"] = last["bias"].at[:, 2:].set(-300.0)  # sigmoid(-298) is 0 in float32
    codes = jax.random.normal(jax.random.key(1), (2, 16))
    images = np.asarray(jax.jit(method.decode)(params, codes))
    assert (images >= 0).all() and (images <= 1).all()


def test_histograms_by_hand():
    """One pixel, levels 0 and 1 of 2: seen thrice and once, one more of each."""
    train = np.float32([0, 0, 0, 1]).reshape(4, 1, 1, 1)
    test = np.float32([0, 1]).reshape(2, 1, 1, 1)
    expected = -0.5 * (np.log2(4 / 6) + np.log2(2 / 6))
    np.testing.assert_allclose(histogram_bits(train, test, 1), expected, rtol=1e-6)


def test_more_levels_than_an_image_has_halves_are_refused():
    with pytest.raises(UserError, match=r"method\.levels=8 halves images of 16x16"):
        glow.build(glow.Settings(levels=8), None, (16, 16, 1))


LIGHT = FactorSpace(
    (
        Factor("light", 3, "ordinal", (0.0, 1.0, 2.0)),
        Factor("noise", 100, "ordinal", tuple(map(float, range(100)))),
    )
)


def test_an_edit_of_a_conditional_flow_by_hand():
    """The numbers left at the end go from N(m, s) of one value to that of another."""
    chosen = conditional_glow.Settings(depth=1, width=4, levels=1)
    method = conditional_glow.build(chosen, LIGHT, (4, 4, 1))
    params = jax.jit(lambda key: base.init(method, key=key))(jax.random.key(0))
    bytes_ = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    images, own = jnp.float32(bytes_) / 255, jnp.int32([[0, 7]] * 5)
    other, edit = own.at[:, 0].set(2), jax.jit(method.edit)
    exact = bytes_ // 8 / 31  # levels of 5 bits
    np.testing.assert_allclose(edit(params, images, own, other), exact, atol=1e-4)
    kernel = 0.2 * jnp.cos(jnp.arange(24.0)).reshape(3, 8)
    params |= {"prior": {"kernel": kernel, "bias": jnp.ones(8)}}
    np.testing.assert_allclose(edit(params, images, own, own), exact, atol=1e-4)
    h = np.float64(method.represent(params, images)).reshape(5, 4, 4)
    (m, s), (m2, s2) = (np.split(1 + np.float64(kernel[v]), 2) for v in (0, 2))
    moved = m2 + np.exp(s2) * (h - m) / np.exp(s)
    expected = method.decode(params, jnp.float32(moved.reshape(5, 16)))
    found = edit(params, images, own, other)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - exact).max() > 0.1


@pytest.mark.slow
def test_a_conditional_flow_draws_and_edits_what_it_is_told():
    """4x4 noise at three brightnesses: edited images keep their own deviations."""
    rng, factors = np.random.default_rng(0), LIGHT.factors(np.arange(300))
    noise = rng.integers(-20, 21, (300, 4, 4, 1))
    images = np.uint8(60 * factors[:, 0, None, None, None] + 60 + noise)
    data = dt.from_arrays(images, factors, names=("light", "noise"))
    more = {"depth": 2, "levels": 1, "width": 8, "adamax_learning_rate": 1e-2}
    run = dt.train(
        "conditional_glow",
        data,
        condition=["light"],
        steps=400,
        batch_size=64,
        progress=False,
        **more,
    )
    asked = np.int64([[v, 0] for v in (0, 1, 2) for _ in range(50)])
    drawn = run.generate(asked, seed=0)[0].mean((1, 2, 3))
    assert (np.rint((255 * drawn - 60) / 60) == asked[:, 0]).mean() > 0.95
    wanted = factors.copy()
    wanted[:, 0] = (wanted[:, 0] + 1) % 3
    own = np.float32(images) / 255
    edited = run.edit(own, factors, wanted)[0]
    true = own + 60 / 255 * (wanted - factors)[:, 0, None, None, None]
    lit = 255 * np.abs(edited.mean((1, 2, 3)) - true.mean((1, 2, 3)))
    assert np.median(lit) < 15  # of steps of 60
    flat = lambda x: (x - x.mean((1, 2, 3), keepdims=True)).reshape(len(x), -1)
    assert np.corrcoef(flat(edited).ravel(), flat(own).ravel())[0, 1] > 0.8


@pytest.mark.slow
def test_glow_learns_below_histograms_of_pixels_and_moves_on_with_steps(capsys):
    """Shapes3D at 16x16, 4 bits: a small flow; held-out images."""
    data = dt.load("shapes3d", size=16)
    config = default_config("shapes3d", "glow").to_dict()
    config["method"] |= {"bits": 4, "levels": 2, "depth": 2, "width": 32}
    config["method"] |= {"adamax_learning_rate": 5e-3}
    config["data"] |= {"test_size": 500}
    config |= {"batch_size": 32, "eval_every": 0}
    _, _, _, index = prepare(config, data)
    test = pixels(data, index)
    train = pixels(data, np.random.default_rng(0).integers(0, len(data), 4000))
    floor, found = histogram_bits(train, test, 4), []
    for steps in (50, 150, 400):
        run = fit(config | {"steps": steps}, data, progress=False)
        log_p = jnp.asarray(run.log_prob(test)[0])
        found.append(float(glow.bits_per_dimension(log_p, test[0].size)))
    with capsys.disabled():
        print(f"\nbits per dimension {found} at 50, 150, 400 steps; {floor:.3f}")
    assert found[0] > found[1] > found[2]
    assert found[2] < floor - 0.1  # seen: 1.911 and 2.153
    codes = run.encode(test)[0]
    assert 0.5 < codes.std() < 1.5
    exact = np.floor(test * 255 + 0.5) // 16 / 15
    np.testing.assert_allclose(run.decode(codes)[0], exact, atol=2e-3)
