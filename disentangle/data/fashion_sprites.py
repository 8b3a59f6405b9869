"""FashionSprites: 518,400 colour images of a garment, drawn here and published nowhere.

Six attributes (8,640 tuples) that a customer may ask about, and three nuisances (60
states). Of every picture there are also a mask, a box, landmarks and a caption
(`disentangle.data.fashion_labels`), and the picture that differs in one attribute only
is known (`disentangle.data.queries`). In memory it is 71 MB of maps.

Two values of a nuisance give pictures that differ too, but for what nothing shows: the
phase of a pattern, which goes with the placement, does not show on a solid garment.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import cache, fashion_captions
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.rendered import fashion_sprites as renderer
from disentangle.data.rendered.fashion_sprites_garments import ROTATIONS
from disentangle.data.space import Factor, FactorSpace


def _named(name: str, *words: str) -> Factor:
    size = len(words)
    values = tuple(float(value) for value in range(size))
    return Factor(name, size, "categorical", values, words=words)


def _ordered(name: str, *values: float) -> Factor:
    return Factor(name, len(values), "ordinal", values)


SPACE = FactorSpace(
    (
        _named("category", *fashion_captions.CATEGORIES),
        _named("colour", *fashion_captions.COLOURS),
        _named("pattern", *fashion_captions.PATTERNS),
        _ordered("length", 0.0, 1.0, 2.0, 3.0),
        # Of tops and dresses, of trousers and skirts, of shoes.
        _named("part", "round/belt/laces", "V/pockets/strap", "collar/band/heel"),
        _named("scene", "studio", "room", "wall"),
        _ordered("rotation", *ROTATIONS),
        _ordered("light", -1.0, 0.0, 1.0),  # from the left, the front, the right
        _named("placement", "left", "right", "low left", "low right"),
    )
)
NUISANCES = ("rotation", "light", "placement")
# Base, accent and trim of each colour. The smallest CIEDE2000 difference of two bases
# is 21.8, and 17.4 for the colour-blind (protan, deutan, tritan).
PALETTE = (
    ((250, 243, 235), (40, 70, 150), (208, 150, 92)),
    ((45, 45, 52), (240, 236, 226), (200, 70, 62)),
    ((210, 52, 35), (255, 236, 214), (104, 16, 24)),
    ((217, 193, 34), (92, 52, 24), (252, 244, 214)),
    ((16, 120, 104), (226, 240, 200), (246, 190, 70)),
    ((91, 159, 239), (250, 250, 245), (22, 54, 110)),
    ((22, 59, 141), (244, 196, 92), (214, 226, 246)),
    ((245, 125, 159), (126, 18, 66), (255, 236, 226)),
)


def geometry(factors: Any) -> Any:
    """(..., 9) int factors -> (...,) row of the masks and, times 12, of the maps."""
    row = 0 * factors[..., 0]
    for name in ("category", "length", "part", "rotation", "placement"):
        column = SPACE.position(name)
        row = row * SPACE.sizes[column] + factors[..., column]
    return row


def compose(arrays: dict[str, Any], index: Any) -> Any:
    """(...,) int32 images in range -> (..., 64, 64, 3) uint8, of NumPy or of JAX.

    All sums are below 2^16 and all are of integers, so that a picture is the same on
    every device and by both libraries. The equation is at the top of
    `disentangle.data.rendered.fashion_sprites`.

    Args:
      arrays: uint8 "maps" (17280, 64, 64), "palette" (8, 3, 3: colour, ink, channel)
        and "scenes" (3, 64, 64, 3).
      index: of the images.
    """
    library = jnp if isinstance(index, jax.Array) else np
    factors = SPACE.factors(library.ravel(index))
    colour, pattern, scene, light = (
        factors[:, SPACE.position(name)]
        for name in ("colour", "pattern", "scene", "light")
    )
    first = renderer.MAPS * geometry(factors)
    rows = (
        first + light,
        first + 3 + light,
        first + 6 + library.maximum(pattern - 1, 0),
        first + 10 + pattern // 4,
    )
    seen, lit, p, t = (_wide(arrays["maps"][row])[..., None] for row in rows)
    inks = _wide(arrays["palette"][colour])[:, :, None, None]
    base, accent, trim = inks[:, 0], inks[:, 1], inks[:, 2]
    accent = library.where((pattern == 0)[:, None, None, None], base, accent)
    cloth = (base * (256 - p - t) + accent * p + trim * t + 128) // 256
    image = (_wide(arrays["scenes"][scene]) * seen + cloth * lit + 128) // 256
    return image.astype(np.uint8).reshape(*index.shape, 64, 64, 3)


draw = jax.jit(compose)


def _wide(values: Any) -> Any:
    return values.astype(np.uint16)


def dataset(table: np.ndarray) -> Dataset:
    """A Dataset that composes its images from what `renderer.render` draws."""
    maps, masks = renderer.divided(table)
    arrays = {
        "maps": maps.reshape(-1, 64, 64),
        "palette": np.array(PALETTE, np.uint8),
        "scenes": renderer.scenes(),
        "masks": masks,
        "tokens": fashion_captions.tokens(),
    }
    return Dataset(
        arrays=jax.device_put(arrays),
        name="fashion_sprites",
        space=SPACE,
        shape=(64, 64, 3),
        max_value=255,
        draw=draw,
    )


def render(cache_dir: Path | None) -> Dataset:
    """The whole set, its maps drawn here (seconds) or read from the cache."""
    table = cache.cached(
        "fashion-sprites-1",
        renderer.render,
        shape=(renderer.MAP_BYTES + renderer.MASK_BYTES,),
        dtype=np.dtype(np.uint8),
        cache_dir=cache_dir,
    )
    return dataset(table)


RECIPE = Recipe(space=SPACE, render=render)
