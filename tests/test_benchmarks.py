"""Every benchmark is a command that refuses a wrong word in one line."""

import ast
import sys
from pathlib import Path

import pytest

from benchmarks import adde_table, class_leakage, edit_table, images
from benchmarks.command import execute
from disentangle.errors import UserError

FILES = sorted(Path(adde_table.__file__).parent.glob("*.py"))
ALSO_WORKERS = {"retrieval", "weightings"}  # run in an environment without ours


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_benchmark_runs_as_a_command(path):
    text = path.read_text()
    has_main = any(
        isinstance(node, ast.FunctionDef) and node.name == "main"
        for node in ast.parse(text).body
    )
    if not has_main or path.stem in ALSO_WORKERS:
        return
    if path.stem.startswith("torch_"):  # a peer's side, which ours calls
        return
    assert "    execute(main)\n" in text
    assert "flags_of(__doc__)" in text


def fails(error):
    def main():
        raise error

    return main


def test_a_user_error_is_one_line_and_two(capsys):
    with pytest.raises(SystemExit) as end:
        execute(fails(UserError("no such\n  thing")))
    assert end.value.code == 2
    assert capsys.readouterr().err == "disentangle: no such thing\n"


def test_ctrl_c_has_no_traceback(capsys):
    with pytest.raises(SystemExit) as end:
        execute(fails(KeyboardInterrupt()))
    assert end.value.code == 1
    assert capsys.readouterr().err == "\nstopped\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        execute(fails(ZeroDivisionError()))


@pytest.mark.parametrize("benchmark", [adde_table, class_leakage, edit_table])
def test_a_typo_in_the_data_set_is_told_with_a_guess(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["it", "--data=shapes3"])
    with pytest.raises(SystemExit) as end:
        execute(benchmark.main)
    assert end.value.code == 2
    assert "shapes3d" in capsys.readouterr().err


def test_a_benchmark_without_flags_refuses_words(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["it", "--bathc=3"])
    with pytest.raises(SystemExit) as end:
        images.main()
    assert end.value.code == 2
    assert "--bathc" in capsys.readouterr().err
