"""Images as a user has them: what is wrong with them is one sentence."""

from typing import Any

import jax
import numpy as np

from disentangle.errors import UserError

ROUNDING = 1e-5  # a float pixel may leave [0, 1] by this much
CHANNELS = (1, 3)  # grey, RGB
ROWS = 4096  # images converted at a time


def checked(images: Any) -> tuple[np.ndarray, int]:
    """Images as uint8 (N, H, W, C) and their largest pixel value, 1 or 255.

    Args:
      images: (N, H, W) or (N, H, W, C), C 1 (grey) or 3 (RGB): whole numbers in
        0 .. 255, bool, or floats in [0, 1], which are kept at 8 bits, as image files
        have them. Images of nothing but 0 and 1 have the largest value 1.

    Raises:
      UserError: another shape or type, values out of range, NaN, masked values.
    """
    array = shaped(_array(images))
    kind = array.dtype.kind
    if kind not in "biuf":
        raise UserError(f"images hold {array.dtype}, not numbers")
    if kind == "f":
        return _of_floats(array)
    if kind in "iu" and array.dtype != np.uint8:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 255:
            bad = low if low < 0 else high
            raise UserError(
                f"images have pixels of {bad} ({array.dtype}): whole numbers must be "
                "in 0 .. 255"
            )
    table = array.astype(np.uint8, copy=False)
    return table, 1 if table.max() <= 1 else 255


def shaped(array: np.ndarray) -> np.ndarray:
    """(N, H, W) or (N, H, W, C) as (N, H, W, C); UserError on another shape."""
    shape = array.shape
    if len(shape) == 3 and shape[-1] not in CHANNELS:
        array = array[..., None]
    elif len(shape) != 4:
        hint = ": is it one image? put it into a list" if len(shape) == 3 else ""
        raise UserError(
            f"images have the shape {shape}; it must be (N, H, W) or (N, H, W, C){hint}"
        )
    if 0 in shape:
        raise UserError(f"images are empty: their shape is {shape}")
    channels = array.shape[-1]
    if channels not in CHANNELS:
        hint = ""
        if shape[1] in CHANNELS:
            hint = ": channels come last, so give images.transpose(0, 2, 3, 1)"
        elif channels == 4:
            hint = ": leave out the fourth, which says how opaque they are"
        raise UserError(
            f"images have the shape {shape}, so {channels} channels; they must have 1 "
            f"(grey) or 3 (RGB){hint}"
        )
    return array


def _array(images: Any) -> np.ndarray:
    """`images` as a NumPy array of numbers."""
    if np.ma.is_masked(images):
        raise UserError("images have masked values: fill them first")
    try:
        array = np.asarray(images)
    except (TypeError, ValueError, RuntimeError) as error:
        sizes = (
            sorted({np.shape(image) for image in images})[:2] if _rows(images) else ()
        )
        if len(sizes) > 1:
            raise UserError(
                f"images have different sizes, such as {sizes[0]} and {sizes[1]}: "
                "bring them to one size first"
            ) from None
        raise UserError(f"images are no array: {error}") from None
    if array.dtype == object:
        kind = type(array.flat[0]).__name__ if array.size else "nothing"
        raise UserError(
            f"images are an array of objects ({kind}), not of numbers: stack them "
            "into one array (N, H, W, C) first"
        )
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    return array


def _rows(images: Any) -> bool:
    return isinstance(images, list | tuple) and all(
        isinstance(image, np.ndarray | jax.Array) for image in images
    )


def _of_floats(array: np.ndarray) -> tuple[np.ndarray, int]:
    """Floats in [0, 1] at 8 bits, a few thousand images at a time."""
    parts = range(0, len(array), ROWS)
    binary = True
    for start in parts:
        part = array[start : start + ROWS]
        bad = ~np.isfinite(part)
        if bad.any():
            where = start + int(np.argwhere(bad)[0][0])
            raise UserError(
                f"images have pixels that are NaN or infinite, the first in image "
                f"{where}"
            )
        low, high = float(part.min()), float(part.max())
        if low < -ROUNDING or high > 1 + ROUNDING:
            bad_value = low if low < -ROUNDING else high
            raise UserError(
                f"images have pixels of {bad_value:g} ({array.dtype}): floats must be "
                "in [0, 1]; scale them, or give whole numbers in 0 .. 255"
            )
        binary = binary and bool(((part == 0) | (part == 1)).all())
    scale = 1 if binary else 255
    table = np.empty(array.shape, np.uint8)
    for start in parts:
        part = array[start : start + ROWS]
        table[start : start + ROWS] = np.round(np.clip(part, 0, 1) * scale)
    return table, scale
