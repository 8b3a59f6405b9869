"""Gradient-boosted classification trees (Friedman 2001, Algorithm 6), exactly.

The trees that scikit-learn's GradientBoostingClassifier grows with its defaults, on
codes that are sorted once for all trees (`tree_kernels`, which imports numba).
"""

from typing import Any, NamedTuple

import numpy as np

from disentangle.metrics.tree_kernels import DEPTH, compiled, grow_tree

ROUNDS = 100
LEARNING_RATE = 0.1
SEEDS = 2**31 - 1
NODES = 2 ** (DEPTH + 1) - 1


class Boosted(NamedTuple):
    """importance (D,) float64; classes of the training rows and the test rows."""

    importance: np.ndarray
    guesses: np.ndarray
    test_guesses: np.ndarray


class Sorted(NamedTuple):
    """D codes of N rows, and in the order of each code.

    Attributes:
      values: (D, N) float32 by row.
      order: (D, N) int32, the rows by value.
      ranked: (D, N) float32, the values in that order.
      alike: (N,) int32, the same number for rows that are equal in every code.
    """

    values: np.ndarray
    order: np.ndarray
    ranked: np.ndarray
    alike: np.ndarray


class Tree(NamedTuple):
    """A least-squares tree: its nodes from the root, left children first.

    The left child of a node is the next one. Beyond the last node nothing is meant.

    Attributes:
      code: (NODES,) int64, the code that is split; -1 for a leaf.
      threshold: (NODES,) float64; larger values go right.
      right: (NODES,) int64, the right child.
      gain: (NODES,) float64, the decrease of the sum of squared deviations.
      leaf: (N,) int64, the leaf of each row.
    """

    code: np.ndarray
    threshold: np.ndarray
    right: np.ndarray
    gain: np.ndarray
    leaf: np.ndarray


class Work(NamedTuple):
    """Room that growing a tree writes over; a node has a range of places in all.

    Attributes:
      order, ranked: (D, N), as in `Sorted`, but within each node.
      rows, value: (N,) the rows as the last visited code sorted them; its values.
      spare: (N,) int32, rows on their way.
      right: (N,) bool, whether a row of the node goes right.
    """

    order: np.ndarray
    ranked: np.ndarray
    rows: np.ndarray
    value: np.ndarray
    spare: np.ndarray
    right: np.ndarray


class Drawn(NamedTuple):
    """(D,) the codes shuffled, (D,) constant ones first, (1,) uint32 what was drawn."""

    shuffled: np.ndarray
    constant: np.ndarray
    state: np.ndarray


def boost(
    codes: np.ndarray, classes: np.ndarray, test_codes: np.ndarray, seed: int
) -> Boosted:
    """Boosts ROUNDS rounds of one tree per class (one in all for two classes).

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
    table = presort(codes)
    test_values = np.ascontiguousarray(test_codes.T, np.float32)
    rows, kinds = len(codes), int(classes.max()) + 1
    loss = _loss(kinds)
    one_hot = _one_hot(classes, kinds)
    truth = classes.astype(np.float64)
    scores = np.tile(_start(loss, classes), (1, rows + len(test_codes)))
    work = room(table)
    gains = []
    for _ in range(ROUNDS):
        now = np.ascontiguousarray(scores[:, :rows].T)
        residual = -loss.gradient(truth, now).reshape(rows, -1).T
        for t, y in enumerate(one_hot):
            target = np.ascontiguousarray(residual[t])
            tree = grow(table, target, rng.randint(0, SEEDS), work)
            steps = LEARNING_RATE * _newton_steps(tree.leaf, y, target, kinds)
            at = np.append(tree.leaf, leaves(tree, test_values))
            scores[t] += steps[at]
            gains.append(_importance(tree, table))
    guesses = scores.argmax(axis=0) if kinds > 2 else (scores[0] >= 0).astype(int)
    gain = np.mean([one for one in gains if one is not None] or [np.zeros(1)], axis=0)
    importance = gain / gain.sum() if gain.sum() > 0 else np.zeros(codes.shape[1])
    return Boosted(importance, guesses[:rows], guesses[rows:])


def presort(codes: np.ndarray) -> Sorted:
    """Sorts every code of (N, D), taken as float32."""
    values = np.ascontiguousarray(codes.T, np.float32)
    order = np.argsort(values, axis=1, kind="stable").astype(np.int32)
    bits = np.ascontiguousarray(codes, np.float32).view(np.uint32)
    alike = np.unique(bits, axis=0, return_inverse=True)[1].reshape(-1)
    ranked = np.take_along_axis(values, order, axis=1)
    return Sorted(values, order, ranked, alike.astype(np.int32))


def grow(
    table: Sorted, target: np.ndarray, seed: int, work: Work | None = None
) -> Tree:
    """Grows a tree of DEPTH levels, the one that scikit-learn grows.

    Args:
      table: the codes.
      target: (N,) float64.
      seed: of the order in which codes are visited, 0 to SEEDS - 1.
      work: room to write over, for many trees on one table.

    Returns:
      The Tree.
    """
    work = work or room(table)
    for literal in (False, True):
        tree, drawn = new_tree(len(target)), drawn_by(seed, len(table.values))
        if not grow_tree(table, target, drawn, work, tree, literal):
            break
    return tree


def new_tree(rows: int) -> Tree:
    """A Tree to be filled."""
    return Tree(
        code=np.full(NODES, -1),
        threshold=np.full(NODES, np.inf),
        right=np.zeros(NODES, np.int64),
        gain=np.zeros(NODES),
        leaf=np.zeros(rows, np.int64),
    )


def drawn_by(seed: int, width: int) -> Drawn:
    """The codes before any was drawn."""
    state = np.array([seed or 1], np.uint32)
    return Drawn(np.arange(width), np.zeros(width, np.int64), state)


def leaves(tree: Tree, values: np.ndarray) -> np.ndarray:
    """(N',) the leaf that each row of new codes (D, N') float32 ends in."""
    found = np.zeros(values.shape[1], np.int64)
    _find_leaves(tree, values, found)
    return found


@compiled
def _find_leaves(tree: Tree, values: np.ndarray, leaf: np.ndarray) -> None:
    """Fills in the leaf of each row."""
    for row in range(len(leaf)):
        node = 0
        while tree.code[node] >= 0:
            goes_left = values[tree.code[node], row] <= tree.threshold[node]
            node = node + 1 if goes_left else tree.right[node]
        leaf[row] = node


def room(table: Sorted) -> Work:
    """Room for trees on this table."""
    rows = table.order.shape[1]
    return Work(
        np.empty_like(table.order),
        np.empty_like(table.ranked),
        np.empty(rows, np.int32),
        np.empty(rows, np.float32),
        np.empty(rows, np.int32),
        np.empty(rows, np.bool_),
    )


def _loss(kinds: int) -> Any:
    """scikit-learn's loss of K classes: its rounding is part of the trees."""
    from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss

    return HalfMultinomialLoss(n_classes=kinds) if kinds > 2 else HalfBinomialLoss()


def _one_hot(classes: np.ndarray, kinds: int) -> np.ndarray:
    """(T, N) float64, one row per tree of a round: a class, or class 1 of two."""
    trees = np.arange(kinds) if kinds > 2 else np.ones(1)
    return (trees[:, None] == classes).astype(np.float64)


def _start(loss: Any, classes: np.ndarray) -> np.ndarray:
    """(T, 1) scores of the classes' shares."""
    shares = np.bincount(classes) / len(classes)
    shares = shares[None] if loss.is_multiclass else shares[1:]
    return loss.link.link(shares).reshape(-1, 1)


def _importance(tree: Tree, table: Sorted) -> np.ndarray | None:
    """(D,) the tree's gain per row by each code; None without a split."""
    if tree.code[0] < 0:
        return None
    inner = tree.code >= 0
    width, rows = table.values.shape
    return np.bincount(tree.code[inner], tree.gain[inner], width) / rows


def _newton_steps(
    leaf: np.ndarray, y: np.ndarray, residual: np.ndarray, kinds: int
) -> np.ndarray:
    """(NODES,) Friedman's Newton step of each leaf of one tree.

    (K - 1) / K mean r / mean p (1 - p) over the leaf's rows, r = y - p; the factor
    (K - 1) / K is for K > 2 only.
    """
    factor = (kinds - 1) / kinds if kinds > 2 else 1.0
    order = np.argsort(leaf, kind="stable")
    p = (y - residual)[order]
    parts = residual[order], p * (1 - p)
    counts = np.bincount(leaf, minlength=NODES)
    steps = np.zeros(NODES)
    for at, (end, count) in enumerate(zip(np.cumsum(counts), counts, strict=True)):
        if count:
            top, bottom = (part[end - count : end].sum() / count for part in parts)
            steps[at] = top * factor / bottom if bottom > 1e-150 else 0.0
    return steps
