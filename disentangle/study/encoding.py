"""Images of a data set through the models of a run, a few thousand at a time."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.methods.base import Method
from disentangle.metrics.base import Images, Progress

ENCODE_ROWS = 2000
KEPT_ENCODINGS = 4


class Encodes(Protocol):
    """A run, or what else has codes of images."""

    @property
    def encode(self) -> Callable[[Any], np.ndarray]:
        """images (n, H, W, C) -> (P, n, D)."""


class Models(Encodes, Protocol):
    """A run, or one whose codes are made narrower (study/components.py)."""

    @property
    def members(self) -> tuple[str, ...]:
        """(P,) names."""

    @property
    def method(self) -> Method:
        """The pure functions."""

    @property
    def posterior(self) -> Callable[[Any], tuple[np.ndarray, np.ndarray]]:
        """images -> means and log-variances (P, n, D), where the method has them."""


def encode_images(
    run: Encodes, data: Dataset, index: np.ndarray, progress: Progress | None = None
) -> np.ndarray:
    """The codes (P, N, D) of the images `index` (N,)."""
    parts = list(_encoded(run.encode, data, index, progress))
    return np.concatenate(parts, axis=1)


def posterior_table(
    run: Models, data: Dataset, index: np.ndarray, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Codes (P, N, D) and their log-variances, None where codes are no Gaussians."""
    if run.method.posterior is None:
        return encode_images(run, data, index, progress), None
    parts = list(_encoded(run.posterior, data, index, progress))
    means, logvars = zip(*parts, strict=True)
    return np.concatenate(means, axis=1), np.concatenate(logvars, axis=1)


def _encoded(
    encode: Callable[[Any], Any],
    data: Dataset,
    index: np.ndarray,
    progress: Progress | None,
) -> Iterator[Any]:
    """encode(images) of a few thousand images at a time."""
    tell = progress or (lambda what, done, total: None)
    tell("encode", 0, len(index))
    for start in range(0, len(index), ENCODE_ROWS):
        yield encode(data.images(index[start : start + ENCODE_ROWS]))
        tell("encode", min(start + ENCODE_ROWS, len(index)), len(index))


def images_of(
    run: Models, data: Dataset, progress: Progress | None = None
) -> list[Images]:
    """A source of more images per member, all of them encoded at once.

    Metrics with the same seed ask for the same images whatever the member, so each
    image is encoded once for all.
    """
    held: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def encode(member: int, factors: np.ndarray) -> np.ndarray:
        index = np.asarray(data.space.index(factors))
        name = index.tobytes()
        if name not in held:
            if len(held) >= KEPT_ENCODINGS:
                del held[next(iter(held))]
            different, place = np.unique(index, return_inverse=True)
            held[name] = encode_images(run, data, different, progress), place
        codes, place = held[name]
        return codes[member][place]

    sizes = tuple(data.space.sizes)
    return [
        Images(sizes, functools.partial(encode, member))
        for member in range(len(run.members))
    ]
