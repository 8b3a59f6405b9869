"""Figures of a study of many models: violins, correlations, shares, strengths."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from disentangle.errors import UserError
from disentangle.report.cells import cell, label_axes, readable, write
from disentangle.report.style import (
    DIVERGING,
    INK,
    MARKERS,
    MUTED,
    PALETTE,
    WIDTH,
    new_figure,
    plotting,
)
from disentangle.statistics import Shares, intervals
from disentangle.statistics.variance import SHARES

SMALL = 0.42  # inches: the least a cell with two digits needs


def violin_figure(models: pd.DataFrame, scores: Mapping[str, str]) -> Figure:
    """The models of every method, a panel per score, over all strengths and seeds.

    A violin is a Gaussian kernel density (Scott's bandwidth), a dot a model, a line the
    median. Methods of fewer than three different values have their dots only.

    Args:
      models: see `statistics.models`, of one data set.
      scores: column -> what it is called.

    Raises:
      UserError: no scores.
    """
    if not scores:
        raise UserError("there is no score to draw")
    methods = list(dict.fromkeys(models["method"]))
    with plotting():
        figure = new_figure(height=0.9 + 1.5 * len(scores))
        grid = figure.subplots(len(scores), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (score, name) in zip(grid, scores.items(), strict=True):
            for place, method in enumerate(methods):
                values = models.loc[models["method"] == method, score].dropna()
                _violin(axes, place, values.to_numpy(float))
            axes.set_ylabel(name)
            axes.grid(visible=False, axis="x")
        names = [str(method) for method in methods]
        grid[-1].set_xticks(range(len(names)), names, rotation=25, ha="right")
        grid[-1].tick_params("x", length=0)
        figure.align_ylabels(list(grid))
    return figure


def _violin(axes: Any, place: int, values: np.ndarray) -> None:
    colour = PALETTE[0]
    if len(np.unique(values)) > 2:
        drawn = axes.violinplot([values], [place], widths=0.8, showextrema=False)
        for body in drawn["bodies"]:
            body.set(facecolor=colour, alpha=0.25, linewidth=0)
    if not values.size:
        return
    # Beside each other by rank, so that dots of equal values can be counted.
    beside = 0.16 * np.resize([-1, 0, 1], len(values))[np.argsort(np.argsort(values))]
    style: dict[str, Any] = {"color": colour, "s": 7, "linewidths": 0}
    axes.scatter(place + beside, values, **style)
    middle = float(np.median(values))
    axes.plot([place - 0.3, place + 0.3], [middle, middle], color=INK, linewidth=1.2)


def correlation_figure(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """Heat map of rank correlations, printed times 100.

    Args:
      matrix: (R, C) in [-1, 1]; NaN is printed as a dash.
      rows, columns: their names.

    Raises:
      UserError: an empty matrix.
    """
    if not matrix.size:
        raise UserError("there is no correlation to draw")
    norm = matplotlib.colors.Normalize(-1, 1)
    colours = matplotlib.colormaps[DIVERGING](norm(np.nan_to_num(matrix)))
    with plotting():
        height, width = 1.5 + SMALL * len(rows), 1.7 + SMALL * len(columns)
        figure = new_figure(height=height, width=max(WIDTH, width))
        axes = figure.subplots()
        for row, column in np.ndindex(matrix.shape):
            value = matrix[row, column]
            axes.add_patch(cell(row, column, colours[row, column]))
            words = "–" if np.isnan(value) else f"{100 * value:.0f}".replace("-", "−")
            write(axes, column, row, [words], readable(colours[row, column]))
        label_axes(axes, rows, columns, slant=60)
        axes.set_aspect("auto")
    return figure


def shares_figure(shares: Mapping[str, Shares]) -> Figure:
    """Shares of variance by method, strength and seed, a bar per score.

    Corrected shares; the line is the 95 % interval over seeds of the method's share.

    Args:
      shares: what a score is called -> its shares.

    Raises:
      UserError: no shares.
    """
    if not shares:
        raise UserError("there are no shares of variance to draw")
    places = np.arange(len(shares))
    values = np.array([[s.value for s in found.corrected] for found in shares.values()])
    with plotting():
        figure = new_figure(height=0.9 + 0.36 * len(shares))
        axes = figure.subplots()
        start = np.zeros(len(shares))
        for part, name in enumerate(SHARES):
            style: dict[str, Any] = {"color": PALETTE[part], "label": name}
            axes.barh(places, values[:, part], 0.66, start, **style)
            start += values[:, part]
        for place, found in zip(places, shares.values(), strict=True):
            first = found.corrected[0]
            axes.plot([first.low, first.high], [place, place], color=INK, linewidth=1.2)
        axes.set_yticks(places, list(shares))
        axes.set_ylim(len(shares) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the variance")
        axes.tick_params("y", length=0)
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper center", ncols=3)
    return figure


def strength_figure(models: pd.DataFrame, score: str, name: str) -> Figure:
    """A score against the strength of every method, a panel per method.

    A line is the mean over seeds, a whisker its 95 % interval; a colour is a data set.
    Strengths stand in order, evenly spaced: their scales differ by method.

    Args:
      models: see `statistics.models`.
      score: a column.
      name: what it is called.

    Raises:
      UserError: no method has two strengths.
    """
    swept = [
        method
        for method, own in models.groupby("method", sort=False)
        if own["strength"].nunique() > 1
    ]
    if not swept:
        raise UserError("no method has two strengths to draw a score against")
    data = list(dict.fromkeys(models["data"]))
    rows = -(-len(swept) // 2)
    with plotting():
        figure = new_figure(height=0.7 + 1.7 * rows)
        grid = figure.subplots(rows, 2, sharey=True, squeeze=False)
        for axes in grid.flat[len(swept) :]:
            axes.set_axis_off()
        for axes, method in zip(grid.flat, swept, strict=False):
            own = models[models["method"] == method]
            strengths = list(dict.fromkeys(sorted(own["strength"], key=_order)))
            for place, one in enumerate(data):
                _line(axes, own[own["data"] == one], strengths, score, place, str(one))
            labels = [f"{s:g}" if isinstance(s, float) else str(s) for s in strengths]
            axes.set_xticks(range(len(strengths)), labels)
            axes.set_title(str(method), loc="left")
        figure.supylabel(name, fontsize=11, color=MUTED)
        figure.supxlabel("strength", fontsize=11, color=MUTED)
        if len(data) > 1:
            handles = grid[0, 0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside upper center", ncols=3)
    return figure


def _order(strength: Any) -> tuple[bool, Any]:
    """Numbers first, in order, then words."""
    return isinstance(strength, str), strength


def _line(
    axes: Any,
    models: pd.DataFrame,
    strengths: list[Any],
    score: str,
    place: int,
    label: str,
) -> None:
    """The means of one method on one data set, with whiskers."""
    points = []
    for at, strength in enumerate(strengths):
        y = models.loc[models["strength"] == strength, score].dropna().to_numpy(float)
        if y.size:
            mean = lambda rows, y=y: np.array([y[rows].mean()])
            points.append((at, *intervals(mean, np.zeros(len(y)), draws=200)[0]))
    if not points:
        return
    x, mean, low, high = np.array(points).T
    ends = np.nan_to_num(np.stack([mean - low, high - mean]))
    style: dict[str, Any] = {"color": PALETTE[place % len(PALETTE)], "capsize": 2}
    style |= {"marker": MARKERS[place % len(MARKERS)], "markersize": 5, "label": label}
    axes.errorbar(x, mean, yerr=ends, **style)
