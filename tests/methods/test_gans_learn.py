"""GANs on bars of 16x16: what was asked for is drawn, and not one picture of it.

The oracle is exact: the nearest of all 96 images. Chance is 1/2 for the shape and 1/4
for the place; a generator that draws one picture is nearest to one image.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError

SMALL = {"batch_size": 32, "width": 16, "latents": 16, "gamma": 1.0, "progress": False}
SMALL |= {"generator_learning_rate": 1e-3, "critic_learning_rate": 1e-3}


@pytest.fixture(scope="module")
def bars(toy):
    """The toy set, averaged down to 16x16."""
    images = np.asarray(toy.arrays).reshape(96, 16, 4, 16, 4, 1).mean((2, 4))
    small = jnp.asarray((255 * images).round().astype(np.uint8))
    return dataclasses.replace(toy, arrays=small, shape=(16, 16, 1), max_value=255)


def read(images, bars):
    """(the nearest image of each, (n,); its factors)."""
    real = np.asarray(bars.images(np.arange(96)), np.float64).reshape(1, 96, -1) / 255
    gaps = np.square(np.asarray(images).reshape(len(images), 1, -1) - real).sum(2)
    nearest = gaps.argmin(1)
    return nearest, bars.space.factors(nearest)


def asked(bars, count=400):
    return bars.space.factors(np.random.default_rng(0).integers(0, 96, count))


@pytest.mark.slow
def test_a_conditional_gan_draws_what_it_is_told_and_varies_the_rest(bars):
    fields = SMALL | {"condition": ("x", "shape")}
    run = dt.train("conditional_gan", bars, steps=1200, **fields)
    wanted = asked(bars)
    nearest, found = read(run.generate(wanted, seed=1)[0], bars)
    right = (found == wanted).mean(0)
    assert right[3] > 0.9 and right[0] > 0.75  # seen: .998 and .932
    assert len(np.unique(nearest)) > 60  # seen: 93; sizes and turns are free
    few = run.generate(wanted[:3], seed=1)
    np.testing.assert_array_equal(few, run.generate(wanted, seed=1)[:, :3])
    assert np.abs(run.generate(wanted[:3], seed=2) - few).max() > 0.01
    assert run.sample(5).shape == (1, 5, 16, 16, 1)
    with pytest.raises(UserError, match=r"'x' of image 0 is 4, not in 0 \.\. 3"):
        run.generate([[0, 0, 0, 4]])
    with pytest.raises(UserError, match="seed=-1 must be a whole number"):
        run.generate(wanted[:1], seed=-1)


@pytest.mark.slow
def test_a_multi_conditional_gan_draws_every_combination(bars):
    run = dt.train("multi_conditional_gan", bars, steps=1200, hidden=128, **SMALL)
    wanted = asked(bars)
    images = run.generate(wanted, seed=1)[0]
    nearest, found = read(images, bars)
    assert (found == wanted).mean(0).min() > 0.85  # seen: .972 and more
    assert len(np.unique(nearest)) > 85  # seen: 96
    truth = np.float64(bars.images(bars.space.index(wanted))) / 255
    assert -10 * np.log10(np.square(images - truth).mean()) > 22  # dB; seen: 29.0


@pytest.mark.slow
def test_a_growing_gan_draws_what_it_is_told(bars, tmp_path):
    fields = SMALL | {"condition": ("x", "shape")}
    grown = ((4, 300), (8, 500), (0, 1000))
    stages = [{"steps": n, "method.resolution": side} for side, n in grown]
    run = dt.train("cpggan", bars, stages=stages, workdir=tmp_path, **fields)
    wanted = asked(bars)
    nearest, found = read(run.generate(wanted, seed=1)[0], bars)
    right = (found == wanted).mean(0)
    assert right[3] > 0.8 and right[0] > 0.5  # seen: .922 and .662
    assert len(np.unique(nearest)) > 30  # seen: 46


@pytest.mark.slow
def test_the_second_stage_keeps_the_attributes_of_the_first(bars, tmp_path):
    fields = SMALL | {"condition": ("x", "shape"), "hidden": 128}
    stages = [{"steps": n, "method.stage": i} for i, n in ((1, 900), (2, 400))]
    run = dt.train("stack_gan", bars, stages=stages, workdir=tmp_path, **fields)
    wanted = asked(bars)
    nearest, found = read(run.generate(wanted, seed=1)[0], bars)
    right = (found == wanted).mean(0)
    assert right[3] > 0.9 and right[0] > 0.75  # seen: 1.0 and .968
    assert len(np.unique(nearest)) > 50  # seen: 84, of stage I 64
    first = dt.load_run(tmp_path / "stage-1")
    same = np.testing.assert_array_equal
    jax.tree.map(same, run.params["generator"], first.params["generator"])
