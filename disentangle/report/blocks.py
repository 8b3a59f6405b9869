"""What a section of the page is made of, and how numbers are printed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from disentangle.report.style import PIXELS, svg


@dataclass(frozen=True)
class Number:
    """A value as computed, and how it is printed.

    Attributes:
      value: the number; NaN where there is none.
      spread: its standard deviation or error, if it is a mean.
      decimals: how many to print; None is three significant digits.
    """

    value: float
    spread: float | None = None
    decimals: int | None = None

    @property
    def text(self) -> str:
        """The value, with the spread in the same decimals."""
        if not math.isfinite(self.value):
            return number(self.value)
        if self.spread is None and self.decimals is None:
            return number(self.value)
        given = self.decimals
        decimals = _decimals(self.value) if given is None else given
        mean = _minus(f"{self.value:,.{decimals}f}")
        return mean if self.spread is None else f"{mean} ± {self.spread:.{decimals}f}"


Cell = str | Number


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Problem:
    """A sentence in place of what could not be shown."""

    kind: ClassVar[str] = "problem"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first of each its name.

    Attributes:
      caption: what the table holds.
      header: as many names as a row has cells.
      rows: the cells.
      folded: the words to click on before it is shown, or "".
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: str = ""


@dataclass(frozen=True)
class Terms:
    """Terms with their definitions."""

    kind: ClassVar[str] = "terms"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """Preformatted text; `folded` as in a Table."""

    kind: ClassVar[str] = "code"
    text: str
    folded: str = ""


@dataclass(frozen=True)
class Drawing:
    """An `<svg>` element, trusted as it is, and the words under it.

    Attributes:
      svg: the element.
      width: its full width in CSS pixels.
      caption: the words.
    """

    kind: ClassVar[str] = "drawing"
    svg: str
    width: int
    caption: str

    @classmethod
    def of(cls, figure: Figure, name: str, alt: str, caption: str) -> "Drawing":
        """Draws a figure; `name` and `alt` as in `style.svg`."""
        width = round(figure.get_figwidth() * PIXELS)
        return cls(svg(figure, name, alt), width, caption)


@dataclass(frozen=True)
class Row:
    """Figures and tables side by side where the screen is wide enough."""

    kind: ClassVar[str] = "row"
    items: Sequence[Drawing | Table]


Block = Text | Problem | Table | Terms | Code | Row


@dataclass(frozen=True)
class Section:
    """A titled part of the page."""

    name: str  # its anchor
    title: str
    blocks: Sequence[Block]


def number(value: float) -> str:
    """Three significant digits; whole from 1,000 on; "–" for NaN."""
    if math.isnan(value):
        return "–"
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and abs(value) < 1e-4:
        return _minus(f"{value:.2e}")
    return _minus(f"{value:,.{_decimals(value)}f}")


def over_seeds(values: np.ndarray, decimals: int | None = None) -> Number:
    """Mean, and with several finite values their standard deviation (n - 1)."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Number(math.nan)
    spread = float(finite.std(ddof=1)) if finite.size > 1 else None
    return Number(float(finite.mean()), spread, decimals)


def common_decimals(values: np.ndarray, least: int = 3) -> int:
    """Decimals in which even the smallest of several values has two digits."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not sizes.size:
        return least
    return max(least, min(6, 1 - math.floor(math.log10(sizes.min()))))


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def plural(count: int, noun: str) -> str:
    """ "1 seed", "2,000 seeds"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _decimals(value: float) -> int:
    """Decimals that show three significant digits."""
    if value == 0:
        return 0
    return max(0, min(6, 2 - math.floor(math.log10(abs(value)))))


def _minus(text: str) -> str:
    return text.replace("-", "−")
