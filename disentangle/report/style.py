"""The one plotting style: sizes, colours, fonts, and how a figure becomes SVG.

No global state: a figure is drawn and written inside `plotting()`, which puts
matplotlib's settings back, and is never known to pyplot.

Every figure is about 450 CSS pixels wide and set in 11 points, so that on a
phone, shrunk to the screen, its words can still be read.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

# Stand-ins in the SVG for the page's own colours; the page swaps them for CSS
# variables, so that a figure follows its light or dark mode.
INK, MUTED, RULE, PAPER = "#1b1f24", "#5a636e", "#d5dae0", "#fffffe"

# Colours of series on white, and on the dark page. Searched for: 3:1 or more against
# the page (WCAG 2.2, 1.4.11), and as far apart as can be in CIELAB, as all see them and
# as the two common kinds of colour blindness do. The first is Okabe and Ito's blue.
PALETTE = (
    "#0072b2",
    "#d38200",
    "#4aa25b",
    "#5b2657",
    "#654d04",
    "#4134b4",
    "#808080",
)
DARK_PALETTE = (
    "#4aa3df",
    "#e3693b",
    "#14e485",
    "#b13a98",
    "#f0c040",
    "#8d65ed",
    "#9a9a9a",
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
SERIES = tuple(f"--series{i + 1}" for i in range(len(PALETTE)))
THEMED = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"} | dict(
    zip(PALETTE, SERIES, strict=True)
)
# The page's colours by theme: CSS variable -> colour.
THEMES: dict[str, dict[str, str]] = {
    "light": {
        "--ink": INK,
        "--muted": MUTED,
        "--rule": RULE,
        "--paper": "#ffffff",
        "--code": "#f4f6f8",
        "--warn": "#9a3412",
        **dict(zip(SERIES, PALETTE, strict=True)),
    },
    "dark": {
        "--ink": "#e4e7eb",
        "--muted": "#a2abb6",
        "--rule": "#3a414a",
        "--paper": "#15181c",
        "--code": "#1e2329",
        "--warn": "#f2a27a",
        **dict(zip(SERIES, DARK_PALETTE, strict=True)),
    },
}
DIVERGING = "RdBu"  # ColorBrewer: red below 0, white at 0, blue above
RISING = "Blues"  # ColorBrewer: white at 0
SEQUENTIAL = "viridis"  # seen on white and on black alike
WIDTH = 4.7  # inches
PIXELS = 96  # CSS pixels an inch

SETTINGS: Any = {  # typed by matplotlib with a literal of every name
    "font.family": "DejaVu Sans",  # comes with matplotlib; the page sets its own
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.5,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.12,  # a browser's font may run wider
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # words stay words: they can be read out and searched
    "text.parse_math": False,  # a "$" in a task's name is a dollar
    "axes.unicode_minus": True,
}


@contextlib.contextmanager
def plotting() -> Iterator[None]:
    """matplotlib's defaults with our settings, whatever the user's are."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A letter that matplotlib's font lacks: the browser's will have it.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


class NotebookFigure(Figure):
    """A figure that a notebook shows by itself, without pyplot and whole."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        look: dict[str, Any] = {"dpi": 144, "facecolor": "white"}
        with plotting():
            self.savefig(buffer, format="png", bbox_inches="tight", **look)
        return buffer.getvalue()


def new_figure(height: float, width: float = WIDTH) -> NotebookFigure:
    """An empty figure, sizes in inches. Call it inside `plotting()`."""
    return NotebookFigure(figsize=(width, height))


def svg(figure: Figure, name: str, alt: str) -> str:
    """A figure as an inline `<svg>` element, the same text every time.

    Args:
      figure: the figure.
      name: unique on the page; the ids inside are made from it.
      alt: what it shows, for those who do not see it. Not yet escaped.
    """
    buffer = io.StringIO()
    with plotting(), matplotlib.rc_context({"svg.hashsalt": name}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", text)  # nothing refers to these
    for colour, variable in THEMED.items():
        text = text.replace(colour, f"var({variable})")
    width = figure.get_figwidth() * PIXELS
    size = f"width:{width:.0f}px;min-width:{0.7 * width:.0f}px"
    head = f'<svg role="img" aria-label="{_attribute(alt)}" style="{size}"'
    return text.replace("<svg", head, 1).strip()


def log_axis(axis: matplotlib.axis.Axis) -> None:
    """A logarithmic axis with plain numbers: 0.05, not 5 x 10^-2."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _attribute(text: str) -> str:
    for raw, safe in {"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;"}.items():
        text = text.replace(raw, safe)
    return text
