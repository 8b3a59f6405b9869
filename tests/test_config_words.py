"""Fields of a config by the words of a command line: sweeps, arguments, help."""

from pathlib import Path

import pytest

from disentangle.__main__ import main, parse
from disentangle.commands.config import load_config
from disentangle.errors import UserError
from disentangle.training.config import read_experiment

VAE = f"{Path(__file__).resolve().parents[1]}/experiments/vae.py:"


@pytest.mark.parametrize("given", ["1,4", "1|4", "[1, 4]", "(1,4)"])
def test_a_sweep_in_a_flag_is_a_sweep(given):
    words = [f"--config={VAE}dsprites,beta_vae", f"--config.method.beta={given}"]
    rate = "--config.optimizer.learning_rate=1e-3|2e-3"
    values, _ = parse("train", [*words, rate, "--config.steps=7"])
    experiment = read_experiment(values["config"])
    assert experiment.config["steps"] == 7
    assert [one["beta"] for one in experiment.swept] == [1.0, 1.0, 4.0, 4.0]
    assert [one["learning_rate"] for one in experiment.swept] == [1e-3, 2e-3] * 2


def test_a_sweep_in_a_job_and_in_a_config_that_holds_one(tmp_path):
    pipeline = VAE.replace("vae.py:", "pipeline.py:dsprites,quick")
    weights = "--config.supervised.method.weights=1,0,1,1,1|0,1,1,1,1"
    beta = "--config.unsupervised.method.beta=1|4"
    values, _ = parse("pipeline", [f"--config={pipeline}", weights, beta])
    held = values["config"].supervised.method.weights
    assert held == ((1.0, 0.0, 1.0, 1.0, 1.0), (0.0, 1.0, 1.0, 1.0, 1.0))
    assert values["config"].unsupervised.method.beta == (1.0, 4.0)
    for given, beta in (("3", 3.0), ("2|8", (2.0, 8.0))):
        words = [f"--config={VAE}dsprites,beta_vae,beta=1|4"]
        values, _ = parse("train", [*words, f"--config.method.beta={given}"])
        assert values["config"].method.beta == beta


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("method.beta=1|four", "method.beta='1|four' must be a number"),
        ("method.beta=four", "beta=four"),
        ("method.latents=5|10", "latents=5|10"),
        ("method.betta=1|4", "beta"),
        ("optimizer.learning_rate=1|", "must be a number"),
    ],
)
def test_a_flag_that_is_no_sweep_is_one_sentence(flag, says, capsys, tmp_path):
    words = [f"--config={VAE}dsprites,beta_vae", f"--workdir={tmp_path / 'w'}"]
    assert main(["train", *words, f"--config.{flag}"]) == 2
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 1
    assert not (tmp_path / "w").exists()


def test_the_argument_of_a_config_takes_every_field():
    held = load_config(
        f"{VAE}dsprites,ada_gvae,beta=1|4,distinct=false,learning_rate=1e-4|3e-4,"
        "steps=9,train_size=100,b1=0.5"
    )
    experiment = read_experiment(held)
    assert len(experiment.members) == 4
    assert experiment.members[0] == "beta=1,learning_rate=0.0001,seed=0"
    assert (held.method.distinct, held.steps, held.data.train_size) == (False, 9, 100)
    assert held.optimizer.b1 == 0.5
    wide = load_config(f"{VAE}dsprites,factor_vae,discriminator=8+9")
    assert wide.method.discriminator == (8, 9)
    for word, says in {
        "learning_rat=1": "Did you mean 'learning_rate'",
        "optimizer.b3=1": "unknown field of ada_gvae 'optimizer.b3'",
        "distinct=maybe": "must be true or false",
        "beta": "is not field=value",
    }.items():
        with pytest.raises(UserError, match=says):
            load_config(f"{VAE}dsprites,ada_gvae,{word}")


def test_help_says_type_range_meaning_and_source_of_every_field(capsys):
    assert main(["train", "--help", f"--config={VAE}dsprites,beta_vae"]) == 0
    lines = capsys.readouterr().out.splitlines()
    lines = lines[lines.index("fields:") + 1 :]
    flags = [i for i, line in enumerate(lines) if line.startswith("  --config.")]
    untold = [lines[i] for i in flags if not lines[i + 1].startswith("      ")]
    assert untold == [
        "  --config.method.name='beta_vae'",
        "  --config.optimizer.name='adam'",
    ]
    beta = lines[lines.index("  --config.method.beta=4.0") + 1].strip()
    assert beta == (
        "a number, at least 0, can be swept; weight of the KL; 1 is the VAE "
        "[Locatello et al. 2019: 1 .. 16]"
    )
