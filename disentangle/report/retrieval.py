"""The section on retrieval: what was asked, and edits beside the true picture."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from disentangle.errors import UserError
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
from disentangle.report.panels import GAP, mosaic
from disentangle.report.style import INK, new_figure, plotting
from disentangle.study.retrieval import EVERY, Answered, Retrievals, Shown

RIGHT, WRONG = "#2a9d4e", "#d1382e"  # frames; a mark says it too
TILE = 0.55  # inches a picture is wide
LETTERS = 22  # of a line of what was asked
WAYS = {
    "chance": "a random order",
    "nothing": "the code as it is, not edited: what an edit must beat.",
    "replace": "the columns of the attribute become the prototype of the wanted value.",
    "add": "the wanted prototype is added and the old one, as predicted, taken away.",
    "add, old known": "the same with the true old value.",
    "filter": "a classifier's labels, the wanted one put in, and pictures of these.",
    "expected": "the same by probabilities: the bar for an edit.",
    "own": "the columns of the attribute.",
    "whole": "the whole code.",
    "learned": "a mask of columns per pair of slots, fitted to labelled images.",
    "owner": "the columns of the attribute that two slots share, which nobody tells a "
    "model in earnest.",
    "attention": "as the method compares by itself.",
}
TITLES = {
    "edit": "This picture in another value",
    "similar": "Alike in one respect only",
    "complete": "What completes this set",
}
CHOSEN = {  # scores of the page, in order
    "edit": ("exact@1", "hit@10", "mrr", "target@1", "kept@1", "ndcg_true@30"),
    "similar": ("random", "conflict", "map", "triplets"),
    "complete": (
        *("fitb easy", "fitb hard", "auc easy", "auc hard"),
        *("recall@1", "recall@10", "agreement", "fitb", "auc"),
    ),
}


def retrieval(workdir: Path) -> list[Block]:
    """The numbers of retrieval.json, and the pictures of retrieval.npz."""
    held = files.found(Retrievals, workdir)
    if held is None:
        return []
    with files.reading(workdir / held.FILE):
        blocks: list[Block] = [Text(_protocol(held))]
        for member in held.members:
            for task, rows in member.tasks.items():
                blocks.append(_table(member.member, task, rows))
            blocks += [Text(f"{member.member}: {note}.") for note in member.notes]
        ways = {row.way for m in held.members for of in m.tasks.values() for row in of}
        terms = [(way, words) for way, words in WAYS.items() if way in ways]
    return [blocks[0], *_pictures(workdir, held), *blocks[1:], Terms(terms)]


def _protocol(held: Retrievals) -> str:
    """What was asked, in a sentence."""
    asked, models = held.asking, plural(len(held.members), "model")
    scores = {r.score for m in held.members for of in m.tasks.values() for r in of}
    if scores and scores <= {"triplets", "fitb", "auc"}:
        return (
            f"The questions that the data set was published with, of its test part; "
            f"{models}; intervals are 95 % over questions."
        )
    return (
        f"Split {asked['split']}, gallery {asked['gallery']}, "
        f"{asked['labels']:,} labelled images for prototypes, classifiers and "
        f"masks; {models}. The picture asked with is left out of the gallery; means "
        "over attributes; intervals are 95 % over queries."
    )


def _table(member: str, task: str, rows: Sequence[Answered]) -> Table:
    """A row per way, a column per score; the macro mean."""
    values = {(row.way, row.score): row for row in rows if not row.attribute}
    ways = list(dict.fromkeys(way for way, _ in values))
    chosen = [s for s in CHOSEN[task] if any((way, s) in values for way in ways)]
    lines: list[list[Cell]] = [
        [way, *(_cell(values.get((way, score))) for score in chosen)] for way in ways
    ]
    return Table(f"{TITLES[task]}: {member}.", ["way", *chosen], lines)


def _cell(row: Answered | None) -> Cell:
    """The value, with half the width of its interval."""
    if row is None or row.value is None:
        return Number(float("nan"))
    half = None if row.low is None or row.high is None else (row.high - row.low) / 2
    return Number(row.value, half, 3)


def _pictures(workdir: Path, held: Retrievals) -> list[Block]:
    shown = files.found(Shown, workdir)
    if shown is None:
        return []
    first = held.members[0].member if held.members else ""
    drawings = []
    with files.reading(workdir / Shown.FILE):
        if shown.captions is not None and shown.asked is not None:
            figure = edits_figure(shown)
            words = (
                f"{first}: the picture asked with, the true edited one (nothing else "
                "changed), and the nearest pictures of the gallery, best first. "
                "Green with a tick: exactly what was asked for; red with a cross: not."
            )
            alt = f"{plural(len(shown.captions), 'edit')} beside the true picture."
            drawings.append(Drawing.of(figure, "retrieval-edits", alt, words))
        for name, matrix, rows, words in _matrices(shown, held.attributes):
            figure = information_figure(matrix, held.attributes, rows)
            alt = f"Heat map of {len(rows)} by {len(held.attributes)} shares: {words}"
            drawings.append(Drawing.of(figure, name, alt, words))
    return [Row(drawings)] if drawings else []


def _matrices(
    shown: Shown, names: list[str]
) -> list[tuple[str, np.ndarray, list[str], str]]:
    """Anchor, matrix, row names and caption of each heat map there is."""
    found = []
    if shown.leak is not None:
        found.append(
            (
                "retrieval-leak",
                shown.leak,
                names,
                "Of edits of the row's attribute, how often the nearest picture "
                "differs from the one asked with in the column's: 1 on the diagonal "
                "and 0 elsewhere is perfect.",
            )
        )
    if shown.map is not None:
        found.append(
            (
                "retrieval-map",
                shown.map,
                [*names, "whole code"],
                "Mean average precision for the column's attribute, ranked by the "
                "columns that are of the row's.",
            )
        )
    return found


def edits_figure(shown: Shown, heads: Sequence[str] = ()) -> Figure:
    """Edits, one per row: asked with, the true edited picture, the nearest in frames.

    Args:
      shown: the pictures.
      heads: what is above each column of those in frames; () are 1, 2, ...

    Raises:
      UserError: it holds no edits.
    """
    parts = (shown.captions, shown.asked, shown.truth, shown.found, shown.right)
    if any(part is None for part in parts):
        raise UserError("there is no edit to draw")
    captions, asked, truth, found, right = (np.asarray(part) for part in parts)
    pictures = np.concatenate([asked[:, None], truth[:, None], found], axis=1)
    count, across, height, width = pictures.shape[:4]
    with plotting():
        words = [textwrap.fill(str(text), LETTERS) for text in captions]
        longest = max(len(line) for text in words for line in text.split("\n"))
        figure = new_figure(count * TILE + 0.5, across * TILE + 0.085 * longest + 0.3)
        axes = figure.subplots()
        axes.imshow(mosaic(_scaled(pictures), 3 * GAP), interpolation="none")
        step = height + 3 * GAP, width + 3 * GAP
        for i, text in enumerate(words):
            middle = i * step[0] + height / 2
            axes.text(-8, middle, text, ha="right", va="center", fontsize=10.5)
            for k, good in enumerate(right[i]):
                _frame(axes, (k + 2) * step[1], i * step[0], width, height, bool(good))
        words = list(heads) or [str(k) for k in range(1, across - 1)]
        places = np.arange(across) * step[1] + (width - 1) / 2
        axes.set_xticks(places, ["asked", "true", *words])
        axes.set_yticks([])
        axes.xaxis.tick_top()
        if heads:  # words are longer than a picture is wide
            for label in axes.get_xticklabels():
                label.set(rotation=40, ha="left")
        axes.tick_params(length=0, labelcolor=INK)
        axes.grid(False)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def _frame(
    axes: object, left: float, top: float, width: int, height: int, good: bool
) -> None:
    colour = RIGHT if good else WRONG
    frame = Rectangle(
        (left - 2, top - 2),
        width + 3,
        height + 3,
        fill=False,
        clip_on=False,
        ec=colour,
        lw=2.2,
    )
    axes.add_patch(frame)  # type: ignore[attr-defined]
    axes.text(  # type: ignore[attr-defined]
        left + width - 1,
        top + height - 2,
        "✓" if good else "✗",
        ha="right",
        va="bottom",
        color="white",
        fontsize=10.5,
        bbox={"facecolor": colour, "edgecolor": "none", "pad": 1},
    )


def _scaled(pictures: np.ndarray) -> np.ndarray:
    """uint8 pictures to [0, 1]; of 0 and 1 alone, as they are."""
    most = 255.0 if pictures.max(initial=0) > 1 else 1.0
    return np.asarray(pictures / most)


def retrieval_table(rows: pd.DataFrame) -> str:
    """What `retrieve` returns as text: a table per task, means over attributes."""
    if not len(rows):
        return "every model of the run diverged"
    parts = []
    mean = rows[rows["attribute"] == EVERY]
    for (task, member), own in mean.groupby(["task", "member"], sort=False):
        wide = own.pivot(index="way", columns="score", values="value")
        chosen = [score for score in CHOSEN[str(task)] if score in wide]
        wide = wide.loc[list(dict.fromkeys(own["way"])), chosen]
        cells = wide.to_string(float_format="{:.4f}".format, na_rep="-")
        parts.append(f"\n{TITLES[str(task)]}: {member}\n{cells}")
    return "\n".join(parts)
