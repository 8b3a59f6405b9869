"""The section on the labels of one's own data: how many images have each value."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from disentangle.data.factor import Factor
from disentangle.report import files
from disentangle.report.blocks import Block, Drawing, Row, Text, plural
from disentangle.report.style import INK, PALETTE, new_figure, plotting
from disentangle.training.data_spec import FILE, read_spec

MOST = 15  # values that have a bar; the rest are one
FIGURES = 12  # attributes that are drawn


def breakdown(workdir: Path) -> list[Block]:
    """Bars of every attribute of a table of labels; nothing of a grid, where all values
    are as frequent."""
    if not (workdir / FILE).exists():
        return []
    spec = read_spec(workdir / FILE)
    counted = [factor for factor in spec.space.items if factor.counts]
    if not counted:
        return []
    with files.reading(workdir / FILE):
        drawings = [_bars(factor, spec.space.size) for factor in counted[:FIGURES]]
    text = f"{plural(spec.space.size, 'image')}; how many have each value."
    if len(counted) > FIGURES:
        text += f" The first {FIGURES} of {len(counted)} attributes."
    return [Text(text), Row(drawings)]


def _bars(factor: Factor, images: int) -> Drawing:
    names, numbers = bars_of(factor)
    missing = images - sum(factor.counts)
    words = f"{factor.name}: {plural(factor.size, 'value')}"
    words += f"; {plural(missing, 'image')} without." if missing else "."
    said = ", ".join(f"{n} {count}" for n, count in zip(names, numbers, strict=True))
    figure = bars_figure(names, numbers)
    return Drawing.of(figure, f"data-{factor.name}", f"{words} Bars: {said}.", words)


def bars_of(factor: Factor) -> tuple[list[str], list[int]]:
    """Names and numbers: words by falling number, numbers in their order.

    Beyond `MOST` values, words that are rarer are one bar, numbers are taken together
    in neighbouring runs of equal length.
    """
    counts = np.asarray(factor.counts)
    if factor.words:
        order = np.argsort(-counts, kind="stable")
        kept = order if len(order) <= MOST else order[: MOST - 1]
        names = [factor.words[i] for i in kept]
        numbers = [int(counts[i]) for i in kept]
        if len(kept) < len(order):
            names.append(f"{len(order) - len(kept)} others")
            numbers.append(int(counts[order[len(kept) :]].sum()))
        return names, numbers
    runs = np.array_split(np.arange(factor.size), min(MOST, factor.size))
    values = [f"{value:.3g}" for value in factor.values]
    names = [
        values[run[0]] if len(run) == 1 else f"{values[run[0]]} to {values[run[-1]]}"
        for run in runs
    ]
    return names, [int(counts[run].sum()) for run in runs]


def bars_figure(names: list[str], numbers: list[int]) -> Figure:
    """Horizontal bars, the first on top, each with its number."""
    places = np.arange(len(names))[::-1]
    with plotting():
        figure = new_figure(0.24 * len(names) + 0.5)
        axes = figure.subplots()
        axes.barh(places, numbers, 0.66, color=PALETTE[0])
        for place, number in zip(places, numbers, strict=True):
            axes.text(number, place, f" {number:,}", va="center", color=INK, fontsize=9)
        axes.set_yticks(places, names)
        axes.set_xlim(0, 1.15 * max(numbers))
        axes.set_xlabel("images")
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
    return figure
