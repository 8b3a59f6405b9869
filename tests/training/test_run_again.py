"""The command of a page, pasted in the page's folder, does the same job again."""

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import kill_loop
import pytest
from toy_program import pipeline_words, study_words, theorem_words, train_words

SHARED = Path(__file__).resolve().parents[3] / "shared/data"
WEIGHTS = SHARED / "yanndubs_dsprites_betaB.npz"
TOY = [sys.executable, "-W", "ignore", str(kill_loop.PROGRAM)]


def shell(line: str, folder: Path) -> str:
    """What a line of a shell says, run in a folder."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=os.environ | kill_loop.QUICK,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, (line, done.stdout[-1000:], done.stderr[-2000:])
    return done.stdout


def run(words: list[str], folder: Path) -> None:
    shell(shlex.join([*TOY, *words]), folder)


def pasted(page: Path) -> str:
    """The page's command, by the program that knows the toy data set."""
    lines = html.unescape(page.read_text()).splitlines()
    (line,) = [x for x in lines if re.search(r"python -m disentangle .*[= ]again\b", x)]
    words = re.search(r"python -m disentangle ([^<]*)", line)
    assert words
    return f"{shlex.join(TOY)} {words[1]}"


# kind -> the words that make its page in `w`, by a relative path
KINDS = {
    "train": [train_words(Path("w"), 3), ["report", "w"]],
    "pipeline": [pipeline_words("pipeline", Path("w"), 8)],
    "compare": [study_words(Path("w"), 8)],
    "impossibility": [
        [*train_words(Path("vae"), 3)],
        [*theorem_words(Path("w"), 2), "--config.run=vae"],
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_a_job_says_how_to_do_it_again(tmp_path, kind):
    for words in KINDS[kind]:
        run(words, tmp_path)
    first = tmp_path / "w"
    expected = kill_loop.results(first)
    shell(pasted(first / "report.html"), first)
    found = kill_loop.results(first / "again")
    made = {"panels.npz", "units.json"}  # by `report`
    assert {name for name in expected if expected[name] != found.get(name)} <= made


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.exists(), reason="no reference weights")
def test_the_page_of_weights_says_how_to_draw_it_again(tmp_path):
    here = os.path.relpath(WEIGHTS, tmp_path)
    run(["report", here, "--out=w"], tmp_path)
    shell(pasted(tmp_path / "w/report.html"), tmp_path / "w")
    again = kill_loop.results(tmp_path / "w/again")
    first = kill_loop.results(tmp_path / "w")
    assert {name: again[name] for name in again} == {
        name: first[name] for name in again
    }
