"""The zoo of a study: the models chosen by hand, their files, cards, names."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import disentangle as dt
from disentangle.__main__ import main
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError
from disentangle.study.sweeps import table
from disentangle.study.sweeps.config import default_sweep
from disentangle.study.sweeps.held import LOSSES
from disentangle.study.sweeps.models import keep_models, load_models, spec_file
from disentangle.study.sweeps.plan import Ledger, experiment_of, extended, wanted
from disentangle.study.zoo import Zoo, build_zoo, criterion, picked, scored
from disentangle.training.build import build_method
from disentangle.training.data_spec import DataSpec, write_spec
from disentangle.training.loop import start
from disentangle.training.state import trained
from disentangle.training.trained import Run

SPACE = FactorSpace((Factor("x", 2, "ordinal", (0.0, 1.0)),))
SPEC = DataSpec("dsprites", SPACE, (16, 16, 1), 1)
DENSE = {"encoder": "dense", "decoder": "dense"}
# beta -> (MIG, DCI) of the seeds 0 and 1; the last model diverged.
MIG = {1.0: (0.3, 0.1), 4.0: (0.2, 0.4), 16.0: (0.25, np.nan)}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of six models that no training made, with scores that we chose."""
    folder = tmp_path_factory.mktemp("study")
    runs = {"beta_vae": DENSE | {"beta": tuple(MIG)}, "vae": DENSE}
    config = default_sweep("dsprites", runs).to_dict()
    config |= {"methods": ["beta_vae"], "seeds": 2, "steps": 5, "strengths": 3}
    columns = table.own_columns(config)
    ledger = extended(Ledger(), wanted(config), lambda want, count: 4, columns)
    ledger.save(folder)
    spec = spec_file(folder, "dsprites")
    spec.parent.mkdir(parents=True)
    write_spec(spec, SPEC)
    rng = np.random.default_rng(0)
    for unit, held in ledger.units.items():
        group = ledger.groups[held.group]
        experiment = experiment_of(group, held.models)
        method = build_method(experiment.recipe, experiment.settings, SPEC)
        like = jax.eval_shape(lambda m=method, e=experiment: trained(start(m, e)))
        params = jax.tree.map(
            lambda leaf: rng.standard_normal(leaf.shape, np.float32) / 9, like
        )
        alive = np.array([np.isfinite(score(model)) for model in held.models])
        members = experiment.population
        run = Run(experiment.config, members, method, params, alive, 5, SPEC, {})
        keep_models(folder, unit, run)
        rows = [row for m in held.models for row in rows_of(unit, group, m)]
        ids = tuple(model.id for model in held.models)
        about = table.About(unit, "scores", ("mig", "unsupervised"), ids)
        table.write(folder / "results" / f"{unit}.parquet", rows, columns, about)
    return folder


def score(model):
    return MIG[model.values["beta"]][model.seed]


def rows_of(unit, group, model):
    common = {
        "data": "dsprites",
        "run": "beta_vae",
        "method": "beta_vae",
        "seed": model.seed,
        "model": model.id,
        "alive": bool(np.isfinite(score(model))),
        "unit": unit,
        "protocol": "locatello",
        "backend": "reference",
        "num_train": 60,
        "num_test": 30,
        "score_seed": 0,
        "versions": json.dumps({"jax": "0"}),
        "strength": model.values["beta"],
    }
    yield common | {"metric": "mig", "part": "score", "value": score(model)}
    low = {"metric": "unsupervised", "part": "wasserstein_correlation"}
    yield common | low | {"value": 10 * score(model)}
    unscored = {"num_train": None, "num_test": None, "score_seed": None}
    yield common | unscored | {"metric": LOSSES, "part": "loss", "value": 9.0}


def test_best_and_median_are_those_of_the_table(study):
    rows = scored(table.read(study))
    assert len(rows) == 10  # five living models, two scores
    found = {kind: standing for kind, _, standing in picked(rows, ("mig", "score"))}
    # Sorted: 0.1, 0.2, 0.25, 0.3, 0.4.
    assert (found["best"].value, found["median"].value) == (0.4, 0.25)
    assert (found["best"].models, found["best"].worst) == (5, 0.1)
    even = rows[rows.strength < 16]  # 0.1, 0.2, 0.3, 0.4: the lower in the middle
    assert [s.value for _, _, s in picked(even, ("mig", "score"))] == [0.4, 0.2]
    low = ("unsupervised", "wasserstein_correlation")
    better = {kind: standing.value for kind, _, standing in picked(rows, low)}
    assert better == {"best": 1.0, "median": 2.5}  # lower is better


def test_what_models_are_ranked_by(study):
    rows = scored(table.read(study))
    assert criterion(rows, "") == criterion(rows, "mig") == ("mig", "score")
    with pytest.raises(UserError, match=r"'mgi.score'\. Did you mean 'mig.score'"):
        criterion(rows, "mgi.score")


@pytest.mark.slow
def test_a_zoo_holds_the_models_that_it_names(study, tmp_path):
    pytest.importorskip("safetensors")
    zoo = build_zoo(study, tmp_path)
    names = ["dsprites/beta_vae/best", "dsprites/beta_vae/median"]
    assert [entry.name for entry in zoo.entries] == names
    assert Zoo.load(tmp_path) == zoo
    chosen = [(0.4, 4.0, 1), (0.25, 16.0, 0)]
    for entry, (value, beta, seed) in zip(zoo.entries, chosen, strict=True):
        assert (entry.value, entry.by) == (value, "mig.score")
        assert (tmp_path / entry.file).stat().st_size == entry.bytes
        model = dt.load_model(entry.name, zoo=tmp_path)
        assert model.config["method"]["beta"] == beta and model.config["seed"] == seed
        assert model.spec == SPEC and model.step == 5
        ledger = Ledger.load(study)
        unit = ledger.models[entry.model]
        ids = [one.id for one in ledger.units[unit].models]
        run, at = load_models(study, ledger, unit), ids.index(entry.model)
        images = np.random.default_rng(0).integers(0, 2, (3, 16, 16, 1), np.uint8)
        np.testing.assert_array_equal(model.encode(images)[0], run.encode(images)[at])
        path = dt.load_model(tmp_path / entry.file)
        np.testing.assert_array_equal(path.encode(images), model.encode(images))
        text = (tmp_path / entry.file).with_suffix(".md").read_text()
        assert f'dt.load_model("{entry.name}")' in text
        assert f"| `method.beta` | `{beta}` |" in text
        assert "of 5 models of this run" in text
        assert "60 images to fit and 30 to test, seed 0." in text
        assert f"`mig.score`: {value:.4f}" in text
    again = build_zoo(study, tmp_path)
    assert again == zoo


def test_a_name_that_is_not_there_is_said(study, tmp_path, monkeypatch):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"no .safetensors file, and there is no zoo"):
        dt.load_model("dsprites/beta_vae/best")
    Zoo(()).save(tmp_path)
    with pytest.raises(UserError, match=r"unknown model 'a/b/best'.*there is none"):
        dt.load_model("a/b/best", zoo=tmp_path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--workdir=FOLDER is missing"),
        (("--workdir={none}",), "holds no results of a study"),
        (("--workdir={study}", "--by=dci"), "unknown score of the study 'dci'"),
    ],
)
def test_mistakes_are_one_sentence(study, tmp_path, words, says, capsys):
    filled = [word.format(none=tmp_path, study=study) for word in words]
    assert main(["zoo", *filled, f"--out={tmp_path / 'zoo'}"]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1
    assert not (tmp_path / "zoo").exists()


def test_the_command_writes_and_prints_them(study, tmp_path, capsys):
    pytest.importorskip("safetensors")
    assert main(["zoo", f"--workdir={study}", f"--out={tmp_path / 'z'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "dsprites/beta_vae/best" in lines[0] and "0.4000" in lines[0]
    assert dataclasses.asdict(Zoo.load(tmp_path / "z"))["entries"]
