"""Odd words on the command line: exit code 0 or 2, never a traceback.

Words are generated for every command: flags and config fields with values of other
types, sizes and alphabets. What computes is replaced by a refusal, so that a case
takes milliseconds; everything before it is the real thing.
"""

import functools
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.__main__ import main
from disentangle.commands import commands
from disentangle.commands.config import fields, load_config
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "train": "vae.py:toy,factor_vae",
    "pipeline": "pipeline.py:toy,quick",
    "affinity": "pipeline.py:toy,quick",
    "compare": "comparison.py:toy,quick",
    "impossibility": "impossibility.py:toy",
}
CONFIGS = {name: f"{ROOT}/experiments/{file}" for name, file in FILES.items()}
ODD = (
    *("", "0", "-1", "1", "2", "3", "97", "0.5", "1e38", "-1e309", "nan", "inf"),
    *("1e-400", "100000000", "1000000000000", "9" * 400, "-" + "9" * 5000, "x"),
    *("(1,)", "(1.0, 2.0)", "()", "[1]", "((1.0,),)", "None", "True", "false", "'"),
    *("((((", "\x1b[31m", "é", "a" * 300, "1|2", "{}", "..", "/", "~", "%s", "{0}"),
    *("('mig',)", "mig", "all", ",", "dci,,mig", "mgi", "fast", "toy", "1_0", "0x10"),
    *("\ud800", "a\nb", "supervised", "('x:y',)", "-0.0", "1e300"),
)
values = st.sampled_from(ODD) | st.text(max_size=8).filter(lambda t: "\0" not in t)
count = itertools.count()


@pytest.fixture(scope="module")
def place(toy, tmp_path_factory):
    """A folder with a matrix and a table of codes; nothing in it computes."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "a.csv").write_text("x,a,b,c\na,0,0.2,-0.1\nb,0.3,0,0.1\nc,-0.2,0.05,0\n")
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (60, 2))
    np.savez(
        folder / "c.npz", codes=factors + rng.normal(size=(60, 2)), factors=factors
    )

    def refuse(*args, **named):
        raise UserError("this would compute")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
        for name in (
            "training.stages.train_batches",
            "study.impossibility.score_details",
        ):
            patch.setattr(f"disentangle.{name}", refuse)
        scoring = sys.modules["disentangle.metrics.score"]  # a function hides it
        patch.setattr(scoring, "read_representation", refuse)
        patch.setattr("disentangle.data.export.export", refuse)
        yield folder


@functools.cache
def known_fields(name):
    return list(fields(load_config(CONFIGS[name])))


@st.composite
def command_lines(draw):
    """The words of one command: mostly its own flags and fields, with odd values."""
    name = draw(st.sampled_from(sorted(commands())))
    command = commands()[name]
    flags = [flag.name for flag in command.all_flags if flag.kind != "config"]
    words = [f"--workdir=w{next(count)}"] if "workdir" in flags else []
    words += {"group": ["a.csv"], "score": ["c.npz"], "export": ["toy"]}.get(
        name, draw(st.lists(values, max_size=2)) if command.words else []
    )
    if name == "group":
        words += [f"--budget={draw(st.sampled_from(['1', '2', '3', 'nan', '-1']))}"]
    if name in CONFIGS:
        words += [f"--config={CONFIGS[name]}"]
        known = known_fields(name)
        chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
        words += [f"--{field}={draw(values)}" for field in chosen]
    free = [flag for flag in flags if flag not in ("workdir", "out", "json")]
    some = st.lists(st.sampled_from(free) | st.text("abc-=", max_size=4), max_size=3)
    words += [f"--{flag}={draw(values)}" for flag in draw(some)]
    return [name, *words]


def ends_well(line, capsys):
    assert main(line) in (0, 2), line
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len([x for x in said.splitlines() if x.startswith("disentangle: ")]) <= 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "cases",
    [30, pytest.param(3000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
def test_odd_words_end_in_a_sentence(place, capsys, cases):
    @settings(max_examples=cases)
    @given(command_lines())
    def every(line):
        ends_well(line, capsys)

    every()
