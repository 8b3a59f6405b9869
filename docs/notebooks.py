"""Runs the notebooks of colab/ as they are, and stores what their cells show.

    python docs/notebooks.py                          # all: some minutes on two cores
    python docs/notebooks.py colab/own_data.ipynb
    python docs/notebooks.py --repository=me/disentangle   # runs nothing

Cells run in one namespace of this process, in a folder that is thrown away; a warning
ends the run. What a cell prints is kept, and its last value as a notebook would show
it; pictures are PNGs of 256 colours. What goes to stderr (bars, messages) is not kept.

The metadata of a notebook say what its outputs are of: the SHA-256 of its cells, the
packages and the seconds. A test compares the hash with the cells, so that nobody
changes a cell without running it again.

Badges and install cells lead to the repository on GitHub. Whoever publishes the
project sets its name by `--repository`; until then it is one that GitHub does not
allow, so that nobody else's code is installed.
"""

import argparse
import ast
import base64
import contextlib
import hashlib
import io
import os
import pprint
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
from PIL import Image

from disentangle.versions import versions

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "colab"
ABOUT = "disentangle"  # in a notebook's metadata: of what its outputs are
INSTALL, PARAMETERS = "install", "parameters"  # tags of cells
COLOURS, WIDTH = 256, 79
OWNER = re.compile(r"(github(?:\.com)?/)[\w.-]+/[\w.-]+(?=[/\"])")


def notebooks() -> list[Path]:
    """The notebooks, in the order in which a newcomer may read them."""
    first = ("quickstart", "own_data", "affinity", "study")
    place = {name: i for i, name in enumerate(first)}
    found = sorted(FOLDER.glob("*.ipynb"))
    return sorted(found, key=lambda path: place.get(path.stem, len(first)))


def read(path: Path) -> Any:
    """The notebook of a file."""
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    """The cells that are run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook: Any, tag: str) -> Any:
    """The code cell with a tag."""
    (found,) = [c for c in code_cells(notebook) if tag in c.metadata.get("tags", ())]
    return found


def digest(notebook: Any) -> str:
    """SHA-256 of all that outputs depend on: the code, without the install cell."""
    sources = [c.source for c in code_cells(notebook)]
    sources.remove(tagged(notebook, INSTALL).source)
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Executes the source; the value of a last expression."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def shown(value: Any) -> dict[str, str]:
    """MIME type -> what a notebook shows of a value: a picture, a table or words."""
    if hasattr(value, "_repr_png_"):
        return {"image/png": few_colours(value._repr_png_()), "text/plain": "<Figure>"}
    if hasattr(value, "_repr_html_"):
        return {"text/html": value._repr_html_(), "text/plain": repr(value)}
    return {"text/plain": pprint.pformat(value, width=WIDTH, sort_dicts=False)}


def few_colours(png: bytes) -> str:
    """The picture with at most 256 colours, as PNG in base64."""
    held = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    # Colours by how often they come: pure ones, such as frames, stay as they are.
    picture.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(
        held, "PNG", optimize=True
    )
    return base64.b64encode(held.getvalue()).decode()


def outputs(source: str, names: dict[str, Any], count: int) -> Iterator[Any]:
    """Runs a cell: what it printed, and its last value."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        value = run_cell(source, names)
    if printed.getvalue():
        yield nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())
    if value is not None:
        yield nbformat.v4.new_output(
            "execute_result", data=shown(value), execution_count=count
        )


def execute(notebook: Any) -> None:
    """Runs all cells, and puts their outputs into the notebook."""
    names: dict[str, Any] = {"__name__": "__main__"}
    started = time.perf_counter()
    for count, cell in enumerate(code_cells(notebook), 1):
        cell.outputs = list(outputs(cell.source, names, count))
        cell.execution_count = count
    notebook.metadata[ABOUT] = {
        "sources": digest(notebook),
        "seconds": round(time.perf_counter() - started),
        "versions": versions(("jax", "flax", "numpy", "scikit-learn")),
    }


def store(path: Path) -> None:
    """Runs a notebook in a folder that is thrown away; writes it with its outputs."""
    notebook, here = read(path), Path.cwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        os.chdir(folder)
        try:
            execute(notebook)
        finally:
            os.chdir(here)
    write(path, notebook)
    about = notebook.metadata[ABOUT]
    print(f"{path.name}: {about['seconds']} s, {path.stat().st_size / 1e3:.0f} kB")


def write(path: Path, notebook: Any) -> None:
    """Writes the notebook, checked."""
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def lead_to(path: Path, repository: str) -> None:
    """Writes a notebook whose badge and install cell lead to a repository."""
    notebook = read(path)
    for cell in notebook.cells:
        cell.source = OWNER.sub(rf"\g<1>{repository}", cell.source)
    write(path, notebook)


def main(given: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks; none is all")
    parser.add_argument("--repository", help="OWNER/NAME on GitHub; runs nothing")
    asked = parser.parse_args(given)
    for path in asked.paths or notebooks():
        if asked.repository:
            lead_to(path, asked.repository)
        else:
            store(path.resolve())


if __name__ == "__main__":
    matplotlib.use("agg")
    main(sys.argv[1:])
