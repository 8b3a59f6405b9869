"""dSprites drawn again, every pixel of it (Matthey, Higgins, Hassabis, Lerchner 2017).

A shape is a polygon in pixel units (x right, y down), scaled by s, turned by theta and
moved to (cx, cy); its vertices are snapped to 1/256 pixel and it is filled without
antialiasing where a pixel's centre lies inside.

Scan-line form, all in integers of 1/256 px. Edge (ax, ay) -> (bx, by) crosses row j iff
(ay >= Y_j) != (by >= Y_j) with Y_j = 256 j + 128, at

  x = ax + (Y_j - ay) (bx - ax) / (by - ay),

and toggles every pixel from column ceil((x - 128) / 256) on. A row of 64 pixels is one
64-bit word, a toggle is a word of trailing ones, and the image's row is the exclusive
or of its toggles: pixels are never touched one by one, and the result is bit-packed.

float64 is needed: float32 vertices change about 60 of the 737,280 images.
"""

import numpy as np

from disentangle import progress

SIZES = (3, 6, 40, 32, 32)  # shape, scale, orientation, x_position, y_position
_HALF = 9.6  # half edge of the square at scale 1: 0.15 of 64 pixels
_ROWS = np.arange(64) * 256 + 128  # centre of each pixel row, in 1/256 px
# Word c has ones from column c on, the highest bit being column 0; word 64 is empty.
_FROM_COLUMN = np.array([(2**64 - 1) >> c for c in range(65)], np.uint64)


def outline(shape: int) -> np.ndarray:
    """(V, 2) float64 vertices (u, v) of a shape at scale 1, in pixels about its centre.

    Args:
      shape: 0 square, 1 ellipse (100-gon), 2 heart (150-gon).
    """
    if shape == 0:
        return _HALF * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    if shape == 1:
        t = 2 * np.pi * np.arange(100) / 100
        return np.stack([_HALF * 1.33 * np.cos(t), _HALF / 1.33 * np.sin(t)], 1)
    t = 2 * np.pi * np.arange(150) / 150
    wave = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([_HALF * np.sin(t) ** 3, -_HALF * (wave / 14.5 + 0.15)], 1)


def all_positions(shape: int, scale: int, orientation: int) -> np.ndarray:
    """All positions of one (shape, scale, orientation), bit-packed.

    Returns:
      (32, 32, 512) uint8: x_position, y_position, bytes in `np.packbits` order.
    """
    vertices_x, vertices_y = _vertices(shape, scale, orientation)
    next_x, next_y = np.roll(vertices_x, -1, 1), np.roll(vertices_y, -1, 1)
    below = vertices_y[:, None, :] >= _ROWS[:, None]  # (y_position, row, vertex)
    crosses = below != np.roll(below, -1, 2)
    y, row, edge = np.nonzero(crosses)  # M crossings, grouped by (y, row)

    height = next_y[y, edge] - vertices_y[y, edge]
    run = (next_x - vertices_x).T[edge]  # (M, x_position)
    drop = (_ROWS[row] - vertices_y[y, edge])[:, None]
    x = vertices_x.T[edge] + drop * run / height[:, None]
    column = np.clip(np.ceil((x - 128) / 256), 0, 64).astype(np.intp)

    line = y * 64 + row
    first = np.flatnonzero(np.diff(line, prepend=-1))  # of each group
    words = np.zeros((32, 32 * 64), np.uint64)  # x_position, (y_position, row)
    words[:, line[first]] = np.bitwise_xor.reduceat(_FROM_COLUMN[column], first).T
    return words.astype(">u8").view(np.uint8).reshape(32, 32, 512)


def _vertices(shape: int, scale: int, orientation: int) -> np.ndarray:
    """Snapped vertices in 1/256 px: x then y, each (position, V), int64."""
    theta = 2 * np.pi * orientation / 39
    cos, sin = np.cos(theta), np.sin(theta)
    u, v = (outline(shape) * (0.5 + 0.1 * scale)).T
    centre = (16 + 32 * np.arange(32) / 31.0)[:, None]
    x, y = centre + (cos * u + sin * v), centre + (-sin * u + cos * v)
    return np.floor(np.stack([x, y]) * 256 + 0.5).astype(np.int64)


def render() -> np.ndarray:
    """The whole set, (737280, 512) uint8, bit-packed in index order."""
    packed = np.empty((*SIZES, 512), np.uint8)
    sprites = list(np.ndindex(*SIZES[:3]))
    for at in progress.over(sprites, "drawing dSprites"):
        packed[at] = all_positions(*at)
    return packed.reshape(-1, 512)
