"""Images that do not fit: read from the host when a step asks for them.

A streamed data set has no table on the device. Its `draw` asks the host for the rows
of a batch, also from inside a compiled step (`jax.pure_callback`), so that a batch is
the same function of (seed, step) as that of a data set on the device, bit for bit, and
a run that was killed goes on with the images it would have seen. There is no iterator
whose place would have to be kept.

What reads is any object with the methods of `Reader`.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import h5py
import jax
import numpy as np

from disentangle import progress
from disentangle.data.aligned import aligned
from disentangle.errors import UserError

THREADS = min(16, (os.cpu_count() or 1) + 4)


class Reader(Protocol):
    """Random access to images on the host."""

    identity: str  # of the images, as a hash of names and sizes

    def read(self, index: np.ndarray) -> np.ndarray:
        """(n,) image numbers in range -> (n, H, W, C) uint8; UserError on damage."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """The `draw` of a streamed data set: (arrays, index) -> images.

    Attributes:
      reader: gives the images.
      shape: (H, W, C) of one.
    """

    reader: Reader
    shape: tuple[int, int, int]
    failed: list[UserError] = field(default_factory=list)

    def __call__(self, arrays: Any, index: jax.Array) -> jax.Array:
        """(...,) int image numbers in range -> (..., H, W, C) uint8."""
        del arrays
        if not isinstance(index, jax.core.Tracer):
            return jax.numpy.asarray(self.read(np.asarray(index)))
        shape = jax.ShapeDtypeStruct((*index.shape, *self.shape), np.uint8)
        return jax.pure_callback(self.read, shape, index, vmap_method="expand_dims")

    def read(self, index: Any) -> np.ndarray:
        """As `__call__`, on the host."""
        rows = np.asarray(index)
        try:
            images = self.reader.read(rows.reshape(-1))
        except UserError as error:
            self.failed.append(error)
            raise
        return images.reshape(*rows.shape, *self.shape)


@contextlib.contextmanager
def told(draws: Sequence[Callable]) -> Iterator[None]:
    """What a reader refused inside a compiled step is the sentence it said.

    Args:
      draws: of the data sets that are read in the block.
    """
    streamed = [draw for draw in draws if isinstance(draw, Streamed)]
    for draw in streamed:
        draw.failed.clear()
    log = logging.getLogger("jax._src.callback")  # it prints a traceback
    held, log.disabled = log.disabled, log.disabled or bool(streamed)
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError):
        for draw in streamed:
            if draw.failed:
                raise draw.failed[0] from None
        raise
    finally:
        log.disabled = held


class EachFile:
    """A Reader of one file per image, several read at a time."""

    def __init__(self, decode: Callable[[int], np.ndarray], identity: str):
        self.identity = identity
        self._decode = decode
        self._pool: ThreadPoolExecutor | None = None

    def read(self, index: np.ndarray) -> np.ndarray:
        """See `Reader`."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="images")
        return np.stack(list(self._pool.map(self._decode, index.tolist())))

    def table(self, count: int, shape: tuple[int, ...], what: str) -> np.ndarray:
        """All images (N, H, W, C) uint8, for those that do fit; `what` is shown."""
        found = aligned((count, *shape), np.uint8)
        with ThreadPoolExecutor(THREADS) as pool:

            def fill(index: int) -> None:
                found[index] = self._decode(index)

            for done in progress.over(
                [pool.submit(fill, i) for i in range(count)], what, unit="image"
            ):
                done.result()
        return found


class HdfRows:
    """A Reader of the field "images" (N, H, W) or (N, H, W, C) of an HDF5 file."""

    def __init__(self, path: str, identity: str):
        self.identity = identity
        self._path = path
        self._images: Any = None

    def read(self, index: np.ndarray) -> np.ndarray:
        """See `Reader`."""
        if self._images is None:
            self._images = h5py.File(self._path, "r")["images"]
        different, place = np.unique(index, return_inverse=True)
        try:
            rows = np.asarray(self._images[different])
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(f"{self._path} cannot be read: {error}") from None
        return rows[place].reshape(len(index), *rows.shape[1:3], -1)


class ArrayRows:
    """A Reader of an array (N, H, W, C) uint8 on the host, or mapped from a file."""

    def __init__(self, images: np.ndarray, identity: str):
        self.identity = identity
        self._images = images

    def read(self, index: np.ndarray) -> np.ndarray:
        """See `Reader`."""
        return np.asarray(self._images[index])
