"""Figures of matrices: affinity between tasks, DCI importance of codes."""

from collections.abc import Sequence
from typing import Any, Protocol

import matplotlib
import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from disentangle.errors import UserError
from disentangle.report.cells import cell, label_axes, readable, signed, write
from disentangle.report.style import (
    DIVERGING,
    INK,
    MUTED,
    PALETTE,
    RISING,
    RULE,
    WIDTH,
    new_figure,
    plotting,
)

CELL = 0.62  # inches: the least a cell with a number needs
SQUARE = 0.26  # inches: a cell of a Hinton diagram
CLEAR = 2.0  # standard errors from 0 below which a cell is faded
FADE = 0.7  # of the way to white
FADED = "#767676"  # numbers that are none, on a cell that is nearly white


class AffinityLike(Protocol):
    """What `affinity_figure` reads; `disentangle.affinity.Affinity` has it."""

    @property
    def matrix(self) -> np.ndarray:
        """(N, N), matrix[source, target]."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """N names."""

    @property
    def standard_error(self) -> np.ndarray | None:
        """(N, N) or None."""


def display_scale(values: np.ndarray) -> tuple[float, int]:
    """The power of 1,000 to multiply by and the decimals to show.

    Chosen so that the largest magnitude has four significant digits, but at most
    three decimals.
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0.0:
        return 1.0, 3
    power = 0
    while largest * 1000.0**power < 0.1 and power < 5:
        power += 1
    exponent = int(np.floor(np.log10(largest * 1000.0**power)))
    return 1000.0**power, int(np.clip(3 - exponent, 0, 3))


def scale_words(scale: float) -> str:
    """How a display scale is told: "" or "in units of 10^-3"."""
    power = round(np.log10(scale))
    digits = str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"in units of 10⁻{digits}" if power else ""


def off_diagonal(matrix: np.ndarray) -> np.ndarray:
    """The entries between different tasks; the whole of a 1x1 matrix."""
    n = len(matrix)
    return matrix[~np.eye(n, dtype=bool)] if n > 1 else matrix.ravel()


def affinity_figure(
    affinity: AffinityLike,
    *,
    source: str = "takes the step (source)",
    target: str = "its loss moves (target)",
) -> Figure:
    """Heat map of an affinity: row = source, column = target, > 0 helps.

    The colours are centred at 0 and span the entries between different tasks; the
    diagonal (a task's effect on itself) is printed and left uncoloured. Under each
    value is its standard error, where there is one; values below two standard errors
    are faded.

    Args:
      affinity: an `Affinity`, or anything with its `matrix`, `tasks` and
        `standard_error`.
      source, target: what a row and a column are.
    """
    matrix = np.asarray(affinity.matrix, np.float64)
    given, n = affinity.standard_error, len(matrix)
    errors = None if given is None else np.asarray(given, np.float64)
    limit = float(np.max(np.abs(off_diagonal(matrix)))) or 1.0
    scale, decimals = display_scale(off_diagonal(matrix))
    whole_digits = len(f"{scale * np.nanmax(np.abs(matrix)):.0f}")
    decimals = max(0, min(decimals, 5 - whole_digits))  # what a cell has room for
    units = scale_words(scale)
    norm = matplotlib.colors.Normalize(-limit, limit)
    shown = np.clip(np.nan_to_num(matrix), -limit, limit)
    colours = matplotlib.colormaps[DIVERGING](norm(shown))
    if errors is not None:
        is_noise = np.abs(matrix) < CLEAR * errors
        colours[is_noise, :3] += FADE * (1 - colours[is_noise, :3])
    with plotting():
        figure = new_figure(
            height=1.5 + n * (0.5 if errors is not None else 0.42),
            width=max(WIDTH, 1.6 + CELL * n),
        )
        axes = figure.subplots()
        for row, column in np.ndindex(n, n):
            own = row == column
            face = "none" if own and n > 1 else colours[row, column]
            axes.add_patch(cell(row, column, face))
            ink = MUTED if own and n > 1 else readable(colours[row, column])
            value = float(matrix[row, column])
            lines = [signed(scale * value, decimals)]
            if errors is not None and not np.isnan(value):
                lines.append(f"±{scale * errors[row, column]:.{decimals}f}")
            write(axes, column, row, lines, ink)
        label_axes(axes, affinity.tasks, affinity.tasks)
        axes.set_ylabel(source)
        axes.set_xlabel(target + (units and f", {units}"))
    return figure


def budget_figure(objectives: Sequence[float], budget: float) -> Figure:
    """The best objective over the budget of networks; a ring at the job's own.

    Args:
      objectives: for 1, 2, ... networks.
      budget: the job's.
    """
    values = np.asarray(objectives, np.float64)
    scale, _ = display_scale(values)
    steps = np.arange(1, len(values) + 1)
    with plotting():
        figure = new_figure(height=2.4)
        axes = figure.subplots()
        axes.plot(steps, scale * values, marker="o", color=PALETTE[0])
        chosen = steps == budget
        style: dict[str, Any] = {
            "marker": "o",
            "markersize": 13,
            "markerfacecolor": "none",
        }
        axes.plot(
            steps[chosen], scale * values[chosen], linestyle="none", color=INK, **style
        )
        axes.set_xticks(steps)
        axes.set_xlabel("budget (networks)")
        units = scale_words(scale)
        axes.set_ylabel("objective" + (units and f", {units}"))
    return figure


def importance_figure(
    importance: Any, factors: Sequence[str], codes: Sequence[str]
) -> Figure:
    """Hinton diagram of DCI importances: the area of a square is the importance.

    Lines part codes of different blocks ("shape 1", "shape 2" are one block).

    Args:
      importance: (D, F), non-negative; 0 draws nothing, the largest fills its cell.
      factors: F names, the columns.
      codes: D names, the rows.

    Raises:
      UserError: another shape, or a value that is negative or not finite.
    """
    values = np.asarray(importance, np.float64)
    if values.shape != (len(codes), len(factors)):
        raise UserError(
            f"importance of {len(codes)} codes and {len(factors)} factors must be "
            f"({len(codes)}, {len(factors)}), got {values.shape}"
        )
    if not np.isfinite(values).all() or (values < 0).any():
        raise UserError("an importance is negative or not finite")
    sides = np.sqrt(values / (values.max(initial=0.0) or 1.0))
    blocks = [block_of(code) for code in codes]
    with plotting():
        side = SQUARE if len(codes) <= 40 else SQUARE / 2
        left, above = (0.085 * max(map(len, names)) for names in (codes, factors))
        figure = new_figure(
            height=side * len(codes) + 0.85 * above + 0.4,
            width=side * len(factors) + left + 0.6 * above + 0.25,
        )
        axes = figure.subplots()
        axes.set_aspect("equal")
        squares = [
            Rectangle((j - 0.46 * s, i - 0.46 * s), 0.92 * s, 0.92 * s)
            for (i, j), s in np.ndenumerate(sides)
            if s > 0.02
        ]
        axes.add_collection(PatchCollection(squares, facecolor=PALETTE[0]))
        for i in range(1, len(codes)):
            if blocks[i] != blocks[i - 1]:
                axes.axhline(i - 0.5, color=RULE, linewidth=0.8)
        label_axes(axes, _row_labels(codes, blocks), factors, slant=55)
        axes.tick_params("y", labelsize=10)
    return figure


def information_figure(
    share: Any, factors: Sequence[str], codes: Sequence[str], shuffled: Any = None
) -> Figure:
    """Heat map of mutual information as a share of each factor's entropy.

    White is 0, the darkest blue 1; values are printed where codes are 40 or fewer,
    in grey those that are no more than a shuffled factor gives. A factor's MIG is the
    gap between the two largest of its column.

    Args:
      share: (D, F), I(code; factor) / H(factor), in [0, 1].
      factors: F names, the columns.
      codes: D names, the rows.
      shuffled: (F,) what codes seem to know of shuffled factors, the last row; None
        where it is not known.

    Raises:
      UserError: another shape, or a value that is not finite.
    """
    values, blocks = np.asarray(share, np.float64), [block_of(c) for c in codes]
    if values.shape != (len(codes), len(factors)) or not np.isfinite(values).all():
        raise UserError(
            f"information of {len(codes)} codes and {len(factors)} factors must be "
            f"({len(codes)}, {len(factors)}) finite numbers, got {values.shape}"
        )
    nothing, names = np.zeros(len(factors)), _row_labels(codes, blocks)
    if shuffled is not None:
        nothing = np.asarray(shuffled, np.float64)
        values, names = np.vstack([values, nothing]), [*names, "shuffled"]
    colours = matplotlib.colormaps[RISING](np.clip(values, 0, 1))
    few = len(codes) <= 40
    with plotting():
        left, above = (0.085 * max(map(len, names)) for names in (codes, factors))
        figure = new_figure(
            height=(0.3 if few else 0.13) * len(names) + 0.85 * above + 0.4,
            width=0.5 * len(factors) + left + 0.6 * above + 0.25,
        )
        axes = figure.subplots()
        for code, factor in np.ndindex(*values.shape):
            colour = colours[code, factor]
            axes.add_patch(cell(code, factor, colour))
            if few or code >= len(codes):
                known = values[code, factor] > nothing[factor]
                ink = readable(colour) if known else FADED
                write(axes, factor, code, [f"{values[code, factor]:.2f}"], ink)
        if len(names) > len(codes):
            axes.axhline(len(codes) - 0.5, color=MUTED, linewidth=0.8)
        label_axes(axes, names, factors, 55)
    return figure


def block_of(code: str) -> str:
    """The attribute a code dimension belongs to: "shape 3" -> "shape"."""
    name, _, number = code.rpartition(" ")
    return name if name and number.isdigit() else ""


def _row_labels(codes: Sequence[str], blocks: Sequence[str]) -> list[str]:
    """All names; of many rows only the first of a block, or every fifth."""
    if len(codes) <= 40:
        return list(codes)
    if any(blocks):
        first = [i == 0 or blocks[i] != blocks[i - 1] for i in range(len(codes))]
        return [b if f else "" for b, f in zip(blocks, first, strict=True)]
    return [code if i % 5 == 0 else "" for i, code in enumerate(codes)]
