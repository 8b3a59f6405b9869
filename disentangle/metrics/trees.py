"""Classifiers whose feature importances DCI reads.

The importance of a code is the impurity decrease of all splits on it, over all trees,
normalised to sum 1. It must come from trees that may split on every code: a random
forest that draws sqrt(D) codes a split gives a perfect code D = 0.59.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.discretize import cut_points

ROUNDS = 100
DEPTH = 3
LEAVES = 2**DEPTH
LEARNING_RATE = 0.1
# Enough to split 10,000 rows anywhere, as the reference does. With 1,023 the fits
# take a third of the time, but D of noisy codes falls by up to 0.03.
CUTS = 16_383
# scikit-learn's trees take values this close as equal; both backends do.
SAME = 1e-7
# Column orders that the fast backend's rounds take in turn; even.
ORDERS = 10


class Fit(NamedTuple):
    """One fitted classifier: importance (D,) float64, accuracies in [0, 1]."""

    importance: np.ndarray
    train_accuracy: float
    test_accuracy: float


Fitter = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int], Fit]
"""fit(codes (N, D), classes (N,) 0..K-1, test codes, test classes, seed) -> Fit."""


class Backend(NamedTuple):
    """A way to fit, and what it says about itself in a report."""

    fit: Fitter
    says: str


def gradient_boosting(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    seed: int,
) -> Fit:
    """scikit-learn's GradientBoostingClassifier with its defaults, seeded.

    The defaults are those that Locatello et al. 2019 used: 100 rounds of one
    depth-3 tree a class, learning rate 0.1, exact splits. The seed only breaks ties.
    A code that varies by less than 1e-7 counts as constant.

    Args:
      codes: (N, D) float.
      classes: (N,) int, 0 to K - 1 with K >= 2.
      test_codes: (N', D) float.
      test_classes: (N',) int; -1 never counts as right.
      seed: of the tie-breaking.

    Returns:
      The Fit.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(random_state=seed).fit(codes, classes)
    return Fit(
        np.abs(model.feature_importances_).astype(np.float64),
        float(np.mean(model.predict(codes) == classes)),
        float(np.mean(model.predict(test_codes) == test_classes)),
    )


def histogram_boosting(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    seed: int,
) -> Fit:
    """The same boosting (Friedman 2001, Algorithm 6) on LightGBM's histogram trees.

    LightGBM's own classifier chooses splits by second-order gain, which moves D by
    several hundredths. Here it only grows the trees, as regressions of the residuals
    y - p with unit Hessian: their gain is then the impurity decrease that
    scikit-learn maximises and sums up. Leaf values are Friedman's Newton step,
    taken here. Two codes that split equally well must share the importance:
    scikit-learn draws one, LightGBM takes the first column, so the rounds change
    the order of the columns. Splits are between any two values, as there; with
    more than CUTS of them, at CUTS places.

    Args:
      codes: (N, D) float.
      classes: (N,) int, 0 to K - 1 with K >= 2.
      test_codes: (N', D) float.
      test_classes: (N',) int; -1 never counts as right.
      seed: of the column orders, which break ties.

    Returns:
      The Fit.

    Raises:
      UserError: LightGBM is not installed.
    """
    cuts = [cut_points(column, CUTS, SAME) for column in codes.astype(np.float32).T]
    if not any(len(cut) for cut in cuts):
        return _most_common(classes, test_classes, codes.shape[1])
    binned = np.concatenate([_bin(codes, cuts), _bin(test_codes, cuts)])
    rows, kinds = len(codes), int(classes.max()) + 1
    target, scores = _start(classes, kinds)
    scores = np.tile(scores, (len(binned), 1))
    growers = [
        _Grower(binned[:, order], order, rows, target.shape[1], seed)
        for order in _orders(codes.shape[1], seed)
    ]
    for round_ in range(ROUNDS):
        p = _probabilities(scores[:rows])
        leaves = growers[round_ % ORDERS].grow(target - p)
        if leaves is None:
            break
        scores += LEARNING_RATE * _newton_leaves(leaves, target - p, p, kinds)
    gain = np.sum([grower.gain() for grower in growers], axis=0)
    guesses = scores.argmax(axis=1) if kinds > 2 else scores[:, 0] > 0
    return Fit(
        gain / gain.sum() if gain.sum() > 0 else np.zeros(codes.shape[1]),
        float(np.mean(guesses[:rows] == classes)),
        float(np.mean(guesses[rows:] == test_classes)),
    )


def _most_common(classes: np.ndarray, test_classes: np.ndarray, codes: int) -> Fit:
    """The Fit on constant codes: always the most common class."""
    guess = np.bincount(classes).argmax()
    right = np.mean(classes == guess), np.mean(test_classes == guess)
    return Fit(np.zeros(codes), float(right[0]), float(right[1]))


def _bin(codes: np.ndarray, cuts: list[np.ndarray]) -> np.ndarray:
    """Bin numbers (N, D) float32, which LightGBM then takes as they are."""
    columns = zip(cuts, codes.astype(np.float32).T, strict=True)
    binned = [np.searchsorted(cut, column) for cut, column in columns]
    return np.stack(binned, axis=1).astype(np.float32)


def _start(classes: np.ndarray, kinds: int) -> tuple[np.ndarray, np.ndarray]:
    """One-hot targets (N, T) and the prior's scores (T,); T = K, or 1 for K = 2."""
    target = (classes[:, None] == np.arange(kinds)).astype(np.float64)
    prior = target.mean(axis=0)
    if kinds == 2:
        return target[:, 1:], np.log(prior[1:] / prior[:1])
    return target, np.log(prior)


def _probabilities(scores: np.ndarray) -> np.ndarray:
    """p(class) of scores (N, T): softmax, or the logistic function if T = 1."""
    if scores.shape[1] == 1:
        return 0.5 * (1.0 + np.tanh(0.5 * scores))
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def _newton_leaves(
    leaves: np.ndarray, residual: np.ndarray, p: np.ndarray, kinds: int
) -> np.ndarray:
    """Each row's leaf value: (K - 1) / K sum r / sum p (1 - p) over training rows.

    Args:
      leaves: (N + N', T) int leaf numbers, training rows first.
      residual: (N, T) y - p.
      p: (N, T).
      kinds: K; the factor (K - 1) / K is for K > 2 only.

    Returns:
      (N + N', T).
    """
    trees = leaves.shape[1]
    slot = leaves + LEAVES * np.arange(trees)
    train = slot[: len(p)].ravel()
    top = np.bincount(train, residual.ravel(), LEAVES * trees)
    bottom = np.bincount(train, (p * (1.0 - p)).ravel(), LEAVES * trees)
    step = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 1e-150)
    if kinds > 2:
        step *= (kinds - 1) / kinds
    return step[slot]


def _orders(codes: int, seed: int) -> list[np.ndarray]:
    """ORDERS orders of the columns: drawn ones, each followed by its reverse."""
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(codes) for _ in range(ORDERS // 2)]
    return [order for one in drawn for order in (one, one[::-1])]


class _Grower:
    """Grows LightGBM trees on residuals, with the columns in one order."""

    def __init__(
        self, binned: np.ndarray, order: np.ndarray, rows: int, trees: int, seed: int
    ) -> None:
        """Takes all rows (N + N', D) in that order; the first `rows` train."""
        try:
            import lightgbm
        except (ImportError, OSError) as error:  # OSError: no OpenMP runtime
            raise UserError(
                "backend 'fast' needs LightGBM: install lightgbm, or use backend "
                "'reference'"
            ) from error
        params = {
            "objective": "none",
            "num_class": trees,
            "max_depth": DEPTH,
            "num_leaves": LEAVES,
            "learning_rate": 1.0,
            "min_data_in_leaf": 1,
            "min_data_in_bin": 1,
            "max_bin": CUTS + 2,
            "enable_bundle": False,
            "use_missing": False,
            "feature_pre_filter": False,
            "boost_from_average": False,
            "deterministic": True,
            "force_col_wise": True,
            # A thread a factor: more would wait for each other at every small tree.
            "num_threads": 1,
            "seed": seed % 2**31,
            "verbose": -1,
        }
        data = lightgbm.Dataset(binned[:rows], np.zeros(rows), params=params)
        self._booster = lightgbm.Booster(params, data)
        self._binned, self._order, self._trees = binned, order, trees
        self._rounds = 0

    def grow(self, residual: np.ndarray) -> np.ndarray | None:
        """Fits one tree a column of (N, T); leaf numbers (N + N', T), None if none."""
        gradient = -residual.astype(np.float32)
        if self._trees == 1:
            gradient = gradient[:, 0]
        hessian = np.ones_like(gradient)
        if self._booster.update(fobj=lambda scores, data: (gradient, hessian)):
            return None
        leaves = self._booster.predict(
            self._binned, pred_leaf=True, start_iteration=self._rounds,
            num_iteration=1, num_threads=1,
        )  # fmt: skip
        self._rounds += 1
        return np.asarray(leaves, np.int64).reshape(-1, self._trees)

    def gain(self) -> np.ndarray:
        """Impurity decrease of all splits by code, (D,), in the codes' own order."""
        total = np.zeros(len(self._order))
        total[self._order] = self._booster.feature_importance("gain")
        return total


BACKENDS: dict[str, Backend] = {
    "reference": Backend(
        gradient_boosting,
        "scikit-learn GradientBoostingClassifier, defaults, mean impurity decrease",
    ),
    "fast": Backend(
        histogram_boosting,
        f"the same boosting on LightGBM trees, at most {CUTS:,} cuts a code",
    ),
}
