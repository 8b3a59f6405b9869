"""What a recipe says about its fields: schedules, limits, the paper's settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.samplers import Split
from disentangle.errors import UserError
from disentangle.fields import defaults, fields_of, spec_of, swept_names
from disentangle.methods import METHODS, base
from disentangle.training.config import default_config, paper_config, read_experiment
from disentangle.training.state import apart, joined

SMALL = {"encoder": "dense", "decoder": "dense", "discriminator": (8,)}
SMALL |= {"generator": "dense", "critic": "dense", "width": 8, "resolution": 8}
SMALL |= {"denoiser": "dense", "source": "dense"}
SMALL |= {"levels": 2, "depth": 1}
SCHEDULED = {"annealed_vae", "s2_annealed_vae", "joint_vae", "rf_vae"}
SCHEDULED |= {"cpggan", "cdpggan", "control_vae", "jacobian_l1_vae"}


def config_of(name, steps=1000, **fields):
    config = default_config("toy", name).to_dict()
    known = config["method"]
    known |= {k: v for k, v in SMALL.items() if k in known}
    known |= {"decoder": "smooth"} if name == "tripod" else {}
    known |= fields
    return config | {"steps": steps, "batch_size": 8}


def hyper_of(config, member=0):
    return jax.tree.map(
        lambda x: jnp.asarray(x[member]), read_experiment(config).hyperparameters.method
    )


def shares(name):
    """The fields of a method that say when in training."""
    fields = fields_of(METHODS[name].settings)
    return [n for n, field in fields.items() if spec_of(field).share]


def learner(name, toy):
    """loss(hyper, step) of the last player, which is not an adversary's critic, and its
    gradient."""
    experiment = read_experiment(config_of(name))
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    params = base.init(method, key=jax.random.key(0))
    index = jnp.arange(8, dtype=jnp.int32)
    batch = method.collate(Split(toy), index, jax.random.key(1))
    *_, player = method.players.values()
    params, state = apart(params)

    def loss(hyper, step):
        own = {net: params[net] for net in player.moves}
        run = lambda own: player.loss(
            joined(params | own, state), hyper, batch, key=jax.random.key(2), step=step
        )[0]
        return jax.value_and_grad(run)(own)

    return loss


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_loss_knows_the_step_just_where_its_recipe_has_a_schedule(toy, name):
    traced = jax.make_jaxpr(learner(name, toy))(hyper_of(config_of(name)), 3)
    step = traced.jaxpr.invars[-1]
    used = any(step is var for eqn in traced.jaxpr.eqns for var in eqn.invars)
    assert used == bool(shares(name)) == (name in SCHEDULED)


DEAR = ("cpggan", "cdpggan", "joint_vae")  # seconds to compile
SEEN = {  # what the schedule moves is seen in the first loss
    "rf_vae": {"relevance_start": 0.4},
    "control_vae": {"kl": 2.0, "proportional": 50.0},
}
SHARES = [
    pytest.param(name, marks=pytest.mark.slow if name in DEAR else ())
    for name in sorted(SCHEDULED)
]


@pytest.mark.parametrize("name", SHARES)
def test_every_schedule_is_a_share_of_the_run(toy, name):
    """At the same share of a run of any length the loss and its gradient are the
    same; at another share they are not; every schedule is over when the run is."""
    fields = SEEN.get(name, {})
    short, long = (hyper_of(config_of(name, n, **fields)) for n in (1000, 50_000))
    loss = jax.jit(learner(name, toy))
    early, also_early = loss(short, 300), loss(long, 15_000)
    same = lambda a, b: np.allclose(a, b, rtol=1e-4, atol=1e-4)
    assert jax.tree.all(jax.tree.map(same, early, also_early))
    assert not jax.tree.all(jax.tree.map(same, early, loss(short, 999)))
    # The run's last step has what a step long after the end has, to one in a thousand.
    last, never = loss(short, 999)[0], loss(short, 10**6)[0]
    assert abs(last - never) <= 2e-3 * abs(loss(short, 0)[0] - never) + 1e-3


def test_a_schedule_up_to_1_is_a_share_and_above_1_is_steps():
    config = config_of("annealed_vae", 600, threshold=[0.25, 1.0, 1.5, 150.0])
    experiment = read_experiment(config)
    np.testing.assert_array_equal(
        experiment.hyperparameters.method.threshold,
        np.float32([150.0, 600.0, 1.5, 150.0]),
    )
    assert experiment.config["method"]["threshold"] == [0.25, 1.0, 1.5, 150.0]
    assert experiment.members[0] == "threshold=0.25,seed=0"
    np.testing.assert_array_equal(
        experiment.hyperparameters.method.c_max, np.full(4, 25.0)
    )


def test_the_defaults_at_300000_steps_are_the_papers():
    annealed = read_experiment(
        config_of("annealed_vae", 300_000)
    ).hyperparameters.method
    assert annealed.threshold == 100_000
    assert (
        read_experiment(
            config_of("joint_vae", 300_000)
        ).hyperparameters.method.capacity_steps
        == 300_000
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_schedule_is_a_share_of_the_run_by_default(name):
    for field in shares(name):
        assert 0 <= fields_of(METHODS[name].settings)[field].default <= 1


@pytest.mark.parametrize("name", METHODS)
def test_the_papers_settings_are_fields_and_differ_from_the_defaults(name):
    protocol, published = METHODS[name].protocol, METHODS[name].published
    assert published.rstrip(".") == published
    if protocol is None:
        with pytest.raises(UserError, match=f"{name!r} in its paper are not known"):
            paper_config("toy", name)
        return
    assert published  # whose settings these are
    config = paper_config("toy", name)
    read_experiment(config)
    default = default_config("toy", name).to_dict()
    for field, value in protocol.items():
        at = default
        for part in field.split("."):
            at = at[part]
        assert at != value, field
        assert type(at) is type(value), field


def test_papers_that_say_what_they_run_are_heard():
    assert paper_config("toy", "joint_vae").optimizer.learning_rate == 5e-4
    assert paper_config("toy", "qlae").batch_size == 128
    assert paper_config("toy", "rf_vae").method.gamma == 35.0
    assert paper_config("toy", "beta_tcvae").batch_size == 2048
    assert paper_config("toy", "tripod").steps == 250_000
    assert "not built here" in METHODS["tripod"].published
    # The study of Locatello et al. 2019: the same for all but the strengths.
    for name in ("beta_vae", "annealed_vae", "factor_vae", "dip_vae_i", "dip_vae_ii"):
        assert METHODS[name].protocol == {"steps": 300_000}
        assert "Locatello et al. 2019" in METHODS[name].published


def test_methods_without_known_settings_are_these():
    unknown = {name for name, recipe in METHODS.items() if recipe.protocol is None}
    assert unknown == {
        *("autoencoder", "info_vae", "hfs_vae", "supervised", "adde", "adde_paper"),
        *("ml_vae", "gvae", "conditional_vae", "adde_outfits", "amnet"),
        *("fashion_search_net", "csn", "csa_net", "type_aware"),
        *("dcgan", "conditional_gan", "multi_conditional_gan"),
        *("cpggan", "cdpggan", "stack_gan", "cycle_vae"),
        *("class_content_style", "dna_gan"),
        *("pcl", "ivae"),
        *("conditional_diffusion", "diffusion_on_codes"),
        *("munit", "glow", "conditional_glow"),
        *("style_gan", "conditional_style_gan"),
    }


NUMBERS = [
    (name, field)
    for name, recipe in METHODS.items()
    for field in swept_names(recipe.settings)
]


@pytest.mark.parametrize(("name", "field"), NUMBERS)
def test_no_number_of_a_method_is_below_its_least_or_too_large(name, field):
    """-1 is a mistake in every field but InfoVAE's alpha, 1e39 in all."""
    is_vector = isinstance(defaults(METHODS[name].settings)[field], tuple)
    for value in (-1.0, 1e39, float("inf"), float("nan")):
        if (field, value) == ("alpha", -1.0):
            continue
        given = [value] if is_vector else value
        with pytest.raises(UserError, match=field if abs(value) < 1e40 else "finite"):
            read_experiment(config_of(name, **{field: given}))


ODD = [
    ("annealed_vae", {"threshold": 0.0}, "threshold=0 must be above 0"),
    ("annealed_vae", {"threshold": [0.5, -2.0]}, "threshold=-2 must be above 0"),
    ("joint_vae", {"temperature": 0.0}, "temperature=0 must be above 0"),
    ("joint_vae", {"continuous": 0}, "continuous=0 must be at least 1"),
    ("joint_vae", {"continuous": 10**6}, "continuous=1000000 must be at most 10,000"),
    ("joint_vae", {"categories": (1,)}, "at least 2 each"),
    ("joint_vae", {"categories": (3, 10**9)}, "must be at most 10,000"),
    ("beta_vae", {"latents": 0}, "latents=0 must be at least 1"),
    ("beta_vae", {"latents": 10**9}, "latents=1000000000 must be at most 10,000"),
    ("info_vae", {"alpha": 1.5}, "alpha=1.5 must be at most 1"),
    ("info_vae", {"alpha": 0.0, "lambda_": 0.5}, "must be at least 1 together"),
    ("info_vae", {"bandwidth": 0.0}, "bandwidth=0 must be above 0"),
    ("rf_vae", {"lambda_min": 20.0}, "lambda_min=20 must be at most method.lambda_max"),
    ("rf_vae_0", {"relevance": (0, 2)}, "0 or 1 for each of the 10"),
    ("factor_vae", {"batches": 3}, "batches=3 must be 1 or 2"),
    ("factor_vae", {"discriminator": (10**9,)}, "at most 10,000"),
    ("factor_vae", {"discriminator_learning_rate": 0.0}, "must be above 0"),
    ("hfs_vae", {"latents": 1}, "at least 2 latents"),
    ("qlae", {"values": 1}, "values=1 must be at least 2"),
    ("qlae", {"values": 10**9}, "values=1000000000 must be at most 10,000"),
    ("qlae", {"adamw_learning_rate": 0.0}, "must be above 0"),
    ("tripod", {"probes": 1}, "probes=1 must be at least 2"),
    ("tripod", {"probes": 10**6}, "must be at most"),
    ("tripod", {"decoder": "dense"}, "decoder='dense' is piecewise linear"),
    ("tripod", {"decoder": "locatello"}, "decoder='locatello' is piecewise linear"),
    ("tripod", {"epsilon": 0.0}, "epsilon=0 must be above 0"),
    ("ml_vae", {"members": 1}, "members=1 must be at least 2"),
    ("ml_vae", {"members": 10**9}, "members=1000000000 must be at most 10,000"),
    ("ml_vae", {"content": 10}, "content=10 must be in 1 .. 9"),
    ("cycle_vae", {"shared": ("x:3",)}, "'3' is no number of bins"),
    ("class_content_style", {"members": 1}, "members=1 must be at least 2"),
    ("dna_gan", {"regular": "clip", "critic": "spectral"}, "take critic='dcgan'"),
    ("cycle_vae", {"back": "pairs"}, "Did you mean 'pair'"),
    ("s2_beta_vae", {"labels": 0}, "labels=0 must be at least 1"),
    ("s2_beta_vae", {"label_seed": -1}, "label_seed=-1 must be at least 0"),
    ("s2_beta_vae", {"latents": 2}, "less than the 4 factors"),
    ("ada_gvae", {"changed": -2}, "changed"),
    ("ada_gvae", {"changed": 9}, "changed"),
    ("adde", {"attributes": ("x:3",)}, "'3' is no number of bins"),
    ("adde", {"attributes": ("colour",)}, "colour"),
    ("adde", {"attributes": ("x", "x:2")}, "named twice"),
    ("adde", {"learns": "edit"}, "Did you mean 'edits'"),
    ("csn", {"latents": 3, "masks": "fixed"}, "fewer than the 4 attributes"),
    ("csa_net", {"rule": "k4"}, "unknown rule of sets 'k4'"),
    ("type_aware", {"negatives": 0}, "negatives=0 must be at least 1"),
    ("adde_outfits", {"width": -1}, "width=-1 must be at least 0"),
    ("supervised", {"subspace": 0}, "subspace=0 must be at least 1"),
    ("supervised", {"hidden": 10**9}, "hidden=1000000000 must be at most 10,000"),
    ("supervised", {"weights": [1.0, 2.0]}, "2 numbers for 4 tasks"),
    ("supervised", {"weights": [0.0] * 4}, "weights"),
    ("supervised", {"tasks": ("size", "size")}, "named twice"),
    ("conditional_vae", {"condition": ("colour",)}, "colour"),
]


@pytest.mark.parametrize(("name", "fields", "message"), ODD)
def test_odd_settings_are_refused_in_a_sentence_before_compute(
    toy, name, fields, message
):
    from disentangle.training.run import prepare

    with pytest.raises(UserError, match=message) as caught:
        prepare(config_of(name, **fields), toy)
    assert "\n" not in str(caught.value)
