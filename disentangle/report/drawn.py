"""The section on pictures of a generator's own: by value, by two values, by stage."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from disentangle.report import files
from disentangle.report.blocks import Block, Drawing, Row, Text
from disentangle.report.panels import GAP, TILE, mosaic
from disentangle.report.style import INK, new_figure, plotting
from disentangle.study.drawn import Drawn


def drawn(workdir: Path) -> list[Block]:
    """The figures of drawn.npz."""
    found = files.found(Drawn, workdir)
    if found is None:
        return []
    with files.reading(workdir / Drawn.FILE):
        drawings = [_by_value(found)]
        if found.table is not None:
            drawings.append(_by_two(found))
        if found.grown is not None:
            drawings.append(_by_stage(found))
    text = (
        "Pictures that the first model draws, none of the data. Noise is the same for "
        "every value and every stage."
    )
    return [Text(text), Row(drawings)]


def _by_value(found: Drawn) -> Drawing:
    """A column per value of one factor."""
    name = str(found.name)
    figure = grid_figure(found.pictures, columns=found.values.tolist(), across=name)
    words = (
        f"A column per value of {name}, a row per noise; in a row all else that the "
        "model is told stays."
        if name
        else "Draws."
    )
    return Drawing.of(figure, "drawn-values", f"Drawn pictures. {words}", words)


def _by_two(found: Drawn) -> Drawing:
    """A row per value of one factor, a column per value of another."""
    assert found.table_names is not None
    assert found.rows is not None
    assert found.columns is not None
    up, across = found.table_names.tolist()
    figure = grid_figure(
        found.table,
        rows=found.rows.tolist(),
        columns=found.columns.tolist(),
        up=up,
        across=across,
    )
    words = f"{up} from top to bottom, {across} from left to right, one noise."
    return Drawing.of(figure, "drawn-table", f"Drawn pictures: {words}", words)


def _by_stage(found: Drawn) -> Drawing:
    """A row per stage."""
    assert found.stages is not None
    figure = grid_figure(found.grown, rows=found.stages.tolist())
    words = (
        "The same noise and values by every stage of the job, the first on top; small "
        "pictures with each pixel repeated."
    )
    return Drawing.of(figure, "drawn-stages", f"Drawn pictures. {words}", words)


def grid_figure(
    pictures: object,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    up: str = "",
    across: str = "",
) -> Figure:
    """Pictures (R, V, H, W, C) in [0, 1] as a grid with names.

    Args:
      pictures: C is 1 or 3.
      rows, columns: a name each, or none.
      up, across: what the rows and columns are.
    """
    array = np.asarray(pictures)
    count, wide, height, width = array.shape[:4]
    room = 0.075 * max(map(len, rows), default=0) + (0.25 if up else 0)
    with plotting():
        tile = 1.4 * TILE
        figure = new_figure(count * tile + 0.7, wide * tile + room + 0.3)
        axes = figure.subplots()
        axes.imshow(mosaic(array), interpolation="none")
        ticks = lambda n, size: np.arange(n) * (size + GAP) + (size - 1) / 2
        axes.set_xticks(ticks(wide, width) if any(columns) else [])
        axes.set_yticks(ticks(count, height) if any(rows) else [])
        if any(columns):
            axes.set_xticklabels(columns)
        if any(rows):
            axes.set_yticklabels(rows)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.tick_params(length=0, labelcolor=INK)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure
