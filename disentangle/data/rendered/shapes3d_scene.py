"""The room of Shapes3D: camera, light, texture and what each pixel sees.

World: z up, floor z = 0, |x|, |y| <= 3.5, walls up to z = 2, open sky above. Images
are point-sampled at 192x192 and reduced afterwards. All constants were measured from
published images.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

N = 192  # pixels a side before reduction
FOCAL = (N / 2) / np.tan(np.radians(25.0))  # field of view 50 degrees, in pixels
OFFSET_X, OFFSET_Y = 0.0625, 0.0275  # of the sample within its pixel, measured
ROOM, WALL_HEIGHT = 3.5, 2.0
LAMP = np.array([-1.5, 0.5, 7.5])  # spot light, pointing straight down
AMBIENT, HEADLIGHT, SPECULAR, SPOT_EXPONENT = 0.35, 0.6, 0.15, 10
SKY, FLOOR, FAR, RIGHT, LEFT = range(5)  # labels of what a pixel sees

# Texture cells (i, j) that are dark, and those whose bright centre is cut off.
_DARK = {(0, 4), (0, 5), (1, 3), (1, 4), (2, 3)}
_MEDIUM = {(2, 7), (3, 6), (6, 4), (7, 1), (7, 2), (7, 3), (8, 3)}


class Camera(NamedTuple):
    """Where the camera stands and its horizontal axes; z is up."""

    position: np.ndarray
    right: np.ndarray
    forward: np.ndarray


class Room(NamedTuple):
    """What each of the N x N pixels sees of the empty room.

    Attributes:
      camera: from where.
      label: int, SKY, FLOOR, FAR, RIGHT or LEFT.
      points: (N, N, 3) where the pixel's ray ends.
      texture: T in [.92, 1]; 0 in the sky.
      steady: light that no shadow takes away.
      spot: light of the lamp on the floor, which the object's shadow takes away.
    """

    camera: Camera
    label: np.ndarray
    points: np.ndarray
    texture: np.ndarray
    steady: np.ndarray
    spot: np.ndarray


def camera(orientation: int) -> Camera:
    """The camera at orientation 0..14: -30 to 30 degrees around the object."""
    phi = np.radians(-30 + 60 * orientation / 14)
    sin, cos = np.sin(phi), np.cos(phi)
    return Camera(
        np.array([2.5 * sin, -2.5 * cos, 0.75]),
        np.array([cos, sin, 0.0]),
        np.array([-sin, cos, 0.0]),
    )


def spot(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lamp at some points: (max(0, n.l), (l_z)^10), l the unit vector to it."""
    to_lamp = LAMP - points
    to_lamp = to_lamp / np.linalg.norm(to_lamp, axis=-1, keepdims=True)
    facing = np.maximum((to_lamp * normals).sum(-1), 0)
    return facing, np.maximum(to_lamp[..., 2], 0) ** SPOT_EXPONENT


def texture_tile(size: int = 128) -> np.ndarray:
    """(size, size) tile [v, u] of the texture, which repeats every 2x2 units.

    10x8 hexagonal cells with centres u = .2 i, v = .25 j + .125 (i odd); within a cell,
    T = 1 - .055 h^4, where h is 0 at the centre and 1 on the edge.
    """
    axis = (np.arange(size) + 0.5) / size * 2
    u, v = np.meshgrid(axis, axis)
    nearest, tile = np.full(u.shape, np.inf), np.zeros(u.shape)
    for i, j in np.ndindex(13, 13):
        i, j = i - 1, j - 2  # one ring of neighbours around the tile
        du, dv = u - 0.2 * i, v - (0.25 * j + 0.125 * (i % 2))
        mine = du * du + dv * dv < nearest
        nearest[mine] = (du * du + dv * dv)[mine]
        tile[mine] = _cell(i % 10, j % 8, du[mine], dv[mine])
    return tile


def _cell(i: int, j: int, du: np.ndarray, dv: np.ndarray) -> np.ndarray:
    """T in texture cell (i, j) at offsets (du, dv) from its centre."""
    if (i, j) in _DARK:
        return np.full(du.shape, 0.929)
    edges = ((0.0, 0.25), (0.2, 0.125), (0.2, -0.125))  # to the neighbours' centres
    h = np.max(
        [2 * np.abs(du * a + dv * b) / (a * a + b * b) for a, b in edges], axis=0
    )
    bright = 1 - 0.055 * h**4
    return np.minimum(bright, 0.984) if (i, j) in _MEDIUM else bright


def room(orientation: int, tile: np.ndarray) -> Room:
    """The empty room seen at one orientation, textured with `tile`."""
    view = camera(orientation)
    label, points = _hits(view)
    steady, lamp, u, v = (np.zeros((N, N)) for _ in range(4))
    x, y, z = np.moveaxis(points, -1, 0)
    # Of each surface: label, in-plane coordinates, normal, texture coordinates.
    surfaces = (
        (FLOOR, (x, y), (0, 0, 1), (-y, x + 1), lambda a, b: (a, b, 0 * a)),
        (FAR, (x, z), (0, -1, 0), (x, z), lambda a, b: (a, 0 * a + ROOM, b)),
        (RIGHT, (y, z), (-1, 0, 0), (-y, z), lambda a, b: (0 * a + ROOM, a, b)),
        (LEFT, (y, z), (1, 0, 0), (y, z), lambda a, b: (0 * a - ROOM, a, b)),
    )
    for name, (a, b), normal, (tu, tv), place in surfaces:
        m = label == name
        direct = _gouraud(a[m], b[m], np.array(normal, float), place)
        headlight = HEADLIGHT * max(0.0, -float(np.dot(normal, view.forward)))
        steady[m] = AMBIENT + headlight + (0 if name == FLOOR else direct)
        lamp[m] = direct if name == FLOOR else 0
        u[m], v[m] = tu[m], tv[m]
    texture = np.where(label == SKY, 0, _bilinear(tile, u, v))
    return Room(view, label, points, texture, steady, lamp)


def _hits(view: Camera) -> tuple[np.ndarray, np.ndarray]:
    """What each pixel's ray hits first: label (N, N) and point (N, N, 3)."""
    column = (np.arange(N) + 0.5 - N / 2 + OFFSET_X) / FOCAL
    row = (N / 2 - np.arange(N) - 0.5 + OFFSET_Y) / FOCAL
    ray = (
        view.forward
        + column[None, :, None] * view.right
        + row[:, None, None] * [0, 0, 1]
    )
    with np.errstate(divide="ignore"):
        to_wall = np.stack(
            [
                np.where(
                    ray[..., 1] > 0, (ROOM - view.position[1]) / ray[..., 1], np.inf
                ),
                np.where(
                    ray[..., 0] > 0, (ROOM - view.position[0]) / ray[..., 0], np.inf
                ),
                np.where(
                    ray[..., 0] < 0, (-ROOM - view.position[0]) / ray[..., 0], np.inf
                ),
            ]
        )
        to_floor = np.where(ray[..., 2] < 0, -view.position[2] / ray[..., 2], np.inf)
    wall = FAR + np.argmin(to_wall, axis=0)
    distance = np.minimum(to_wall.min(0), to_floor)
    points = view.position + distance[..., None] * ray
    label = np.where(points[..., 2] > WALL_HEIGHT, SKY, wall)
    return np.where(to_floor < to_wall.min(0), FLOOR, label), points


def _gouraud(
    a: np.ndarray, b: np.ndarray, normal: np.ndarray, place: Callable
) -> np.ndarray:
    """Lamp light computed on the plane's integer grid, linear on its triangles.

    Args:
      a: (M,) first in-plane coordinate.
      b: (M,) second in-plane coordinate.
      normal: (3,) of the plane.
      place: in-plane (a, b) -> world (x, y, z).
    """

    def vertex(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        facing, beam = spot(np.stack(place(i, j), -1), normal)
        return facing * beam

    i, j = np.floor(a), np.floor(b)
    s, t = a - i, b - j
    v00, v10, v01, v11 = (
        vertex(i, j),
        vertex(i + 1, j),
        vertex(i, j + 1),
        vertex(i + 1, j + 1),
    )
    lower = v00 + s * (v10 - v00) + t * (v01 - v00)
    upper = v11 + (1 - s) * (v01 - v11) + (1 - t) * (v10 - v11)
    return np.where(s + t < 1, lower, upper)


def _bilinear(tile: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The periodic tile [v, u] at world coordinates; texel centres at (i + .5)."""
    n = len(tile)
    u, v = (u % 2) / 2 * n - 0.5, (v % 2) / 2 * n - 0.5
    i, j = np.floor(u).astype(int), np.floor(v).astype(int)
    s, t = u - i, v - j
    i, j, k, l = i % n, j % n, (i + 1) % n, (j + 1) % n
    near = (1 - s) * tile[j, i] + s * tile[j, k]
    return (1 - t) * near + t * ((1 - s) * tile[l, i] + s * tile[l, k])
