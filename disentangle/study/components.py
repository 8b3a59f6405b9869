"""Principal components of codes with too many columns to be read one by one.

A flow's code has as many numbers as its image; a column of it is next to nothing, and
trees on thousands of columns take hours. Scores that compare columns, and pages that
move them, take the first `Method.components` principal components instead: of each
model its own, fitted to the first `FITTED` of the images that are looked at.
"""

from typing import Any, NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.methods.base import Method
from disentangle.study.encoding import encode_images
from disentangle.training.run import Run

FITTED = 2000  # images


class Narrowed(NamedTuple):
    """A run whose codes are C principal components of its own.

    Attributes:
      run: the models.
      members: (P,) their names.
      method: the run's, without a posterior and what goes with the columns.
      mean: (P, D).
      axes: (P, C, D), orthonormal rows, those of the largest variance first.
    """

    run: Run
    members: tuple[str, ...]
    method: Method
    mean: np.ndarray
    axes: np.ndarray

    def encode(self, images: Any) -> np.ndarray:
        """images (n, H, W, C) -> (P, n, C) float32."""
        centred = self.run.encode(images) - self.mean[:, None]
        return np.asarray(centred @ self.axes.transpose(0, 2, 1), np.float32)

    def posterior(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """None is there, as `method` says."""
        raise UserError("principal components of codes have no posterior")


def narrowed(run: Run, data: Dataset, index: np.ndarray) -> Run | Narrowed:
    """The run with codes that can be read column by column; as it is where they can.

    Args:
      run: the models.
      data: the data set.
      index: (n,) images that are looked at; the components are those of the first.
    """
    count = run.method.components
    if not count:
        return run
    codes = encode_images(run, data, index[:FITTED])
    found = [components(own, count) for own in codes]
    mean, axes = (np.stack(part) for part in zip(*found, strict=True))
    method = run.method._replace(posterior=None, attributes=None, categorical=())
    return Narrowed(run, run.members, method, mean, axes)


def components(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(mean (D,), axes (C, D)) of codes (n, D); C is at most n - 1 and D.

    Of codes that are not finite, as a model that diverged gives, the first columns.
    """
    count = max(1, min(count, len(codes) - 1, codes.shape[1]))
    if not np.isfinite(codes).all() or len(codes) < 2:
        return np.zeros(codes.shape[1], np.float32), np.eye(
            count, codes.shape[1], dtype=np.float32
        )
    mean = codes.mean(0)
    _, _, axes = np.linalg.svd(codes - mean, full_matrices=False)
    return np.asarray(mean, np.float32), np.asarray(axes[:count], np.float32)


def note_of(run: Run) -> str:
    """What is to be known of the scores, in a sentence; "" where codes are whole."""
    count = run.method.components
    if not count:
        return ""
    return f"codes were read as their first {count} principal components"
