"""Cloth: samples of a picture on which panels are laid, dyed and creased.

A shape is its depth: how many pixels a sample lies inside of its edge, negative
outside. Shapes meet in the minimum of their depths, and `coverage` turns a depth into
the share of a sample that is covered. Lengths are pixels of the 64x64 picture; u points
right and v down, from its centre.
"""

import functools

import numpy as np

SUPER = 3  # samples of a pixel along each axis
_SEAM, _SEAM_WIDTH = 0.34, 0.8  # how much darker a panel is at its edge, and how far in
_BORDER, _BORDER_WIDTH = 0.25, 0.5  # the same of dyed parts
_ROUND = 0.2  # how much darker a panel is at its sides, which turn away
Line = tuple[tuple[float, ...], tuple[float, ...]]  # knots and values of a curve


def coverage(depth: np.ndarray) -> np.ndarray:
    """Share of a sample, 0..1, that lies inside of an edge `depth` pixels away."""
    return np.clip(depth * SUPER + 0.5, 0, 1)


def smooth(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to `low`, 1 from `high` on, and a smooth step between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def curve(x: np.ndarray, line: Line) -> np.ndarray:
    """The curve through (knots, values) at x; constant beyond its ends."""
    return np.interp(x, *_spline(*line))


@functools.cache
def _spline(
    knots: tuple[float, ...], values: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Catmull-Rom through the knots, at steps of 1/8 from -40 to 40."""
    x, at, level = np.arange(-320, 321) / 8, np.array(knots), np.array(values)
    slope = np.gradient(level, at)
    i = np.clip(np.searchsorted(at, x) - 1, 0, len(at) - 2)
    width = at[i + 1] - at[i]
    t = np.clip((x - at[i]) / width, 0, 1)
    ends = (1 + 2 * t) * (1 - t) ** 2 * level[i] + t * t * (3 - 2 * t) * level[i + 1]
    bend = (1 - t) * slope[i] - t * slope[i + 1]
    return x, ends + t * (1 - t) * width * bend


def box(
    u: np.ndarray,
    v: np.ndarray,
    centre: tuple[float, float],
    half: tuple[float, float],
    turn: float = 0.0,
) -> np.ndarray:
    """Depth in a rectangle of half sides `half`, turned by `turn` radians."""
    cos, sin = np.cos(turn), np.sin(turn)
    du, dv = u - centre[0], v - centre[1]
    x, y = cos * du + sin * dv, cos * dv - sin * du
    return np.minimum(half[0] - np.abs(x), half[1] - np.abs(y))


def inside(*depths: np.ndarray) -> np.ndarray:
    """Depth in the intersection of shapes."""
    return functools.reduce(np.minimum, depths)


class Cloth:
    """Samples (S,) on which panels of cloth are laid, later ones on top.

    Attributes:
      u: (S,) where each sample is, right of the centre.
      v: (S,) the same, below it.
      cover: share of the sample that is covered, 0..1.
      light: brightness of the cloth under light from the front.
      slope: -1..1, how far the cloth turns to the right.
      x: coordinate across the panel, for patterns.
      y: coordinate along it.
      trim: share in the trim's colour, 0..1.
    """

    def __init__(self, u: np.ndarray, v: np.ndarray):
        self.u, self.v = u, v
        self.cover, self.light, self.slope = 0 * u, 0 * u, 0 * u
        self.x, self.y, self.trim = 0 * u, 0 * u, 0 * u

    def lay(
        self,
        depth: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        across: np.ndarray,
        fold: np.ndarray | float = 0.0,
        tone: float = 1.0,
    ) -> None:
        """A panel with pattern coordinates x, y; its seam is darker.

        Args:
          depth: in the panel.
          x: across it.
          y: along it.
          across: -1..1 from its left side to its right one.
          fold: brightness that folds add.
          tone: brightness of the whole panel.
        """
        seam = 1 - _SEAM * np.exp(-((np.maximum(depth, 0) / _SEAM_WIDTH) ** 2))
        light = tone * (1 - _ROUND * across**2 + fold) * seam
        share = coverage(depth)
        self.light = self.light + share * (light - self.light)
        self.slope = self.slope + share * (across - self.slope)
        self.x = self.x + share * (x - self.x)
        self.y = self.y + share * (y - self.y)
        self.trim = self.trim * (1 - share)
        self.cover = np.maximum(self.cover, share)

    def on(self, depth: np.ndarray) -> np.ndarray:
        """Depth in a shape, as far as there is cloth under it."""
        return np.minimum(depth, self.cover * 9 - 4)

    def dye(self, depth: np.ndarray) -> None:
        """Trim, with a thin dark border."""
        self.trim = np.maximum(self.trim, coverage(depth))
        border = np.exp(-((np.maximum(depth, 0) / _BORDER_WIDTH) ** 2))
        self.crease(depth, _BORDER * border)

    def crease(self, depth: np.ndarray, amount: np.ndarray | float) -> None:
        """Darkens by a share of the light."""
        self.light = self.light * (1 - amount * coverage(depth))
