"""The garments of FashionSprites, each laid as panels of cloth.

Half widths are curves over v, and sleeves, legs and shafts are shapes of their own, so
that a length moves a hem and nothing else. See `fashion_sprites_cloth` for depths and
coordinates.
"""

import numpy as np

from disentangle.data.rendered.fashion_sprites_cloth import (
    SUPER,
    Cloth,
    box,
    coverage,
    curve,
    inside,
    smooth,
)

ROTATIONS = (-10.0, -5.0, 0.0, 5.0, 10.0)  # degrees, clockwise
TEE, SHIRT, DRESS, TROUSERS, SKIRT, SHOE = range(6)
_REACH_U, _REACH_V = 25.0, 29.0  # no garment goes further from the centre
# Half widths, as curves of v.
TORSO = ((-22, -15, -9, -1, 10, 25), (12.6, 12.4, 11.5, 11.0, 11.8, 12.6))
GOWN = (
    (-26, -20, -15, -11, -5, 0, 10, 27),
    (8.4, 8.2, 7.8, 9.2, 6.9, 9.2, 13.2, 18.6),
)
LEGS = ((-25, -17, -8, 6, 27), (8.6, 11.2, 12.3, 12.4, 12.6))
FLARE = ((-19, -11, 0, 26), (8.6, 11.6, 14.2, 19.5))
_BETWEEN_LEGS = ((-9, -6, 0, 27), (0.0, 0.5, 1.5, 4.0))
_SHAFT_WIDTH = ((-40, -22, -8), (8.4, 7.5, 7.2))  # by the height above the sole
_INSTEP = ((-21.5, -20, -17, -11, -4, 2, 14.7), (2.0, 5.6, 8.0, 9.0, 10.6, 13.0, 12.0))
# The v of each hem by length; of a shoe it is the sole, which boots have lower.
HEM = (
    (2.0, 9.5, 17.0, 24.5),
    (2.0, 9.5, 17.0, 24.5),
    (6.5, 13.0, 19.5, 26.5),
    (-1.0, 8.0, 17.0, 26.5),
    (-3.0, 6.0, 15.5, 25.0),
    (11.5, 15.0, 19.0, 23.0),
)
TOP = (-20.5, -20.5, -23.5, -25.0, -19.0)  # v of the neck or the waistband
SHAFT = (-13.0, -19.0, -26.5, -35.0)  # v of a shoe's rim, above its sole, by length
HEEL = 5.5  # height
SHOULDER = (9.2, -14.6)  # where a sleeve starts
CUFF = ((19.0, -6.0), (21.0, 13.0))  # where it ends, of a tee and of a shirt
_SLEEVE_WIDTH, _CUFF_WIDTH = 4.9, (4.3, 2.9)


def garment(category: int, length: int, part: int, rotation: int) -> Cloth:
    """One garment, on the samples of its rotation."""
    _, u, v = samples(rotation)
    cloth, hem = Cloth(u, v), HEM[category][length]
    if category == SHOE:
        _shoe(cloth, hem, length, part)
    elif category in (TROUSERS, SKIRT):
        (_trousers if category == TROUSERS else _skirt)(cloth, hem)
        _waist(cloth, part, category, hem)
    elif category == DRESS:
        _dress(cloth, hem)
        _neck(cloth, part, TOP[category], 5.0)
    else:
        _shirt(cloth, hem, category)
        _neck(cloth, part, TOP[category], 5.6)
    return cloth


def samples(rotation: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The samples that a garment turned about the centre may reach.

    Returns:
      (S,) their numbers in the (192, 192) samples of the picture; u and v of each in
      the garment's own coordinates, which are turned.
    """
    at = (np.arange(64 * SUPER) + 0.5) / SUPER - 32
    angle = np.deg2rad(ROTATIONS[rotation])
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = cos * at + sin * at[:, None], cos * at[:, None] - sin * at
    near = (np.abs(u) < _REACH_U) & (np.abs(v) < _REACH_V)
    return np.flatnonzero(near), u[near], v[near]


def _shirt(cloth: Cloth, hem: float, category: int) -> None:
    for side in (-1, 1):
        _sleeve(cloth, side, category)
    u, v = cloth.u, cloth.v
    width = curve(v, TORSO)
    a = u / width
    low = v + 1.2 * a * a  # a hem hangs lower in its middle
    shoulder = v - TOP[TEE] - 0.36 * np.maximum(np.abs(u) - 5, 0)
    sides = np.sin(2.2 * a + 0.3 * v * np.sign(u)) * smooth(np.abs(a), 0.35, 1)
    fold = 0.06 * sides + 0.03 * np.sin(5 * a) * smooth(v, 0, 14)
    cloth.lay(inside(width - np.abs(u), shoulder, hem - low), u, low, a, fold)
    cloth.crease(0.4 - np.abs(hem - 1.7 - low), 0.14)


def _sleeve(cloth: Cloth, side: int, category: int) -> None:
    """A limb that grows narrower from the shoulder, with a round cap there."""
    (su, sv), (eu, ev) = SHOULDER, CUFF[category]
    reach = np.hypot(eu - su, ev - sv)
    du, dv = (eu - su) / reach, (ev - sv) / reach
    x, y = side * cloth.u - su, cloth.v - sv
    along, off = x * du + y * dv, y * du - x * dv
    narrower = _CUFF_WIDTH[category] - _SLEEVE_WIDTH
    width = _SLEEVE_WIDTH + narrower * np.clip(along / reach, 0, 1)
    a = side * off / width
    cap = np.where(along < 0, _SLEEVE_WIDTH - np.hypot(along, off), 99)
    depth = inside(width - np.abs(off), reach - along, cap)
    fold = 0.05 * np.sin(along + a) * (along > 3)
    cloth.lay(depth, a * 4.5, along, a, fold)
    cloth.crease(0.4 - np.abs(along - reach + 1.6), 0.16)


def _dress(cloth: Cloth, hem: float) -> None:
    u, v = cloth.u, cloth.v
    width = curve(v, GOWN)
    a = u / width
    low = v + 1.6 * a * a * smooth(v, -5, 5)
    shoulder = v - TOP[DRESS] - 0.3 * np.maximum(np.abs(u) - 4, 0)
    depth = inside(width - np.abs(u), shoulder, hem + 0.8 - low)
    flared = u / (1 + 0.018 * np.maximum(v + 5, 0))
    cloth.lay(depth, flared, low, a, 0.1 * np.sin(9.5 * a) * smooth(v, -5, 7))
    cloth.crease(0.55 - np.abs(v + 5), 0.3)
    cloth.crease(0.4 - np.abs(hem - 1 - low), 0.14)


def _trousers(cloth: Cloth, hem: float) -> None:
    u, v = cloth.u, cloth.v
    outer, inner = curve(v, LEGS), curve(v, _BETWEEN_LEGS) * (v > -9)
    for side in (-1, 1):
        s = side * u
        a = (2 * s - outer - inner) / (outer - inner)
        low = v + 0.5 * a * a
        depth = inside(outer - s, s - inner, hem - low, v - TOP[TROUSERS])
        knee = 0.05 * np.sin(0.9 * v + 2 * a) * np.exp(-(((v - 6) / 5) ** 2))
        fold = knee + 0.06 * np.cos(3.1 * a) * smooth(v, -14, -4)
        cloth.lay(depth, u, low, 0.8 * side * a + 0.02 * u, fold)
        cloth.crease(0.4 - np.abs(hem - 1.4 - low), 0.14)


def _skirt(cloth: Cloth, hem: float) -> None:
    u, v, top = cloth.u, cloth.v, TOP[SKIRT]
    width = curve(v, FLARE)
    a = u / width
    low = v + 1.8 * a * a * smooth(v, top, top + 8)
    depth = inside(width - np.abs(u), v - top, hem + 0.9 - low)
    fold = 0.12 * np.sin(11 * a) * smooth(v, top + 2, top + 14)
    cloth.lay(depth, u / (1 + 0.02 * (v - top)), low, a, fold)
    cloth.crease(0.4 - np.abs(hem - 0.8 - low), 0.14)


def _neck(cloth: Cloth, part: int, top: float, wide: float) -> None:
    """A round, V or collared opening, in which the inside of the back is seen."""
    u, v = cloth.u, cloth.v - top
    if part == 0:
        opening = 6.2 - np.hypot(u * 6.2 / wide, v + 0.8)
    else:
        deep = 11.0 if part == 1 else 5.0
        sides = (deep - v) * wide / deep - np.abs(u)
        opening = 0.85 * np.minimum(sides, v + 3)
    cloth.lay(cloth.on(opening), u, v, 0 * u, tone=0.58)
    back = 3.0 - np.hypot(u * 3.0 / (wide - 0.6), v + 1.2)
    cloth.cover = cloth.cover * (1 - coverage(back))
    if part < 2:
        cloth.dye(0.95 - np.abs(opening + 0.5))
        return
    for s in (-u, u):
        flap = (s - 0.2 - 0.18 * v, 7.4 - 0.1 * v - s, v - 0.05 * s + 0.6)
        cloth.dye(inside(*flap, 7.9 - 0.32 * s - v, s - wide + v + 2.2))
    cloth.dye(cloth.on(box(u, v, (0, 11.5), (1.3, 7.2))))
    for button in (8, 12, 16):
        cloth.crease(1.0 - np.hypot(u, v - button), 0.55)


def _waist(cloth: Cloth, part: int, category: int, hem: float) -> None:
    """A belt, pockets or a band at the hem; and always the seam of a waistband."""
    u, v = cloth.u, cloth.v - TOP[category]
    cloth.crease(0.5 - np.abs(v - 3.4), 0.3)
    if part == 0:
        cloth.dye(cloth.on(1.9 - np.abs(v - 1.8)))
        cloth.crease(0.5 - np.abs(box(u, v, (0, 1.8), (2.4, 1.7))), 0.6)
    elif part == 1:
        cu, cv = (7.6, 14.0) if category == TROUSERS else (6.8, 9.5)
        for s in (-u, u):
            cloth.dye(cloth.on(box(s, v, (cu, cv), (2.9, 3.1))))
            cloth.crease(box(s, v, (cu, cv - 1.4), (2.9, 0.45)), 0.35)
    else:
        hangs = 1.8 * (u / curve(cloth.v, FLARE)) ** 2 * (category == SKIRT)
        low = cloth.v + hangs
        cloth.dye(cloth.on(np.minimum(low - hem + 3.6, hem + 2 - low)))


def _shoe(cloth: Cloth, sole: float, length: int, part: int) -> None:
    heel = HEEL * (part == 2)
    rise = heel * smooth(cloth.u, -9, 7)  # the foot climbs to the heel
    _shaft(cloth, sole, length, heel)
    _foot(cloth, sole, heel, rise)
    u, low = cloth.u, cloth.v - sole + rise
    edge = inside(low + 1.9, 0.9 - low, 15.4 - u, u + 22.0)
    cloth.lay(edge, u, cloth.v, 0 * u)
    cloth.dye(edge)
    if part == 0:
        _laces(cloth, sole, length)
    elif part == 1:
        _strap(cloth, sole - 11, length)
    else:
        _heel(cloth, sole)


def _shaft(cloth: Cloth, sole: float, length: int, heel: float) -> None:
    u, v = cloth.u, cloth.v
    ankle, top = sole - 11 - heel, sole + SHAFT[length] - 0.7 * heel
    a = (u - 7.5) / curve(v - sole, _SHAFT_WIDTH)
    lip = v + 1.2 * a + 0.6 * a * a - top
    depth = inside((1 - np.abs(a)) * 7.4, lip, sole - 1.5 - heel - v)
    fold = 0.05 * np.sin(0.8 * v + 1.5 * a) * np.exp(-(((v - ankle) / 5) ** 2))
    cloth.lay(depth, u, v, a, fold)
    cloth.lay(np.minimum(depth, 2.1 - lip), u, v, a, tone=0.82)


def _foot(cloth: Cloth, sole: float, heel: float, rise: np.ndarray) -> None:
    """The foot, one piece with the shaft: no seam is seen where it lies on it."""
    u, v = cloth.u, cloth.v
    leg, leg_light = cloth.cover, cloth.light
    height = v - sole + curve(u, _INSTEP) + rise
    right = 14.9 - 0.04 * np.minimum(v - sole + 11 + heel, 0) ** 2
    depth = inside(0.9 * height, sole - 1.2 - rise - v, right - u, u + 21.5)
    bulge = 0.75 * (np.clip(height / 10, 0, 1) - 0.35) + 0.012 * u
    cloth.lay(depth, u, v, bulge, 0.04)
    joined = leg * coverage(depth) * smooth(u, -1, 4)
    cloth.light = cloth.light + joined * np.maximum(leg_light - cloth.light, 0)


def _heel(cloth: Cloth, sole: float) -> None:
    u, v = cloth.u, cloth.v - sole
    slant = u - 8.5 - 0.25 * (v + HEEL)
    block = inside(v + HEEL - 1, 1.0 - v, 15.2 - u, slant)
    cloth.lay(block, u, cloth.v, (u - 12) / 4)
    cloth.dye(block)


def _strap(cloth: Cloth, ankle: float, length: int) -> None:
    u, v = cloth.u, cloth.v - ankle
    y = (1.5 if length else 2.6) - 0.18 * (u - 7)
    cloth.dye(cloth.on(np.minimum(1.8 - np.abs(v - y), u + 1.0)))
    buckle = box(u, v, (4.5, 1.9 if length else 3.0), (2.2, 2.0), -0.18)
    cloth.crease(0.55 - np.abs(buckle), 0.6)


def _laces(cloth: Cloth, sole: float, length: int) -> None:
    """Along the instep, then up the shaft."""
    end = 9.5 + max(0.0, -14.5 - SHAFT[length])
    for step in np.linspace(0, end, 4 + length):
        on_foot = min(step, 9.5)
        centre = (-9 + 1.1 * on_foot, sole - 7.6 - 0.28 * on_foot - (step - on_foot))
        turn = 1.1 - 0.9 * float(smooth(step, 6, 13))
        cloth.dye(cloth.on(box(cloth.u, cloth.v, centre, (3.0, 0.85), turn)))
