"""Gradient-boosted classification trees (Friedman 2001, Algorithm 6), exactly.

The trees that scikit-learn's GradientBoostingClassifier grows with its defaults, found
in another way: all trees of a round at once, on codes that are sorted once.
"""

from typing import Any, NamedTuple

import numpy as np

from disentangle.metrics.presorted import Presorted, presort
from disentangle.metrics.splits import Nodes, Split, best_splits
from disentangle.metrics.ties import SEEDS, Forest

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
      seed: of the order in which codes are visited, which decides between equally
        good splits; what scikit-learn's random_state is.

    Returns:
      The Boosted. An importance is the decrease of the sum of squared deviations by
      all splits on a code, divided by the sum over all codes; 0 without any split.
    """
    rng = np.random.RandomState(seed)
    table = presort(codes, SAME)
    test_columns = test_codes.astype(np.float32).T.copy()
    rows, kinds = len(codes), int(classes.max()) + 1
    loss = _loss(kinds)
    one_hot = _one_hot(classes, kinds)
    truth = classes.astype(np.float64)
    scores = np.tile(_start(loss, classes), (1, rows + len(test_codes)))
    gain = np.zeros(codes.shape[1])
    for _ in range(ROUNDS):
        now = np.ascontiguousarray(scores[:, :rows].T)
        residual = -loss.gradient(truth, now).reshape(rows, -1).T
        for first in range(0, len(residual), TOGETHER):
            some = slice(first, first + TOGETHER)
            target, y = np.ascontiguousarray(residual[some]), one_hot[some]
            levels, leaves = _grow(table, target, y, rng.randint(0, SEEDS, len(y)))
            for split in levels:
                gain += np.bincount(split.code.ravel(), split.gain.ravel(), len(gain))
            for t, leaf in enumerate(leaves):
                step = _newton_steps(leaf, y[t], target[t], kinds)
                at = np.append(leaf, _leaves(levels, test_columns, t))
                scores[first + t] += LEARNING_RATE * step[at]
    guesses = scores.argmax(axis=0) if kinds > 2 else (scores[0] >= 0).astype(int)
    importance = gain / gain.sum() if gain.sum() > 0 else np.zeros(len(gain))
    return Boosted(importance, guesses[:rows], guesses[rows:])


def _loss(kinds: int) -> Any:
    """scikit-learn's loss of K classes: its rounding is part of the trees."""
    from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss

    return HalfMultinomialLoss(n_classes=kinds) if kinds > 2 else HalfBinomialLoss()


def _one_hot(classes: np.ndarray, kinds: int) -> np.ndarray:
    """(T, N) float64, one row a tree of a round: a class, or class 1 of two."""
    trees = np.arange(kinds) if kinds > 2 else np.ones(1)
    return (trees[:, None] == classes).astype(np.float64)


def _start(loss: Any, classes: np.ndarray) -> np.ndarray:
    """(T, 1) scores of the classes' shares."""
    shares = np.bincount(classes) / len(classes)
    shares = shares[None] if loss.is_multiclass else shares[1:]
    return loss.link.link(shares).reshape(-1, 1)


def _grow(
    table: Presorted, target: np.ndarray, y: np.ndarray, seeds: np.ndarray
) -> tuple[list[Split], np.ndarray]:
    """DEPTH levels of splits of a least-squares tree for each target (T, N).

    A target may be positive where y (T, N) is 1, at one tree a row. Also the leaves
    (T, N) that the rows end in, 0 to LEAVES - 1.
    """
    above = np.where(y.any(axis=0), y.argmax(axis=0), -1)
    trees, rows = target.shape
    columns = np.ascontiguousarray(target.T)
    sums = (table.sums @ columns).reshape(*table.ends.shape, 1, trees)
    lengths = (table.ends - table.starts).astype(np.float64)
    counts = np.broadcast_to(lengths[:, :, None, None], sums.shape)
    node = np.zeros((trees, rows), np.uint8)
    levels = []
    forest = Forest(table, target, DEPTH, seeds)
    for level in range(DEPTH):
        split = best_splits(table, Nodes(target, above, node, sums, counts), forest)
        levels.append(split)
        for t in range(trees):
            node[t] = _next_node(node[t], table.rank, split.code, split.place, t)
        if level + 1 == DEPTH:
            break
        left = (node[None] == 2 * np.arange(2**level)[:, None, None]).transpose(2, 0, 1)
        mask = left.reshape(rows, -1).astype(np.float64)
        sums = _children(table.sums @ (mask * np.tile(columns, 2**level)), sums)
        counts = _children(table.sums @ mask, counts)
    return levels, node


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


def _leaves(levels: list[Split], columns: np.ndarray, t: int) -> np.ndarray:
    """(N',) the leaf of tree t that each row of new codes (D, N') ends in."""
    leaf = np.zeros(columns.shape[1], np.uint8)
    for split in levels:
        leaf = _next_node(leaf, columns, split.code, split.threshold, t)
    return leaf


def _newton_steps(
    leaf: np.ndarray, y: np.ndarray, residual: np.ndarray, kinds: int
) -> np.ndarray:
    """(LEAVES,) Friedman's Newton step of each leaf of one tree.

    (K - 1) / K mean r / mean p (1 - p) over the leaf's rows, r = y - p; the factor
    (K - 1) / K is for K > 2 only.
    """
    factor = (kinds - 1) / kinds if kinds > 2 else 1.0
    order = np.argsort(leaf, kind="stable")
    p = (y - residual)[order]
    parts = residual[order], p * (1 - p)
    counts = np.bincount(leaf, minlength=LEAVES)
    steps = np.zeros(LEAVES)
    for at, (end, count) in enumerate(zip(np.cumsum(counts), counts, strict=True)):
        if count:
            top, bottom = (part[end - count : end].sum() / count for part in parts)
            steps[at] = top * factor / bottom if bottom > 1e-150 else 0.0
    return steps
