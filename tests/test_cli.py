"""The command line: results in files, mistakes in one line and exit code 2."""

import errno
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import disentangle
from disentangle import progress
from disentangle.__main__ import main
from disentangle.commands import COMMANDS, commands
from disentangle.commands.catalogue import tables
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.methods import METHODS
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.methods.tasks import KINDS
from disentangle.metrics import METRICS
from disentangle.nn import ENCODERS
from disentangle.training.optimizers import OPTIMIZERS

ROOT = Path(__file__).resolve().parents[1]
VAE = f"--config={ROOT}/experiments/vae.py:"


@pytest.fixture(autouse=True)
def registered(toy, monkeypatch):
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))


@pytest.fixture
def affinity(tmp_path):
    path = tmp_path / "affinity.csv"
    path.write_text("x,a,b,c\na,0,0.2,-0.1\nb,0.3,0,0.1\nc,-0.2,0.05,0\n")
    return path


@pytest.fixture
def codes(tmp_path):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (300, 2))
    noise = rng.normal(0, 0.1, (300, 2))
    path = tmp_path / "codes.npz"
    np.savez(path, codes=factors + noise, factors=factors)
    return path


def refused(capsys, *words):
    """The one line a wrong command says."""
    capsys.readouterr()  # what earlier commands said of their progress
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("disentangle: ")
    assert "\n" not in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("name", commands())
def test_help_shows_an_example(name, capsys):
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"python -m disentangle {name}" in said.partition("example:")[2]


@pytest.mark.slow
def test_train_go_on_and_evaluate(tmp_path, capsys):
    workdir, out = tmp_path / "run", tmp_path / "scores.json"
    words = ["train", VAE + "toy,beta_vae,beta=1|4", f"--workdir={workdir}"]
    words += ["--config.method.encoder=dense", "--config.method.decoder=dense"]
    words += ["--config.steps=5", "--config.batch_size=8", "--noprogress"]
    assert main(words) == 0
    assert main(["train", f"--workdir={workdir}", "--noprogress"]) == 0
    assert "2 of 2 models trained to step 5" in capsys.readouterr().out
    words = ["evaluate", f"--workdir={workdir}", f"--json={out}", "--backend=fast"]
    assert main([*words, "--num_train=60", "--num_test=30"]) == 0
    rows = json.loads(out.read_text())
    assert {r["member"] for r in rows} == {"beta=1,seed=0", "beta=4,seed=0"}
    assert {r["metric"] for r in rows} >= {"dci/disentanglement", "mig/score"}
    assert main(["report", str(workdir)]) == 0
    page = (workdir / "report.html").read_text()
    assert "beta=4,seed=0" in page
    assert "traversal" in page
    said = refused(
        capsys, "train", VAE + "toy,beta_vae", f"--workdir={workdir}", "--noprogress"
    )
    assert "method.encoder: 'dense' -> 'locatello'" in said


@pytest.mark.parametrize("name", commands())
def test_quiet_leaves_results_and_errors(name, capsys, monkeypatch):
    """Whatever a command reports while it works goes through `progress`."""

    def work(values, words):
        progress.say("a stage")
        with progress.Progress("work", unit="step") as bar:
            bar._interval = 0.0
            bar.advance()
        print("a result")

    command = commands()[name]._replace(run=work, words=())
    monkeypatch.setitem(COMMANDS, name, command)
    shown = {(): 2, ("--noprogress",): 1, ("--quiet",): 0}
    for flags, lines in shown.items():
        assert main([name, *flags]) == 0
        said = capsys.readouterr()
        assert said.out == "a result\n"
        assert len(said.err.splitlines()) == lines


def test_group_writes_its_certificate(affinity, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["group", str(affinity), "--budget=2", f"--json={out}"]) == 0
    found = json.loads(out.read_text())
    # By hand: a takes b's 0.3, b takes a's 0.2, c takes b's 0.1.
    assert found["groups"] == [["a", "b"], ["b", "c"]]
    assert found["serves"] == {"a": 0, "b": 0, "c": 1}
    assert found["objective"] == pytest.approx(0.2)
    assert found["bound"] == pytest.approx(0.2)
    assert found["gap"] == 0
    transposed = ["group", str(affinity), "--budget=1", "--rows=target"]
    assert main([*transposed, f"--json={out}"]) == 0
    expected = ((0.2 - 0.1) / 2 + (0.3 + 0.1) / 2 + (-0.2 + 0.05) / 2) / 3
    assert json.loads(out.read_text())["objective"] == pytest.approx(expected)


def test_score_writes_its_parts(codes, tmp_path):
    out = tmp_path / "out.json"
    assert main(["score", str(codes), "--metrics=dci,mig", f"--json={out}"]) == 0
    found = json.loads(out.read_text())
    assert set(found) == {
        "dci/disentanglement",
        "dci/completeness",
        "dci/informativeness_train",
        "dci/informativeness_test",
        "mig/score",
    }
    assert found["dci/disentanglement"] > 0.95


def test_list_names_everything(capsys):
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    for name in ("beta_vae", "supervised", "mig", "udr", "shapes3d", "lookahead"):
        assert name in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian"], "Did you mean 'train'"),
        (["train"], "--workdir=FOLDER is missing"),
        (["train", "--workdri=x"], "Did you mean: workdir"),
        (["train", "--workdir=none"], "--config is missing"),
        (["train", VAE + "toy,beta_vea", "--workdir=w"], "Did you mean 'beta_vae'"),
        (["train", VAE + "tyo,vae", "--workdir=w"], "Did you mean 'toy'"),
        (["train", VAE + "toy,vae,latnts=3", "--workdir=w"], "Did you mean 'latents'"),
        (["train", VAE[:-4] + "x.py:toy,vae", "--workdir=w"], "unknown config file"),
        (["train", VAE + "toy,vae", "--config.stesp=3", "--workdir=w"], "steps"),
        (["train", VAE + "toy,vae", "--config.steps=-1", "--workdir=w"], "steps=-1"),
        (["train", VAE + "toy,vae", "--config.steps=x", "--workdir=w"], "invalid"),
        (
            ["train", VAE + "toy,vae", "--config.batch_size=97", "--workdir=w"],
            "batch_size=97 is larger than the 96",
        ),
        (["evaluate", "--workdir=none"], "not a folder"),
        (["evaluate", "--workdir=none", "--metrics=dcii"], "Did you mean 'dci'"),
        (["group", "none.csv", "--budget=2"], "there is no file none.csv"),
        (["group", "none.csv"], "--budget=NUMBER is missing"),
        (["group", "--budget=2"], "group takes AFFINITY.csv"),
        (["score", "none.npz"], "none.npz"),
        (["score", "none.npz", "--metrics=mgi"], "Did you mean 'mig'"),
        (["score", "none.npz", "--json=no/such/o.json"], "there is no folder"),
        (["export", "dsprits"], "Did you mean 'dsprites'"),
        (["report", "none"], "none"),
    ],
)
def test_mistakes_are_one_line(words, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, *words)
    assert list(tmp_path.iterdir()) == []  # nothing was made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("x,a,b\na,0,nan\nb,1,0\n", "nan"),
        ("x,a,b\na,0,?\nb,1,0\n", "'?'"),
        ("x,a,b\na,0,1\n", "has no row"),
    ],
)
def test_wrong_matrices_are_named(text, says, tmp_path, capsys):
    path, out = tmp_path / "a.csv", tmp_path / "out.json"
    path.write_text(text)
    out.write_text("kept")
    assert says in refused(capsys, "group", path, "--budget=1", f"--json={out}")
    assert out.read_text() == "kept"


def test_budget_zero(affinity, capsys):
    assert "at least 1" in refused(capsys, "group", affinity, "--budget=0")


def test_a_workdir_that_is_a_file(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("kept")
    said = refused(capsys, "train", VAE + "toy,vae", f"--workdir={path}")
    assert "is a file" in said
    assert path.read_text() == "kept"


@pytest.mark.parametrize(
    ("command", "field", "message"),
    [
        ("pipeline", "--config.data.name=dsprite", "Did you mean 'dsprites'"),
        ("pipeline", "--config.budget=99", "99 networks"),
        ("affinity", "--config.data.name=dsprite", "Did you mean 'dsprites'"),
        ("impossibility", "--config.data.name=dsprite", "Did you mean 'dsprites'"),
        ("compare", "--config.data.name=dsprite", "Did you mean 'dsprites'"),
    ],
)
def test_a_refused_job_does_not_take_the_workdir(
    command, field, message, tmp_path, capsys
):
    """Put right, the same command runs there."""
    file = {"affinity": "pipeline", "compare": "comparison"}.get(command, command)
    config = VAE.replace("vae.py", f"{file}.py") + "toy"
    said = refused(capsys, command, config, field, f"--workdir={tmp_path / 'run'}")
    assert message in said
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_full_disk_is_one_line(affinity, tmp_path, capsys, monkeypatch):
    """No room while the result is written: what stood there before still does."""
    out = tmp_path / "out.json"
    out.write_text("kept")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.json")

    monkeypatch.setattr(os, "fsync", full)
    said = refused(capsys, "group", affinity, "--budget=1", f"--json={out}")
    assert "No space left" in said
    assert out.read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["affinity.csv", "out.json"]


def test_list_holds_every_table():
    listed = {name for rows in tables().values() for name in rows}
    for table in (METHODS, METRICS, DATASETS, ENCODERS, LIKELIHOODS, KINDS, OPTIMIZERS):
        assert set(table) <= listed


def test_list_says_all_about_a_method_and_a_metric(capsys):
    assert main(["list", "beta_tcvae"]) == 0
    said = capsys.readouterr().out
    for part in ("method.beta=6.0", "mws, mss", "Chen et al. 2018", "images alone"):
        assert part in said
    assert "at least 0, can be swept; weight of the total correlation" in said
    assert main(["list", "mig"]) == 0
    assert "parts: mig/score\n" in capsys.readouterr().out
    assert "Did you mean 'beta_vae'" in refused(capsys, "list", "beta_vea")


COMMANDING = "\x1b]0;owned\x07\x1b[31m\u202e\udcff"


def test_names_do_not_command_the_terminal(affinity, tmp_path, capsys):
    """Escape sequences come from files and arguments; they are spelt out."""
    text = affinity.read_text().replace("a,", "\x1b[31m\u202ea,")
    affinity.write_text(text)
    assert "is not a text file" in refused(capsys, "group", affinity, "--budget=2")
    for words in (
        ["group", COMMANDING, "--budget=1"],
        ["score", COMMANDING],
        ["report", COMMANDING],
        [COMMANDING],
        ["train", f"--config={COMMANDING}.py", "--workdir=w"],
        ["train", f"--{COMMANDING}=3"],
        ["train", VAE + COMMANDING, "--workdir=w"],
        ["evaluate", f"--workdir={COMMANDING}"],
        ["export", COMMANDING],
    ):
        said = refused(capsys, *words)
        assert "owned" in said
        assert all(c.isprintable() for c in said)


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m disentangle list | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert done.stdout == "methods:\n0\n"
    assert done.stderr == ""


def test_version(capsys):
    assert main(["--version"]) == 0
    said = capsys.readouterr().out
    assert said == f"disentangle {importlib.metadata.version('disentangle')}\n"
    assert disentangle.__version__ in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--num_train=1"], "num_train=1 must be"),
        (["--num_train=1000000000000"], "num_train=1000000000000 must be"),
        (["--num_test=0"], "num_test=0 must be"),
        (["--metrics=mgi"], "Did you mean 'mig'"),
        (["--backend=fats"], "Did you mean 'fast'"),
        (["--protocol=papre"], "Did you mean 'paper'"),
        (["--seed=-1"], "seed"),
        (["--json=no/such/o.json"], "there is no folder"),
        (["--json=."], "is a folder"),
    ],
)
def test_evaluate_refuses_before_it_reads_the_run(words, says, capsys):
    assert says in refused(capsys, "evaluate", "--workdir=none", *words)


def test_a_result_that_could_not_be_written_is_refused_first(capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    said = refused(capsys, "evaluate", "--workdir=none", "--json=o.json")
    assert "--json=o.json cannot be written" in said


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("--config.score.num_train=1", "num_train=1"),
        ("--config.score.num_train=1000000000000", "num_train=10"),
        ("--config.singletons=value", "singleton_value is needed"),
        ("--config.score.metrics=('mgi',)", "Did you mean 'mig'"),
        ("--config.affinity.group_by=cosin", "Did you mean 'cosine'"),
        ("--config.score.num_train=2", "in all 2 training rows"),
    ],
)
def test_the_pipeline_refuses_before_it_trains(
    field, says, capsys, tmp_path, monkeypatch
):
    def train(*args, **named):
        raise AssertionError("it trains")

    monkeypatch.setattr("disentangle.study.pipeline.train_multitask", train)
    config = VAE.replace("vae.py", "pipeline.py") + "toy,quick"
    words = ["--config.data.train_size=0", "--config.budget=1", field]
    said = refused(capsys, "pipeline", config, *words, f"--workdir={tmp_path}/w")
    assert says in said
    assert not (tmp_path / "w" / "config.json").exists()


def test_an_unknown_format_is_refused_before_drawing(capsys, monkeypatch):
    monkeypatch.setattr("disentangle.data.load", None)
    said = refused(capsys, "export", "dsprites", "--format=npy")
    assert "Did you mean 'npz'" in said


def test_the_module_runs(tmp_path):
    """`python -m disentangle` in a process: the exit code is the shell's."""
    words = [sys.executable, "-m", "disentangle", "group", "none.csv", "--budget=1"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "disentangle: there is no file none.csv\n"


@pytest.mark.parametrize("path", ["9" * 300, "~nobody-of-this-name/x"])
@pytest.mark.parametrize(
    "words",
    [
        ("report", "{}"),
        ("plane", "{}"),
        ("group", "{}.csv", "--budget=2"),
        ("group", "{}.json:lookahead", "--budget=2"),
        ("score", "{}.npz"),
        ("evaluate", "--workdir={}"),
        ("train", "--workdir={}"),
        ("export", "dsprites", "--out={}"),
        ("score", "x.npz", "--json={}"),
    ],
    ids=lambda words: words[0],
)
def test_a_path_that_can_be_none_is_one_sentence(words, path, capsys):
    assert main([word.format(path) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert path[:40] in said
