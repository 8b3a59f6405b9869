"""The cells of heat maps: faces, numbers that can be read on them, and their names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from disentangle.report.style import INK, PAPER, RULE

DARK, LIGHT = "#111111", "#fefefe"  # numbers on a coloured cell, in either mode


def cell(row: int, column: int, face: Any) -> Rectangle:
    """A cell at its place; `face` a colour, or words such as "none" with an outline."""
    edge = RULE if isinstance(face, str) else PAPER
    return Rectangle(
        (column - 0.47, row - 0.47), 0.94, 0.94, facecolor=face, edgecolor=edge
    )


def write(axes: Any, x: int, y: int, lines: Sequence[str], ink: str) -> None:
    """Centred lines. A text each, so that in any font they stay centred."""
    for i, line in enumerate(lines):
        place = y + 0.3 * (i - (len(lines) - 1) / 2)
        style = {"ha": "center", "va": "center", "color": ink, "fontsize": 9.5}
        axes.text(x, place, line, **style)


def signed(value: float, decimals: int) -> str:
    """ "+0.12", "−0.12"; what rounds to zero has no sign."""
    if np.isnan(value):
        return "–"
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def readable(colour: np.ndarray) -> str:
    """Dark or light, whichever contrasts more with a background (WCAG luminance)."""
    channels = np.where(
        colour[:3] <= 0.04045, colour[:3] / 12.92, ((colour[:3] + 0.055) / 1.055) ** 2.4
    )
    return DARK if channels @ (0.2126, 0.7152, 0.0722) > 0.18 else LIGHT


def label_axes(
    axes: Any, rows: Sequence[str], columns: Sequence[str], slant: int = 35
) -> None:
    """Names on the left and on top, as in a printed table; no frame.

    Names too long to stand side by side are turned by `slant` degrees.
    """
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    slanted = slant > 35 or max(map(len, columns)) * len(columns) > 36
    axes.set_xticks(
        range(len(columns)),
        columns,
        rotation=slant if slanted else 0,
        ha="left" if slanted else "center",
        rotation_mode="anchor",
    )
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labelcolor=INK)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
