"""Which code dimensions tell of a factor, from few labelled images.

R_ij is the importance (impurity decrease) of dimension i in a random forest that
classifies factor j, as DCI reads it (Eastwood & Williams 2018). Every split may use
every dimension: scikit-learn's default of sqrt(D) gives a perfect code D = 0.59.
"""

import numpy as np

from disentangle.metrics.refusals import few_rows, refusals

TREES = 50


def forest_importance(
    codes: np.ndarray, factors: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """R (D, F) >= 0; columns sum to 1, or to 0 where nothing tells of the factor.

    Args:
      codes: (n, D) finite.
      factors: (n, F) int; a factor with one value here has a column of 0.
      seed: of the forests.
    """
    from sklearn.ensemble import RandomForestClassifier

    found = np.zeros((codes.shape[1], factors.shape[1]))
    for j, classes in enumerate(factors.T):
        if len(np.unique(classes)) < 2:
            continue
        with refusals("scikit-learn's RandomForestClassifier"), few_rows():
            forest = RandomForestClassifier(TREES, max_features=None, random_state=seed)
            found[:, j] = forest.fit(codes, classes).feature_importances_
    return found


def dimensions(importance: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
    """The dimensions of each factor, those that it is the most important for.

    A factor that is so for none has the dimension that tells most of it.

    Args:
      importance: R (D, F).

    Returns:
      (F arrays of dimensions, ascending; the factors that had none of their own).
    """
    owner = np.where(importance.max(1) > 0, importance.argmax(1), -1)
    found, without = [], []
    for j in range(importance.shape[1]):
        own = np.flatnonzero(owner == j)
        if not len(own):
            without.append(j)
            own = importance[:, [j]].argmax(0)
        found.append(own)
    return found, without
