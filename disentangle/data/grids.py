"""Data sets whose published files are a full grid of factors."""

import math
from pathlib import Path

import jax
import numpy as np

from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.space import Factor, FactorSpace
from disentangle.data.stream import Reader, Streamed


def categorical(name: str, size: int) -> Factor:
    """A factor of values 0, 1, ... without an order."""
    return Factor(name, size, "categorical", tuple(map(float, range(size))))


def ordinal(name: str, size: int, start: float = 0.0, step: float = 1.0) -> Factor:
    """A factor of evenly spaced values on a line."""
    return Factor(name, size, "ordinal", tuple(start + step * i for i in range(size)))


def turning(name: str, size: int) -> Factor:
    """A factor of evenly spaced angles, a full turn of them, in radians."""
    values = tuple(2 * math.pi * i / size for i in range(size))
    return Factor(name, size, "circular", values, steps_per_turn=size)


def grid(
    images: np.ndarray | Reader,
    space: FactorSpace,
    shape: tuple[int, int, int],
    *,
    name: str,
    path: str | Path,
) -> Dataset:
    """The Dataset of images (N, H, W, C) uint8 in the grid's order, or their reader."""
    is_table = isinstance(images, np.ndarray)
    return Dataset(
        jax.device_put(images) if is_table else (),
        name,
        space,
        shape,
        255,
        draw_rows if isinstance(images, np.ndarray) else Streamed(images, shape),
        path=str(path),
    )
