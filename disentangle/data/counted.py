"""Numbers that a counter fixes: splitmix64 of (what, seed, place), the same for ever.

Streams of random generators may change with a library's version; which questions are
asked of a data set must not.
"""

import zlib
from collections.abc import Sequence

import numpy as np

_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_GOLDEN = 0x9E3779B97F4A7C15


def numbers(what: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """An array of uniform uint64; `what` keeps streams apart."""
    start = zlib.crc32(f"{what} {seed}".encode()) << 32
    count = int(np.prod(shape))
    places = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(start)
    mixed = places * np.uint64(_GOLDEN)
    for shift, factor in _ROUNDS:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed ^ (mixed >> np.uint64(31))).reshape(shape)


def below(
    what: str, seed: int, count: int, sizes: Sequence[int] | np.ndarray
) -> np.ndarray:
    """(count, F) int64, column f uniform in [0, sizes[f])."""
    drawn = numbers(what, seed, (count, len(sizes)))
    return (drawn % np.asarray(sizes, np.uint64)).astype(np.int64)


def spread(total: int, count: int) -> np.ndarray:
    """(count,) different numbers below `total`, evenly spread: golden-ratio steps.

    All of them, in order, where there are not more than `count`.
    """
    if count >= total:
        return np.arange(total)
    step = max(1, round(total * 0.6180339887498949))
    while np.gcd(step, total) > 1:
        step += 1
    return np.arange(count, dtype=np.int64) * step % total
