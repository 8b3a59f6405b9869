"""Few labels: a fixed set of labelled images, read by the supervised loss alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.samplers import Split, alone, draw
from disentangle.errors import UserError
from disentangle.fields import defaults, swept_names
from disentangle.methods import METHODS, base, beta_vae
from disentangle.methods.semi_supervised import beside_labels, labelled_images
from disentangle.training.config import default_config, read_experiment

S2 = [name for name in METHODS if "gamma_sup" in swept_names(METHODS[name].settings)]


def built(toy, name="s2_beta_vae", **fields):
    config = default_config("toy", name).to_dict()
    config["method"] |= {"encoder": "dense", "decoder": "dense"} | fields
    experiment = read_experiment(config)
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    return experiment, method


def seen(toy, subset, labels, seed, steps=40):
    """The labelled images of some steps of 16 images."""
    collate = jax.jit(beside_labels(alone, labels, seed))
    found = []
    for step in range(steps):
        drawn, other = jax.random.split(jax.random.key(step))
        split = Split(toy, subset)
        index = draw(split, drawn, 16)
        batch = collate(split, index, other)
        np.testing.assert_array_equal(batch["factors"], toy.space.factors(index))
        index = np.asarray(toy.space.index(batch["labelled/factors"]))
        np.testing.assert_array_equal(
            batch["labelled/images"], np.float32(toy.images(index))
        )
        assert len(index) == 16
        found.append(index)
    return np.concatenate(found)


@pytest.mark.slow
def test_the_labelled_images_are_fixed_and_as_many_as_asked_for(toy):
    counts = np.bincount(seen(toy, None, labels=10, seed=3), minlength=96)
    assert (counts > 0).sum() == 10
    expected = 40 * 16 / 10
    assert (abs(counts[counts > 0] - expected) < 5 * np.sqrt(expected)).all()
    again = seen(toy, None, labels=10, seed=3, steps=20)
    assert set(again) == set(np.flatnonzero(counts))
    assert set(seen(toy, None, labels=10, seed=4)) != set(again)
    assert set(again) < set(seen(toy, None, labels=20, seed=3))


def test_labels_come_from_the_split_all_of_it_where_it_is_small(toy):
    subset = jnp.asarray([4, 40, 41, 77, 90], jnp.int32)
    assert set(seen(toy, subset, labels=1000, seed=0, steps=10)) == {4, 40, 41, 77, 90}
    assert set(seen(toy, subset, labels=2, seed=0, steps=10)) < {4, 40, 41, 77, 90}
    assert labelled_images(Split(toy), 7, 0).shape == (7,)


@pytest.mark.slow
def test_the_unsupervised_part_reads_no_label(toy):
    """Other factors beside the images drawn change nothing."""
    experiment, method = built(toy)
    params = base.init(method, key=jax.random.key(0))
    index = jnp.arange(8, dtype=jnp.int32)
    batch = method.collate(Split(toy), index, jax.random.key(1))
    hyper = jax.tree.map(lambda x: x[0], experiment.hyperparameters.method)
    loss = method.players["vae"].loss
    value, logs = loss(params, hyper, batch, key=jax.random.key(2), step=0)
    blind = batch | {"factors": -jnp.ones_like(batch["factors"])}
    same, _ = loss(params, hyper, blind, key=jax.random.key(2), step=0)
    np.testing.assert_array_equal(value, same)
    plain = beta_vae.build(experiment.settings, toy.space, toy.shape)
    without, _ = plain.players["vae"].loss(
        params, hyper, batch, key=jax.random.key(2), step=0
    )
    np.testing.assert_allclose(value, without + 64 * logs["supervised"], rtol=1e-6)


@pytest.mark.slow
def test_the_supervised_encoder_learns_from_labels_alone(toy):
    experiment, method = built(toy, "supervised_vae")
    params = base.init(method, key=jax.random.key(0))
    batch = method.collate(Split(toy), jnp.arange(8), jax.random.key(1))

    def gradient(gamma_sup):
        hyper = dataclasses.replace(
            experiment.hyperparameters.method, gamma_sup=jnp.float32(gamma_sup)
        )
        loss = lambda p: method.players["vae"].loss(
            p, hyper, batch, key=jax.random.key(2), step=0
        )
        grads, _ = jax.grad(loss, has_aux=True)(params)
        return {
            k: max(abs(x).max() for x in jax.tree.leaves(v)) for k, v in grads.items()
        }

    assert gradient(0.0)["encoder"] == 0
    assert gradient(1.0)["encoder"] > 0
    assert gradient(0.0)["decoder"] == gradient(1.0)["decoder"] > 0


@pytest.mark.parametrize("name", S2)
def test_mistakes_are_told_before_compute(toy, name):
    with pytest.raises(UserError, match=r"unknown supervised loss 'xnet'.*'xent'"):
        built(toy, name, supervised_loss="xnet")
    with pytest.raises(UserError, match="labels=0 must be at least 1"):
        built(toy, name, labels=0)
    with pytest.raises(UserError, match=r"latents=3 is less than the 4 factors"):
        built(toy, name, latents=3)
    with pytest.raises(UserError, match="unknown likelihood"):  # of the method itself
        built(toy, name, likelihood="poisson")


def test_every_field_of_the_unsupervised_method_is_one_of_its_s2_variant():
    s2, plain = METHODS["s2_beta_vae"].settings, beta_vae.Settings
    swept = {name: defaults(s2)[name] for name in swept_names(s2)}
    assert swept == {"beta": defaults(plain)["beta"], "gamma_sup": 64.0}
