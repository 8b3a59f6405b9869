"""Gradient-boosted classification trees (Friedman 2001, Algorithm 6), exactly.

The trees that scikit-learn's GradientBoostingClassifier grows with its defaults, found
in another way: all trees of a round at once, on codes that are sorted once.
"""

from typing import NamedTuple

import numpy as np

from disentangle.metrics.presorted import Presorted, presort
from disentangle.metrics.splits import Nodes, Split, best_splits

ROUNDS = 100
DEPTH = 3
LEAVES = 2**DEPTH
LEARNING_RATE = 0.1
# scikit-learn's trees take values this close as equal.
SAME = 1e-7
# Trees grown at once: so many that their sums fit into a processor's cache.
TOGETHER = 11


class Boosted(NamedTuple):
    """importance (D,) float64; classes of the training rows and the test rows."""

    importance: np.ndarray
    guesses: np.ndarray
    test_guesses: np.ndarray


def boost(
    codes: np.ndarray, classes: np.ndarray, test_codes: np.ndarray, seed: int
) -> Boosted:
    """Boosts ROUNDS rounds of one tree a class (one in all for two classes).

    Args:
      codes: (N, D) float, taken as float32.
      classes: (N,) int, 0 to K - 1 with K >= 2, all of them there.
      test_codes: (N', D) float.
      seed: of the draws among equally good splits.

    Returns:
      The Boosted. An importance is the decrease of the sum of squared deviations by
      all splits on a code, divided by the sum over all codes; 0 without any split.
    """
    rng = np.random.default_rng(seed)
    table = presort(codes, SAME)
    columns = np.concatenate([codes, test_codes]).astype(np.float32).T.copy()
    rows, kinds = len(codes), int(classes.max()) + 1
    target, scores = _start(classes, kinds)
    scores = np.tile(scores, (1, columns.shape[1]))
    gain = np.zeros(len(columns))
    for _ in range(ROUNDS):
        residual = target - _probabilities(scores[:, :rows])
        for first in range(0, len(target), TOGETHER):
            some = slice(first, first + TOGETHER)
            above = classes - first if kinds > 2 else classes - 1
            above = np.where(above < len(residual[some]), above, -1)
            levels = _grow(table, residual[some], np.maximum(above, -1), rng)
            for split in levels:
                np.add.at(gain, split.code, split.gain)
            scores[some] += _steps(levels, columns, residual[some], kinds)
    guesses = scores.argmax(axis=0) if kinds > 2 else (scores[0] >= 0).astype(np.int64)
    importance = gain / gain.sum() if gain.sum() > 0 else np.zeros(len(gain))
    return Boosted(importance, guesses[:rows], guesses[rows:])


def _start(classes: np.ndarray, kinds: int) -> tuple[np.ndarray, np.ndarray]:
    """One-hot targets (T, N) and the prior's scores (T, 1); T = K, or 1 for K = 2."""
    target = (np.arange(kinds)[:, None] == classes).astype(np.float64)
    prior = target.mean(axis=1, keepdims=True)
    if kinds == 2:
        return target[1:], np.log(prior[1:] / prior[:1])
    return target, np.log(prior)


def _probabilities(scores: np.ndarray) -> np.ndarray:
    """p(class) of scores (T, N): softmax, or the logistic function if T = 1."""
    if len(scores) == 1:
        return 0.5 * (1.0 + np.tanh(0.5 * scores))
    p = np.exp(scores - scores.max(axis=0))
    return p / p.sum(axis=0)


def _grow(
    table: Presorted, target: np.ndarray, above: np.ndarray, rng: np.random.Generator
) -> list[Split]:
    """DEPTH levels of splits of a least-squares tree for each target (T, N)."""
    trees, rows = target.shape
    columns = np.ascontiguousarray(target.T)
    sums = (table.sums @ columns).reshape(*table.ends.shape, 1, trees)
    lengths = (table.ends - table.starts).astype(np.float64)
    counts = np.broadcast_to(lengths[:, :, None, None], sums.shape)
    node = np.zeros((trees, rows), np.uint8)
    levels = []
    for level in range(DEPTH):
        split = best_splits(table, Nodes(target, above, node, sums, counts), rng)
        levels.append(split)
        if level + 1 == DEPTH:
            break
        for t in range(trees):
            node[t] = _next_node(node[t], table.rank, split.code, split.place, t)
        left = (node[None] == 2 * np.arange(2**level)[:, None, None]).transpose(2, 0, 1)
        mask = left.reshape(rows, -1).astype(np.float64)
        sums = _children(table.sums @ (mask * np.tile(columns, 2**level)), sums)
        counts = _children(table.sums @ mask, counts)
    return levels


def _children(left: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """(D, B, 2 Q, T) sums of all children, from those of the left ones."""
    left = left.reshape(parents.shape)
    both = np.stack([left, parents - left], axis=3)
    return both.reshape(*parents.shape[:2], -1, parents.shape[3])


def _next_node(
    node: np.ndarray, values: np.ndarray, code: np.ndarray, limit: np.ndarray, t: int
) -> np.ndarray:
    """Each row's node one level below: 2 q, or 2 q + 1 if its value is above the limit.

    Args:
      node: (N,) uint8, the nodes now.
      values: (D, N) of every code.
      code, limit: (Q, T) of every node.
      t: the tree.
    """
    right = values[code[0, t]] > limit[0, t]
    for q in range(1, len(code)):
        right = np.where(node == q, values[code[q, t]] > limit[q, t], right)
    return 2 * node + right


def _steps(
    levels: list[Split], columns: np.ndarray, residual: np.ndarray, kinds: int
) -> np.ndarray:
    """What to add to the scores: Friedman's Newton step of each row's leaf.

    (K - 1) / K sum r / sum p (1 - p) over the leaf's training rows, times the learning
    rate; p (1 - p) = |r| - r^2 of a residual r = y - p. The factor (K - 1) / K is for
    K > 2 only.

    Args:
      levels: the trees.
      columns: (D, N + N') float32, training rows first.
      residual: (T, N) y - p.
      kinds: K.

    Returns:
      (T, N + N').
    """
    rate = LEARNING_RATE * ((kinds - 1) / kinds if kinds > 2 else 1.0)
    steps = np.empty((len(residual), columns.shape[1]))
    for t, r in enumerate(residual):
        leaf = np.zeros(columns.shape[1], np.uint8)
        for split in levels:
            leaf = _next_node(leaf, columns, split.code, split.threshold, t)
        top = np.bincount(leaf[: len(r)], r, LEAVES)
        bottom = np.bincount(leaf[: len(r)], np.abs(r) - np.square(r), LEAVES)
        step = np.divide(top, bottom, out=np.zeros(LEAVES), where=bottom > 1e-150)
        steps[t] = rate * step[leaf]
    return steps
