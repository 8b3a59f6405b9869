"""The section on edits: what was asked, the numbers, and edits beside the truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from disentangle.methods.supervision import meaning
from disentangle.report import files
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Terms,
    Text,
    plural,
)
from disentangle.report.matrices import information_figure
from disentangle.report.retrieval import edits_figure
from disentangle.study.editing import EVERY, EditExamples, Edits
from disentangle.study.retrieval import Answered, Shown

CHOSEN = ("edit", "hit", "pres", "exact", "rec", "nn", "psnr", "frechet", "asked")
KNOWN = "known in advance"
SAYS = {
    "edit": "harmonic mean of hit and pres, each 0 at chance and 1 at the oracles' own "
    "accuracy: 0 for a picture that is left as it is, and for another one that has the "
    "value.",
    "hit": "how often both oracles read the wanted value.",
    "pres": "how often they read what the source has, the mean of all other factors.",
    "exact": "how often both at once.",
    "rec": "how often they read what the source has in a source rebuilt unedited: a "
    "low one is a bad decoder, not an entangled edit.",
    "nn": "how often the true picture is nearer than all that differ from it in one "
    "factor: no oracle is asked.",
    "psnr": "dB between the edited and the true picture, at most 60.",
    "frechet": "distance of edited and true pictures on the first oracle's features: "
    "blotchy pictures can be read without being pictures.",
    "asked": "share of the requests that could be asked: of pictures of the model's "
    "own, those that both oracles read alike.",
}


def editing(workdir: Path) -> list[Block]:
    """The numbers of edit.json, and the pictures of edit.npz."""
    held = files.found(Edits, workdir)
    if held is None:
        return []
    with files.reading(workdir / held.FILE):
        asked, split = held.asking, held.asking["split"]
        told = meaning(held.supervision)
        least = min(min(values) for values in held.oracles.values())
        blocks: list[Block] = [
            Text(
                f"{asked['requests']:,} edits of each of "
                f"{plural(len(held.attributes), 'attribute')}"
                + (f", targets of the split {split}" if split else "")
                + f". The method was told {told}; editors "
                f"read {asked['labels']:,} labelled images. Two oracles "
                f"read the pictures ({', '.join(held.oracles)}; least accuracy "
                f"{least:.3f}), and both must see it. Means over attributes; intervals "
                "are 95 % over requests."
            )
        ]
        members = dict.fromkeys(one.member for one in held.told)
        for member in members:
            own = {o.way: o.rows for o in held.told if o.member == member}
            blocks.append(_table(member, own))
        for one in held.told:
            blocks += [Text(f"{one.member} {one.way}: {note}.") for note in one.notes]
        terms = Terms([(name, SAYS[name]) for name in CHOSEN])
    return [blocks[0], *_pictures(workdir, held), *blocks[1:], terms]


def _table(member: str, ways: dict[str, list[Answered]]) -> Table:
    """A row per way, a column per score: means over attributes."""
    lines: list[list[Cell]] = []
    for way, rows in ways.items():
        mean = {row.score: row for row in rows if not row.attribute}
        lines.append([way, *(_cell(mean.get(score)) for score in CHOSEN)])
    caption = f"Edits: {member or f'rows {KNOWN}'}."
    return Table(caption, ["way", *CHOSEN], lines)


def _cell(row: Answered | None) -> Cell:
    """The value, with half the width of its interval."""
    if row is None or row.value is None:
        return "–"
    half = None if row.high is None else row.high - row.value
    return Number(row.value, half, decimals=2 if row.score == "psnr" else 3)


def _pictures(workdir: Path, held: Edits) -> list[Row]:
    """Grids of edits, and the leakage of the first way of the first model."""
    found = files.found(EditExamples, workdir)
    if found is None:
        return []
    models = list(dict.fromkeys(one.way for one in held.told if one.member))
    drawings = []
    with files.reading(workdir / found.FILE):
        for number, ways in enumerate(_alike(found, models)):
            figure = edits_figure(_grid(found, ways), heads=ways)
            words = (
                "What was asked, the picture asked with, the true picture with that "
                f"one attribute changed, and {', '.join(ways)}. Green with a tick: "
                "both oracles read exactly what was asked for; red with a cross: not."
            )
            alt = f"Edits by {', '.join(ways)} beside the true picture."
            drawings.append(Drawing.of(figure, f"edits-{number}", alt, words))
        for way, leak in zip(found.leak_ways.tolist(), found.leak, strict=True):
            if way in models[:1] and np.isfinite(leak).all():
                drawings.append(_leak(way, leak, held.attributes))
    return [Row(drawings)] if drawings else []


def _leak(way: str, leak: np.ndarray, names: Sequence[str]) -> Drawing:
    figure = information_figure(leak, names, names)
    words = (
        f"{way}: of edits of the row's attribute, how often the column's is another "
        "one than in the source rebuilt: 1 on the diagonal and 0 elsewhere is perfect."
    )
    anchor = f"edit-leak-{way.replace(' ', '-')}"
    return Drawing.of(figure, anchor, f"Heat map of shares: {words}", words)


def _alike(found: EditExamples, ways: Sequence[str]) -> list[list[str]]:
    """The ways whose examples are of the same sources, together."""
    groups: dict[bytes, list[str]] = {}
    for way in ways:
        own = found.ways == way
        if own.any():
            groups.setdefault(found.asked[own].tobytes(), []).append(way)
    return list(groups.values())


def _grid(found: EditExamples, ways: Sequence[str]) -> Shown:
    """Examples as retrieval draws them: what is found are the edits of each way."""
    first = found.ways == ways[0]
    stack = lambda part: np.stack([part[found.ways == way] for way in ways], axis=1)
    return Shown(
        captions=found.captions[first],
        asked=found.asked[first],
        truth=found.truth[first],
        found=stack(found.edited),
        right=stack(found.right),
    )


def edit_table(rows: pd.DataFrame) -> str:
    """What `judge_edits` found as text: a table per model, means over attributes."""
    mean = rows[rows["attribute"] == EVERY]
    parts = []
    for member, own in mean.groupby("member", sort=False):
        wide = own.pivot(index="way", columns="score", values="value").astype(float)
        chosen = [score for score in CHOSEN if score in wide]
        wide = wide.loc[list(dict.fromkeys(own["way"])), chosen]
        cells = wide.to_string(float_format="{:.4f}".format, na_rep="-")
        parts.append(f"\nEdits: {member or f'rows {KNOWN}'}\n{cells}")
    return "\n".join(parts)
