"""A study trains and scores each of its runs once, also across stops and additions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from recipes import noted

from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.report import write_report
from disentangle.study import comparison
from disentangle.study.comparison import default_comparison, run_comparison
from disentangle.study.facts import differences, images_per_step, informed
from disentangle.study.targets import TARGETS, targets_of
from disentangle.training.config import default_config, read_experiment
from disentangle.training.loggers import LOGGERS


def small_study():
    tree = default_comparison(
        "toy",
        {
            "vae": {"encoder": "narrow", "decoder": "dense"},
            "strong": {
                "method": "beta_vae",
                "beta": 8.0,
                "encoder": "narrow",
                "decoder": "dense",
            },
        },
    ).to_dict()
    tree["score"] |= {"metrics": ["mig"], "num_train": 60, "num_test": 30}
    for run in tree["runs"].values():
        run |= {"steps": 4, "batch_size": 8, "log_every": 2, "seeds": 2}
    return tree


@pytest.fixture
def config():
    return small_study()


@pytest.fixture(scope="module")
def finished(toy, tmp_path_factory):
    """A study that came to its end, only to be copied."""
    folder = tmp_path_factory.mktemp("study") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOGGERS, "noted", noted.LOGGER)
        go(small_study(), toy, folder, loggers="noted")
    return folder


@pytest.fixture
def study(finished, tmp_path):
    """(its folder, what its scores.json holds)"""
    folder = shutil.copytree(finished, tmp_path / "study")
    return folder, json.loads((folder / "scores.json").read_text())


def go(config, toy, workdir, **chosen):
    said = []
    run_comparison(config, workdir, data=toy, progress=False, log=said.append, **chosen)
    return json.loads((Path(workdir) / "scores.json").read_text()), said


@pytest.mark.slow
def test_loggers_of_a_comparison_write_beside_every_run(finished):
    for name in ("vae", "strong"):
        text = (finished / "runs" / name / noted.FILE).read_text()
        assert "seed=1 train/kl " in text


@pytest.mark.slow
def test_every_run_is_trained_and_scored_once(config, toy, tmp_path):
    some, _ = go(config, toy, tmp_path, only=["strong"])
    assert [row["representation"] for row in some["rows"]] == ["strong"] * 2
    whole, _ = go(config, toy, tmp_path)
    names = [(row["representation"], row["seed"]) for row in whole["rows"]]
    assert names == [("strong", 0), ("strong", 1), ("vae", 0), ("vae", 1)]
    assert whole["rows"][:2] == some["rows"]
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")}
    again, _ = go(config, toy, tmp_path)
    assert again == whole
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")}


@pytest.mark.slow
def test_a_finished_study_computes_nothing_again(config, toy, study, monkeypatch):
    """Without a data set; an interval changes no score, a further run is done alone."""
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    folder, whole = study
    config["runs"]["vae"]["log_every"] = 3
    with monkeypatch.context() as patch:
        for name in ("fit", "load_data", "score_run", "describe"):
            patch.setattr(comparison, name, None)
        assert go(config, None, folder) == (whole, [])
    config["runs"]["more"] = config["runs"]["vae"] | {"seed": 7}
    again, said = go(config, None, folder)
    assert said == ["== load the data", "== train more", "== score more"]
    assert again["rows"][:4] == whole["rows"] and len(again["rows"]) == 6


@pytest.mark.slow
def test_more_steps_and_other_scores_do_what_is_missing(config, toy, tmp_path):
    whole, _ = go(config, toy, tmp_path)
    config["runs"]["vae"]["steps"] = 6
    config["runs"]["strong"]["seeds"] = 1
    with pytest.raises(
        UserError, match=r"seeds: 2 -> 1, the model seed=1 would be left out"
    ):
        go(config, toy, tmp_path)
    config["runs"]["strong"]["seeds"] = 2
    more, _ = go(config, toy, tmp_path)
    assert [m["name"] for m in more["facts"]["vae"]["members"]] == ["seed=0", "seed=1"]
    assert more["facts"]["vae"]["steps"] == 6
    assert more["rows"][2:] != whole["rows"][2:]
    config["score"]["metrics"] = ["mig", "sap"]
    both, said = go(config, toy, tmp_path, only=["strong"])
    assert "== score strong" in said
    assert {row["representation"] for row in both["rows"]} == {"strong"}  # so scored
    assert all("sap/score" in row for row in both["rows"])
    assert len(go(config, toy, tmp_path)[0]["rows"]) == 4


@pytest.mark.slow
def test_scores_that_lack_a_metric_are_made_anew(config, toy, study):
    folder, whole = study
    path = folder / "runs" / "vae" / "scores.json"
    path.write_text(json.dumps({"rows": [], "ran": {}}))
    assert go(config, toy, folder)[0] == whole


@pytest.mark.slow
def test_runs_may_not_be_changed(config, toy, study):
    config["runs"]["strong"]["method"]["beta"] = 2.0
    with pytest.raises(UserError, match=r"runs.strong .*method.beta: 8.0 -> 2.0"):
        go(config, toy, study[0])


@pytest.mark.slow
def test_every_run_has_its_facts(study):
    vae = study[1]["facts"]["vae"]
    assert vae["method"] == "vae" and vae["supervision"] == "none"
    assert vae["labels"] is None and vae["latents"] == 10
    assert vae["steps"] == 4 and vae["batch_size"] == 8
    assert vae["images_per_step"] == 8 and vae["images_seen"] == 32
    assert vae["learning_rates"] == {"vae": [1e-4]}
    assert [member["seed"] for member in vae["members"]] == [0, 1]


@pytest.mark.slow
def test_a_collapsed_run_says_so_in_its_facts(config, toy, tmp_path):
    config["runs"]["strong"]["method"]["beta"] = 1e5  # no KL is left: it collapses
    config["runs"]["strong"] |= {"steps": 60}
    config["runs"]["strong"]["optimizer"]["learning_rate"] = 3e-3
    go(config, toy, tmp_path)
    strong = json.loads((tmp_path / "scores.json").read_text())["facts"]["strong"]
    assert [member["active"] for member in strong["members"]] == [0, 0]
    assert [member["state"] for member in strong["members"]] == ["collapsed"] * 2
    before = (tmp_path / "runs" / "vae" / "facts.json").stat().st_mtime_ns
    go(config, toy, tmp_path)
    assert (tmp_path / "runs" / "vae" / "facts.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("vae", 8),
        ("factor_vae", 16),
        ("ada_gvae", 16),
        ("ml_vae", 16),
        ("s2_factor_vae", 24),
        ("supervised", 8),
    ],
)
def test_images_of_a_step_are_all_that_it_sees(toy, name, images):
    fields = default_config("toy", name).to_dict()
    known = fields["method"]
    known |= {k: "dense" for k in ("encoder", "decoder") if k in known}
    experiment = read_experiment(fields)
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    assert images_per_step(method, toy, 8) == images


def test_codes_of_noise_are_not_informed_and_those_of_a_factor_are():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (4000, 2))
    noise = rng.normal(size=(4000, 6))
    assert not informed(noise, labels)
    assert informed(noise + 0.5 * labels[:, :1], labels)


def test_what_differs_from_the_paper_is_told():
    config = default_config("dsprites", "beta_vae").to_dict()
    config["method"]["beta"], config["seeds"] = 9.0, 5
    told = differences(config)
    assert told is None or {u.field: (u.ours, u.paper) for u in told} == {
        "method.beta": (9.0, 4.0),
        "steps": (20_000, 300_000),
    }


def test_mistakes_are_named_before_any_compute(config, toy, tmp_path):
    with pytest.raises(UserError, match="Did you mean 'strong'"):
        go(config, toy, tmp_path / "x", only=["strng"])
    rows = config["score"] | {"num_train": 0}
    with pytest.raises(UserError, match=r"score.num_train=0 must be at least 2"):
        go(config | {"score": rows}, toy, tmp_path / "x")
    config["runs"]["strong"]["method"]["beta"] = "much"
    with pytest.raises(UserError, match=r"method.beta"):
        go(config, toy, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_targets_name_what_exists():
    for target in TARGETS:
        assert target.data in DATASETS
        assert target.method in METHODS
        assert 0 < target.value <= 1
        assert target.source and target.protocol
    assert {t.method for t in targets_of("shapes3d")} >= {"beta_vae"}


@pytest.mark.slow
def test_the_page_shows_ours_beside_the_published(study):
    folder, found = study
    tree = json.loads((folder / "config.json").read_text())
    tree["data"]["name"] = "dsprites"  # whose targets exist
    (folder / "config.json").write_text(json.dumps(tree))
    page = write_report(folder).read_text()
    ours = np.mean(
        [r["mig/score"] for r in found["rows"] if r["representation"] == "strong"]
    )
    assert "Beside published scores" in page
    assert f"{ours:.3f}" in page
    assert "0.132 ± 0.045" in page  # CFASL's beta-VAE
