"""The config files: what each argument means; each gives an experiment."""

import importlib.util
from pathlib import Path

import pytest

from disentangle.data import DATASETS
from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.methods.tasks import parse
from disentangle.oracle.regime import per_task
from disentangle.study import comparison, oracle_config
from disentangle.study.facts import learning_rates
from disentangle.training.batches import Job
from disentangle.training.config import default_config, read_experiment, stage_configs
from disentangle.training.init_from import matched, shapes
from disentangle.training.run import prepare

ROOT = Path(__file__).resolve().parents[1]


def load(name):
    path = ROOT / "experiments" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"experiments_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def locatello():
    return load("locatello2019")


@pytest.mark.parametrize(
    ("index", "data", "method", "field", "value", "seed"),
    [
        (0, "dsprites", "beta_vae", "beta", 1.0, 0),
        (49, "dsprites", "beta_vae", "beta", 1.0, 49),
        (50, "dsprites", "beta_vae", "beta", 2.0, 0),
        (437, "dsprites", "factor_vae", "gamma", 30.0, 37),
        (899, "dsprites", "dip_vae_i", "lambda_od", 50.0, 49),
        (1799, "dsprites", "annealed_vae", "c_max", 100.0, 49),
        (10800, "shapes3d", "beta_vae", "beta", 1.0, 0),
        (12599, "shapes3d", "annealed_vae", "c_max", 100.0, 49),
    ],
)
def test_a_model_of_the_12600(locatello, index, data, method, field, value, seed):
    """Counted by hand: data set, method, strength, seed; the seed fastest."""
    config = locatello.get_config(str(index))
    assert (config.data.name, config.method.name) == (data, method)
    assert (config.method[field], config.seed, config.seeds) == (value, seed, 1)
    assert read_experiment(config).members == (f"seed={seed}",)


def test_the_grids_are_1800_models_a_data_set(locatello):
    members = []
    for method in locatello.GRIDS:
        config = locatello.get_config(f"dsprites,{method}")
        members += read_experiment(config).members
        assert (config.batch_size, config.method.latents) == (64, 10)
        section = config.optimizer.to_dict()
        assert (section.pop("schedule"), section.pop("warmup")) == ("constant", 0.0)
        assert section.pop("clip_norm") == 0.0
        del section["decay"], section["decay_steps"]  # of other schedules
        assert section == {
            "name": "adam",
            "learning_rate": 1e-4,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-8,
        }
        assert config.steps == (150_000 if method == "factor_vae" else 300_000)
    assert len(members) == 1800


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("1800", "model 1800 is on a data set that is not built here"),
        ("dsprite,beta_vae", "Did you mean 'dsprites'"),
        ("dsprites,beta_vea", "Did you mean 'beta_vae'"),
    ],
)
def test_what_the_study_has_not_is_named(locatello, argument, message):
    with pytest.raises(UserError, match=message):
        locatello.get_config(argument)


@pytest.mark.parametrize("size", ["quick", "overnight", "full"])
@pytest.mark.parametrize("data", ["dsprites", "shapes3d"])
def test_the_comparison_holds_every_method(data, size):
    config = comparison.check(load("comparison").get_config(f"{data},{size}"))
    trained = {run["method"]["name"] for run in config["runs"].values()}
    gans = {name for name in METHODS if name.endswith("gan")}  # no codes to compare
    gans -= {"style_gan", "conditional_style_gan"}  # but those that are read off images
    gans |= {"conditional_diffusion", "diffusion_on_codes"}  # or those of another run
    gans |= {"munit"}  # or those of one of two domains
    told_all = {name for name in METHODS if METHODS[name].supervision == "all"}
    assert "supervised" in told_all
    assert trained == set(METHODS) - told_all - gans
    three = [name for name, run in config["runs"].items() if run["seeds"] == 3]
    assert len(three) == 7
    budgets = {(run["steps"], run["batch_size"]) for run in config["runs"].values()}
    assert len(budgets) == 1 or size == "full"


@pytest.mark.parametrize("name", ["beta_vae", "factor_vae", "rf_vae", "qlae", "tripod"])
def test_players_keep_their_ratio_of_learning_rates(name, toy):
    """The encoder's player at the size's rate, the others in the paper's ratio."""
    config = comparison.check(load("comparison").get_config("dsprites,quick"))
    ours, paper = config["runs"][name], default_config("dsprites", name).to_dict()
    for method in (ours["method"], paper["method"]):
        method |= {"encoder": "dense", "decoder": "dense"}
        method |= {"decoder": "smooth"} if name == "tripod" else {}
    experiment = read_experiment({"data": config["data"]} | ours)
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    (rates, papers) = (learning_rates(method, tree) for tree in (ours, paper))
    main = next(k for k, player in method.players.items() if "encoder" in player.moves)
    assert rates[main] == [1e-3]
    assert (
        len(rates)
        == len(method.players)
        == (2 if "f_vae" in name or "factor" in name else 1)
    )
    for player, (rate,) in rates.items():
        assert rate / 1e-3 == pytest.approx(papers[player][0] / papers[main][0])


def test_the_two_stages_of_codes_first_and_few_labels_then():
    config = load("stages").get_config("dsprites,60")
    first, second = stage_configs(config)
    names = [one["method"]["name"] for one in (first, second)]
    assert names == ["autoencoder", "supervised"]
    assert [one["data"]["train_size"] for one in (first, second)] == [0, 60]
    assert [one["optimizer"]["warmup"] for one in (first, second)] == [0.0, 0.05]
    assert {one["optimizer"]["schedule"] for one in (first, second)} == {"cosine"}
    with pytest.raises(UserError, match="number of labels is 'few'"):
        load("stages").get_config("dsprites,few")


@pytest.mark.slow
def test_the_encoder_of_the_first_stage_goes_over_to_the_second(toy):
    stages = stage_configs(load("stages").get_config("dsprites,60"))
    jobs = [Job(*prepare(one | {"batch_size": 8}, toy)) for one in stages]
    held, wanted = (shapes(job.experiment, job.method) for job in jobs)
    copied, fresh = matched("stage-1", held, wanted)
    # Four convolutions and a dense layer of Locatello's encoder; not its last.
    assert len(copied) == 10 and all("params.encoder." in name for name in copied)
    assert not any("Conv" in name for name in fresh)


@pytest.mark.parametrize("data", ["dsprites", "shapes3d"])
def test_every_named_regime_of_the_oracle_stands(data):
    experiment = load("oracle")
    config = oracle_config.check(experiment.get_config(data))
    assert set(config["regimes"]) == set(experiment.REGIMES[data])
    assert len(config["regimes"]) >= 3
    space = DATASETS[data].space
    for name in config["regimes"]:
        regime = oracle_config.regime_of(config, name)
        assert regime == experiment.REGIMES[data][name]
        tasks = len(parse(space, regime.tasks))
        labels = per_task("labels", regime.labels, tasks, regime.train_size)
        assert max(labels) <= regime.train_size
        alone = oracle_config.check(experiment.get_config(f"{data},{name}"))
        assert alone["regimes"] == {name: config["regimes"][name]}
    two = experiment.get_config(f"{data},bottleneck+scarce").regimes
    assert list(two) == ["bottleneck", "scarce"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("dsprite", "Did you mean 'dsprites'"),
        ("dsprites,botleneck", "Did you mean 'bottleneck'"),
        ("", "needs a data set"),
    ],
)
def test_a_regime_that_is_not_there_is_named(argument, message):
    with pytest.raises(UserError, match=message):
        load("oracle").get_config(argument)
