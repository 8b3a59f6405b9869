"""`write_report`: one self-contained HTML page from the files of a workdir."""

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from disentangle.errors import UserError
from disentangle.files import DAMAGE, read_json, write_text
from disentangle.report import (
    breakdown,
    crossed,
    drawn,
    editing,
    files,
    latents,
    paired,
    prototypes,
    retrieval,
    runs,
    sections,
    summary,
)
from disentangle.report.blocks import (
    Block,
    Cell,
    Code,
    Number,
    Problem,
    Section,
    Table,
    Text,
)
from disentangle.report.studies import STUDIES, Result, study_of
from disentangle.report.style import THEMES

Build = tuple[str, Callable[[Path], list[Block]]]  # the title, and what is under it
# The sections that any workdir may have, in reading order, below those of its study.
SECTIONS: dict[str, Build] = {
    "breakdown": ("The labels", breakdown.breakdown),
    "scores": ("Disentanglement scores", paired.scores_and_differences),
    "retrieval": ("Retrieval", retrieval.retrieval),
    "edits": ("One attribute changed", editing.editing),
    "prototypes": ("Prototypes", prototypes.prototypes),
    "importance": ("What each code dimension is used for", sections.importance),
    "information": ("What each code dimension knows", sections.information),
    "training": ("Training", runs.curves),
    "ends": ("Where the models ended", runs.ends),
    "reconstructions": ("Reconstructions", sections.reconstructions),
    "traversals": ("Latent traversals", sections.traversals),
    "drawn": ("Pictures of the model's own", drawn.drawn),
    "translations": ("Translations", crossed.translations),
    "mixing": ("Styles mixed", crossed.mixing),
    "swaps": ("A part of the code exchanged", latents.swaps),
    "plane": ("The latent plane", latents.plane),
    "units": ("Active units", latents.units),
}


def all_sections(first: str = "") -> dict[str, Build]:
    """Every section there is, in reading order: a study's, other studies', SECTIONS.

    Args:
      first: the study whose sections come first, "" for none.
    """
    pages = {name: study.load().page for name, study in STUDIES.items()}
    found = dict(pages[first].sections) if first else {}
    for page in pages.values():
        found |= {k: build for k, build in page.sections.items() if k not in found}
    return found | {k: build for k, build in SECTIONS.items() if k not in found}


def write_report(workdir: str | Path) -> Path:
    """Writes `workdir`/report.html from the files in `workdir`, and nothing else.

    It serves the folder of a pipeline and of a single training run. A section
    appears where its file exists; in place of a damaged one stands a sentence.
    The same files give the same page, byte for byte. A page that was there is
    replaced whole.

    Returns:
      The path of the page.

    Raises:
      UserError: the folder holds no config.json, or one that is damaged; the
        page cannot be written.
    """
    folder = Path(workdir).expanduser()
    if not (folder / "config.json").is_file():
        raise UserError(f"no config.json in {folder}: it is not the folder of a run")
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise UserError(f"{folder / 'config.json'} is not the config of a run")
    with files.reading(folder / "config.json"):
        study = study_of(folder, config)
        shown = STUDIES[study].load().page if study else runs.PAGE
        title = shown.title(config)
        told = summary.what_ran(folder, config, shown.told(folder, config))
    page = _render(
        title=title,
        result=summary.unless_damaged(shown.result, folder) or Result(),
        what_ran=told,
        sections=[*_sections(folder, study), _again(folder, config, study)],
    )
    path = folder / "report.html"
    write_text(path, page)
    return path


def _sections(folder: Path, study: str) -> list[Section]:
    found = []
    for name, (title, build) in all_sections(study).items():
        try:
            blocks = build(folder)
        except UserError as error:
            blocks = [Problem(f"{error}")]
        except DAMAGE as error:  # what a file holds can be read, but not drawn
            reason = str(error) or type(error).__name__
            blocks = [Problem(f"{title} cannot be shown: {reason}")]
        if blocks:
            found.append(Section(name, title, blocks))
    return found


def _again(folder: Path, config: dict[str, Any], study: str) -> Section:
    """How to run it again: the command, the whole config, the time it took."""
    blocks: list[Block] = [
        Code(summary.command(config, folder, study or "train")),
        Text(
            "Run in the folder of this page, this does the same job anew: config.json "
            "there holds the config below. Add --config.<field>=<value> to change a "
            "field of it."
        ),
        Code(json.dumps(config, indent=2), folded="The whole config"),
    ]
    times = summary.timed(folder)
    if times:
        rows: list[list[Cell]] = [
            [stage, Number(spent, decimals=1)] for stage, spent in times.seconds.items()
        ]
        blocks.append(Table("Time.", ["stage", "seconds"], rows))
    return Section("reproduce", "Run it again", blocks)


def _render(**page: Any) -> str:
    source = resources.files("disentangle.report").joinpath("page.html")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.from_string(source.read_text(encoding="utf-8"))
    is_number = lambda cell: isinstance(cell, Number)
    return template.render(is_number=is_number, themes=THEMES, **page)
