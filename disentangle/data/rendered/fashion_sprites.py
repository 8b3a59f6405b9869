"""FashionSprites: garments drawn as maps, from which pictures are composed.

A picture is composed, pixel by pixel and channel by channel, from four maps, three
colours and a scene,

  cloth = (base (256 - p - t) + accent p + trim t) / 256
  image = (scene O + cloth A) / 256,        O + A <= 256, p + t <= 256

  O  what is seen of the scene: uncovered, times the garment's shadow
  A  coverage of the garment, times light and folds
  p  share of the cloth in the accent's colour      t  share in the trim's colour

which is done where the picture is needed (`disentangle.data.fashion_sprites.compose`).
Maps belong to a geometry (category, length, part, rotation, placement): O and A to it
and the light, p to it and the pattern, t to it and whether there are flowers, whose
centres are trim. A solid garment is striped with an accent equal to its base.

Maps are drawn in float64 from 3x3 samples per pixel and kept in 256ths, so that they
are the same on every machine.
"""

import numpy as np

from disentangle import progress
from disentangle.data.aligned import aligned
from disentangle.data.rendered.fashion_sprites_cloth import SUPER, Cloth, coverage
from disentangle.data.rendered.fashion_sprites_garments import (
    ROTATIONS,
    garment,
    samples,
)

SOLIDS = (6, 4, 3, len(ROTATIONS))  # category, length, part, rotation
# Shift right and down in pixels, and phase of the pattern in periods.
PLACEMENTS = ((-3, -1, 0.0), (2, -1, 0.25), (-2, 1, 0.5), (3, 1, 0.75))
LIGHTS = (1, 0, -1)  # from the left, the front, the right
GEOMETRIES = 1_440  # solids times placements, placement fastest
MAPS = 12  # O by light, A by light, p by pattern (without solid), t without and with
MAP_BYTES = GEOMETRIES * MAPS * 64 * 64
MASK_BYTES = GEOMETRIES * 512  # of the masks, one bit per pixel
_AMBIENT, _SIDE, _DIM = 0.12, 0.2, 0.02  # least light, strength from a side, loss
_SHADOW, _BLUR, _THROW, _DROP = 0.42, 1.8, 3.2, 2.4  # depth, width, shift aside, down
_MARGIN = 3  # largest shift


def render() -> np.ndarray:
    """All maps, then all masks: (MAP_BYTES + MASK_BYTES,) uint8.

    `divided` says how they lie.
    """
    table = aligned((MAP_BYTES + MASK_BYTES,), np.uint8)
    maps, masks = divided(table)
    solids = list(np.ndindex(*SOLIDS))
    places = len(PLACEMENTS)
    for number, solid in enumerate(progress.over(solids, "drawing FashionSprites")):
        drawn, covered = geometry(*solid)
        rows = slice(number * places, (number + 1) * places)
        maps[rows], masks[rows] = drawn, np.packbits(covered.reshape(places, -1), 1)
    return table


def divided(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table as views: maps (1440, 12, 64, 64), masks (1440, 512), packed bits."""
    maps = table[:MAP_BYTES].reshape(GEOMETRIES, MAPS, 64, 64)
    return maps, table[MAP_BYTES:].reshape(GEOMETRIES, 512)


def geometry(
    category: int, length: int, part: int, rotation: int
) -> tuple[np.ndarray, np.ndarray]:
    """One garment at all placements.

    Returns:
      (4, 12, 64, 64) uint8 maps: O under light from the left, the front, the right; A
      the same; p of stripes, dots, checks, flowers; t without and with flowers; and
      (4, 64, 64) bool masks, where at least half of a pixel is covered.
    """
    cloth = garment(category, length, part, rotation)
    on = np.flatnonzero(cloth.cover)
    row, column = np.divmod(samples(rotation)[0][on], 64 * SUPER)
    pixel = row // SUPER * 64 + column // SUPER
    weight = cloth.cover[on] / SUPER**2

    def pooled(values: np.ndarray) -> np.ndarray:
        """Sums over the samples of every pixel, (64, 64)."""
        return np.bincount(pixel, values * weight, 64 * 64).reshape(64, 64)

    cover = pooled(np.ones(len(on)))
    slope, light = cloth.slope[on], cloth.light[on]
    drawn = np.zeros((len(PLACEMENTS), MAPS, 64, 64))
    for number, side in enumerate(LIGHTS):
        lit = np.clip(light - _SIDE * side * slope - _DIM, _AMBIENT, 1)
        drawn[:, number] = (1 - cover) * (1 - _SHADOW * _shadow(cover, side))
        drawn[:, 3 + number] = pooled(lit)
    for number, (_, _, phase) in enumerate(PLACEMENTS):
        shares = [pooled(share) for share in _shares(cloth, on, phase)]
        drawn[number, 6:] = np.array(shares) / np.maximum(cover, 1e-6)
    masks = np.repeat((cover >= 0.5)[None], len(PLACEMENTS), 0)
    return _quantised(_placed(drawn)), _placed(masks)


def _shares(cloth: Cloth, on: np.ndarray, phase: float) -> list[np.ndarray]:
    """Shares of the samples `on` in the accent's colour by pattern, then in the trim's
    without and with flowers."""
    patterns, centres = inks(cloth.x[on], cloth.y[on], phase)
    trim = cloth.trim[on]
    accents = [ink * (1 - trim) for ink in patterns]
    return [*accents, trim, np.maximum(trim, centres)]


def inks(
    x: np.ndarray, y: np.ndarray, phase: float
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The shares 0..1 of patterns at pattern coordinates, in pixels.

    Returns:
      Stripes, dots, checks and flowers; and the centres of the flowers, which have a
      hole there.
    """
    px, py, _ = _lattice(x, y, (6.4, 5.4), phase)
    dots = coverage(1.75 - np.hypot(px, py))
    checks = (_wave(x, 7, phase) + _wave(y, 7, phase)) / 2
    px, py, row = _lattice(x, y, (12.4, 10.4), phase)
    radius, angle = np.hypot(px, py), np.arctan2(py, px) + 0.5 + 0.6 * row
    petal = 4.9 * (0.55 + 0.45 * np.abs(np.cos(2.5 * angle)) ** 0.7)
    flowers = coverage(np.minimum(petal - radius, radius - 1.5))
    return (_wave(y, 6, phase), dots, checks, flowers), coverage(1.5 - radius)


def _wave(z: np.ndarray, period: float, phase: float) -> np.ndarray:
    """Stripes of half a period across z."""
    turns = z / period + phase
    return coverage(period / 4 - period * np.abs(turns - np.rint(turns)))


def _lattice(
    x: np.ndarray, y: np.ndarray, cell: tuple[float, float], phase: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets from the centre of the nearest cell, and its row; rows alternate."""
    wide, high = cell
    along = y / high + phase
    row = np.floor(along)
    across = x / wide + 0.6 * phase + 0.5 * (row % 2)
    return (across - np.rint(across)) * wide, (along - row - 0.5) * high, row


def _shadow(cover: np.ndarray, side: int) -> np.ndarray:
    """Soft shadow, 0..1, that coverage (64, 64) throws to the side and down."""
    n = np.arange(64)
    down, aside = (
        np.exp(-0.5 * ((n[:, None] - n - shift) / _BLUR) ** 2)
        for shift in (_DROP, _THROW * side)
    )
    return down @ cover @ aside.T / (2 * np.pi * _BLUR**2)


def _placed(planes: np.ndarray) -> np.ndarray:
    """Planes (4, ..., 64, 64), the first shifted as placement 0 is, and so on.

    Edges are repeated: a shift that wraps around would bring shadows in.
    """
    around = ((0, 0),) * (planes.ndim - 3) + ((_MARGIN, _MARGIN),) * 2
    moved = []
    for plane, (du, dv, _) in zip(planes, PLACEMENTS, strict=True):
        top, left = _MARGIN - dv, _MARGIN - du
        wide = np.pad(plane, around, mode="edge")
        moved.append(wide[..., top : top + 64, left : left + 64])
    return np.stack(moved)


def _quantised(maps: np.ndarray) -> np.ndarray:
    """Shares (4, 12, 64, 64) in 256ths, uint8: O + A and p + t at most 256."""
    whole = np.minimum(np.rint(maps * 256), 255)
    whole[:, 0:3] = np.minimum(whole[:, 0:3], 256 - whole[:, 3:6])
    whole[:, 6:9] = np.minimum(whole[:, 6:9], 256 - whole[:, 10:11])
    whole[:, 9] = np.minimum(whole[:, 9], 256 - whole[:, 11])
    return whole.astype(np.uint8)


def scenes() -> np.ndarray:
    """(3, 64, 64, 3) uint8: a studio, a room, a brick wall."""
    x, y = np.arange(64)[None] + 0.5, np.arange(64)[:, None] + 0.5
    studio = np.array([208, 214, 222]) - np.hypot(x - 32, y - 26)[..., None] * 0.375
    paper = np.array([232, 202, 192]) * (1 - 0.05 * (x % 8 < 4))[..., None]
    gap = (x + (y - 50) * (x - 32) / 80) % 11 < 1
    floor = np.array([168, 122, 92]) * (1 - 0.1 * gap)[..., None]
    room = np.where((y < 50)[..., None], paper, floor)
    joint = (y % 8 < 1) | ((x + 8 * (y // 8 % 2)) % 16 < 1)
    bricks = np.array([104, 112, 138]) * (1 - 0.13 * joint)[..., None]
    return np.rint([studio, room, bricks]).astype(np.uint8)
