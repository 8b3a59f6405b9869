"""The figures of README.md here, drawn from the results that are kept in results/.

    python -m benchmarks.figures
    python -m benchmarks.figures --study=runs/locatello_small
    python -m benchmarks.figures --adde=runs/adde_figures

Writes beside that file, each where its table has lines:

prototypes.png   EX@1 of edits by prototypes that are read off a trained ADDE, against
                 how many pictures had labels (`benchmarks.adde_table`, row "stage 1")
dci_edit.png     EDIT of every method that was trained for the edit bench against its
                 DCI disentanglement (`benchmarks.edit_table`)

retrieval.png    with --study, the workdir of a study that has these scores: what codes
                 retrieve against their DCI disentanglement and MIG, a point per model

adde_blocks.png, adde_cosines.png, adde_planes.png, adde_swaps.png
                 with --adde, the workdir of an ADDE that `retrieve` and `report` were
                 run on, four figures of its page: the memory, cosines between the
                 values of each attribute, these values in a plane, and edits beside
                 the true picture

Means over seeds; bars are 95 % intervals over seeds where there are several.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.command import execute, flags_of
from benchmarks.kept_lines import RESULTS, Line, by_setting, half_of, held
from disentangle.data import DATASETS
from disentangle.records import ArrayRecord
from disentangle.report import files
from disentangle.report.prototypes import (
    blocks_figure,
    cosines,
    cosines_figure,
    plane_of,
    rings_figure,
)
from disentangle.report.retrieval import edits_figure
from disentangle.report.style import MARKERS, PALETTE, new_figure, plotting
from disentangle.statistics import correlation
from disentangle.statistics.ranks import spearman
from disentangle.study.prototypes import Prototypes
from disentangle.study.retrieval import Shown
from disentangle.study.sweeps.wide import models

HERE = Path(__file__).parent
LABELS = re.compile(r"(\d+) labels")
KINDS = {  # a row of the table -> its words
    "from class_means": "class means (of labels)",
    "from own_means": "means by own predictions",
    "from covariance_rows": "rows × covariance",
    "from rows": "rows",
    "from inverse_rows": "pseudo-inverse of the rows",
    "from random": "random",
}
WAYS = {  # an editor -> its words; of a run that has several the first counts
    "own": "its own edit",
    "generated": "generated again",
    "dimensions": "latents found by DCI",
    "exchange": "parts exchanged",
    "directions": "attribute vectors",
}


DCI = "dci/disentanglement"
RETRIEVED = {  # a score of a study -> its words
    "similar_retrieval/conflict": "conflict triplets",
    "set_completion/fitb_hard": "FITB, hard",
    "edit_retrieval/hit_10": "Hit@10 of edits",
    "edit_retrieval/kept": "PA@1 of edits",
}
CODES = {DCI: "DCI disentanglement", "mig/score": "MIG"}  # the same, of codes


def of_most_budgets(lines: Iterable[Line]) -> dict[int, list[Line]]:
    """Number of labelled pictures -> lines of stage 1, of one setting otherwise.

    Of all settings that differ in nothing else, the one with most numbers.
    """
    every: dict[str, dict[int, list[Line]]] = {}
    for setting, own in by_setting(lines).items():
        first = [line for line in own if line["row"] == "stage 1"]
        if first and (count := LABELS.search(setting)):
            known = int(count[1]) or pictures_of(setting.partition(" ")[0])
            every.setdefault(LABELS.sub("", setting), {})[known] = first
    return max(every.values(), key=len, default={})


def pictures_of(name: str) -> int:
    """How many pictures a data set has, which are labelled where no budget is set."""
    space = DATASETS[name].space
    assert space is not None
    return space.size


def budgets(lines: Iterable[Line]) -> Figure | None:
    """EX@1 by prototypes against the number of labelled pictures."""
    found: dict[str, dict[int, list[float]]] = {}
    for count, first in of_most_budgets(lines).items():
        for line in first:
            for name, value in line["values"].items():
                found.setdefault(name, {}).setdefault(count, []).append(value)
    kinds = [kind for kind in KINDS if kind in found]
    if not kinds:
        return None
    with plotting():
        figure = new_figure(3.6)
        axes = figure.subplots()
        for number, kind in enumerate(kinds):
            counts = sorted(found[kind])
            means = [np.mean(found[kind][n]) for n in counts]
            halves = [half_of(found[kind][n]) or 0.0 for n in counts]
            axes.errorbar(
                counts,
                means,
                halves,
                color=PALETTE[number],
                marker=MARKERS[number],
                label=KINDS[kind],
                capsize=3,
            )
        axes.set_xscale("log")
        every = sorted(set().union(*found.values()))
        axes.set_xticks(every, [f"{count:,}" for count in every])
        axes.minorticks_off()
        axes.set_xlabel("labelled pictures")
        axes.set_ylabel("EX@1, %")
        axes.set_ylim(0, 100)
        figure.legend(loc="outside lower center", ncols=2)
    return figure


Points = dict[str, list[tuple[float, float, str]]]  # way -> (DCI, EDIT, row)


def points_of(lines: Iterable[Line]) -> Points:
    """Of the setting with most rows: others have other budgets or pictures."""
    settings = by_setting(line for line in lines if line["dci"]).values()
    own = max(settings, key=lambda own: len({line["row"] for line in own}), default=[])
    found: Points = {}
    for name in dict.fromkeys(line["row"] for line in own):
        rows = [line for line in own if line["row"] == name]
        way = next((w for w in WAYS if w in rows[0]["ways"]), None)
        if way is not None:
            edit = np.mean([line["ways"][way]["edit"][0] for line in rows])
            dci = np.mean([line["dci"] for line in rows])
            found.setdefault(way, []).append((float(dci), float(edit), name))
    return found


def scatter(lines: Iterable[Line]) -> Figure | None:
    """EDIT against DCI disentanglement, a point per method and way to edit."""
    points = points_of(lines)
    if not points:
        return None
    with plotting():
        figure = new_figure(4.4)
        axes = figure.subplots()
        for number, (way, found) in enumerate(points.items()):
            x, y, names = zip(*found, strict=True)
            look = {"color": PALETTE[number], "marker": MARKERS[number]}
            axes.scatter(x, y, label=WAYS[way], **look)
            for turn, place in enumerate(sorted(zip(x, y, names, strict=True))):
                is_left = place[0] > 0.6 or (place[0] > 0.2 and turn % 2 == 0)
                axes.annotate(
                    place[2],
                    place[:2],
                    xytext=(-6 if is_left else 6, 0),  # neighbours on two sides
                    textcoords="offset points",
                    fontsize=8,
                    ha="right" if is_left else "left",
                    va="center",
                )
        axes.set_xlabel("DCI disentanglement")
        axes.set_ylabel("EDIT")
        axes.set_xlim(0, 1)
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def retrieval(found: pd.DataFrame) -> Figure | None:
    """Scores of retrieval against scores of codes, a point per model of a study."""
    scores = [score for score in RETRIEVED if score in found]
    codes = [code for code in CODES if code in found]
    if not scores or not codes:
        return None
    with plotting():
        figure = new_figure(2.4 * len(scores), 4.2 * len(codes))
        grid = figure.subplots(len(scores), len(codes), sharex="col", squeeze=False)
        for (row, score), (column, code) in itertools.product(
            enumerate(scores), enumerate(codes)
        ):
            ax = grid[row, column]
            for number, (data, own) in enumerate(found.groupby("data", sort=False)):
                own = own.dropna(subset=[code, score])
                rho = correlation(own, code, score).value
                words = f"{data}: {len(own)} models, ρ {rho:.2f}"
                look = {"color": PALETTE[number], "marker": MARKERS[number], "s": 12}
                ax.scatter(own[code], own[score], label=words, **look)
            ax.legend(loc="lower right", fontsize=8)
            if not column:
                ax.set_ylabel(RETRIEVED[score])
            if row == len(scores) - 1:
                ax.set_xlabel(CODES[code])
    return figure


def correlations(found: pd.DataFrame) -> Iterator[str]:
    """Spearman's over models of DCI and MIG with what codes retrieve, by data set.

    With 95 % intervals over the seeds of each method and strength.
    """
    for data, own in found.groupby("data", sort=False):
        for code in CODES:
            for score in (*RETRIEVED, "edit_retrieval/exact"):
                rho = correlation(own, code, score)
                ends = f"({rho.low:.2f} to {rho.high:.2f})"
                yield f"{data:10s} {code:20s} {score:28s} {rho.value:5.2f} {ends}"


def angles(found: Prototypes) -> Iterator[str]:
    """How alike near and far values of each attribute with an order are.

    The mean cosine of values 1, 2, ... steps apart, on the circle where values go
    round; over all pairs Spearman's of the cosine and the steps; and the share of
    variance that a plane shows.
    """
    parts = zip(found.parts.items(), found.ordered, found.rings, strict=True)
    for (name, rows), ordered, ring in parts:
        if not ordered:
            continue
        first, second = np.triu_indices(len(rows), 1)
        apart = second - first
        apart = np.minimum(apart, len(rows) - apart) if ring else apart
        alike = cosines(rows)[first, second]
        means = [alike[apart == n].mean() for n in range(1, apart.max() + 1)]
        yield (
            f"{name:12s} {' '.join(f'{mean:5.2f}' for mean in means)}; "
            f"ρ {spearman(alike, apart):.2f}, in a plane {plane_of(rows)[1]:.0%}"
        )


def written(name: str, figure: Figure) -> str:
    """Writes a figure; its file's name."""
    path = HERE / f"{name}.png"
    with plotting():
        figure.savefig(path, dpi=120, facecolor="white", bbox_inches="tight")
    return path.name


FIGURES: dict[str, tuple[str, Callable[[Iterable[Line]], Figure | None]]] = {
    "prototypes": ("adde_table", budgets),
    "dci_edit": ("edit_table", scatter),
}


ADDE: dict[str, tuple[type[ArrayRecord], str, Callable[[Any], Figure]]] = {
    "adde_blocks": (Prototypes, "report", blocks_figure),
    "adde_cosines": (Prototypes, "report", cosines_figure),
    "adde_planes": (Prototypes, "report", rings_figure),
    "adde_swaps": (Shown, "retrieve", edits_figure),
}


def of_study(workdir: Path) -> Iterator[str]:
    """Draws the models of a study; what there is to say of it."""
    found = models(workdir)
    figure = retrieval(found)
    if figure is None:
        yield f"retrieval: {workdir} has no scores of retrieval beside DCI"
        return
    yield written("retrieval", figure)
    yield from correlations(found)


def of_adde(workdir: Path) -> Iterator[str]:
    """Draws what the page of an ADDE shows; what there is to say of it."""
    for name, (record, command, draw) in ADDE.items():
        found = files.found(record, workdir)
        none = f"{name}: {workdir} has no {record.FILE}, run disentangle {command}"
        yield written(name, draw(found)) if found else none
    memory = files.found(Prototypes, workdir)
    if memory:
        yield "mean cosines of values 1, 2, ... steps apart:"
        yield from angles(memory)


def main() -> None:
    """Draws what there are results for."""
    parser = flags_of(__doc__)
    parser.add_argument("--study", type=Path, help="workdir of a study")
    parser.add_argument("--adde", type=Path, help="workdir of an ADDE")
    given = parser.parse_args()
    for name, (source, draw) in FIGURES.items():
        figure = draw(held(RESULTS / f"{source}.jsonl"))
        none = f"{name}: no results yet, run benchmarks.{source}"
        print(written(name, figure) if figure else none)
    for workdir, told in ((given.study, of_study), (given.adde, of_adde)):
        if workdir:
            print("\n".join(told(workdir)))


if __name__ == "__main__":
    execute(main)
