"""The impossibility experiment: its rows, its page, and going on after a stop."""

import json
import shutil
from pathlib import Path

import pytest

from disentangle.__main__ import main
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.errors import UserError
from disentangle.report import write_report
from disentangle.study import impossibility
from disentangle.study.impossibility import (
    GAUSSIAN,
    default_impossibility,
    run_impossibility,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def registered(toy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
        yield


def job(**changes):
    config = default_impossibility("toy").to_dict() | {"angles": (0.0, 45.0)}
    config["score"] |= {"num_train": 400, "num_test": 200}
    return config | changes


def rows(folder):
    return json.loads((folder / "impossibility.json").read_text())["rows"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("rotations") / "r"
    return run_impossibility(job(), workdir, progress=False)


@pytest.mark.slow
def test_scores_fall_and_the_rest_stays(done):
    still, turned = rows(done)
    assert still["code"] == turned["code"] == GAUSSIAN
    assert still["dci/disentanglement"] > 0.95 > 0.5 > turned["dci/disentanglement"]
    assert still["mig/score"] > 2 * turned["mig/score"]
    for name in ("probe/accuracy", "marginals/log_density"):
        assert turned[name] == pytest.approx(still[name], abs=5e-3), name
    table = (done / "impossibility.csv").read_text().splitlines()
    assert len(table) == 3 and table[0].startswith("code,angle,dci/disentanglement")


@pytest.mark.slow
def test_the_page_shows_the_numbers(done):
    page = write_report(done).read_text()
    for row in rows(done):
        assert f">{row['dci/disentanglement']:.3f}</data>" in page
        assert f">{row['marginals/ks']:.4f}</data>" in page
    assert "impossibility --config=config.json" in page


@pytest.mark.slow
def test_a_stopped_job_goes_on_with_the_missing_angle(done, tmp_path, monkeypatch):
    def stop(*arguments, calls=[]):  # noqa: B006 (counts its calls)
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return scores(*arguments)

    scores = impossibility._scores
    with monkeypatch.context() as patch:
        patch.setattr(impossibility, "_scores", stop)
        with pytest.raises(KeyboardInterrupt):
            run_impossibility(job(), tmp_path / "r", progress=False)
    assert len(rows(tmp_path / "r")) == 1
    run_impossibility(job(), tmp_path / "r", progress=False)
    assert rows(tmp_path / "r") == rows(done)


@pytest.mark.slow
def test_a_finished_experiment_computes_nothing_again(done, tmp_path, monkeypatch):
    workdir = shutil.copytree(done, tmp_path / "r")
    held = rows(workdir)
    with monkeypatch.context() as patch:
        for name in ("load_data", "score_details", "load_run", "_perfect"):
            patch.setattr(impossibility, name, None)
        run_impossibility(job(), workdir, progress=False)
    assert rows(workdir) == held
    run_impossibility(job(angles=(45.0, 10.0, 0.0)), workdir, progress=False)
    assert [row["angle"] for row in rows(workdir)] == [45.0, 10.0, 0.0]
    assert rows(workdir)[0] == held[1] and rows(workdir)[2] == held[0]
    path = workdir / "config.json"
    older = json.loads(path.read_text())
    del older["data"]["source"], older["run"]  # fields that came with an update
    path.write_text(json.dumps(older))
    with pytest.raises(UserError, match=r"data.path: '' -> 'x'.*or change only angles"):
        moved = job(angles=(45.0,))
        moved["data"]["path"] = "x"
        run_impossibility(moved, workdir, progress=False)
    other = job()
    other["score"]["metrics"] = ("mig",)
    run_impossibility(other, workdir, progress=False)
    assert all("dci/disentanglement" not in row for row in rows(workdir))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the load_module")
def test_the_command_turns_a_trained_vae(tmp_path, capsys):
    vae, out = tmp_path / "vae", tmp_path / "out"
    train = [
        "train",
        f"--config={ROOT}/experiments/vae.py:toy,beta_vae",
        "--noprogress",
    ]
    train += ["--config.method.encoder=dense", "--config.method.decoder=dense"]
    train += ["--config.steps=3", "--config.batch_size=8", f"--workdir={vae}"]
    assert main(train) == 0
    words = ["impossibility", f"--config={ROOT}/experiments/impossibility.py:toy"]
    words += [f"--config.run={vae}", f"--workdir={out}", "--noprogress"]
    words += ["--config.angles=(0.0,30.0)", "--config.score.metrics=('mig',)"]
    words += ["--config.score.num_train=200", "--config.score.num_test=100"]
    assert main(words) == 0
    still, turned = rows(out)[2:]
    assert still["code"] == "beta_vae in vae"
    elbo = "likelihood/elbo"
    assert turned[elbo] == pytest.approx(still[elbo], rel=1e-5)
    for name in ("impossibility.png", "impossibility-2.png", "report.html"):
        assert (out / name).stat().st_size > 5000
    assert "probe/accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"angles": []}, "angles is an empty list"),
        ({"angles": [1, 1]}, "is named twice"),
        ({"angels": [1]}, "Did you mean 'angles'"),
        ({"run": "no/where"}, "no run at no/where"),
    ],
)
def test_wrong_jobs_are_refused_and_leave_nothing(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        run_impossibility(job(**changes), tmp_path / "r", progress=False)
    assert not (tmp_path / "r").exists()
