"""What else is known of a FashionSprites picture: mask, box, landmarks, caption.

All are functions of its factors. Masks and captions are made inside a training step, as
images are; `with_masks` and `with_captions` put them beside images and factors.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import fashion_captions
from disentangle.data.dataset import Dataset, draw_bits
from disentangle.data.fashion_sprites import SPACE, geometry
from disentangle.data.rendered import fashion_sprites as renderer
from disentangle.data.rendered import fashion_sprites_garments as garments
from disentangle.data.rendered.fashion_sprites_cloth import curve
from disentangle.data.samplers import Batch, Split, take

LANDMARKS = ("shoulder", "cuff", "waist", "hem")  # each left and right in the picture
STATES = 60  # of the nuisances
_LINES = (garments.TORSO, garments.TORSO, garments.GOWN, garments.LEGS, garments.FLARE)
_WAISTBAND = 8.6  # half width of trousers and skirts at their top


def captions(factors: Any) -> list[str]:
    """The captions of (N, 9) factors."""
    texts = fashion_captions.captions()
    index = np.asarray(SPACE.index(np.asarray(factors)))
    return [texts[row] for row in np.ravel(index // STATES)]


def with_captions(split: Split, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, and "tokens" (B, 15) int32, the token ids of their captions.

    A `Collate`; `fashion_captions.vocabulary()` says what an id means.
    """
    del key
    ids = split.data.arrays["tokens"][index // STATES]
    return take(split.data, index) | {"tokens": ids.astype(jnp.int32)}


def with_masks(split: Split, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, and "masks" (B, 64, 64) bool, see `masks`; a `Collate`."""
    del key
    batch = take(split.data, index)
    return batch | {"masks": masks(split.data, batch["factors"])}


def masks(data: Dataset, factors: Any) -> jax.Array:
    """(..., 9) int factors -> (..., 64, 64) bool, where half a pixel is covered."""
    rows = geometry(factors if isinstance(factors, jax.Array) else np.asarray(factors))
    return draw_bits(data.arrays["masks"], jnp.asarray(rows))[..., 0].astype(bool)


def boxes(data: Dataset, factors: Any) -> np.ndarray:
    """(..., 9) int factors -> (..., 4) int64: left, top, right, bottom of the mask.

    Right and bottom are the first column and row beyond it.
    """
    found: np.ndarray = np.asarray(masks(data, factors))
    columns, rows = np.any(found, -2), np.any(found, -1)
    return np.stack(
        [
            columns.argmax(-1),
            rows.argmax(-1),
            64 - np.flip(columns, -1).argmax(-1),
            64 - np.flip(rows, -1).argmax(-1),
        ],
        axis=-1,
    )


def landmarks(factors: Any) -> np.ndarray:
    """(..., 9) int factors -> (..., 4, 2, 2) float64, where things are in the picture.

    The axes are `LANDMARKS`; left and right in the picture; pixels from its left edge
    and from its top edge. NaN where a garment has none. A shoe's waist is the rim of
    its shaft, its hem is toe and heel.
    """
    factors = np.asarray(factors)
    SPACE.values(factors)  # refuses factors out of range
    return _landmarks()[geometry(factors)]


@functools.cache
def _landmarks() -> np.ndarray:
    """(1440, 4, 2, 2), of every geometry."""
    found = np.empty((*renderer.SOLIDS, len(renderer.PLACEMENTS), 4, 2, 2))
    for category, length, part in np.ndindex(*renderer.SOLIDS[:3]):
        flat = _unturned(category, length, part)
        for rotation, degrees in enumerate(garments.ROTATIONS):
            angle = np.deg2rad(degrees)
            cos, sin = np.cos(angle), np.sin(angle)
            turned = flat @ np.array([[cos, sin], [-sin, cos]])
            for place, (du, dv, _) in enumerate(renderer.PLACEMENTS):
                at = (category, length, part, rotation, place)
                found[at] = turned + np.array((32 + du, 32 + dv))
    return found.reshape(-1, 4, 2, 2)


def _unturned(category: int, length: int, part: int) -> np.ndarray:
    """(4, 2, 2) landmarks of a garment about its centre, u and v."""
    found, hem = np.full((4, 2, 2), np.nan), garments.HEM[category][length]

    def pair(u: float, v: float) -> tuple[tuple[float, float], tuple[float, float]]:
        return (-u, v), (u, v)

    if category == garments.SHOE:
        rim = hem + garments.SHAFT[length] - 0.7 * garments.HEEL * (part == 2)
        found[2] = (0.1, rim + 0.6), (14.7, rim - 1.8)
        found[3] = (-22, hem), (15.3, hem)
        return found
    half = float(curve(np.array(hem), _LINES[category]))
    found[2] = pair(_WAISTBAND, garments.TOP[category])
    found[3] = pair(half, hem - 1)
    if category == garments.DRESS:
        found[0], found[2] = pair(8.2, -22.2), pair(6.9, -5.0)
    elif category in (garments.TEE, garments.SHIRT):
        found[0], found[2] = pair(11.5, -17.4), pair(11.0, -1.0)
        found[1] = pair(*garments.CUFF[category])
    return found
