"""Codes sorted once and cut into blocks of neighbours, for thousands of trees.

Boosting fits all its trees to the same codes; only the targets change. A library sorts
the rows of every node of every tree anew. Here the sums of all targets over all blocks
are one sparse product.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

# Blocks a code. More bound the gains tighter, fewer cost less to sum.
BLOCKS = 128
# Rows a block at least, on average: short tables have fewer blocks.
ROWS = 8


class Presorted(NamedTuple):
    """D codes of N rows in at most B blocks a code; some blocks may be empty.

    Attributes:
      order: (D, N) int64, the rows by value.
      rank: (D, N) int32, the place of each row in that order.
      values: (D, N) float32 in that order.
      starts: (D, B) int64, the first place of each block.
      ends: (D, B) int64, the place after its last. The values on both sides of it can
        be told apart.
      inner: (D, B) bool, whether a block's own values can be told apart.
      block: (D, N) int64, the block of each row, 0 to D B - 1.
      sums: (D B, N) sparse: times (N, T), the sums over each block.
      same: float32; neighbours at most this far apart cannot be told apart.
    """

    order: np.ndarray
    rank: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    inner: np.ndarray
    block: np.ndarray
    sums: csr_matrix
    same: np.float32


def presort(codes: np.ndarray, same: float) -> Presorted:
    """Sorts every code and cuts it into blocks.

    Args:
      codes: (N, D), taken as float32.
      same: neighbours at most this far apart cannot be told apart.

    Returns:
      The Presorted.
    """
    columns = np.ascontiguousarray(codes.T, np.float32)
    rows = columns.shape[1]
    gap = np.float32(same)
    order = np.argsort(columns, axis=1, kind="stable")
    values = np.take_along_axis(columns, order, axis=1)
    ends = _block_ends(values, gap)
    starts = np.pad(ends[:, :-1], ((0, 0), (1, 0)))
    lengths = (ends - starts).ravel()
    first = np.take_along_axis(values, np.minimum(starts, rows - 1), axis=1)
    last = np.take_along_axis(values, ends - 1, axis=1)
    return Presorted(
        order=order,
        rank=_inverse(order, np.arange(rows, dtype=np.int32)[None]),
        values=values,
        starts=starts,
        ends=ends,
        inner=(last > first + gap) & (ends > starts),
        block=_inverse(order, np.repeat(np.arange(ends.size), lengths)),
        sums=csr_matrix(
            (np.ones(order.size), order.ravel(), np.append(0, np.cumsum(lengths))),
            shape=(ends.size, rows),
        ),
        same=gap,
    )


def _block_ends(values: np.ndarray, same: np.float32) -> np.ndarray:
    """(D, B) block ends of sorted values (D, N).

    Blocks are narrower at both ends of a code, where a few rows more or less change
    the gain most. A value with as many rows as a block is a block alone.
    """
    rows = values.shape[1]
    blocks = int(np.clip(rows // ROWS, 1, BLOCKS))
    spread = np.sin(np.linspace(0, np.pi / 2, blocks + 1)[1:]) ** 2
    wanted = np.ceil(rows * spread).clip(1, rows)
    found = []
    for column in values:
        breaks = np.append(np.flatnonzero(column[1:] > column[:-1] + same) + 1, rows)
        large = np.flatnonzero(np.diff(breaks, prepend=0) >= rows / blocks)
        near = np.searchsorted(breaks, wanted)
        found.append(breaks[np.unique([*near, *large, *(large[large > 0] - 1)])])
    most = max(len(ends) for ends in found)
    return np.stack([np.pad(ends, (0, most - len(ends)), "edge") for ends in found])


def _inverse(order: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """(D, N): what `numbers` has at each row's place, for rows in `order`."""
    numbers = np.broadcast_to(numbers.reshape(-1, order.shape[1]), order.shape)
    found = np.empty(order.shape, numbers.dtype)
    np.put_along_axis(found, order, numbers, axis=1)
    return found
