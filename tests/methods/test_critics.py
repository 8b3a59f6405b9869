"""The density ratio finds a known total correlation; players keep to themselves."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from disentangle.data.samplers import Split
from disentangle.errors import UserError
from disentangle.methods import METHODS, base
from disentangle.methods.density_ratio import (
    discriminator_player,
    log_ratio,
    permute_dims,
)
from disentangle.methods.rf_vae import relevance
from disentangle.nn import discriminator
from disentangle.training.config import default_config, read_experiment
from disentangle.training.state import init
from disentangle.training.step import make_step


def built(name, toy, **fields):
    """(experiment, method, TrainHyperparameters of its one member): dense networks."""
    config = default_config("toy", name).to_dict()
    dense = {"encoder": "dense", "decoder": "dense"}
    if name != "beta_vae":
        dense["discriminator"] = (32, 32)
    config["method"] |= dense | fields
    experiment = read_experiment(config)
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    hyperparameters = jax.tree.map(
        lambda x: jnp.asarray(x)[0], experiment.hyperparameters
    )
    return experiment, method, hyperparameters


def started(method, experiment, hyperparameters):
    return init(method, experiment.optimizer, hyperparameters, jnp.uint32(0))


def batch_of(method, toy, count=16):
    index = jnp.arange(0, 5 * count, 5, dtype=jnp.int32)
    return method.collate(Split(toy), index, jax.random.key(2))


def test_permuting_keeps_every_marginal_and_no_dependence():
    column = np.random.default_rng(0).normal(size=(4000, 1)).astype(np.float32)
    z = np.concatenate([column, 2 * column, column**2], 1)
    shuffled = np.asarray(permute_dims(jnp.asarray(z), key=jax.random.key(1)))
    np.testing.assert_array_equal(np.sort(shuffled, 0), np.sort(z, 0))
    for order in (shuffled, np.concatenate([shuffled, column], 1)):
        correlation = np.corrcoef(order.T) - np.eye(order.shape[1])
        assert np.abs(correlation).max() < 4 / np.sqrt(len(z))


@pytest.mark.slow
def test_the_critic_finds_the_total_correlation_of_a_gaussian():
    """-log(1 - rho^2) / 2 (two dimensions), from the player's own loss alone."""
    rho, rows = 0.8, 1000
    net = discriminator(2, (64, 64))

    def sample(key):
        z = jax.random.normal(key, (rows, 2))
        return z.at[:, 1].set(rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1])

    def samples(params, batch, *, key):
        return sample(key), sample(jax.random.fold_in(key, 1))

    player = discriminator_player(net, samples)
    hyper = SimpleNamespace(discriminator_learning_rate=5e-4)
    tx = player.optimizer(hyper)
    params = {"discriminator": net.init(jax.random.key(0))}

    @jax.jit
    def train(params, memory):
        def step(i, carry):
            params, memory = carry
            key = jax.random.fold_in(jax.random.key(1), i)
            loss = lambda p: player.loss(p, hyper, None, key=key, step=i)[0]
            updates, memory = tx.update(jax.grad(loss)(params), memory)
            return optax.apply_updates(params, updates), memory

        with jax.numpy_dtype_promotion("standard"):
            return jax.lax.fori_loop(0, 2000, step, (params, memory))

    params, _ = train(params, tx.init(params))
    fresh = jax.vmap(sample)(jax.random.split(jax.random.key(9), 40)).reshape(-1, 2)
    ratio = np.asarray(log_ratio(net, params, fresh))
    expected = -0.5 * np.log(1 - rho**2)  # 0.511 nats
    np.testing.assert_allclose(ratio.mean(), expected, atol=0.02)
    x, y = np.float64(fresh).T
    density = expected - (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * (1 - rho**2))
    assert np.corrcoef(ratio, density)[0, 1] > 0.98  # also point by point


@pytest.mark.slow
def test_without_a_weight_on_the_critic_factor_vae_is_the_vae(toy):
    """gamma = 0: loss and gradient of beta-VAE with beta = 1, on the first batch."""
    _, ours, hyperparameters = built("factor_vae", toy, gamma=0.0)
    _, beta_vae, one = built("beta_vae", toy, beta=1.0)
    params = base.init(ours, key=jax.random.key(0))
    batch, key = batch_of(ours, toy), jax.random.key(3)
    first = {field: values[:16] for field, values in batch.items()}

    def gradient(method, hyper, batch):
        player = method.players["vae"]
        own = {name: params[name] for name in player.moves}
        loss = lambda own: player.loss(params | own, hyper, batch, key=key, step=0)[0]
        return jax.jit(jax.value_and_grad(loss))(own)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        gradient(ours, hyperparameters.method, batch),
        gradient(beta_vae, one.method, first),
    )


@pytest.mark.slow
def test_a_player_changes_only_its_own_networks(toy):
    experiment, method, hyperparameters = built("rf_vae", toy)
    for player, moves in (
        ("discriminator", {"discriminator"}),
        ("vae", {"encoder", "decoder", "relevance"}),
    ):
        alone = method._replace(players={player: method.players[player]})
        before = jax.jit(lambda m=alone: started(m, experiment, hyperparameters))()
        step = jax.jit(make_step(alone, experiment.optimizer, 16))
        after, _ = step(before, hyperparameters, Split(toy))
        for net in method.nets:
            pairs = zip(
                jax.tree.leaves(before.params[net]),
                jax.tree.leaves(after.params[net]),
                strict=True,
            )
            changed = [not np.array_equal(a, b) for a, b in pairs]
            assert any(changed) == (net in moves), net


def flops(function, *arguments):
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]


@pytest.mark.slow
def test_a_step_computes_no_gradient_that_nobody_uses(toy):
    """The products of a step by hand; 5 % is left for what is no product."""
    rows, width = 64, 512
    encoder = (4096 * 256, 256 * 20)  # products of a row, layer by layer
    decoder = (10 * 64, 64 * 4096)
    critic = (10 * width, width * width, width * 2)
    vae = 2 * sum(encoder) + encoder[1] + 3 * sum(decoder) + 2 * sum(critic)
    adversary = 2 * (3 * sum(critic) - critic[0])
    parameters = sum(encoder) + sum(decoder) + sum(critic)
    for batches, passes in ((1, 0), (2, 1)):
        fields = {"batches": batches, "discriminator": (width, width)}
        experiment, method, hyperparameters = built("factor_vae", toy, **fields)
        state = jax.eval_shape(
            lambda m=method, p=experiment, t=hyperparameters: started(m, p, t)
        )
        step = make_step(method, experiment.optimizer, rows)
        counted = flops(
            lambda s, t, step=step: step(s, t, Split(toy)), state, hyperparameters
        )
        products = 2 * rows * (vae + adversary + passes * sum(encoder))
        optimizers = 16 * parameters  # Adam's elementwise arithmetic, about
        np.testing.assert_allclose(counted, products + optimizers, rtol=0.05)


def test_the_published_discriminator_has_as_many_parameters():
    """5,018,002 for ten latents (Locatello et al. 2019, from their layers)."""
    settings = METHODS["factor_vae"].settings()
    net = discriminator(settings.latents, settings.discriminator)
    shapes = jax.eval_shape(net.init, jax.random.key(0))
    assert sum(np.prod(x.shape) for x in jax.tree.leaves(shapes)) == 5_018_002


def test_the_discriminator_leaks_below_zero():
    params = {
        "Dense_0": {"kernel": jnp.asarray([[1.0, -1.0]]), "bias": jnp.zeros(2)},
        "Dense_1": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)},
    }
    logits = discriminator(1, (2,)).apply(params, jnp.asarray([[3.0], [-5.0]]))
    np.testing.assert_allclose(logits, [[3.0, -0.6], [-1.0, 5.0]], rtol=1e-6)


@pytest.mark.slow
def test_relevance_is_pulled_by_the_derivative_of_the_objective(toy):
    """d/da_d = r(1-r) [(l_min - l_max) KL_d + eta_s - eta_h a_d] where gamma = 0.

    So a latent with a large KL is drawn towards 1, an unused one towards 0, and the
    entropy pushes both further the way they lean.
    """
    _, method, hyperparameters = built("rf_vae", toy, gamma=0.0, eta_h=7.0)
    params = base.init(method, key=jax.random.key(0))
    a = np.linspace(-1.5, 1.5, 10)
    params["relevance"] = {"logits": jnp.float32(a)}
    batch = batch_of(method, toy)

    def loss(logits):
        own = params | {"relevance": {"logits": logits}}
        player = method.players["vae"]
        return player.loss(
            own, hyperparameters.method, batch, key=jax.random.key(1), step=0
        )

    gradient, logs = jax.grad(loss, has_aux=True)(jnp.float32(a))
    r, kl = 1 / (1 + np.exp(-a)), np.float64(logs["kl_by_latent"])
    expected = r * (1 - r) * ((0.1 - 10) * kl + 1.0 - 7.0 * a)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logs["relevance"], r, rtol=1e-6)


@pytest.mark.slow
def test_relevance_rests_until_its_start(toy):
    experiment, method, hyperparameters = built("rf_vae", toy, relevance_start=2.0)
    step = jax.jit(make_step(method, experiment.optimizer, 16))
    state, held = started(method, experiment, hyperparameters), []
    for _ in range(3):
        held.append(np.asarray(state.params["relevance"]["logits"]))
        state, _ = step(state, hyperparameters, Split(toy))
    np.testing.assert_array_equal(held[1], held[0])
    np.testing.assert_array_equal(held[2], held[0])
    moved = np.asarray(state.params["relevance"]["logits"]) - held[0]
    assert (np.abs(moved) > 0).all()


@pytest.mark.slow
def test_relevance_learned_given_and_absent(toy):
    _, learned, _ = built("rf_vae", toy)
    params = base.init(learned, key=jax.random.key(0))
    a = np.asarray(params["relevance"]["logits"])
    assert 1e-4 < np.abs(a).mean() < 3e-3  # 0.001 N(0, 1)
    np.testing.assert_allclose(relevance(learned, params), 0.5 + a / 4, rtol=1e-5)
    for fields, expected in (
        ({}, [1] * 4 + [0] * 6),  # the toy data has four factors
        ({"latents": 3}, [1, 1, 1]),
        ({"latents": 4, "relevance": (0, 1, 1, 0)}, [0, 1, 1, 0]),
    ):
        _, given, _ = built("rf_vae_0", toy, **fields)
        params = base.init(given, key=jax.random.key(0))
        np.testing.assert_array_equal(relevance(given, params), expected)
    _, without, _ = built("factor_vae", toy)
    with pytest.raises(UserError, match="no relevance"):
        relevance(without, base.init(without, key=jax.random.key(0)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batches": 3}, "batches=3"),
        ({"discriminator": (0, 5)}, "discriminator=0 must be at least 1"),
        ({"relevance": (1, 0)}, "each of the 10"),
        ({"relevance": (2,) * 10}, "0 or 1"),
    ],
)
def test_wrong_settings_are_named(toy, fields, message):
    with pytest.raises(UserError, match=message):
        built("rf_vae_0", toy, **fields)
