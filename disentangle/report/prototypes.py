"""The section on prototypes: their blocks, their angles, and the rings they make."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from disentangle.report import files
from disentangle.report.blocks import Block, Drawing, Row, Text
from disentangle.report.style import (
    DIVERGING,
    INK,
    MUTED,
    PALETTE,
    RULE,
    new_figure,
    plotting,
)
from disentangle.study.prototypes import Prototypes

ACROSS = 3  # small pictures in a line
SIDE = 1.55  # inches of a small picture
CLEAR = 10  # more values than this are not numbered


def cosines(rows: np.ndarray) -> np.ndarray:
    """(K, D) -> (K, K), the cosine of the angle of each two; 0 with a row of zeros."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return unit @ unit.T


def plane_of(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """(K, D) -> (K, 2), the two main directions of their differences; their share."""
    moved = rows - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(moved, full_matrices=False)
    flat = np.zeros((len(rows), 2))
    kept = min(2, len(values))
    flat[:, :kept] = left[:, :kept] * values[:kept]
    whole = float((values**2).sum())
    return flat, float((values[:2] ** 2).sum()) / whole if whole > 0 else 0.0


def blocks_figure(found: Prototypes) -> Figure:
    """M as it is, (D, S): a block per attribute on the diagonal, zeros elsewhere."""
    matrix = found.table.T
    limit = float(np.abs(matrix).max()) or 1.0
    with plotting():
        figure = new_figure(height=3.4)
        axes = figure.subplots()
        image = _heat(axes, matrix, limit)
        axes.set_aspect("auto")
        ends = np.cumsum(found.sizes)
        for end in ends[:-1]:
            axes.axvline(end - 0.5, color=RULE, linewidth=0.8)
        for end in _chunks(found):
            axes.axhline(end - 0.5, color=RULE, linewidth=0.8)
        axes.set_xticks(ends - (found.sizes + 1) / 2, found.names, rotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
        axes.set_yticks([])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.set_ylabel(f"{len(matrix)} numbers of a code")
        _key(figure, image, [axes])
    return figure


def _chunks(found: Prototypes) -> np.ndarray:
    """Where the chunks of a code end, if they are of one length."""
    width, count = found.table.shape[1], len(found.sizes)
    return (
        np.arange(1, count) * (width // count) if width % count == 0 else np.array([])
    )


def cosines_figure(found: Prototypes) -> Figure:
    """A heat map of cosines per attribute, between -1 (red) and 1 (blue)."""
    with plotting():
        figure, places = _small(len(found.sizes))
        for axes, (name, rows) in zip(places, found.parts.items(), strict=True):
            image = _heat(axes, cosines(rows), 1.0)
            axes.set_title(name, color=INK)
        _key(figure, image, places)
    return figure


def rings_figure(found: Prototypes) -> Figure:
    """The prototypes of each attribute in the plane that shows most of them.

    Values with an order are joined in it; those that go round, in a ring.
    """
    with plotting():
        figure, places = _small(len(found.sizes))
        parts = zip(found.parts.items(), found.ordered, found.rings, strict=True)
        for axes, ((name, rows), ordered, ring) in zip(places, parts, strict=True):
            flat, share = plane_of(rows)
            line = np.concatenate([flat, flat[:1]]) if ring else flat
            if ordered:
                axes.plot(*line.T, color=MUTED, linewidth=0.8, zorder=1)
            axes.scatter(*flat.T, s=14, color=PALETTE[0], zorder=2)
            for value, spot in enumerate(flat if len(flat) <= CLEAR else flat[:1]):
                axes.annotate(
                    str(value), spot, (3, 3), textcoords="offset points", color=INK
                )
            axes.set_title(f"{name}, {share:.0%}", color=INK)
            axes.set_aspect("equal", adjustable="datalim")
            axes.margins(0.2)
    return figure


def _heat(axes: Axes, matrix: np.ndarray, limit: float) -> AxesImage:
    """Draws numbers from -limit (red) to limit (blue), each as it is."""
    return axes.imshow(
        matrix, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="none"
    )


def _key(figure: Figure, image: AxesImage, places: list[Axes]) -> None:
    """A bar that says which colour is which number."""
    ticks = MaxNLocator(4)
    bar = figure.colorbar(
        image, ax=places, ticks=ticks, aspect=40, fraction=0.04, pad=0.03
    )
    bar.outline.set_visible(False)
    for part in bar.ax.collections:
        part.set_rasterized(True)  # one picture in an SVG, not 256 paths


def _small(count: int) -> tuple[Figure, list]:
    """A figure of small pictures without ticks, and where they are."""
    down = -(-count // ACROSS)
    figure = new_figure(height=SIDE * down + 0.2 * down)
    grid = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for axes in grid:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes in grid[count:]:
        axes.set_axis_off()
    return figure, list(grid[:count])


def prototypes(workdir: Path) -> list[Block]:
    """The figures of prototypes.npz."""
    found = files.found(Prototypes, workdir)
    if found is None:
        return []
    with files.reading(workdir / Prototypes.FILE):
        drawings = [
            Drawing.of(
                blocks_figure(found),
                "prototypes",
                f"Heat map of {len(found.table)} prototypes.",
                "The memory: a column per value, a row per number of a code; blue is "
                "above 0, red below. An edit touches its attribute's rows only.",
            ),
            Drawing.of(
                cosines_figure(found),
                "prototypes-cosines",
                "Heat maps of cosines between the values of each attribute.",
                "Cosines between the values of an attribute, from −1 (red) to 1 "
                "(blue). Values that go round make bands that do so too.",
            ),
            Drawing.of(
                rings_figure(found),
                "prototypes-plane",
                "The prototypes of each attribute in two dimensions.",
                "The values of an attribute in their two main directions, and the "
                "share of the prototypes' variance that these show. Values with an "
                "order are joined in it, those that go round in a ring.",
            ),
        ]
    intro = Text(
        "What an edit puts in place for each value of an attribute (the first model)."
    )
    return [intro, Row(drawings)]
