"""The section on truth.json: what was chosen, what was best, and the regret."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from disentangle.report import files
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Text,
    common_decimals,
    number,
    plural,
)
from disentangle.report.style import INK, MUTED, PALETTE, new_figure, plotting
from disentangle.report.text import chooser_words
from disentangle.study.truth import Truth, Way

BEST = "the best groups"


def truth(workdir: Path) -> list[Block]:
    """The chosen groups beside the best and beside chance."""
    found = files.found(Truth, workdir)
    if found is None:
        return []
    chosen = files.grouped_by(workdir)
    seeds = plural(len(found.seeds), "seed")
    words = (
        f"Every group of tasks was trained, {plural(found.trained, 'network')} per "
        f"seed, {seeds}, so that the groups are judged by what they really cost: the "
        "test loss, mean over tasks, in the network that the estimate says serves "
        "best. Regret is that less the loss of the best groups; normalised, 0 is the "
        "best and 1 is a choice at random."
    )
    figure = truth_figure(found)
    alt = "Dot plot of the losses in the table."
    drawing = Drawing.of(
        figure, "truth", alt, "Mean test loss; further left is better."
    )
    return [Text(sentence(found, chosen)), Text(words), Row([drawing, _table(found)])]


def sentence(found: Truth, chosen: str | None) -> str:
    """What was chosen, what would have been best, and the difference; "" without."""
    way = next((way for way in found.ways if way.name == chosen), None)
    if way is None:
        return ""
    text = f"The {chooser_words(way.name)} chose {_groups(way.groups)}: loss "
    text += f"{number(way.loss)}.{_price(way, found)} "
    text += f"Best within {plural(found.budget, 'network')} is "
    text += f"{_groups(found.best_groups)}: {number(found.best)}. "
    if way.normalised is None:
        return f"{text}Regret {number(way.regret)}."
    text += f"Regret {number(way.regret)}, {number(way.normalised)} of that of chance"
    if way.interval is None:
        return f"{text}; one seed has no interval."
    low, high = way.interval
    return f"{text}; 95 % over seeds {number(low)} to {number(high)}."


def _price(way: Way, found: Truth) -> str:
    """How many networks the choice took, where that is more than one."""
    if way.trained is None or way.trained < 2:
        return ""
    return (
        f" It took {way.trained} of the {found.trained} networks per seed: each task "
        "alone, all pairs and all together, compared on validation images."
    )


def _groups(groups: list[list[str]]) -> str:
    return ", ".join("+".join(group) for group in groups)


def _table(found: Truth) -> Table:
    losses = [found.best, *(way.loss for way in found.ways)]
    decimals = common_decimals(np.array(losses))
    best = Way(
        BEST,
        False,
        found.best,
        0.0,
        0.0,
        None,
        len(found.best_groups),
        found.best_groups,
    )
    rows: list[list[Cell]] = []
    for way in (*found.ways, best):
        rows.append(
            [
                way.name,
                Number(way.loss, decimals=decimals),
                Number(way.regret, decimals=decimals),
                "–" if way.normalised is None else Number(way.normalised, decimals=2),
                "–" if way.spearman is None else Number(way.spearman, decimals=2),
                "–" if way.trained is None else str(way.trained),
                "–" if way.networks is None else str(way.networks),
                _groups(way.groups) or "–",
            ]
        )
    header = ["chosen by", "loss", "regret", "normalised", "rank", "trained"]
    header += ["networks", "groups"]
    caption = (
        "rank: Spearman's correlation of the estimate with the truth over the groups "
        "of each task, mean over tasks; trained: networks per seed that are trained to "
        "choose."
    )
    return Table(caption, header, rows)


def truth_figure(found: Truth) -> Figure:
    """The mean test loss of every way to choose, the best as a line.

    Args:
      found: of a job.
    """
    ways = sorted(found.ways, key=lambda way: way.loss)
    with plotting():
        figure = new_figure(height=1.0 + 0.34 * len(ways))
        axes = figure.subplots()
        for place, way in enumerate(ways):
            style: dict[str, Any] = {"color": PALETTE[0 if way.is_estimate else 6]}
            if way.interval is not None:
                ends = [found.best + end for end in way.interval]
                axes.plot(ends, [place, place], linewidth=1.5, **style)
            axes.plot([way.loss], [place], marker="o", linestyle="none", **style)
        axes.axvline(found.best, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
        axes.set_yticks(range(len(ways)), [way.name for way in ways])
        axes.set_ylim(len(ways) - 0.5, -0.5)
        axes.set_xlabel("mean test loss (dashed: the best groups)")
        axes.tick_params("y", length=0, labelcolor=INK)
        axes.grid(False, axis="y")
    return figure
