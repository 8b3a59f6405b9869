"""Every registered method: its loss is the paper's, it learns, it is one program."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equations import EQUATIONS
from equations.reference import Inputs

from disentangle.data.samplers import Split, take
from disentangle.fields import fields_of, spec_of
from disentangle.methods import METHODS, base
from disentangle.methods.activity import is_active
from disentangle.training import population
from disentangle.training.config import default_config, read_experiment
from disentangle.training.population import make_chunk
from disentangle.training.run import fit, load_run
from disentangle.training.writers import read_metrics

SMALL = {
    "encoder": "dense",
    "decoder": "dense",
    "discriminator": (32, 32),
    "generator": "dense",
    "critic": "dense",
    "denoiser": "dense",
    "source": "dense",
    "width": 16,
    "resolution": 8,
    "levels": 2,
    "depth": 1,
    "adamw_learning_rate": 1e-3,
}


def config_of(name, **fields):
    """A small config: small networks, 16 images a step, a quick learning rate."""
    config = default_config("toy", name).to_dict()
    known = config["method"]
    known |= {k: v for k, v in SMALL.items() if k in known}
    known |= {"decoder": "smooth"} if name == "tripod" else {}
    # In steps: a capacity that rises within 48 steps is a loss that rises.
    for field, defined in fields_of(METHODS[name].settings).items():
        known |= {field: 100_000.0} if spec_of(defined).share else {}
    known |= fields
    config |= {"batch_size": 16}
    config["optimizer"]["learning_rate"] = 1e-3
    return config


def built(name, toy, **fields):
    experiment = read_experiment(config_of(name, **fields))
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    return experiment, method


def test_every_method_has_its_equation():
    assert set(EQUATIONS) == set(METHODS)
    assert all(EQUATIONS.values())


# Seconds to compile. `adde` has a step of it by hand, the losses of GANs and of
# diffusion closed forms.
DEAR = (
    *("adde", "adde_paper", "adde_outfits", "csa_net", "type_aware"),
    *("fashion_search_net", "cpggan", "cdpggan", "stack_gan", "multi_conditional_gan"),
    *("dcgan", "tripod", "factor_vae", "amnet", "hfs_vae", "ada_gvae", "joint_vae"),
    *("conditional_gan", "csn", "gvae", "rf_vae", "ada_ml_vae", "rf_vae_0", "ml_vae"),
    *("cycle_vae", "class_content_style", "dna_gan"),
    *("control_vae", "slow_vae", "pcl", "ivae"),
    *("jacobian_l1_vae", "lie_group_vae", "factor_qvae"),
    *("conditional_diffusion", "diffusion_on_codes", "enc_diff"),
    *("munit", "glow", "conditional_glow"),
    *("style_gan", "conditional_style_gan"),
)
CASES = [  # the first of each method is quick
    pytest.param(name, i, marks=pytest.mark.slow if i or name in DEAR else ())
    for name, cases in EQUATIONS.items()
    for i in range(len(cases))
]


@pytest.mark.parametrize(("name", "i"), CASES)
def test_every_loss_is_the_published_equation(toy, name, i):
    """To 2e-6 of a float64 evaluation, on weights away from their start."""
    case = EQUATIONS[name][i]
    experiment, method = built(name, toy, **case.fields)
    params = base.init(method, key=jax.random.key(3))
    if "encoder" in params:
        params["encoder"] = jax.tree.map(lambda x: x * 1.3, params["encoder"])
    if name == "conditional_glow":  # these are zero at the start
        away = lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size)).reshape(x.shape)
        params |= jax.tree.map(away, {k: params[k] for k in ("prior", "classifiers")})
    index = jnp.arange(0, 96, 9, dtype=jnp.int32)
    batch = method.collate(Split(toy), index, jax.random.key(4))
    hyper = jax.tree.map(lambda x: jnp.asarray(x[0]), experiment.hyperparameters.method)
    key = jax.random.key(5)
    expected = case.expected(
        Inputs(
            method,
            params,
            jax.tree.map(np.float64, hyper),
            experiment.settings,
            batch,
            key,
            case.step,
        )
    )
    assert set(expected) == set(method.players)
    for player, value in expected.items():
        found = base.Output(
            *method.players[player].loss(params, hyper, batch, key=key, step=case.step)
        )
        np.testing.assert_allclose(found.loss, value, rtol=2e-6, err_msg=player)


def test_kl_of_a_known_gaussian():
    from disentangle.methods.gaussian_vae import kl_to_prior

    mean, sd = np.array([[0.3, -2.0]]), np.array([[0.5, 3.0]])
    # Monte Carlo free: KL = log(1/sd) + (sd^2 + mean^2 - 1) / 2
    expected = -np.log(sd[0]) + (sd[0] ** 2 + mean[0] ** 2 - 1) / 2
    ours = kl_to_prior(jnp.float32(mean), jnp.float32(2 * np.log(sd)))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_in_one_program_alone_and_together(
    toy, name, tmp_path, monkeypatch
):
    """64 images, 48 steps: finite, falling, one compile whatever the chunks' lengths;
    a member of a population is the model trained alone; what is saved is loaded.

    CSN's triplets rise above the margin while its codes grow, and fall after 100 steps.
    """
    traces, steps = [], {"csn": 192}.get(name, 48)

    def counted(step):
        chunk = make_chunk(step)

        def once(*arguments):
            traces.append(name)
            return chunk(*arguments)

        return once

    monkeypatch.setattr(population, "make_chunk", counted)
    config = config_of(name) | {"steps": steps, "log_every": 4, "eval_every": 0}
    config["data"]["train_size"] = 64
    folder = tmp_path / "run"
    together = fit(config | {"seeds": 2}, toy, workdir=folder, progress=False)
    assert len(traces) == 1
    assert together.alive.all()  # every loss and gradient was finite
    rows = read_metrics(folder)
    falls = falling(name, together.method)
    for member in together.members:
        values = [row[falls] for row in rows if row["member"] == member]
        assert np.isfinite(values).all()
        assert values[-1] < 0.9 * values[0]

    alone = fit(config | {"seeds": 1, "seed": 1}, toy, progress=False)
    both = zip(
        jax.tree.leaves(together.member(1)), jax.tree.leaves(alone.params), strict=True
    )
    for a, b in both:
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b[0], rtol=1e-5, atol=1e-6)

    loaded = load_run(folder)
    assert (loaded.members, loaded.step) == (together.members, steps)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, together.params)
    images = toy.images(np.arange(5))
    np.testing.assert_array_equal(loaded.encode(images), together.encode(images))


def check_awake(codes):
    """More than one code in use; the means deviate by more than 0.1 somewhere."""
    assert len(np.unique(codes.round(3), axis=0)) > len(codes) // 8
    assert is_active(codes.var(0)).any()


def test_a_method_that_has_one_code_is_not_awake():
    rng = np.random.default_rng(0)
    for codes in (np.full((64, 3), 7.0), rng.normal(5.0, 0.007, (64, 3))):
        with pytest.raises(AssertionError):
            check_awake(np.float32(codes))
    check_awake(rng.normal(0.0, 0.5, (64, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qlae", "tripod"])
def test_quantised_codes_differ_from_the_start_with_the_default_networks(toy, name):
    """Of 96 images; with the networks of Locatello et al. 2019 it is a few codes."""
    experiment = read_experiment(default_config("toy", name).to_dict())
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    params = jax.jit(lambda key: base.init(method, key=key))(jax.random.key(0))
    images = take(toy, jnp.arange(96))["images"]
    codes = np.asarray(jax.jit(method.represent)(params, images))
    assert len(np.unique(codes, axis=0)) >= 48
    assert np.mean([len(np.unique(column)) for column in codes.T]) >= 4


def falling(name, method):
    """The log that must fall: the loss of the first player who moves the encoder (an
    adversary's need not), but for QLAE, whose penalties start near 0, its codes
    inside the codebook, and grow until the book has followed; of a GAN that of the
    critic, who at first learns faster than the generator."""
    if name == "qlae":
        return "reconstruction"
    if "flow" in method.nets:
        return "loss"
    if "generator" in method.players:
        return "critic/loss"
    if "denoiser" in method.nets:
        return "loss"
    learner = next(n for n, p in method.players.items() if "encoder" in p.moves)
    return "loss" if len(method.players) == 1 else f"{learner}/loss"


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in DEAR else ()) for n in METHODS],
)
def test_every_method_represents_and_decodes(toy, name):
    _, method = built(name, toy)
    params = base.init(method, key=jax.random.key(0))
    batch = take(toy, jnp.arange(6))
    codes = method.represent(params, batch["images"])
    assert codes.ndim == 2
    assert codes.shape[0] == 6
    if method.posterior is not None:
        mean, logvar = method.posterior(params, batch["images"])
        np.testing.assert_array_equal(mean, codes)
        assert logvar.shape == mean.shape
    if method.decode is not None:
        images = np.asarray(method.decode(params, codes))
        assert images.shape == (6, 64, 64, 1)
        assert (images >= 0).all()
        assert (images <= 1).all()
    if method.attributes is not None:
        assert len(method.attributes) == codes.shape[1]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_is(name):
    recipe = METHODS[name]
    assert dataclasses.is_dataclass(recipe.settings)
    assert (
        any(letter.isdigit() for letter in recipe.summary) or "ADDE" in recipe.summary
    )


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
