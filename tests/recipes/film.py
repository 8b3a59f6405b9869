"""A streamed data set: frames that are drawn on the host when a step asks for them."""

from pathlib import Path

import numpy as np

from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.own import assemble

FRAMES, SHAPE = 40, (16, 16, 1)


class Frames:
    """A Reader: a bar that falls through the frame."""

    identity = "film-1"

    def read(self, index: np.ndarray) -> np.ndarray:
        """(n,) -> (n, 16, 16, 1) uint8."""
        images = np.zeros((len(index), *SHAPE), np.uint8)
        images[np.arange(len(index)), index % 16] = 255
        images[:, :, :2] = (index * 6)[:, None, None, None]
        return images


def render(cache: Path | None) -> Dataset:
    """Nothing is built or kept."""
    del cache
    row = np.arange(FRAMES) % 16
    return assemble(Frames(), SHAPE, 255, {"row": row}, FRAMES, name="film")


RECIPE = Recipe(render=render, about="40 frames of a falling bar")
