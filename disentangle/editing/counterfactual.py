r"""Edited pictures against the true answer, without an oracle that could be fooled.

Of a rendered world the true answer x* is known. With pixels in [0, 1],

$$
\mathrm{PSNR}(x', x^*) = -10 \log_{10} \max(\mathrm{MSE}(x', x^*), 10^{-6})
$$

so that pictures that are the same to 8 bits have 60 dB. CF-NN is the share of edits of
which x* is the nearest, by Euclidean distance, of the pictures whose factors differ
from its own in at most one.
"""

from collections.abc import Callable

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing.equality import equal

LEAST = 1e-6  # mean squared error of pictures that count as the same
AT_ONCE = 2_048  # pictures drawn at a time


def psnr(edited: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(n,) dB of pictures (n, H, W, C) in [0, 1], at most 60."""
    gap = (np.asarray(edited, np.float64) - truth).reshape(len(edited), -1)
    return np.asarray(-10.0 * np.log10(np.maximum(np.square(gap).mean(1), LEAST)))


def around(space: FactorSpace, target: np.ndarray) -> np.ndarray:
    """(n, L, F) the factors that differ from (n, F) in at most one; itself first."""
    parts = [target[:, None]]
    for i, size in enumerate(space.sizes):
        steps = np.arange(1, size)
        rows = np.repeat(target[:, None], size - 1, axis=1)
        rows[:, :, i] = (target[:, i, None] + steps) % size
        parts.append(rows)
    return np.concatenate(parts, axis=1)


def is_nearest(
    edited: np.ndarray,
    target: np.ndarray,
    space: FactorSpace,
    draw: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """(n,) bool: whether the true answer is the nearest of the pictures around it.

    Up to the tolerances of `equality`, and to symmetry.

    Args:
      edited: (n, H, W, C) in [0, 1].
      target: (n, F) factors of the true answers.
      space: a full grid.
      draw: (m,) image numbers -> (m, H, W, C) in [0, 1].
    """
    target = np.asarray(target)
    flat = np.asarray(edited, np.float32).reshape(len(edited), -1)
    found = np.zeros(len(flat), bool)
    local = 1 + sum(size - 1 for size in space.sizes)
    step = max(1, AT_ONCE // local)
    for start in range(0, len(flat), step):
        own = slice(start, start + step)
        rows = around(space, target[own])
        index = np.asarray(space.index(rows))
        # A whole number of pictures at a time: one compiled program for all.
        filled = np.resize(index.ravel(), step * local)
        pictures = draw(filled)[: index.size].reshape(*index.shape, -1)
        near = np.square(pictures - flat[own, None]).sum(2).argmin(1)
        chosen = rows[np.arange(len(rows)), near]
        found[own] = equal(space, chosen, target[own]).all(1)
    return found
