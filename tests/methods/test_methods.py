"""Every registered method: its loss is the paper's, it learns, it is one program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.samplers import Pool, take
from disentangle.methods import METHODS, base
from disentangle.training.config import default_config, plan
from disentangle.training.loop import first_progress
from disentangle.training.population import make_chunk
from disentangle.training.step import make_step


def built(name, toy, **fields):
    config = default_config("toy", name).to_dict()
    known = config["method"]
    known |= {k: "dense" for k in ("encoder", "decoder") if k in known} | fields
    config |= {"batch_size": 16}
    config["optimizer"]["learning_rate"] = 1e-3
    planned = plan(config)
    return planned, planned.recipe.build(planned.settings, toy.space, toy.shape)


def nll64(likelihood, logits, images):
    """Float64 NumPy: -log p(x|z), nats per image."""
    logits, images = np.float64(logits), np.float64(images)
    mean = 1 / (1 + np.exp(-logits))
    if likelihood == "bernoulli":
        pixels = -(images * np.log(mean) + (1 - images) * np.log1p(-mean))
    else:
        pixels = 0.5 * (images - mean) ** 2 + 0.5 * np.log(2 * np.pi)
    return pixels.sum((1, 2, 3)).mean()


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize(("name", "beta"), [("vae", 1.0), ("beta_vae", 6.5)])
def test_vae_loss_is_the_published_formula(toy, name, beta, likelihood):
    fields = {"beta": beta} if name == "beta_vae" else {}
    _, method = built(name, toy, likelihood=likelihood, **fields)
    params = base.init(method, key=jax.random.key(3))
    params["encoder"] = jax.tree.map(lambda x: x * 1.3, params["encoder"])
    batch = take(toy, jnp.arange(0, 96, 9))
    key = jax.random.key(5)
    hyper = METHODS[name].hyper(**fields)
    loss, _ = method.players["vae"].loss(params, hyper, batch, key=key, step=0)

    out = np.float64(method.nets["encoder"].apply(params["encoder"], batch.images))
    mean, logvar = out[:, :10], out[:, 10:]
    noise = np.float64(jax.random.normal(key, mean.shape))
    z = mean + np.exp(logvar / 2) * noise
    logits = method.nets["decoder"].apply(params["decoder"], jnp.float32(z))
    variance = np.exp(logvar)
    kl = -0.5 * (1 + np.log(variance) - mean**2 - variance)
    expected = nll64(likelihood, logits, batch.images) + beta * kl.sum(1).mean()
    np.testing.assert_allclose(loss, expected, rtol=2e-6)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_autoencoder_loss_is_the_reconstruction(toy, likelihood):
    _, method = built("autoencoder", toy, likelihood=likelihood)
    params = base.init(method, key=jax.random.key(3))
    batch = take(toy, jnp.arange(8))
    loss, _ = method.players["autoencoder"].loss(
        params, (), batch, key=jax.random.key(0), step=0
    )
    codes = method.represent(params, batch.images)
    logits = method.nets["decoder"].apply(params["decoder"], codes)
    np.testing.assert_allclose(loss, nll64(likelihood, logits, batch.images), rtol=2e-6)


def test_supervised_loss_is_the_weighted_sum_of_normalised_losses(toy):
    weights = [1.0, 0.0, 2.0, 0.5]
    planned, method = built("supervised", toy, weights=weights)
    params = base.init(method, key=jax.random.key(0))
    batch = take(toy, jnp.arange(0, 96, 5))
    hyper = jax.tree.map(lambda x: x[0], planned.traced.method)
    loss, logs = method.players["multitask"].loss(
        params, hyper, batch, key=jax.random.key(0), step=0
    )
    features = method.nets["encoder"].apply(params["encoder"], batch.images)
    heads = method.nets["heads"].apply(params["heads"], features)
    shape, size, turn, x = (np.float64(p) for p in heads.predictions)
    f = np.asarray(batch.factors)
    log_p = shape - np.log(np.exp(shape).sum(1, keepdims=True))
    expected = [-log_p[np.arange(len(f)), f[:, 0]].mean() / np.log(2)]
    for prediction, column, values in ((size, 1, [1, 2, 4]), (x, 3, [0, 1, 2, 3])):
        standard = (np.asarray(values) - np.mean(values)) / np.std(values)
        expected.append(((prediction[:, 0] - standard[f[:, column]]) ** 2).mean())
    angle = np.pi / 2 * f[:, 2] * np.where(f[:, 0] == 0, 1, 2)
    target = np.stack([np.cos(angle), np.sin(angle)], 1)
    expected.insert(2, ((turn - target) ** 2).sum(1).mean())  # its variance is 1
    np.testing.assert_allclose(logs["task_losses"], expected, rtol=1e-5)
    np.testing.assert_allclose(loss, np.dot(weights, expected), rtol=1e-5)


def test_kl_of_a_known_gaussian():
    from disentangle.methods.gaussian_vae import kl_to_prior

    mean, sd = np.array([[0.3, -2.0]]), np.array([[0.5, 3.0]])
    # Monte Carlo free: KL = log(1/sd) + (sd^2 + mean^2 - 1) / 2
    expected = -np.log(sd[0]) + (sd[0] ** 2 + mean[0] ** 2 - 1) / 2
    ours = kl_to_prior(jnp.float32(mean), jnp.float32(2 * np.log(sd)))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_in_one_program(toy, name):
    """Finite, falling loss on 64 images; any number of steps is one compile."""
    planned, method = built(name, toy)
    pool = Pool(toy, jnp.arange(64, dtype=jnp.int32))
    now = first_progress(planned, method, pool, ())
    step = make_step(method, planned.optimizer, 16)
    compiles = []

    def counted(*arguments):
        compiles.append(1)
        return make_chunk(step)(*arguments)

    chunk = jax.jit(counted)
    traced = jax.tree.map(jnp.asarray, planned.traced)
    state, window = now.state, now.window
    means = []
    for n in (4, 20, 3):
        state, window = chunk(state, window, traced, pool, jnp.int32(n))
        losses = [v for k, v in window.total.items() if k.endswith("loss")]
        means.append(float(losses[0][0]) / n)
        window = jax.tree.map(jnp.zeros_like, window)
    assert len(compiles) == 1
    assert np.isfinite(means).all()
    assert means[-1] < 0.9 * means[0]
    assert int(state.step[0]) == 27
    for name_, leaf in jax.tree_util.tree_leaves_with_path(state.params):
        assert np.isfinite(leaf).all(), name_


@pytest.mark.parametrize("name", METHODS)
def test_every_method_represents_and_decodes(toy, name):
    _, method = built(name, toy)
    params = base.init(method, key=jax.random.key(0))
    batch = take(toy, jnp.arange(6))
    codes = method.represent(params, batch.images)
    assert codes.ndim == 2
    assert codes.shape[0] == 6
    if method.decode is not None:
        images = np.asarray(method.decode(params, codes))
        assert images.shape == (6, 64, 64, 1)
        assert (images >= 0).all()
        assert (images <= 1).all()
    if method.blocks is not None:
        assert len(method.blocks) == codes.shape[1]


def test_bernoulli_gradient_is_sigmoid_minus_x_also_far_out():
    from disentangle.methods.likelihood import bernoulli

    logits = jnp.asarray([-200.0, -30.0, -1.0, 0.0, 1.0, 30.0, 200.0])
    images = jnp.asarray([1.0, 0.0, 0.3, 1.0, 0.0, 1.0, 0.0])
    shape = lambda x: x.reshape(1, 7, 1, 1)
    value, gradient = jax.value_and_grad(bernoulli)(shape(logits), shape(images))
    l, x = np.float64(logits), np.float64(images)
    np.testing.assert_allclose(value, (np.logaddexp(0, l) - x * l).sum(), rtol=1e-6)
    expected = 1 / (1 + np.exp(-l)) - x
    np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6, atol=1e-9)
