"""The notebook and the README's example, cell by cell, with toy sizes.

Cells run in one namespace of this process, not in a kernel: a second faster, and
warnings stay errors. What a cell ends with is shown as a notebook would show it.
"""

import ast
import re
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest

from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.nn import DECODERS, ENCODERS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "colab").glob("*.ipynb"))
PARAMETERS = """
DATA, STEPS, SEEDS = "dsprites", 6, 2
ROWS_TRAIN, ROWS_TEST, TRAIN_SIZE = 60, 30, 64
WORKDIR, PROGRESS = "run", False
"""
README_SIZES = {
    "steps=20_000": "steps=3, progress=False",
    "steps=1_000": "steps=10, progress=False",
    'backend="fast"': 'backend="fast", num_train=60, num_test=30',
}


@pytest.fixture(autouse=True)
def small(monkeypatch, toy, tmp_path):
    """ "dsprites" is the toy set and networks are dense, in a folder to write to."""
    monkeypatch.setitem(DATASETS, "dsprites", Recipe(toy.space, lambda cache: toy))
    monkeypatch.setitem(ENCODERS, "locatello", ENCODERS["dense"])
    monkeypatch.setitem(DECODERS, "locatello", DECODERS["dense"])
    monkeypatch.chdir(tmp_path)


def run_cell(source: str, names: dict) -> object:
    """Executes the source; the value of a last expression, shown."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    for method in ("_repr_png_", "_repr_html_", "__repr__"):
        if hasattr(value, method):
            assert getattr(value, method)()
            break
    return value


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "parameters" in cells[0].metadata.tags
    assert not any(cell.outputs or cell.execution_count for cell in cells)


@pytest.mark.slow
def test_quickstart_notebook_runs():
    notebook = nbformat.read(ROOT / "colab" / "quickstart.ipynb", as_version=4)
    first, *cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    names: dict = {}
    run_cell(first, names)
    replaced = set(names)
    exec(PARAMETERS, names)
    assert set(names) == replaced  # the test sets what the notebook reads
    shown = [run_cell(source, names) for source in cells]
    figures = [v for v in shown if isinstance(v, matplotlib.figure.Figure)]
    assert len(figures) == 8
    assert len(names["run"].members) == 4
    assert np.isfinite(names["affinity"].matrix).all()
    assert len(names["groups"].groups) <= 2


@pytest.mark.slow
def test_readme_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (example,) = [block for block in blocks if "import disentangle as dt" in block]
    for published, small in README_SIZES.items():
        assert published in example
        example = example.replace(published, small)
    names: dict = {}
    run_cell(example, names)
    assert len(names["run"].members) == 9
    assert set(names["table"].member) == set(names["run"].members)
    served = {task for group in names["groups"].groups for task in group}
    assert served == set(names["data"].space.names)
