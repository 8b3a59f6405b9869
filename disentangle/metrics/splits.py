"""The best split of every node of many least-squares trees at once, exactly.

A split's gain, in a node of n rows with targets r, is the decrease of the sum of
squared deviations,

    I(s, m) = (s - m r_mean)^2 n / (m (n - m)),

where s is the sum of the m targets that go left.

It is known at the end of every block. Inside a block s and m lie in a rectangle, and I
is convex in both together, so that its largest value at the four corners bounds it.
Only blocks whose bound reaches the best end are looked into, row by row: what is found
is the best of all places between two values.
"""

from typing import NamedTuple

import numpy as np

from disentangle.metrics.presorted import Presorted
from disentangle.metrics.ties import SURELY_VARIED, Forest

# Gains this close, relative to themselves and to what rounds in them, may be equal.
TIE = 1e-9
ROUNDING = 1e-12


class Nodes(NamedTuple):
    """Q nodes in each of T trees, one level. D codes, B blocks, N rows.

    Attributes:
      target: (T, N) float64.
      above: (N,) int, the one tree whose target may be positive at this row, or -1:
        the residuals of a classifier are positive for a row's own class only.
      node: (T, N) uint8, which node a row is in.
      sums: (D, B, Q, T) sums of targets over blocks and nodes.
      counts: (D, B, Q, T) float64, rows in both.
    """

    target: np.ndarray
    above: np.ndarray
    node: np.ndarray
    sums: np.ndarray
    counts: np.ndarray


class Split(NamedTuple):
    """A split a node, each (Q, T).

    Attributes:
      code: int, the code that is split.
      place: int, the last place in the code's order that goes left; N for a leaf.
      threshold: float64, larger values go right; infinity for a leaf.
      gain: float64, the decrease of the sum of squared deviations.
    """

    code: np.ndarray
    place: np.ndarray
    threshold: np.ndarray
    gain: np.ndarray


class _Places(NamedTuple):
    """C places to split at, each (C,): code, block, node, tree, place, gain."""

    code: np.ndarray
    block: np.ndarray
    node: np.ndarray
    tree: np.ndarray
    place: np.ndarray
    gain: np.ndarray

    def owner(self, trees: int) -> np.ndarray:
        """(C,) number of the node in (Q, T), T = `trees`."""
        return self.node * trees + self.tree

    def take(self, which: np.ndarray) -> "_Places":
        """Some of them."""
        return _Places(*(column[which] for column in self))


def best_splits(table: Presorted, nodes: Nodes, forest: Forest) -> Split:
    """The best split of every node.

    Args:
      table: the codes.
      nodes: the nodes and their sums.
      forest: these trees as far as they are grown; this level is added. It knows which
        of equally good splits scikit-learn would take.

    Returns:
      The Split.
    """
    upto = np.cumsum(nodes.counts, axis=1)
    after = np.cumsum(nodes.sums, axis=1)
    total, number = after[0, -1], upto[0, -1]
    ends = _gain(after, upto, total, number)
    closed = forest.closed(len(number))
    ends[(nodes.counts == 0) | (upto == 0) | (upto == number) | closed] = -np.inf
    best = ends.max(axis=(0, 1))
    least = _least(best, total, number, closed)
    inside = _inside(
        table, nodes, after, upto, _promising(table, nodes, after, upto, least)
    )
    np.maximum.at(best.reshape(-1), inside.owner(best.shape[1]), inside.gain)
    least = _least(best, total, number, closed)
    inside = inside.take(inside.gain >= least[inside.node, inside.tree])
    d, b, q, t = np.nonzero((ends >= least) & np.isfinite(ends))
    at_ends = _Places(d, b, q, t, table.ends[d, b] - 1, ends[d, b, q, t])
    both = (np.concatenate(pair) for pair in zip(at_ends, inside, strict=True))
    doubtful = np.isfinite(best) & (best <= SURELY_VARIED * number)
    found = _settle(_Places(*both), doubtful, nodes, forest)
    return _as_splits(table, nodes, found)


def _least(
    best: np.ndarray, total: np.ndarray, number: np.ndarray, closed: np.ndarray
) -> np.ndarray:
    """The smallest gain that rounding may make the best; infinite in closed nodes."""
    known = np.maximum(best, 0.0)
    rounded = np.square(total) / np.maximum(number, 1.0) + np.sqrt(known)
    least = np.where(best >= 0, known - TIE * known - ROUNDING * rounded, -np.inf)
    return np.where(closed, np.inf, least)


def _gain(
    s: np.ndarray, m: np.ndarray, total: np.ndarray, number: np.ndarray
) -> np.ndarray:
    """I(s, m) of nodes with that total and number of rows; not finite if none left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / number
        return np.square(s - m * mean) * (number / (m * (number - m)))


def _promising(
    table: Presorted,
    nodes: Nodes,
    after: np.ndarray,
    upto: np.ndarray,
    least: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Indices d, b, q, t of the blocks that may hold a split not below `least`."""
    total, number = after[0, -1], upto[0, -1]
    positive = _positive_sums(table, nodes)
    fewest = np.maximum(upto - nodes.counts, 1)
    most = np.minimum(upto, number - 1)
    bound = np.full(upto.shape, -np.inf)
    for s in (after - nodes.sums + positive, after - positive):
        for m in (fewest, most):
            np.fmax(bound, _gain(s, m, total, number), out=bound)
    open_ = (nodes.counts > 1) & table.inner[:, :, None, None]
    return np.nonzero(open_ & (bound >= least))


def _positive_sums(table: Presorted, nodes: Nodes) -> np.ndarray:
    """(D, B, Q, T) sums of the positive targets."""
    cells = nodes.sums.shape[2] * nodes.sums.shape[3]
    rows = np.flatnonzero(nodes.above >= 0)
    tree = nodes.above[rows]
    cell = nodes.node[tree, rows].astype(np.int64) * nodes.sums.shape[3] + tree
    slot = table.block[:, rows] * cells + cell
    weights = np.broadcast_to(nodes.target[tree, rows], slot.shape)
    found = np.bincount(slot.ravel(), weights.ravel(), nodes.sums.size)
    return found.reshape(nodes.sums.shape)


def _rows(
    table: Presorted, nodes: Nodes, where: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of C pairs of a block and a node: number of the pair, place, row."""
    d, b, q, t = where
    start, length = table.starts[d, b], table.ends[d, b] - table.starts[d, b]
    pair = np.repeat(np.arange(len(d)), length)
    place = np.arange(len(pair)) - (np.cumsum(length) - length - start)[pair]
    row = table.order[d[pair], place]
    mine = np.flatnonzero(nodes.node[t[pair], row] == q[pair])
    return pair[mine], place[mine], row[mine]


def _inside(
    table: Presorted,
    nodes: Nodes,
    after: np.ndarray,
    upto: np.ndarray,
    where: tuple[np.ndarray, ...],
) -> _Places:
    """All places between two values within these blocks."""
    d, b, q, t = where
    pair, place, row = _rows(table, nodes, where)
    value = table.values[d[pair], place]
    running = np.append(0.0, np.cumsum(nodes.target[t[pair], row]))
    first = np.searchsorted(pair, np.arange(len(d)))
    apart = (pair[1:] == pair[:-1]) & (value[1:] > value[:-1] + table.same)
    cut = np.flatnonzero(apart)
    pair, place = pair[cut], place[cut]
    before = (after - nodes.sums)[where] - running[first]
    fewer = (upto - nodes.counts)[where] - first
    q, t = q[pair], t[pair]
    gain = _gain(
        before[pair] + running[cut + 1],
        fewer[pair] + cut + 1,
        after[0, -1][q, t],
        upto[0, -1][q, t],
    )
    return _Places(d[pair], b[pair], q, t, place, gain)


def _settle(
    places: _Places, doubtful: np.ndarray, nodes: Nodes, forest: Forest
) -> _Places:
    """One of the equally good places of each node; none of a node without variance."""
    trees, rows = nodes.target.shape
    owner = places.owner(trees)
    order = np.argsort(owner, kind="stable")
    owners, first, many = np.unique(owner[order], return_index=True, return_counts=True)
    chosen = order[first]
    code = np.zeros((len(doubtful), trees), np.int64)
    place = np.full((len(doubtful), trees), rows)
    code.flat[owners], place.flat[owners] = places.code[chosen], places.place[chosen]
    forest.levels.append((code, place))
    level = len(forest.levels) - 1
    keep = np.ones(len(owners), bool)
    for i in np.flatnonzero((many > 1) | doubtful.flat[owners]):
        q, t = divmod(int(owners[i]), trees)
        tree = forest.tree(t)
        if doubtful[q, t] and tree.leaf(level, q):
            place[q, t], keep[i] = rows, False
            continue
        those = order[first[i] : first[i] + many[i]]
        chosen[i] = those[tree.best(level, q, places.code[those], places.place[those])]
        code[q, t], place[q, t] = places.code[chosen[i]], places.place[chosen[i]]
        if doubtful[q, t] and not tree.gains(level, q):
            place[q, t], keep[i] = rows, False
    return places.take(chosen[keep])


def _as_splits(table: Presorted, nodes: Nodes, found: _Places) -> Split:
    """The Split of all nodes, those not among `found` being leaves."""
    shape, rows = nodes.sums.shape[2:], nodes.target.shape[1]
    low, high = _neighbours(table, nodes, found)
    split = Split(
        np.zeros(shape, np.int64),
        np.full(shape, rows),
        np.full(shape, np.inf),
        np.zeros(shape),
    )
    where = found.node, found.tree
    values = (found.code, found.place, low / 2 + high / 2, found.gain)
    for column, value in zip(split, values, strict=True):
        column[where] = value
    return split


def _neighbours(
    table: Presorted, nodes: Nodes, found: _Places
) -> tuple[np.ndarray, np.ndarray]:
    """The largest value left of each place and the smallest right of it, float64."""
    d, b, q, t, place, _ = found
    if not len(d):
        return np.zeros(0), np.zeros(0)
    blocks = np.arange(table.ends.shape[1])
    filled = nodes.counts[d, :, q, t] > 0
    beyond = b + (place == table.ends[d, b] - 1)
    left = np.where(filled & (blocks <= b[:, None]), blocks, -1).max(axis=1)
    right = np.where(filled & (blocks >= beyond[:, None]), blocks, len(blocks))
    pair, at, _ = _rows(table, nodes, (d, left, q, t))
    low = np.full(len(d), -1)
    np.maximum.at(low, pair, np.where(at <= place[pair], at, -1))
    pair, at, _ = _rows(table, nodes, (d, right.min(axis=1), q, t))
    high = np.full(len(d), nodes.target.shape[1])
    np.minimum.at(high, pair, np.where(at > place[pair], at, nodes.target.shape[1]))
    values = table.values.astype(np.float64)
    return values[d, low], values[d, high]
