"""Shapes3D drawn again, as maps to be coloured (Burgess and Kim 2018).

An image is 192x192 samples of sky, floor, walls and object, reduced by a Lanczos
filter. Every sample belongs to one of the four, and the hue of a thing only sets the
level of each channel to one of 0, .2, .4, .6, .8, 1. So, for each of the 480 geometries
(scale, shape, orientation), 19 reduced maps suffice:

  map 0        sky at 256
  map 1 + l    floor at level l        map 7 + l    walls at level l
  map 13 + l   object at level l

and channel c of any colouring is a sum of four of them,

  clip(round(sky_c/256 map[0] + map[1 + floor_c] + map[7 + wall_c]
             + map[13 + object_c])),

which is composed where the image is needed (`disentangle.data.shapes3d.compose`).
Maps are whole multiples of 1/64 grey level, four times finer than float16 near white.
"""

import numpy as np

from disentangle import progress
from disentangle.data.rendered import shapes3d_mesh as meshes
from disentangle.data.rendered import shapes3d_scene as scene
from disentangle.data.rendered.shapes3d_scene import FOCAL, N

SHAPE = (8, 4, 15, 19, 64, 64)  # scale, shape, orientation, map, row, column
LEVELS = np.arange(6) / 5
UNIT = 64  # map units in one grey level
_SHADOW_EDGE = 0.0175  # width of the ramp at a shadow's edge, in world units


def render(first: tuple[int, int, int] = SHAPE[:3]) -> np.ndarray:
    """All maps, (480, 19, 64, 64) int16, in 1/64 of a grey level.

    Args:
      first: how many scales, shapes and orientations are drawn; maps of the others
        are 0.
    """
    maps = np.zeros(SHAPE, np.int16)
    tile = scene.texture_tile()
    rooms = [scene.room(orientation, tile) for orientation in range(first[2])]
    solids = list(np.ndindex(*first[:2]))
    for scale, shape in progress.over(solids, "drawing Shapes3D"):
        solid = meshes.solid(shape, 0.75 + 0.5 * scale / 7)
        outline = shadow_outline(solid)
        for orientation, room in enumerate(rooms):
            exact = geometry(solid, outline, room)
            maps[scale, shape, orientation] = np.rint(UNIT * exact)
    return maps.reshape(-1, *SHAPE[3:])


def geometry(solid: meshes.Mesh, outline: np.ndarray, room: scene.Room) -> np.ndarray:
    """The (19, 64, 64) float32 maps of one geometry, in grey levels.

    Args:
      solid: the object.
      outline: its `shadow_outline`.
      room: the room as it is seen from the camera.
    """
    covered, diffuse, specular = _object(solid, room.camera)
    floor = (room.label == scene.FLOOR) & ~covered
    walls = (room.label > scene.FLOOR) & ~covered
    spot = room.spot.copy()
    spot[floor] *= 1 - _shadow(outline, *room.points[floor][:, :2].T)
    light = room.texture * (room.steady + spot)

    samples = np.zeros((19, N, N), np.float32)
    samples[0] = 256 * ((room.label == scene.SKY) & ~covered)
    for i, level in enumerate(LEVELS):
        surroundings = _quantise(level * light)
        samples[1 + i], samples[7 + i] = surroundings * floor, surroundings * walls
        samples[13 + i] = _quantise(level * diffuse + specular) * covered
    return _reduce(_reduce(samples).swapaxes(1, 2)).swapaxes(1, 2)


def _quantise(value: np.ndarray) -> np.ndarray:
    """[0, 1] -> whole grey levels, as the 192x192 image was stored."""
    return np.rint(255 * np.clip(value, 0, 1))


def _reduce(samples: np.ndarray) -> np.ndarray:
    """(M, 192, K) -> (M, 64, K): every third of a Lanczos-3 filter, on axis 1.

    Output i sits on sample 3 i + 1; weights beyond the border are left out and the
    rest rescaled to sum to 1. Written as shifted sums and not as a matrix product,
    whose threads make it nine times slower where another process is busy.
    """
    taps = np.arange(-8, 9)
    weights = (np.sinc(taps / 3) * np.sinc(taps / 9)).astype(np.float32)
    padded = np.pad(samples, ((0, 0), (7, 7), (0, 0)))
    inside = np.pad(np.ones(N, np.float32), 7)
    total = np.zeros((len(samples), N // 3, samples.shape[2]), np.float32)
    norm = np.zeros(N // 3, np.float32)
    for start, weight in enumerate(weights):
        total += weight * padded[:, start : start + N - 2 : 3]
        norm += weight * inside[start : start + N - 2 : 3]
    return total / norm[:, None]


def _object(
    solid: meshes.Mesh, view: scene.Camera
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rasterises the object, lit at its vertices (Gouraud), perspective-correct.

    Every pair (triangle, pixel of its bounding box) is tested at once. The object is
    convex, so no depth test is needed; on a shared edge the later triangle wins.

    Returns:
      (N, N) mask, diffuse light and specular light.
    """
    facing, beam = scene.spot(solid.points, solid.normals)
    headlight = scene.HEADLIGHT * np.maximum(-(solid.normals @ view.forward), 0)
    diffuse = scene.AMBIENT + headlight + facing * beam
    specular = scene.SPECULAR * beam * (facing > 0)

    offset = solid.points - view.position
    depth = offset @ view.forward
    x = N / 2 - scene.OFFSET_X + FOCAL * (offset @ view.right) / depth
    y = N / 2 + scene.OFFSET_Y - FOCAL * offset[:, 2] / depth
    front = solid.triangles[_faces_camera(solid, view)]
    which, column, row = _box_pixels(x[front], y[front])
    corners = front[which]

    (x0, x1, x2), (y0, y1, y2) = x[corners].T, y[corners].T
    px, py = column + 0.5, row + 0.5
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    with np.errstate(divide="ignore", invalid="ignore"):
        w0 = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) / area
        w1 = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) / area
    w2 = 1 - w0 - w1
    inside = (w0 >= 0) & (w1 >= 0) & (w2 >= 0) & (np.abs(area) > 1e-9)

    corners, pixel = corners[inside], (row[inside], column[inside])
    weights = np.stack([w0, w1, w2], 1)[inside] / depth[corners]
    weights /= weights.sum(1, keepdims=True)
    covered = np.zeros((N, N), bool)
    planes = np.zeros((2, N, N))
    covered[pixel] = True
    planes[0][pixel] = (weights * diffuse[corners]).sum(1)
    planes[1][pixel] = (weights * specular[corners]).sum(1)
    return covered, planes[0], planes[1]


def _faces_camera(solid: meshes.Mesh, view: scene.Camera) -> np.ndarray:
    """(T,) bool: the outside of the triangle is turned to the camera."""
    corners = solid.points[solid.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = solid.normals[solid.triangles].mean(1)
    normal *= np.sign((normal * outward).sum(1))[:, None]
    return ((view.position - corners.mean(1)) * normal).sum(1) > 0


def _box_pixels(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pixels in the bounding boxes of triangles with corners x, y (T, 3).

    Returns:
      triangle number, column and row of every (triangle, pixel) pair, in order.
    """
    left = np.maximum(np.floor(x.min(1) - 0.5).astype(int), 0)
    top = np.maximum(np.floor(y.min(1) - 0.5).astype(int), 0)
    width = np.maximum(np.minimum(np.ceil(x.max(1) + 0.5).astype(int), N) - left, 0)
    height = np.maximum(np.minimum(np.ceil(y.max(1) + 0.5).astype(int), N) - top, 0)
    pixels = width * height
    which = np.repeat(np.arange(len(x)), pixels)
    within = np.arange(len(which)) - np.repeat(np.cumsum(pixels) - pixels, pixels)
    return (
        which,
        left[which] + within % width[which],
        top[which] + within // width[which],
    )


def shadow_outline(solid: meshes.Mesh) -> np.ndarray:
    """(E, 2) corners, counter-clockwise, of the object's shadow on the floor.

    The convex hull of the vertices projected from the lamp.
    """
    reach = scene.LAMP[2] / (scene.LAMP[2] - solid.points[:, 2])
    cast = scene.LAMP[:2] + (solid.points[:, :2] - scene.LAMP[:2]) * reach[:, None]
    return _hull(cast)


def _shadow(outline: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Part of the lamp's light, 0..1, that the object takes from floor points (M,).

    A linear ramp over the signed distance to the shadow's edge.
    """
    outside = np.full(x.shape, -np.inf)
    for (ax, ay), (bx, by) in zip(outline, np.roll(outline, -1, 0), strict=True):
        across = ((by - ay) * (x - ax) - (bx - ax) * (y - ay)) / np.hypot(
            bx - ax, by - ay
        )
        np.maximum(outside, across, out=outside)
    return np.clip(0.5 - outside / _SHADOW_EDGE, 0, 1)


def _hull(points: np.ndarray) -> np.ndarray:
    """Convex hull of (M, 2) points, counter-clockwise (Andrew's monotone chain)."""
    points = points[np.lexsort((points[:, 1], points[:, 0]))]
    return np.concatenate([_half_hull(points)[:-1], _half_hull(points[::-1])[:-1]])


def _half_hull(points: np.ndarray) -> np.ndarray:
    chain: list[np.ndarray] = []
    for point in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-1] - chain[-2], point - chain[-2]
            if ax * by - ay * bx > 1e-12:
                break
            chain.pop()
        chain.append(point)
    return np.array(chain)
