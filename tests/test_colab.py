"""The notebooks and the README's example, cell by cell, with toy sizes.

Cells run in one namespace of this process, not in a kernel: a second faster, and
warnings stay errors. What a cell ends with is shown as a notebook would show it.
"""

import base64
import copy
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from disentangle.data import DATASETS, dsprites
from disentangle.data.dataset import Recipe
from disentangle.nn import DECODERS, ENCODERS

ROOT = Path(__file__).resolve().parents[1]


def _running():
    """docs/notebooks.py, which stores the outputs."""
    spec = importlib.util.spec_from_file_location(
        "notebooks", ROOT / "docs" / "notebooks.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


running = _running()
digest = running.digest
NOTEBOOKS = running.notebooks()
BOOKS = {path.stem: running.read(path) for path in NOTEBOOKS}
LARGEST = 400_000  # bytes of a notebook
LEAST = 1  # pictures in one
FOREIGN = re.compile(r"(?<![\w.])/(?:work|root|home|mnt|tmp|usr)/|Warning|Traceback")
BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{}/blob/main/colab/{}.ipynb)"
)
OWNED = re.compile(r"research\.google\.com/github/([\w.-]+/[\w.-]+)/blob")

# What the tests run instead of the cell `parameters`.
SMALL = {
    "quickstart": """
DATA, SIZE, STEPS, SEEDS = "dsprites", 0, 6, 2
ROWS_TRAIN, ROWS_TEST, TRAIN_SIZE = 60, 30, 64
WORKDIR, PROGRESS = "run", False
""",
    "own_data": """
LABELLED, STEPS, ROWS_TRAIN, ROWS_TEST = 100, 6, 200, 100
FOLDER, FILES, WORKDIR, PROGRESS = "digits", 90, "run", False
""",
    "affinity": """
DATA, SIZE, STEPS, SEEDS, TRAIN_SIZE = "dsprites", 16, 20, 2, 200
TABLES, PROGRESS = ("dsprites-bottleneck",), False
""",
    "study": """
DATA, SIZE, SEEDS, STEPS = "dsprites", 16, 2, 4
METRICS = ("mig", "sap", "modularity")
ROWS_TRAIN, ROWS_TEST = 60, 30
WORKDIR, PROGRESS = "run", False
""",
    "paper_figure": """
DATA, SIZE, STRENGTHS, SEEDS, STEPS = "dsprites", 16, 1, 1, 2
ROWS_TRAIN, ROWS_TEST = 60, 30
WORKDIR, PROGRESS = "run", False
""",
    "edit_and_retrieve": """
DATA, SIZE, LABELLED, STEPS, EDIT_STEPS = "fashion_sprites", 0, 200, 4, 2
QUERIES, NEAREST, SEED, PROGRESS = 5, 3, 0, False
""",
    "generate_and_edit": """
DATA, SIZE, TOLD = "dsprites", 16, ("size", "shape")
VAE_STEPS, GAN_STEPS, EDITS, GALLERY, SEED, PROGRESS = 4, 4, 6, 40, 0, False
""",
}
README_SIZES = {
    "steps=20_000": "steps=3, progress=False",
    "steps=1_000": "steps=10, progress=False",
    'backend="fast"': 'backend="fast", num_train=60, num_test=30',
}


@pytest.fixture
def small(monkeypatch, toy, tmp_path):
    """ "dsprites" is the toy set and networks are dense, in a folder to write to."""
    monkeypatch.setitem(DATASETS, "dsprites", Recipe(toy.space, lambda cache: toy))
    for table in (ENCODERS, DECODERS):
        for name in ("locatello", "padded", "mlp"):
            monkeypatch.setitem(table, name, table["dense"])
    monkeypatch.chdir(tmp_path)


def repository(notebook):
    """OWNER/NAME that the badge leads to; "" without one."""
    found = OWNED.search(notebook.cells[0].source)
    return found[1] if found else ""


def complaints(notebook, stem):
    """What is wrong with a notebook as it is stored, a sentence each."""
    first, code = notebook.cells[0], running.code_cells(notebook)
    if BADGE.format(repository(notebook), stem) not in first.source:
        yield "its badge does not lead to it"
    if f'git+https://github.com/{repository(notebook)}"' not in code[0].source:
        yield "it installs from elsewhere"
    if "**GPU.**" not in first.source:
        yield "it does not say what a GPU is for"
    tags = [tuple(cell.metadata.get("tags", ())) for cell in code]
    if tags != [("install",), ("parameters",), *[()] * (len(code) - 2)]:
        yield "its first two cells are not those that install and set"
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "its cells did not run once each, in order"
    if notebook.metadata.get("disentangle", {}).get("sources") != digest(notebook):
        yield "its outputs are of other cells: python docs/notebooks.py"
    outputs = [output for cell in code for output in cell.outputs]
    for output in outputs:
        if output.output_type not in ("stream", "execute_result"):
            yield f"it has an output of the type {output.output_type}"
        elif output.get("name", "stdout") != "stdout":
            yield "it has what went to stderr"
    held = [output.get("data", {}) for output in outputs]
    words = [output.get("text", "") for output in outputs]
    words += [text for data in held for k, text in data.items() if k != "image/png"]
    for text in words:
        if FOREIGN.search(text):
            yield f"an output names what is not its own: {FOREIGN.search(text)[0]!r}"
    if sum("image/png" in data for data in held) < LEAST:
        yield "it has no pictures"
    if len(nbformat.writes(notebook)) > LARGEST:
        yield "it is large"


@pytest.mark.parametrize("stem", BOOKS)
def test_a_notebook_is_stored_as_it_ran(stem):
    nbformat.validate(BOOKS[stem])
    assert not list(complaints(BOOKS[stem], stem))


def _changed(change):
    book = copy.deepcopy(BOOKS["study"])
    change(book, running.code_cells(book))
    return list(complaints(book, "study"))


def _set(cell, **fields):
    cell.update(fields)


def _said(text, **fields):
    return nbformat.v4.new_output("stream", text=text, **fields)


BROKEN = {
    "badge": lambda book, code: _set(book.cells[0], source="**GPU.** # A study"),
    "elsewhere": lambda book, code: _set(code[0], source="import disentangle"),
    "GPU": lambda book, code: _set(book.cells[0], source=book.cells[0].source[:300]),
    "first two": lambda book, code: code[1].metadata.pop("tags"),
    "in order": lambda book, code: _set(code[3], execution_count=None),
    "other cells": lambda book, code: _set(code[-1], source="models"),
    "type error": lambda book, code: code[3].outputs.append(
        nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    ),
    "stderr": lambda book, code: code[3].outputs.append(_said("x", name="stderr")),
    "its own: '/" + "tmp/": lambda book, code: code[3].outputs.append(
        _said("see /" + "tmp/x")
    ),
    "its own: 'Warning'": lambda book, code: code[3].outputs.append(
        _said("UserWarning: x")
    ),
    "no pictures": lambda book, code: [_set(cell, outputs=[]) for cell in code],
    "large": lambda book, code: code[3].outputs.append(_said("x" * LARGEST)),
}


@pytest.mark.parametrize("about", BROKEN)
def test_the_rule_for_notebooks_can_fail(about):
    assert any(about in said for said in _changed(BROKEN[about])), about


def test_every_notebook_is_run_and_listed(monkeypatch):
    assert set(SMALL) == set(BOOKS)
    for stem in BOOKS:
        assert f"`colab/{stem}.ipynb`" in (ROOT / "README.md").read_text()
    monkeypatch.syspath_prepend(ROOT / "docs")
    from notebook_pages import notebook_pages, pictures

    made = {page.uri: page.text for page in notebook_pages()}
    assert list(made) == [f"notebooks/{s}.md" for s in ("index", *BOOKS)]
    linked = set()
    for stem in BOOKS:
        text = made[f"notebooks/{stem}.md"]
        assert f"]({stem}.md)" in made["notebooks/index.md"]
        assert "colab.research" not in text and "pip" not in text
        linked |= set(re.findall(r"\]\((\S+\.png)\)", text))
    assert {f"notebooks/{name}" for name in linked} == set(pictures())
    assert all(png.startswith(b"\x89PNG") for png in pictures().values())


@pytest.mark.parametrize("gpu", [False, True])
def test_the_install_cell_installs_where_the_package_is_missing(monkeypatch, gpu):
    asked = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/x" if gpu else None)
    monkeypatch.setattr(subprocess, "run", lambda words, check: asked.append(words))
    for book in BOOKS.values():
        running.run_cell(running.tagged(book, "install").source, {})
    assert len(asked) == len(BOOKS) and len(set(map(tuple, asked))) == 1
    (owned,) = {repository(book) for book in BOOKS.values()}
    assert asked[0][:-1] == [sys.executable, "-m", "pip", "install", "-q"]
    found = Requirement(asked[0][-1])
    assert (found.name, found.extras) == ("disentangle", {"cuda"} if gpu else set())
    assert found.url == f"git+https://github.com/{owned}"


def test_the_repository_is_set_in_badge_and_install_cell_alone(tmp_path):
    path = tmp_path / "study.ipynb"
    shutil.copy(ROOT / "colab" / "study.ipynb", path)
    running.main([str(path), "--repository=someone/own-fork"])
    book = running.read(path)
    assert BADGE.format("someone/own-fork", "study") in book.cells[0].source
    install = running.tagged(book, "install").source
    assert install.count("someone/own-fork") == 1
    assert not list(complaints(book, "study"))
    running.main([str(path), f"--repository={repository(BOOKS['study'])}"])
    assert path.read_text() == (ROOT / "colab" / "study.ipynb").read_text()


def test_what_a_cell_shows_is_stored(tmp_path):
    """Words, a table and a picture, by a notebook of four cells."""
    new = nbformat.v4.new_code_cell
    cells = [
        new("x = 1", metadata={"tags": ["install"]}),
        new("print(x)\n(x, [2])", metadata={"tags": ["parameters"]}),
        new("import pandas\npandas.DataFrame({'a': [3]})"),
        new(
            "import numpy\nimport disentangle as dt\n"
            "dt.report.correlation_figure(numpy.eye(2), ['a', 'b'], ['c', 'd'])"
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    running.store(tmp_path / "n.ipynb")
    book = running.read(tmp_path / "n.ipynb")
    first, second, third, fourth = running.code_cells(book)
    assert (first.outputs, fourth.execution_count) == ([], 4)
    assert second.outputs[0].text == "1\n"
    assert second.outputs[1].data == {"text/plain": "(1, [2])"}
    assert "<td>3</td>" in third.outputs[0].data["text/html"]
    png = base64.b64decode(fourth.outputs[0].data["image/png"])
    assert Image.open(io.BytesIO(png)).mode == "P"
    assert json.loads(book.metadata["disentangle"]["versions"]["python"][0])
    assert book.metadata["disentangle"]["sources"] == running.digest(book)


def run(stem):
    """The notebook's names after all cells ran small, and what was shown."""
    book, names = BOOKS[stem], {}
    shown = []
    for cell in running.code_cells(book):
        value = running.run_cell(cell.source, names)
        if "parameters" in cell.metadata.get("tags", ()):
            replaced = set(names)
            exec(SMALL[stem], names)
            assert set(names) == replaced  # the test sets what the notebook reads
        shown.append(value)
        if value is not None:
            assert all(running.shown(value).values())
    figures = sum(isinstance(value, matplotlib.figure.Figure) for value in shown)
    stored = [o.get("data", {}) for c in running.code_cells(book) for o in c.outputs]
    assert figures == sum("image/png" in data for data in stored)
    return names


@pytest.mark.slow
@pytest.mark.usefixtures("small")
class TestRuns:
    def test_quickstart(self):
        names = run("quickstart")
        assert len(names["run"].members) == 4
        assert np.isfinite(names["affinity"].matrix).all()
        assert len(names["groups"].groups) <= 2

    def test_own_data(self):
        names = run("own_data")
        assert not np.asarray(names["data"].known(np.arange(1797)))[:, 0].all()
        assert (names["digit"] >= 0).sum() == 100
        assert np.all(names["digit"][names["order"]] < 0)  # none that was told
        assert len(names["photos"]) == 90

    def test_affinity(self, monkeypatch):
        monkeypatch.setitem(DATASETS, "dsprites", dsprites.RECIPE)  # the tables' tasks
        names = run("affinity")
        assert np.isfinite(names["affinity"].matrix).all()
        assert len(names["judged"]) == 3
        assert "truth of one seed" in names["means"].index

    def test_study(self):
        names = run("study")
        assert len(names["models"]) == names["table"]["model"].nunique() == 12

    def test_paper_figure(self):
        names = run("paper_figure")
        assert names["matrix"].shape == (4, 4) and len(names["models"]) == 6

    def test_edit_and_retrieve(self):
        names = run("edit_and_retrieve")
        count = len(names["names"])
        assert names["shown"].right.shape == (count, 3)
        assert names["wide"]["exact@1"].between(0, 1).all()

    def test_generate_and_edit(self):
        names = run("generate_and_edit")
        assert names["table"](names["gan"]).shape[:2] == (3, 2)
        assert set(names["scores"]) == {"size", "shape"}
        assert names["found"]["chance"]["P@5"] == pytest.approx(1 / 6)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_readme_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (example,) = [block for block in blocks if "import disentangle as dt" in block]
    for published, fewer in README_SIZES.items():
        assert published in example
        example = example.replace(published, fewer)
    names: dict = {}
    running.run_cell(example, names)
    assert len(names["run"].members) == 9
    assert set(names["table"].member) == set(names["run"].members)
    served = {task for group in names["groups"].groups for task in group}
    assert served == set(names["data"].space.names)
