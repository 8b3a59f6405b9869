"""Every benchmark is a command that refuses a wrong word in one line."""

import argparse
import ast
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import (
    adde_table,
    class_leakage,
    edit_table,
    figures,
    images,
    kept_lines,
)
from benchmarks.command import execute, natural, naturals, positive
from disentangle.errors import UserError
from disentangle.study.prototypes import Prototypes

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
    assert "type=int" not in text  # a count of 0 or -1 would do nothing, or crash


def test_counts_are_whole_and_not_too_small():
    assert (positive("1"), positive("300"), natural("0")) == (1, 300, 0)
    assert naturals("0, 100,2") == [0, 100, 2]
    for kind, word in (
        (positive, "0"),
        (positive, "-1"),
        (positive, "1.5"),
        (natural, "-1"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number"):
            kind(word)


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


def test_the_figures_of_an_adde_say_how_alike_values_are(tmp_path, monkeypatch):
    angle = 2 * np.pi * np.arange(5) / 5
    table = np.zeros((9, 8), np.float32)
    table[:5, :2] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    table[5:7, 4], table[7:, 5] = (1.0, 2.0), (1.0, -1.0)
    names, ordered = np.array(["hue", "size", "shape"]), np.array([True, True, False])
    sizes, rings = np.array([5, 2, 2]), np.array([True, False, False])
    Prototypes(table, names, sizes, ordered, rings).save(tmp_path)
    monkeypatch.setattr(figures, "HERE", tmp_path)
    *drawn, lacking, _, hue, size = figures.of_adde(tmp_path)
    assert drawn == [p.name for p in sorted(tmp_path.glob("*.png"))]
    assert len(drawn) == 3 and "no retrieval.npz, run disentangle retrieve" in lacking
    assert re.match("hue +0.31 -0.81; ρ -.*, in a plane 100%", hue)
    assert re.match("size +1.00; ", size)


def test_a_point_is_a_row_of_the_setting_with_most_rows():
    """Means over its seeds; a row without DCI, and other budgets, are none."""
    ways = {"dimensions": {"edit": [0.25, 0.2, 0.3]}, "exchange": {"edit": [0, 0, 0]}}
    line = lambda key, row, dci: {"key": key, "row": row, "dci": dci, "ways": ways}
    lines = [
        line("short, seed 0", "vae", 0.9),
        line("long, seed 0", "vae", 0.25),
        line("long, seed 1", "vae", 0.5),
        line("long, seed 0", "glow", 0.125) | {"ways": {"own": {"edit": [1, 1, 1]}}},
        line("long, seed 0", "dcgan", None),
    ]
    expected = {"dimensions": [(0.375, 0.25, "vae")], "own": [(0.125, 1.0, "glow")]}
    assert figures.points_of(lines) == expected
    assert figures.points_of([]) == {}


@pytest.mark.parametrize(
    "name",
    ["adde_table", "edit_table", "fashion_claims", "rotated_codes", "set_completion"],
)
def test_kept_results_can_be_printed(name):
    """Lines in results/ have what the table of today prints."""
    module = importlib.import_module(f"benchmarks.{name}")
    lines = kept_lines.held(kept_lines.RESULTS / f"{name}.jsonl")
    text = "\n".join(module.table(lines))
    for setting in kept_lines.by_setting(lines):
        assert setting in text
