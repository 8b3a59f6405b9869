"""Figures of the oracle: what tasks gain from each other, gains beside scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from disentangle.affinity import Affinity
from disentangle.errors import UserError
from disentangle.oracle.joint import mean_gains
from disentangle.oracle.table import TaskTable
from disentangle.oracle.variance import pair_gains
from disentangle.report.matrices import affinity_figure
from disentangle.report.style import (
    MARKERS,
    MUTED,
    PALETTE,
    new_figure,
    plotting,
)


def pairs_figure(table: TaskTable) -> Figure:
    """Heat map of the gain of each task (column) with each other one (row).

    The mean over seeds, with its standard error where there are several; what is below
    two standard errors is faded.

    Args:
      table: with the networks of one and of two tasks.

    Raises:
      UserError: a pair that is not in the table.
    """
    found = pair_gains(table)
    if np.isnan(found[:, ~np.eye(len(table.tasks), dtype=bool)]).any():
        raise UserError("a pair of tasks was not trained")
    seeds, error = len(found), None
    if seeds > 1:
        error = found.std(0, ddof=1) / np.sqrt(seeds)
    gains = Affinity(found.mean(0), table.tasks, "gain", error, seeds)
    return affinity_figure(
        gains, source="trained with", target="gain of this task in its loss"
    )


def joint_figure(table: TaskTable, scores: Mapping[str, np.ndarray]) -> Figure:
    """Every encoder of two or more tasks: the mean gain of its tasks beside scores.

    A panel per score, a point per group, means over seeds; colours and marks are sizes
    of groups.

    Args:
      table: the losses.
      scores: what a panel is called -> (S, G), NaN for a group that has none.

    Raises:
      UserError: no scores.
    """
    if not scores:
        raise UserError("there is no score to draw gains beside")
    gains, several = mean_gains(table).mean(0), table.sizes >= 2
    sizes = sorted(set(table.sizes[several].tolist()))
    with plotting():
        figure = new_figure(height=0.6 + 2.3 * len(scores))
        grid = figure.subplots(len(scores), 1, sharex=True, squeeze=False)
        for axes, (name, values) in zip(grid[:, 0], scores.items(), strict=True):
            means = values.mean(0)
            axes.axvline(0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
            for place, size in enumerate(sizes):
                rows = table.sizes == size
                style: dict[str, Any] = {
                    "color": PALETTE[place % len(PALETTE)],
                    "marker": MARKERS[place % len(MARKERS)],
                    "s": 26,
                    "linewidths": 0,
                }
                label = f"{size} tasks" if axes is grid[0, 0] else None
                axes.scatter(gains[rows], means[rows], label=label, **style)
            axes.set_ylabel(name)
        grid[-1, 0].set_xlabel("mean gain of the group's tasks (loss alone less loss)")
        figure.align_ylabels(grid[:, 0])
        figure.legend(loc="outside lower center", ncols=3)
    return figure
