"""Figures of losses: curves over training, and test losses of tasks compared."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from disentangle.errors import UserError
from disentangle.report.style import (
    INK,
    MARKERS,
    MUTED,
    PALETTE,
    PAPER,
    log_axis,
    new_figure,
    plotting,
)

ALL = "all seeds"  # the label of a model that differs in nothing else
LONGEST = 42  # letters in a line of a legend
POINTS = 300  # at most this many a line; neighbours are averaged
LOG_RATIO = 4.0  # a logarithmic axis where the largest is this many times the least

Row = Mapping[str, Any]  # a line of metrics.jsonl


class Curve(NamedTuple):
    """One line: finite values over steps."""

    label: str
    split: str  # "train" or "test"
    steps: np.ndarray  # (n,)
    values: np.ndarray  # (n,)


def curves_of(rows: Iterable[Row], key: str, labels: Mapping[str, str]) -> list[Curve]:
    """The curves of one scalar: a member and split each, in order of appearance.

    Rows without the key, and values that are not finite (null), are left out.

    Args:
      rows: lines of metrics.jsonl.
      key: e.g. "loss".
      labels: how each member is called; members of one label share a colour.
    """
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        if isinstance(row.get(key), int | float):
            line = points.setdefault((row["member"], row["split"]), [])
            line.append((row["step"], row[key]))
    return [
        Curve(labels[member], split, *thinned(np.array(line, np.float64)))
        for (member, split), line in points.items()
    ]


def parts_of(rows: Iterable[Row], key: str, names: Sequence[str]) -> list[Curve]:
    """The curves of one vector, a component each, of the first member in `rows`."""
    rows = [row for row in rows if isinstance(row.get(key), list)]
    rows = [row for row in rows if row["member"] == rows[0]["member"]]
    if any(len(row[key]) != len(names) for row in rows):
        raise UserError(f"{key!r} has {len(rows[0][key])} parts for {len(names)} names")
    flat = [
        {"member": name, "split": row["split"], "step": row["step"], key: value}
        for row in rows
        for name, value in zip(names, row[key], strict=True)
    ]
    return curves_of(flat, key, {name: name for name in names})


def thinned(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) steps and values -> at most POINTS of each, means of neighbours."""
    parts = np.array_split(points, min(len(points), POINTS))
    means = np.array([part.mean(0) for part in parts])
    return means[:, 0], means[:, 1]


def curves_figure(curves: Sequence[Curve], ylabel: str, *, log: bool = True) -> Figure:
    """Curves over steps: train a thin line, test dots, a colour a label.

    With more labels than colours, those that end highest have one each and the rest
    share grey.

    Args:
      curves: from `curves_of` or `parts_of`.
      ylabel: what the values are, with their unit.
      log: a logarithmic axis of values where all are positive and they span a factor
        of 4 or more.

    Raises:
      UserError: no curves.
    """
    if not curves:
        raise UserError(f"there is no finite value of {ylabel} to draw")
    colours = _colours(curves)
    legend = dict.fromkeys(colours.values())
    names = [textwrap.fill(name, LONGEST) for name, _ in legend]
    with plotting():
        columns = 1 if max(map(len, names)) > 18 else 2
        lines = sum(name.count("\n") + 1 for name in names)
        legend_rows = 0 if names in ([""], [ALL]) else -(-lines // columns)
        figure = new_figure(height=3.0 + 0.24 * legend_rows)
        axes = figure.subplots()
        for curve in curves:
            test = curve.split == "test"
            axes.plot(
                curve.steps,
                curve.values,
                linestyle="none" if test else "-",
                marker="o" if test else "",
                markersize=5,
                markeredgecolor=PAPER,
                markeredgewidth=0.7,
                linewidth=1.0,
                alpha=1.0 if test else 0.75,
                color=colours[curve.label][1],
                zorder=3 if test else 2,
            )
        values = np.concatenate([curve.values for curve in curves])
        if log and wants_log(values):
            axes.set_yscale("log")
            log_axis(axes.yaxis)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10), integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: thousands(value)))
        axes.set_xlabel("step")
        axes.set_ylabel(ylabel)
        if legend_rows:
            handles = [
                Line2D([], [], color=colour, label=name)
                for name, (_, colour) in zip(names, legend, strict=True)
            ]
            figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def _colours(curves: Sequence[Curve]) -> dict[str, tuple[str, str]]:
    """label -> its name in the legend and its colour."""
    last = {curve.label: curve.values[-1] for curve in curves}
    if len(last) <= len(PALETTE):
        return {k: (k, c) for k, c in zip(last, PALETTE, strict=False)}
    *own, shared = PALETTE
    leading = sorted(last, key=lambda k: -last[k])[: len(own)]
    colours = dict(zip(sorted(leading, key=list(last).index), own, strict=True))
    others = f"{len(last) - len(own)} others"
    named = {k: (k, colours[k]) for k in last if k in colours}
    return named | {k: (others, shared) for k in last if k not in colours}


def wants_log(values: np.ndarray) -> bool:
    """Whether values are positive and span a factor of LOG_RATIO or more."""
    return bool(values.min() > 0 and values.max() >= LOG_RATIO * values.min())


def thousands(value: float) -> str:
    """2500 -> "2,500", 20000 -> "20k"."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:,.10g}"


def task_losses_figure(tasks: Sequence[str], networks: Mapping[str, Any]) -> Figure:
    """Every task's test loss under each way of sharing, and the mean over tasks.

    Large marks are means over seeds, small ones single seeds; the dashed line at 1
    is the trivial predictor.

    Args:
      tasks: N names.
      networks: name, e.g. "grouped" -> (seeds, N) losses.
    """
    names = [*tasks, "mean"]
    table = {k: with_mean(np.asarray(v, np.float64)) for k, v in networks.items()}
    with plotting():
        figure = new_figure(height=1.1 + 0.5 * len(names))
        axes = figure.subplots()
        for index, (network, losses) in enumerate(table.items()):
            shift = (index - (len(table) - 1) / 2) * 0.2
            place = np.arange(len(names)) + shift
            style: dict[str, Any] = {"color": PALETTE[index % 7], "linestyle": "none"}
            style["marker"] = MARKERS[index % 7]
            if len(losses) > 1:
                for row in losses:
                    axes.plot(row, place, markersize=3, alpha=0.6, **style)
            axes.plot(losses.mean(0), place, markersize=7, label=network, **style)
        _finish_losses(axes, names, np.concatenate(list(table.values())))
        figure.legend(loc="outside lower center", ncols=min(len(table), 3))
    return figure


def with_mean(losses: np.ndarray) -> np.ndarray:
    """(seeds, N) -> (seeds, N + 1), the mean over tasks appended."""
    return np.concatenate([losses, losses.mean(1, keepdims=True)], axis=1)


def _finish_losses(axes: Any, names: Sequence[str], values: np.ndarray) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axhline(len(names) - 1.5, color=MUTED, linewidth=0.8)
    axes.axvline(1.0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
    values = values[np.isfinite(values)]
    if values.size and wants_log(values):
        axes.set_xscale("log")
        log_axis(axes.xaxis)
        axes.set_xlabel("test loss (logarithmic; 1 is trivial)")
    else:
        axes.set_xlim(left=min(0.0, float(values.min(initial=0.0))))
        axes.set_xlabel("test loss (1 is trivial)")
    axes.tick_params("y", length=0, labelcolor=INK)
    axes.grid(False, axis="y")
