"""What methods offer beyond codes: sample, edit, log_prob, embed; and where not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.data.samplers import take
from disentangle.errors import UserError
from disentangle.fields import fields_of
from disentangle.methods import METHODS, base
from disentangle.methods.importance import bound

QUICK = {"steps": 2, "batch_size": 8, "progress": False}
DENSE = {"encoder": "dense", "decoder": "dense"}


def test_the_bound_is_the_density_of_a_linear_gaussian_model():
    """p(z) = N(0, I), p(x|z) = N(W z, I): p(x) = N(0, W W' + I), in float64.

    The columns of W are orthogonal, so that q(z|x) can be exact; one draw is then
    enough. With q too wide the bound is lower and comes closer with more draws.
    """
    rng = np.random.default_rng(0)
    w = np.linalg.qr(rng.normal(size=(6, 3)))[0] * np.array([0.5, 1.0, 2.0])
    x = rng.normal(size=(5, 6))
    cov = w @ w.T + np.eye(6)
    exact = -0.5 * (
        np.einsum("bi,ij,bj->b", x, np.linalg.inv(cov), x)
        + np.linalg.slogdet(2 * np.pi * cov)[1]
    )
    precision = 1.0 + np.square(w).sum(0)

    def posterior(wide, x):
        mean = x @ jnp.asarray(w / precision, jnp.float32)
        logvar = jnp.asarray(np.log(1 / precision), jnp.float32) + wide
        return mean, jnp.broadcast_to(logvar[None], mean.shape)

    def log_likelihood(wide, z, x):
        squares = jnp.square(x - z @ jnp.asarray(w.T, jnp.float32)).sum(1)
        return -0.5 * (squares + 6 * jnp.log(2 * jnp.pi))

    images = jnp.asarray(x, jnp.float32)

    def of(wide, draws):
        key = jax.random.key(0)
        wide = jnp.float32(wide)
        return bound(posterior, log_likelihood, wide, images, key=key, draws=draws)

    np.testing.assert_allclose(of(0.0, 1), exact, atol=1e-5)
    few = np.mean([exact - np.asarray(of(1.5, 2))])
    many = np.abs(exact - np.asarray(of(1.5, 4096)))
    assert few > 0.1
    assert many.max() < 0.1


@pytest.mark.slow
def test_a_vae_samples_its_prior_and_bounds_its_density(toy):
    run = dt.train("vae", toy, seeds=2, **QUICK, **DENSE)
    images = run.sample(7, seed=3)
    assert images.shape == (2, 7, 64, 64, 1)
    assert images.min() >= 0 and images.max() <= 1
    np.testing.assert_array_equal(run.sample(3, seed=3), images[:, :3])
    assert np.abs(run.sample(3, seed=4) - images[:, :3]).max() > 1e-4
    seen = toy.images(np.arange(5))
    nats = run.log_prob(seen)
    assert nats.shape == (2, 5)
    mean, logvar = run.posterior(seen)
    # Jensen: on average above the evidence lower bound of the same posterior.
    kl = 0.5 * (mean**2 + np.exp(logvar) - logvar - 1).sum(-1)
    z = run.decode(mean)
    x = np.asarray(seen, np.float64)
    at_mean = (x * np.log(z) + (1 - x) * np.log1p(-z)).sum((2, 3, 4))
    assert (np.abs(nats - (at_mean - kl)) < 0.1 * np.abs(nats)).all()


@pytest.mark.slow
def test_a_conditional_vae_edits_the_factors_it_is_given(toy):
    fields = {"condition": ("shape", "x")} | DENSE
    run = dt.train("conditional_vae", toy, learning_rate=1e-2, **QUICK, **fields)
    seen = toy.images(np.arange(6))
    factors = toy.space.factors(np.arange(6))
    same = run.edit(seen, factors, factors)
    assert same.shape == (1, 6, 64, 64, 1)
    other = factors.copy()
    other[:, 1] = (other[:, 1] + 1) % 3  # 'size' is not among them
    np.testing.assert_array_equal(run.edit(seen, factors, other), same)
    other[:, 3] = (other[:, 3] + 1) % 4
    assert np.abs(run.edit(seen, factors, other) - same).max() > 1e-5
    assert run.sample(2).shape == (1, 2, 64, 64, 1)
    with pytest.raises(UserError, match=r"'x' of image 1 is 4, not in 0 \.\. 3"):
        run.edit(seen[:2], factors[:2], [[0, 0, 0, 0], [0, 0, 0, 4]])
    with pytest.raises(UserError, match=r"not int \(6, 4\)"):
        run.edit(seen, factors, factors[:2])


@pytest.mark.slow
def test_embeddings_have_length_one(toy):
    run = dt.train("supervised", toy, encoder="dense", **QUICK)
    found = run.embed(toy.images(np.arange(6)))
    assert found.shape == (1, 6, 16)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, rtol=1e-5)


@pytest.mark.slow
def test_what_a_method_cannot_do_is_one_sentence(toy):
    run = dt.train("supervised", toy, encoder="dense", **QUICK)
    seen = toy.images(np.arange(2))
    with pytest.raises(UserError, match="'supervised' cannot sample images"):
        run.sample(2)
    with pytest.raises(UserError, match="'supervised' cannot edit images"):
        run.edit(seen, [[0, 0, 0, 0]] * 2, [[0, 0, 0, 0]] * 2)
    with pytest.raises(UserError, match="'supervised' has no density of images"):
        run.log_prob(seen)
    run = dt.train("vae", toy, **QUICK, **DENSE)
    with pytest.raises(UserError, match="'vae' has no embedding"):
        run.embed(seen)
    with pytest.raises(UserError, match="n=-1 must be"):
        run.sample(-1)


# No prior that the codes are held to: what they decode to is no sample of a model.
WITHOUT = {"autoencoder", "qlae", "tripod", "supervised", "supervised_vae"}
WITHOUT |= {"adde", "adde_paper", "adde_outfits", "amnet", "fashion_search_net"}
WITHOUT |= {"csn", "csa_net", "type_aware", "pcl"}
WITHOUT |= {"diffusion_on_codes", "enc_diff"}
WITHOUT |= {"dna_gan", "munit"}


@pytest.mark.parametrize("name", METHODS)
def test_methods_with_a_prior_can_sample(toy, name):
    recipe = METHODS[name]
    fields = {"latents": 6} if hasattr(recipe.settings, "latents") else {}
    method = recipe.build(recipe.settings(**fields), toy.space, toy.shape)
    assert (method.sample is None) == (name in WITHOUT)


SMALL = DENSE | {"generator": "dense", "critic": "dense", "width": 8, "resolution": 8}
SMALL |= {"levels": 2, "depth": 1, "discriminator": (8,)}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_offers_is_finite_and_images_are_in_range(toy, name):
    """With fresh parameters; shapes are in tests/methods/test_shapes.py."""
    recipe = METHODS[name]
    known = fields_of(recipe.settings)
    fields = {field: value for field, value in SMALL.items() if field in known}
    fields |= {"decoder": "smooth"} if name == "tripod" else {}
    method = recipe.build(recipe.settings(**fields), toy.space, toy.shape)
    params = jax.jit(lambda key: base.init(method, key=key))(jax.random.key(0))
    batch, key = take(toy, jnp.arange(0, 96, 16)), jax.random.key(1)
    images, factors = batch["images"], batch["factors"]
    codes = jax.jit(method.represent)(params, images)
    assert np.isfinite(codes).all()
    offers = {
        "decode": lambda: method.decode(params, codes),
        "edit": lambda: method.edit(params, images, factors, factors[::-1]),
        "generate": lambda: method.generate(params, factors, key=key),
        "sample": lambda: method.sample(params, key=key, n=3),
    }
    for offer, made in offers.items():
        if getattr(method, offer) is not None:
            found = np.asarray(jax.jit(made)())
            assert (found >= 0).all() and (found <= 1).all(), offer
    if method.log_prob is not None:
        nats = jax.jit(lambda: method.log_prob(params, images, key=key))()
        assert np.isfinite(nats).all()
    if method.embed is not None:
        assert np.isfinite(jax.jit(method.embed)(params, images)).all()
