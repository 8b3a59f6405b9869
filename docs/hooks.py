"""What mkdocs calls: generated pages join the written ones, maths becomes MathML."""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files
from notebook_pages import notebook_pages, pictures
from pages import Page, pages

DISPLAY = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.S)
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)


def on_config(config: Any) -> Any:
    """A folder in `nav` becomes the list of the pages generated in it."""
    made = [*pages(), *notebook_pages()]
    config.nav = [
        {title: _listed(place, made) for title, place in entry.items()}
        if isinstance(entry, dict)
        else entry
        for entry in config.nav
    ]
    return config


def _listed(place: Any, made: list[Page]) -> Any:
    """The pages in the folder `place`, its own page first and without a title."""
    inside = [page for page in made if page.uri.split("/")[0] == place]
    if not inside:
        return place
    return [inside[0].uri, *({page.title: page.uri} for page in inside[1:])]


def on_files(files: Files, config: Any) -> Files:
    """The generated pages, as if they were written in docs/."""
    for page in (*pages(), *notebook_pages()):
        files.append(File.generated(config, page.uri, content=page.text))
    for uri, png in pictures().items():
        files.append(File.generated(config, uri, content=png))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """LaTeX to MathML, which browsers draw without a script."""
    html = DISPLAY.sub(lambda found: _mathml("div", found[1], "block"), html)
    return INLINE.sub(lambda found: _mathml("span", found[1], "inline"), html)


def _mathml(tag: str, latex: str, display: str) -> str:
    made = convert(unescape(latex).strip(), display=display)
    return f'<{tag} class="arithmatex">{made}</{tag}>'
