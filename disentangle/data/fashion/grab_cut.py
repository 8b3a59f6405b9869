"""Garments cut out of photographs: GrabCut (Rother, Kolmogorov & Blake 2004), OpenCV's.

What is outside of a margin is background, what is inside is asked: two mixtures of
colours and a cut between them, some rounds of both. Needs the extra [fashion].
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from disentangle.errors import UserError

ROUNDS = 5
SMALL = 256  # a smaller picture is enlarged: the cut needs pixels to learn colours of
WHITE = 255


def opencv() -> Any:
    """OpenCV; UserError where it is not installed."""
    try:
        import cv2
    except ImportError:
        raise UserError(
            "cutting out garments needs the extra: pip install -e '.[fashion]'"
        ) from None
    return cv2


def mask(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Where a garment is: (H, W) bool.

    Args:
      image: (H, W, 3) uint8 RGB.
      box: left, top, right, bottom around the garment, right and bottom excluded; what
        is outside is background, so that something must be.

    Raises:
      UserError: an image of another shape or type, or a box that is empty, leads out or
        leaves nothing outside; OpenCV is not installed.
    """
    cv2 = opencv()
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"an image must be (H, W, 3) uint8, not {image.shape}")
    (height, width), (left, top, right, bottom) = image.shape[:2], box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise UserError(f"the box {box} is not inside an image of {width}x{height}")
    if (right - left) * (bottom - top) == width * height:
        raise UserError("the box is the whole image: nothing outside is background")
    scale = max(1, -(-SMALL // max(height, width)))
    large = cv2.resize(
        image[..., ::-1], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    )
    found = np.full(large.shape[:2], cv2.GC_BGD, np.uint8)
    own = slice(scale * top, scale * bottom), slice(scale * left, scale * right)
    found[own] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)  # the mixtures start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(large, found, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(found, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    blocks = inside.reshape(height, scale, width, scale).mean((1, 3))
    return np.asarray(blocks > 0.5)


def garment(margin: float = 0.03) -> Callable[[np.ndarray], np.ndarray]:
    """A function of a picture cut to its box: the background becomes white.

    Where the cut finds nothing the picture stays as it is.

    Args:
      margin: of a side, that is background for certain.

    Raises:
      UserError: OpenCV is not installed.
    """
    opencv()

    def cut(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        x, y = max(1, round(margin * width)), max(1, round(margin * height))
        if width < 2 * x + 2 or height < 2 * y + 2:
            return image
        inside = mask(image, (x, y, width - x, height - y))
        if not inside.any():
            return image
        return np.where(inside[..., None], image, np.uint8(WHITE))

    return cut
