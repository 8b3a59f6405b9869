"""Random forests of every depth from one, for loss-capacity curves."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from disentangle.metrics.refusals import refusals


class Curve(NamedTuple):
    """One factor's forests, Q depths: accuracies (Q,) and importances (Q, D)."""

    train: np.ndarray
    test: np.ndarray
    importance: np.ndarray


def forest_curve(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    depths: Sequence[int],
    *,
    trees: int,
    max_features: str | float | None,
    seed: int,
) -> Curve:
    """Random forests (Breiman 2001) of each of `depths`, grown once.

    A tree of depth d is the first d levels of the deeper tree: greedy splits know
    nothing of the limit. So one forest is grown to the largest depth, and the others
    are read from its inner nodes, which hold their class shares. A forest grown for
    its own depth draws other codes per split, and so differs within chance.

    Args:
      codes: (N, D) float.
      classes: (N,) int, 0 to K - 1.
      test_codes: (N', D) float.
      test_classes: (N',) int; -1 never counts as right.
      depths: increasing, positive.
      trees, max_features: as scikit-learn's RandomForestClassifier, by Gini impurity.
      seed: of bootstrap and draws.

    Returns:
      The Curve. The importance of a code is the mean over trees of its share of the
      impurity decrease; rows sum to 1, or to 0 where no tree splits.
    """
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(seed)
    kinds = int(classes.max()) + 1
    shares = [np.zeros((len(depths), len(c), kinds)) for c in (codes, test_codes)]
    importance = np.zeros((len(depths), codes.shape[1]))
    for _ in range(trees):
        weight = np.bincount(
            rng.integers(0, len(codes), len(codes)), minlength=len(codes)
        )
        model = DecisionTreeClassifier(
            max_depth=max(depths),
            max_features=max_features,
            random_state=int(rng.integers(2**31)),
        )
        with refusals("scikit-learn's DecisionTreeClassifier"):
            model.fit(codes, classes, sample_weight=weight.astype(np.float64))
        drawn = model.classes_  # a bootstrap may miss a class
        for share, some in zip(shares, (codes, test_codes), strict=True):
            if len(some):
                add_shares(share, model.tree_, model.apply(some), depths, drawn)
        importance += tree_importance(model.tree_, depths, codes.shape[1])
    train, test = (
        np.mean(share.argmax(axis=2) == c, axis=1) if len(c) else np.zeros(len(depths))
        for share, c in zip(shares, (classes, test_classes), strict=True)
    )
    total = importance.sum(axis=1, keepdims=True)
    return Curve(train, test, importance / np.where(total > 0, total, 1.0))


def node_levels(tree: Any) -> tuple[np.ndarray, np.ndarray]:
    """Parent and depth of every node of a scikit-learn tree; the root is its own."""
    parent = np.zeros(tree.node_count, np.int64)
    for children in (tree.children_left, tree.children_right):
        inner = np.flatnonzero(children >= 0)
        parent[children[inner]] = inner
    depth = np.zeros(tree.node_count, np.int64)
    at = parent.copy()
    moved = np.arange(tree.node_count) > 0
    while moved.any():
        depth += moved
        moved, at = moved & (at > 0), parent[at]
    return parent, depth


def add_shares(
    share: np.ndarray,
    tree: Any,
    leaves: np.ndarray,
    depths: Sequence[int],
    drawn: np.ndarray,
) -> None:
    """Adds to share (Q, N, K) the class shares of the rows' nodes at each depth.

    Args:
      share: added to in place, columns `drawn`.
      tree: a scikit-learn tree.
      leaves: (N,) the leaf of each row.
      depths: increasing.
      drawn: (K',) the classes the tree knows.
    """
    parent, depth = node_levels(tree)
    known = tree.value[:, 0]
    known = known / known.sum(axis=1, keepdims=True)
    node, wanted = leaves, list(depths)
    for level in range(int(depth.max()), 0, -1):
        while wanted and wanted[-1] >= level:
            share[len(wanted) - 1][:, drawn] += known[node]
            wanted.pop()
        node = np.where(depth[node] == level, parent[node], node)
    for q in range(len(wanted)):
        share[q][:, drawn] += known[node]


def tree_importance(tree: Any, depths: Sequence[int], codes: int) -> np.ndarray:
    """(Q, D): each code's share of the impurity decrease of splits above a depth."""
    left, right = tree.children_left, tree.children_right
    inner = np.flatnonzero(left >= 0)
    impurity = tree.weighted_n_node_samples * tree.impurity
    decrease = impurity[inner] - impurity[left[inner]] - impurity[right[inner]]
    _, depth = node_levels(tree)
    rows = []
    for limit in depths:
        above = depth[inner] < limit
        row = np.bincount(tree.feature[inner[above]], decrease[above], codes)
        rows.append(row / row.sum() if row.sum() > 0 else row)
    return np.stack(rows)
