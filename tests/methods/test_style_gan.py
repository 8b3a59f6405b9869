"""StyleGAN: styles of two latents, truncation, the average, what codes are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.methods import METHODS, base
from disentangle.methods.gan_losses import r1
from disentangle.methods.style_gan import Parts, crossed
from disentangle.nn import Variables
from disentangle.training.config import default_config, read_experiment

SMALL = {"width": 4, "latents": 5, "styles": 6, "mapping": 2, "encoder": "dense"}
SMALL |= {"critic": "dense"}
RNG = np.random.default_rng(0)


def settings_of(**fields):
    config = default_config("toy", "style_gan").to_dict()
    config["method"] |= SMALL | fields
    return read_experiment(config).settings


def built(space, shape=(8, 8, 1), **fields):
    method = METHODS["style_gan"].build(settings_of(**fields), space, shape)
    params = base.init(method, key=jax.random.key(0))
    mapping = params["mapping"]
    centre = {"average": {"w": jnp.linspace(-1.0, 2.0, 6)}}
    return method, params | {"mapping": Variables(mapping.params, centre)}


def test_styles_of_two_latents_are_split_at_a_layer():
    first, second = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    place = jnp.asarray([0, 1, 3, 5])
    found = np.asarray(crossed(jnp.asarray(first), jnp.asarray(second), place, 5))
    for row, own in enumerate(place.tolist()):
        np.testing.assert_array_equal(found[row, :own], np.tile(first[row], (own, 1)))
        rest = np.tile(second[row], (5 - own, 1))
        np.testing.assert_array_equal(found[row, own:], rest)


@pytest.mark.slow
def test_mixed_at_the_first_and_the_last_layer_it_is_one_source(toy):
    method, params = built(toy.space)
    ways = method.latents
    z = jax.random.normal(jax.random.key(1), (6, ways.size))
    factors = jnp.zeros((6, 4), jnp.int32)
    a, b = ways.mapped(params, z, factors), ways.mapped(params, z[::-1], factors)
    at = lambda place: ways.draw(
        params, crossed(a, b, jnp.full(6, place), ways.layers), z
    )
    alike = lambda w: jnp.broadcast_to(w[:, None], (6, ways.layers, 6))
    same = lambda x, y: np.testing.assert_array_equal(x, y)
    same(at(0), ways.draw(params, alike(b), z))
    same(at(ways.layers), ways.draw(params, alike(a), z))
    assert np.abs(at(2) - at(0)).max() > 1e-4


@pytest.mark.slow
def test_truncation_1_is_none_and_0_is_one_picture(toy):
    key, pictures = jax.random.key(4), {}
    for psi in (0.0, 0.5, 1.0):
        method, params = built(toy.space, truncation=psi)
        pictures[psi] = np.asarray(method.sample(params, key=key, n=5))
    # The scales of the noise start at 0. Rows of a batch are rounded each its way.
    np.testing.assert_allclose(pictures[0.0], pictures[0.0][[0] * 5], atol=1e-6)
    assert np.ptp(pictures[1.0], axis=0).max() > 1e-2
    ways = method.latents
    z = jax.random.normal(key, (5, ways.size))
    w = ways.mapped(params, z, jnp.zeros((5, 4), jnp.int32))
    alike = jnp.broadcast_to(w[:, None], (5, ways.layers, 6))
    np.testing.assert_array_equal(pictures[1.0], ways.draw(params, alike, z))
    centre = params["mapping"].state["average"]["w"]
    half = jnp.broadcast_to(
        (centre[None] + 0.5 * (w - centre[None]))[:, None], alike.shape
    )
    np.testing.assert_allclose(pictures[0.5], ways.draw(params, half, z), atol=1e-6)


@pytest.mark.slow
def test_r1_is_the_squared_gradient_by_finite_differences(toy):
    """Of this critic, which sees groups of images, in float64."""
    with jax.enable_x64(True):
        parts = Parts(settings_of(critic="dense", width=8), (8, 8, 1), None)
        init = lambda name: parts.nets[name].init(jax.random.key(1))
        params = {name: init(name) for name in ("critic", "score")}
        params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), params)
        x = RNG.normal(size=(2, 8, 8, 1))
        total = lambda x: parts.judge(params, x, None).sum()
        found = r1(jax.grad(total)(jnp.asarray(x)))
        steps = np.eye(128).reshape(128, 2, 8, 8, 1) * 1e-5
        either = jax.jit(jax.vmap(total))
        slopes = (either(x[None] + steps) - either(x[None] - steps)) / 2e-5
        expected = 0.5 * (np.float64(slopes) ** 2).sum() / 2
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.fixture(scope="module")
def bars(toy):
    """The toy set, averaged down to 16x16."""
    images = np.asarray(toy.arrays).reshape(96, 16, 4, 16, 4, 1).mean((2, 4))
    small = jnp.asarray((255 * images).round().astype(np.uint8))
    return dataclasses.replace(toy, arrays=small, shape=(16, 16, 1), max_value=255)


@pytest.mark.slow
def test_it_draws_what_it_is_told_and_reads_what_it_draws(bars):
    """The place of a bar, chance .25, by the nearest of all 96 images; and w."""
    fields = {"width": 8, "latents": 16, "styles": 16, "mapping": 2, "gamma": 1.0}
    run = dt.train(
        "conditional_style_gan",
        bars,
        steps=1_500,
        batch_size=32,
        condition=("x",),
        encoder="mlp",
        progress=False,
        **fields,
    )
    every = np.asarray(bars.arrays, np.float32).reshape(96, -1) / 255
    wanted = bars.space.factors(np.arange(96))
    drawn = run.generate(wanted, seed=1)[0].reshape(96, -1)
    nearest = np.square(drawn[:, None] - every[None]).sum(2).argmin(1)
    obeys = (bars.space.factors(nearest)[:, 3] == wanted[:, 3]).mean()
    codes = run.encode(drawn.reshape(96, 16, 16, 1))[0]
    again = run.decode(codes)[0].reshape(96, -1)
    apart = np.square(again - drawn).mean() / np.square(drawn - drawn.mean(0)).mean()
    images = len(set(nearest.tolist()))
    print(f"place {obeys:.2f}, {images} images, drawn again {apart:.2f}")
    assert obeys > 0.6 and images > 12 and apart < 0.6
