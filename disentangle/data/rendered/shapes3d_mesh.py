"""The four objects of Shapes3D as triangle meshes.

The meshes matter: light is computed at their vertices and interpolated between. All
stand on the floor z = 0 at the origin and all are convex, so the triangles that face
the camera never hide one another.
"""

from typing import NamedTuple

import numpy as np

SLICES, STACKS, QUADS = 28, 16, 4  # around; along; along a cube's edge
_AZIMUTH = 2 * np.pi * np.arange(SLICES) / SLICES
_RING = np.stack([np.cos(_AZIMUTH), np.sin(_AZIMUTH), 0 * _AZIMUTH], -1)
_UP = np.array([0.0, 0.0, 1.0])


class Mesh(NamedTuple):
    """Triangles with a normal at each vertex.

    Attributes:
      points: (V, 3) float64, world units, z up.
      normals: (V, 3) float64, unit, outward.
      triangles: (T, 3) int vertex numbers.
    """

    points: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray


def solid(shape: int, scale: float) -> Mesh:
    """The object of one shape (0 cube, 1 cylinder, 2 sphere, 3 capsule) and scale."""
    return _join(_BUILDERS[shape](scale))


def _cube(scale: float) -> list[Mesh]:
    """Half edge .35 s, axis aligned, each face 4x4 quads."""
    half = 0.35 * scale
    grid = np.linspace(-half, half, QUADS + 1)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    faces = []
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        for sign in (-1.0, 1.0):
            points = np.zeros((*first.shape, 3))
            points[..., others[0]], points[..., others[1]] = first, second
            points[..., axis] = sign * half
            normals = np.zeros_like(points)
            normals[..., axis] = sign
            faces.append(_patch(points + half * _UP, normals, closed=False))
    return faces


def _cylinder(scale: float) -> list[Mesh]:
    """Radius .375 s, height .75 s, its lid a fan of triangles."""
    radius, height = 0.375 * scale, 0.75 * scale
    points = np.concatenate([np.zeros((1, 3)), radius * _RING]) + height * _UP
    rim = np.arange(SLICES)
    fan = np.stack([0 * rim, 1 + rim, 1 + (rim + 1) % SLICES], -1)
    lid = Mesh(points, np.tile(_UP, (SLICES + 1, 1)), fan)
    return [_tube(radius, 0.0, height), lid]


def _sphere(scale: float) -> list[Mesh]:
    """Radius .425 s, 16 stacks from pole to pole."""
    radius = 0.425 * scale
    return [_dome(radius, radius, np.linspace(-np.pi / 2, np.pi / 2, STACKS + 1))]


def _capsule(scale: float) -> list[Mesh]:
    """Radius .325 s, straight part .65 s, domes of 8 stacks."""
    radius, height = 0.325 * scale, 0.65 * scale
    latitude = np.linspace(0, np.pi / 2, STACKS // 2 + 1)
    return [
        _tube(radius, radius, radius + height),
        _dome(radius, radius + height, latitude),
        _dome(radius, radius, -latitude),
    ]


_BUILDERS = (_cube, _cylinder, _sphere, _capsule)


def _tube(radius: float, bottom: float, top: float) -> Mesh:
    height = np.linspace(bottom, top, STACKS + 1)[:, None, None]
    normals = np.repeat(_RING[None], STACKS + 1, 0)
    return _patch(radius * normals + height * _UP, normals, closed=True)


def _dome(radius: float, centre: float, latitude: np.ndarray) -> Mesh:
    flat, up = np.cos(latitude)[:, None, None], np.sin(latitude)[:, None, None]
    normals = flat * _RING + up * _UP
    return _patch(radius * normals + centre * _UP, normals, closed=True)


def _patch(points: np.ndarray, normals: np.ndarray, *, closed: bool) -> Mesh:
    """Triangulates a grid (A, B, 3) of points; `closed` joins the last column to the
    first. Each quad (v00, v01, v11, v10) is split along v01-v10."""
    number = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    if closed:
        number = np.concatenate([number, number[:, :1]], 1)
    v00, v01 = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    v10, v11 = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    triangles = np.concatenate(
        [np.stack([v00, v01, v10], 1), np.stack([v01, v11, v10], 1)]
    )
    return Mesh(points.reshape(-1, 3), normals.reshape(-1, 3), triangles)


def _join(meshes: list[Mesh]) -> Mesh:
    starts = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.points for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate(
            [mesh.triangles + at for mesh, at in zip(meshes, starts, strict=True)]
        ),
    )
