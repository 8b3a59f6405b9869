"""The documentation: a page per row of every table, code that runs, a strict build."""

import ast
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import disentangle as dt
from disentangle.__main__ import parse
from disentangle.affinity import ESTIMATORS
from disentangle.commands import commands
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.methods import METHODS
from disentangle.nn import DECODERS, ENCODERS
from disentangle.weightings import WEIGHTINGS

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = sorted((ROOT / "docs").rglob("*.md"))
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
SMALL = {r"steps=[\d_]+": "steps=3", r"num_train=[\d_]+": "num_train=60"}
SMALL |= {r"num_test=[\d_]+": "num_test=30"}


@pytest.fixture(scope="module")
def made():
    """uri -> text of the generated pages."""
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["pages"] = module
    spec.loader.exec_module(module)
    made = module.pages()
    assert len({page.uri for page in made}) == len(made)
    return {page.uri: page.text for page in made}


def metrics():
    from disentangle.commands.catalogue import tables

    titles = [title for title in tables() if title.startswith("metrics")]
    return {
        name: row.thing for title in titles for name, row in tables()[title].items()
    }


def test_every_row_of_a_table_has_its_page(made):
    tables = {"methods": METHODS, "metrics": metrics(), "affinity": ESTIMATORS}
    tables["weightings"] = WEIGHTINGS
    tables |= {"data": DATASETS}
    for folder, table in tables.items():
        found = [uri for uri in made if uri.startswith(f"{folder}/")]
        assert found == [f"{folder}/{n}.md" for n in ("index", *table)]
        for name in table:
            assert f"[{name}]({name}.md)" in made[f"{folder}/index.md"]
    for name in commands():
        assert f"\n## {name}\n" in made["reference/command-line.md"]


def test_every_field_of_a_method_is_on_its_page(made):
    assert "| `beta` | `4.0` | " in made["methods/beta_vae.md"]
    for name in METHODS:
        assert made[f"methods/{name}.md"].count("\n| `") >= 2, name


def test_every_method_metric_and_estimator_has_its_equation():
    documented = {name: inspect.getmodule(r.build) for name, r in METHODS.items()}
    for thing in (*documented.values(), *metrics().values(), *ESTIMATORS.values()):
        text = inspect.getdoc(getattr(thing, "compute", thing))
        assert re.search(r"^\$\$\n.+?\n\$\$$", text, re.M | re.S), thing


def test_every_public_module_is_in_the_reference(made):
    text = "\n".join(t for uri, t in made.items() if uri.startswith("reference/"))
    named = re.findall(r"^::: (disentangle\.[\w.]+)$", text, re.M)
    files = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "disentangle").rglob("*.py")
        if not path.name.startswith("__")
    ]
    modules = [name for name in named if not name.startswith("disentangle.api.")]
    assert sorted(modules) == sorted(files)
    for name in dt.__all__:
        assert name == "__version__" or f"::: disentangle.api.{name}\n" in text


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_commands_of_the_pages_are_taken(path, tmp_path):
    text = re.sub(r"--config=\S+", "", path.read_text())
    for words in re.findall(r"^\.venv/bin/python -m disentangle (.*)$", text, re.M):
        name, *rest = words.split()
        assert name in commands()
        parse(name, [word for word in rest if not word.startswith("--config.")])


@pytest.mark.slow
@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_code_of_the_pages_runs(path, toy, monkeypatch, tmp_path):
    """Block by block, "dsprites" the toy set and networks dense, with few steps."""
    monkeypatch.setitem(DATASETS, "dsprites", Recipe(toy.space, lambda cache: toy))
    for table in (ENCODERS, DECODERS):
        for name in ("locatello", "padded"):
            monkeypatch.setitem(table, name, table["dense"])
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in CODE.findall(path.read_text()):
        for long, short in SMALL.items():
            block = re.sub(long, short, block)
        exec(compile(ast.parse(block), str(path), "exec"), names)


def test_the_site_asks_for_nothing_from_elsewhere():
    text = (ROOT / "mkdocs.yml").read_text()
    for path in (ROOT / "docs" / "assets").iterdir():
        text += path.read_text()
    assert "http" not in text
    assert "font: false" in text


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("latex2mathml")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in METHODS:
        page = (tmp_path / "methods" / f"{name}.html").read_text()
        assert "<math xmlns" in page
        assert not re.search(r"<m[io]>\\", page), name  # LaTeX that was not understood
        assert not re.search(
            r'(?:src|href)="http', page.replace("https://squidfunk", "")
        )
