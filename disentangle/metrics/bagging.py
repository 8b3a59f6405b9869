"""The trees of scikit-learn's random forests, grown one after the other.

scikit-learn's own forests set the process's warning filters while they fit, which
other threads see; these fit in threads. Same trees from the same seed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from disentangle.metrics.refusals import refusals

LARGEST_SEED = np.iinfo(np.int32).max


class Bag(NamedTuple):
    """Fitted trees, and the importance (D,) of each code, of sum 1 or 0."""

    trees: list[Any]
    importance: np.ndarray


def bagged(
    tree: Callable[[int], Any],
    codes: np.ndarray,
    target: np.ndarray,
    *,
    trees: int,
    seed: int,
) -> Bag:
    """Fits trees to rows drawn with replacement (Breiman 2001).

    Args:
      tree: makes an unfitted scikit-learn tree from its random_state.
      codes: (N, D) float.
      target: (N,) numbers or classes.
      trees: how many.
      seed: what random_state is to scikit-learn's forest.
    """
    narrow = codes.astype(np.float32)
    fitted = []
    for drawn in np.random.RandomState(seed).randint(LARGEST_SEED, size=trees):
        rows = np.random.RandomState(drawn).randint(
            0, len(codes), len(codes), dtype=np.int32
        )
        weight = np.bincount(rows, minlength=len(codes)).astype(np.float64)
        with refusals("scikit-learn's decision tree"):
            fitted.append(tree(int(drawn)).fit(narrow, target, sample_weight=weight))
    total = np.sum(
        [one.feature_importances_ for one in fitted if one.tree_.node_count > 1]
        or [np.zeros(codes.shape[1])],
        axis=0,
    )
    return Bag(fitted, total / total.sum() if total.sum() > 0 else total)


def mean_prediction(bag: Bag, codes: np.ndarray) -> np.ndarray:
    """The trees' mean prediction (N',) of codes (N', D)."""
    narrow = codes.astype(np.float32)
    found: np.ndarray = np.mean([one.predict(narrow) for one in bag.trees], axis=0)
    return found


def likeliest(bag: Bag, codes: np.ndarray) -> np.ndarray:
    """The class (N',) with the largest mean share over the trees; classes 0 to K - 1.

    A drawn sample may lack a class, which that tree then gives no share.
    """
    narrow = codes.astype(np.float32)
    kinds = 1 + max(int(one.classes_[-1]) for one in bag.trees)
    shares = np.zeros((len(codes), kinds))
    for one in bag.trees:
        shares[:, one.classes_] += one.predict_proba(narrow)
    found: np.ndarray = shares.argmax(axis=1)
    return found
