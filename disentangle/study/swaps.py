"""Parts of codes exchanged between pictures: what a part holds, and what not."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.samplers import take
from disentangle.records import ArrayRecord
from disentangle.study.sample import sample_index
from disentangle.training.run import Run

PICTURES = 6


@dataclasses.dataclass(frozen=True, eq=False)
class Swaps(ArrayRecord):
    """swaps.npz: pictures that the first member of a run draws of parts of two codes.

    Attributes:
      swap_images: (n, H, W, C) in [0, 1], of the data set.
      swap_pictures: (n, n, H, W, C); at [i, j] the code of image i, but for the columns
        of `swap_part`, which are those of image j.
      swap_part: () the name of these columns.
    """

    FILE: ClassVar[str] = "swaps.npz"
    swap_images: np.ndarray
    swap_pictures: np.ndarray
    swap_part: np.ndarray


def exchanged(codes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(n, D) codes and (D,) bool columns -> (n, n, D), [i, j] with the columns of j."""
    return np.where(columns[None, None], codes[None], codes[:, None])


def swaps_of(run: Run, data: Dataset, *, seed: int = 0) -> Swaps | None:
    """Those of the first part of the code that is of a factor.

    None where the method draws nothing, or names no part of its code for a factor.
    """
    names = run.method.attributes or ()
    is_factor = [
        any(one.partition(":")[0] in data.space.names for one in name.split("+"))
        for name in names
    ]
    if run.method.decode is None or not any(is_factor):
        return None
    part = names[is_factor.index(True)]
    index = sample_index(data, PICTURES, seed=seed)
    images = np.asarray(take(data, jnp.asarray(index, jnp.int32))["images"])
    codes = run.encode(images)[0]
    mixed = exchanged(codes, np.array(names) == part)
    pictures = run.decode(mixed.reshape(-1, codes.shape[1]))[0]
    shape = (*mixed.shape[:2], *images.shape[1:])
    return Swaps(images, pictures.reshape(shape), np.asarray(part))
