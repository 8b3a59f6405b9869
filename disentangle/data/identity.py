"""What makes two data sets the same: a hash of what their images are made of."""

import hashlib
from typing import TYPE_CHECKING

import jax
import numpy as np

if TYPE_CHECKING:
    from disentangle.data.dataset import Dataset

WHOLE = 2**29  # bytes; of a larger table ROWS rows are hashed, evenly spaced
ROWS = 4096
IMAGES = 16  # images hashed as they are drawn, evenly spaced over the grid


def digest(data: "Dataset") -> str:
    """The content of a data set as 32 hex digits (BLAKE2b).

    Hashed are its tables (dtype, shape, bytes; of one above 512 MiB 4,096 evenly
    spaced rows, the first and the last among them) and 16 images evenly spaced over
    the grid. So another image in a huge table, outside of these rows, is not seen.
    The same images from another source (a file, not drawn) may be other tables.
    """
    found = hashlib.blake2b(digest_size=16)
    for leaf in jax.tree.leaves(data.arrays):
        rows = _rows(leaf)
        found.update(f"{rows.dtype} {np.shape(leaf)};".encode())
        found.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
    if data.labels is not None:
        found.update(np.ascontiguousarray(data.labels.rows).data)
    if data.is_streamed:
        found.update(data.draw.reader.identity.encode())  # type: ignore[attr-defined]
    found.update(np.ascontiguousarray(sample(data)).data)
    return found.hexdigest()


def sample(data: "Dataset") -> np.ndarray:
    """At most 16 images (n, H, W, C), evenly spaced over the grid."""
    size = data.space.size
    count = min(IMAGES, size)
    index = [i * (size - 1) // max(count - 1, 1) for i in range(count)]
    return np.asarray(data.images(np.asarray(index)))


def _rows(leaf: object) -> np.ndarray:
    """The rows that are hashed, on the host."""
    array = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
    if array.nbytes <= WHOLE or array.shape[0] <= ROWS:
        return np.asarray(array)
    index = np.arange(ROWS) * (array.shape[0] - 1) // (ROWS - 1)
    return np.asarray(array[index])
