"""The CVAE: its codes average over what is not given, its decoder obeys c."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.methods import base
from disentangle.methods.conditional_vae import Settings, build, conditional
from disentangle.training.config import default_config
from disentangle.training.run import fit

DENSE = {"encoder": "dense", "decoder": "dense"}


def test_codes_without_a_condition_are_the_average_over_all_conditions(toy):
    settings = Settings(condition=("size", "x"), **DENSE)
    method = build(settings, toy.space, toy.shape)
    vae = conditional(settings, toy.space, toy.shape)
    params = base.init(method, key=jax.random.key(0))
    images = jnp.float32(toy.images(np.arange(0, 96, 13)))
    every = [
        vae.posterior(
            params, images, vae.one_hot(jnp.tile(jnp.int32([[0, s, 0, x]]), (8, 1)))
        )
        for s, x in itertools.product(range(3), range(4))
    ]
    expected = np.mean(np.float64(every), axis=0)
    assert np.std(np.float64(every), axis=0).min() > 0  # c does matter
    np.testing.assert_allclose(method.posterior(params, images), expected, atol=1e-5)


def test_the_one_hot_condition(toy):
    vae = conditional(Settings(condition=("x", "shape")), toy.space, toy.shape)
    c = vae.one_hot(jnp.int32([[1, 2, 3, 0], [0, 0, 0, 2]]))
    np.testing.assert_array_equal(c, [[1, 0, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0]])
    np.testing.assert_array_equal(vae.uniform, [0.25] * 4 + [0.5] * 2)


@pytest.mark.slow
def test_a_trained_decoder_moves_the_bar_where_the_condition_says(toy):
    """Planted truth: x is given, so the image with another c has another x.

    A large beta: what c gives for nothing is then not worth paying for in z.
    """
    config = default_config("toy", "conditional_vae").to_dict() | {"steps": 800}
    config["method"] |= DENSE | {"condition": ["x"], "latents": 4, "beta": 20.0}
    config["optimizer"]["learning_rate"] = 3e-3
    run = fit(config, toy, progress=False)
    params = run.member(0)
    vae = conditional(
        Settings(condition=("x",), latents=4, **DENSE), toy.space, toy.shape
    )
    factors = toy.space.factors(jnp.arange(96))
    moved = factors.at[:, 3].set((factors[:, 3] + 1) % 4)
    images = lambda f: np.float32(toy.images(np.asarray(toy.space.index(f))))
    z, _ = vae.posterior(params, jnp.asarray(images(factors)), vae.one_hot(factors))
    shown = jax.nn.sigmoid(vae.logits(params, z, vae.one_hot(moved)))
    wrong = lambda f: np.abs(shown - images(f)).mean()
    assert wrong(moved) < 0.8 * wrong(factors)


def test_conditions_that_do_not_exist(toy):
    with pytest.raises(UserError, match=r"unknown factor 'sizes'.*'size'"):
        conditional(Settings(condition=("sizes",)), toy.space, toy.shape)
    with pytest.raises(UserError, match="named twice"):
        conditional(Settings(condition=("x", "x")), toy.space, toy.shape)
