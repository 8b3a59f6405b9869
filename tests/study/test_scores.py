"""Scores on disk: the same numbers as in memory, and shown by the page."""

import json
from pathlib import Path

import numpy as np
import pytest

from disentangle.__main__ import main
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.metrics.base import Result
from disentangle.report import files
from disentangle.study.scores import Scored, keep_scores

ROOT = Path(__file__).resolve().parents[2]


def scored(name, seed, value):
    mig = Result(
        {"score": value},
        arrays={
            "mutual_information": np.eye(2) * value,
            "entropy": np.array([1.0, 2.0]),
            "shuffled": np.array([0.25, 0.25]),
        },
        metadata={"bins": 20, "codes": 2},
    )
    return Scored.of(name, seed, ["z1", "z2"], {"mig": mig})


def test_what_is_kept_is_read_back(tmp_path):
    both = [scored("a", 0, 0.25), scored("a", 1, 0.75), scored("b", 0, 0.5)]
    keep_scores(tmp_path, both, ["f", "g"])
    found = files.scores(tmp_path)
    assert found.rows["a"].tolist() == [[0.25], [0.75]]
    assert found.ran == {"mig": {"bins": 20}}  # codes differ by representation
    shares = files.informations(tmp_path)
    assert shares["a"].matrix.tolist() == [[0.25, 0.0], [0.0, 0.125]]  # first seed
    assert shares["b"].codes == ["z1", "z2"] and shares["b"].factors == ["f", "g"]
    assert shares["a"].shuffled.tolist() == [0.25, 0.125]
    assert files.importances(tmp_path) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the load_module")
def test_evaluate_keeps_its_scores_beside_the_run(tmp_path, toy, monkeypatch, capsys):
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    workdir, out = tmp_path / "run", tmp_path / "scores.json"
    words = ["train", f"--config={ROOT}/experiments/vae.py:toy,beta_vae,beta=1|4"]
    words += ["--config.method.encoder=dense", "--config.method.decoder=dense"]
    words += ["--config.steps=3", "--config.seeds=2", "--config.batch_size=8"]
    assert main([*words, f"--workdir={workdir}", "--noprogress"]) == 0
    words = ["evaluate", f"--workdir={workdir}", f"--json={out}", "--metrics=mig,udr"]
    assert main([*words, "--num_train=60", "--num_test=30"]) == 0
    table = json.loads((workdir / "scores.json").read_text())
    given = {
        (r["member"], r["metric"]): r["value"] for r in json.loads(out.read_text())
    }
    for row in table["rows"]:
        member = f"{row['representation']},seed={row['seed']}"
        for metric in ("mig/score", "udr/score"):
            assert row[metric] == given[member, metric]
    assert main(["report", str(workdir)]) == 0
    page = (workdir / "report.html").read_text()
    for section in ("scores", "information", "units"):
        assert f'<section id="{section}">' in page
    assert "Active units against beta" in page
    assert "mig/score" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the load_module")
def test_planes_of_two_runs_are_drawn_together(tmp_path, toy, monkeypatch, capsys):
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    config = f"--config={ROOT}/experiments/vae.py:toy,"
    for method in ("autoencoder", "vae"):
        words = ["train", f"{config}{method},latents=2", "--config.steps=3"]
        words += ["--config.method.encoder=dense", "--config.method.decoder=dense"]
        words += [f"--workdir={tmp_path / method}", "--noprogress"]
        assert main([*words, "--config.batch_size=8"]) == 0
    out = tmp_path / "plane.png"
    runs = f"{tmp_path / 'autoencoder'},{tmp_path / 'vae'}"
    assert main(["plane", runs, f"--out={out}"]) == 0
    assert out.stat().st_size > 10_000
    assert main(["plane", runs, f"--out={out}", "--factor=sise"]) == 2
    assert "Did you mean 'size'" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "vae")]) == 0
    assert '<section id="plane">' in (tmp_path / "vae" / "report.html").read_text()
