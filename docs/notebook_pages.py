"""The pages of the notebooks: their words, code and stored outputs, as Markdown.

A list of what is in colab/, and a page per notebook: a new one has its page without
another edit. `docs/hooks.py` hands them and their pictures to mkdocs.
"""

import base64
import re
from typing import Any

from notebooks import ABOUT, INSTALL, notebooks, read
from pages import Page

FOLDER = "notebooks"
BADGE = re.compile(r"^\[!\[Open in Colab\].*$\n?", re.M)
STYLE = re.compile(r"<style.*?</style>\s*", re.S)


def notebook_pages() -> list[Page]:
    """The list of notebooks, then a page each."""
    found = [(path.stem, path, read(path)) for path in notebooks()]
    rows = [
        f"| [{title(book)}]({stem}.md) | {first_words(book)} | `colab/{path.name}` |"
        for stem, path, book in found
    ]
    table = "\n".join(["| notebook | what it does | file |", "|---|---|---|", *rows])
    words = (
        "Each has its outputs stored, opens in Colab by its badge, and is run by the "
        "tests with small sizes. `.venv/bin/python docs/notebooks.py` runs them again."
    )
    index = Page(
        f"{FOLDER}/index.md", "Notebooks", f"# Notebooks\n\n{words}\n\n{table}\n"
    )
    return [
        index,
        *(Page(f"{FOLDER}/{s}.md", title(book), page(s, book)) for s, _, book in found),
    ]


def title(notebook: Any) -> str:
    """The heading of the first cell."""
    return str(notebook.cells[0].source.partition("\n")[0].removeprefix("# "))


def first_words(notebook: Any) -> str:
    """The first sentence of the first cell."""
    paragraphs = BADGE.sub("", notebook.cells[0].source).split("\n\n")
    words = " ".join(next(p for p in paragraphs[1:] if p.strip()).split())
    return words.partition(". ")[0].removesuffix(".").replace("|", "\\|")


def page(stem: str, notebook: Any) -> str:
    """All cells but the one that installs, each with what it showed."""
    about = notebook.metadata[ABOUT]
    versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items())
    parts = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(BADGE.sub("", cell.source))
        elif INSTALL not in cell.metadata.get("tags", ()):
            parts.append(fence("python", cell.source))
            parts += [output(stem, number, one) for one in cell.outputs]
    ran = f"`colab/{stem}.ipynb`, {about['seconds']} s on the CPU: {versions}."
    return "\n\n".join([parts[0], ran, *parts[1:]]) + "\n"


def fence(language: str, text: str) -> str:
    """A block of code or of words."""
    return f"```{language}\n{text.rstrip()}\n```"


def output(stem: str, cell: int, shown: Any) -> str:
    """What one cell printed or showed."""
    data = shown.get("data", {})
    if "image/png" in data:
        return f"![Figure of the cell above]({stem}-{cell}.png)"
    if "text/html" in data:
        return STYLE.sub("", data["text/html"])
    return fence("text", shown.get("text", data.get("text/plain", "")))


def pictures() -> dict[str, bytes]:
    """URI -> PNG of every picture of the pages."""
    return {
        f"{FOLDER}/{path.stem}-{number}.png": base64.b64decode(one.data["image/png"])
        for path in notebooks()
        for number, cell in enumerate(read(path).cells)
        for one in cell.get("outputs", ())
        if "image/png" in one.get("data", {})
    }
