"""Every command that is written down, as it is written, through a real shell.

Fast: the shell splits the words, the command's own parser and checks take them, and
nothing is computed. Slow: README's Doors one after the other, in processes of their
own on real images, with the words of SMALL behind them.
"""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import disentangle as dt
from disentangle.__main__ import parse
from disentangle.commands import commands as all_commands
from disentangle.files import write_json
from disentangle.study import comparison, contest, impossibility, oracle, pipeline
from disentangle.training.config import default_config, read_experiment

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SAYS_WORDS = '#!/bin/bash\nprintf "%s\\0" "$@"\n'
CHECKS = {
    "train": read_experiment,
    "pipeline": pipeline.check,
    "affinity": pipeline.check,
    "compare": comparison.check,
    "impossibility": impossibility.check,
    "oracle": oracle.check,
    "contest": contest.check,
}
ROWS = "num_train=200 --{0}num_test=100"
SCORED = "--config.score." + ROWS.format("config.score.")
SMALL_JOB = (
    "--config.supervised.steps=20 --config.supervised.eval_every=10 "
    "--config.supervised.seeds=2 --config.supervised.batch_size=8 "
    "--config.unsupervised.steps=4 --config.unsupervised.eval_every=2 "
    "--config.unsupervised.seeds=2 --config.unsupervised.batch_size=8 "
    "--config.data.test_size=64 " + SCORED
)
SMALL = {
    "train": "--config.steps=4 --config.batch_size=8 --config.eval_every=0",
    "evaluate": "--backend=fast --" + ROWS.format(""),
    "affinity": SMALL_JOB,
    "pipeline": SMALL_JOB,
    "score": "--backend=fast --" + ROWS.format(""),
    "compare": f"--only=vae --config.runs.vae.steps=4 {SCORED}",
    "impossibility": SCORED,
    "oracle": "--config.regimes.bottleneck.steps=4 --config.regimes.bottleneck.every=2 "
    f"--config.seeds=2 {SCORED}",
    "contest": "--config.tables=dsprites-bottleneck --config.trained=8",
}

SMALL["edit"] = "--oracle_steps=2 --requests=4 --gallery=50"
# What a door says that a few steps do not open, before anything is judged.
SHUT = {"edit": "judges nothing"}


def fences(text: str, language: str = "") -> list[str]:
    """The code blocks of a language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [block for name, block in blocks if name == language]


def commands(text: str) -> list[str]:
    """The lines of a text that are for a shell, continued ones joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    start = r"^ *((?:\.venv/bin/python|make|pip|python)\b.*)$"
    return [line.strip() for line in re.findall(start, joined, re.M)]


DOORS = [line for block in fences(README) for line in commands(block)]
DISENTANGLE = [line for line in DOORS if " -m disentangle " in line]
MANUALS = [
    line
    for path in sorted((ROOT / "experiments").glob("*.py"))
    for line in commands(path.read_text().split('"""')[1])
]
EXAMPLES = [
    f".venv/bin/python -m disentangle {name} {command.example}"
    for name, command in all_commands().items()
]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder like a fresh clone, whose .venv/bin/python says its words."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(SAYS_WORDS)
    python.chmod(0o755)
    config = read_experiment(default_config("dsprites", "beta_vae")).config
    for name in ("a", "comparison-dsprites"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_json(tmp_path / "runs" / name / "config.json", config)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(line: str, folder: Path) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_every_command_has_its_door():
    assert {line.split()[3] for line in DISENTANGLE} == set(all_commands())
    assert len(set(DOORS)) == len(DOORS)  # none twice
    assert len(MANUALS) >= 8
    for line in (*DOORS, *MANUALS):
        assert line.startswith((".venv/bin/python -m ", "make ")), line


@pytest.mark.parametrize("line", dict.fromkeys([*DOORS, *MANUALS, *EXAMPLES]))
def test_the_words_are_taken(line, checkout):
    if line.startswith("make"):
        said = shell(line.replace("make", "make -n", 1), checkout)
        assert said.returncode == 0, said.stderr
        return
    done = shell(line, checkout)
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.rstrip("\0").split("\0")
    assert words[:1] == ["-m"]
    if words[1] == "disentangle":
        name = words[2]
        values, _ = parse(name, words[3:])
        if name in CHECKS and values["config"] is not None:
            CHECKS[name](values["config"])
    else:
        assert words[1] in ("pip", "benchmarks.vae_step")


def test_snippets_call_what_there_is():
    """Each `dt.` call of README's Python fits the function's arguments."""
    text = re.sub(r"\(\n\s*(.*)\n\)", r"(\1)", "\n".join(fences(README, "python")))
    calls = re.findall(r"dt\.(\w+)\((.*)\)", text)
    assert len(calls) >= 8
    for name, arguments in calls:
        take = lambda *given, **named: (given, named)
        names = dict.fromkeys(
            ("data", "run", "affinity", "table", "images", "factors"), 0
        ) | {"take": take}
        given, named = eval(f"take({arguments})", names)
        inspect.signature(getattr(dt, name)).bind(*given, **named)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_doors_open_one_after_the_other(tmp_path):
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/bash\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for line in DISENTANGLE:
        name = line.split()[3]
        done = shell(f"{line} {SMALL.get(name, '')}", tmp_path)
        if name in SHUT:
            assert done.returncode == 2 and SHUT[name] in done.stderr, done.stderr
            continue
        assert done.returncode == 0, f"{line}\n{done.stderr[-2000:]}"
    for name in ("scores.json", "out.json", "plane.png", "runs/quickstart/report.html"):
        assert (tmp_path / name).stat().st_size
    (snippet,) = [b for b in fences(README, "python") if "exported/" in b]
    first = ast.unparse(ast.parse(snippet).body[0]).replace("'", '"')
    script = f"import disentangle as dt; {first}"
    assert shell(f".venv/bin/python -c '{script}'", tmp_path).returncode == 0
