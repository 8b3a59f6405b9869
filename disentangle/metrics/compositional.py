"""Prediction of factors in combinations that were never seen (compositional, OOD)."""

from typing import NamedTuple

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.bagging import bagged, likeliest
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.dci_regression import Rows, standardise
from disentangle.metrics.labels import by_appearance, by_content
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import Protocols
from disentangle.metrics.refusals import few_rows, refusals

PREDICTORS = ("linear", "forest")
# Of the covariance within classes: keeps it invertible where codes are exact.
SHRINKAGE = 1e-6
NO_PAIR = (
    "compositional has no combination of two factors' values that it can leave out of "
    "the training rows and find among the test rows: give more rows, or fewer values"
)


class Accuracy(NamedTuple):
    """Of one factor and partner: on seen combinations and on those left out."""

    seen: float
    left_out: float


def compositional(
    table: Representation, settings: Settings, *, trees: int = 10
) -> Result:
    r"""Test accuracy on combinations of two factors' values that training left out.

    $$
    \frac{1}{F} \sum_j \frac{1}{F - 1} \sum_{k \neq j} \mathrm{acc}\big(y_j \mid z; \,
    (y_j, y_k) \text{ never seen together}\big)
    $$

    For each factor j and each partner k, the combinations of the first half of j's
    values and the first half of k's are left out: every value of both stays in the
    training rows, its combinations with the other half too, but not these together (a
    quarter of all combinations where sizes are even). A classifier of j from all codes
    learns the training rows that remain and is tested on the test rows left out, and
    on the test rows of the kind it has seen. Codes in which factors are apart lose
    nothing; where the two are mixed, the corner that was never seen must be
    extrapolated. This is the classification of unseen combinations of Mahon et al.
    2023 and Montero et al. 2021 (recombination to range), from codes of a table; the
    halves, the predictors and the mean over all pairs are ours, so that numbers are
    comparable with no published ones.

    Halves are by first appearance in the training rows, which are in random order:
    the score knows neither names nor order of values. "linear" is linear discriminant
    analysis, "forest" a random forest whose splits may use every code.

    Args:
      table: training rows to fit, test rows to measure; two factors or more.
      settings: reads `seed`, `threads`, `progress`.
      trees: of a forest.

    Returns:
      for each predictor p the parts `p`, accuracy on what was left out, and `p_gap`,
      accuracy on what was seen less that, above -1, lower is better; means over
      factors of the mean over partners, in [0, 1]. Per factor the same. A pair of
      which no test row was left out, or no training row remains, does not count, nor
      a factor without a pair (0); if no pair counts there are no parts, and `why_not`.

    Raises:
      UserError: no test rows, or one factor only.
    """
    table.need_test_rows("compositional")
    if table.factors.shape[1] < 2:
        raise UserError(
            "compositional leaves out combinations of two factors, but factors has "
            "one column"
        )
    pairs = _pairs(table)
    pieces = [(name, j, k) for name in PREDICTORS[::-1] for j, k in pairs]

    rows = standardise(table)

    def accuracy(piece: tuple[str, int, int]) -> Accuracy:
        return _accuracy(table, rows, piece, trees, settings.seed)

    with few_rows():
        found = in_threads(accuracy, pieces, settings, "compositional")
    done = dict(zip(pieces, found, strict=True))
    factors = range(table.factors.shape[1])
    partners = [[k for i, k in pairs if i == j] for j in factors]
    if not pairs:
        return Result({}, why_not=NO_PAIR)
    parts, per_factor = {}, {}
    for part, values in _means(partners, done).items():
        per_factor[part] = tuple(float(value) for value in values)
        parts[part] = float(np.mean(values[[len(ks) > 0 for ks in partners]]))
    return Result(
        values=parts,
        per_factor=per_factor,
        metadata={
            "definition": "test accuracy on combinations of two factors' values that "
            "training left out; gap: accuracy on seen ones less that; means over "
            "factors and partners",
            "estimator": "linear: scikit-learn LinearDiscriminantAnalysis; forest: "
            f"random forest of {trees} trees, every code at every split",
            "pairs": len(pairs),
        },
    )


def left_out(table: Representation, j: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Which training rows (N,) and test rows (N',) are of a combination left out."""
    train, test = np.ones(len(table.codes), bool), np.ones(len(table.test_codes), bool)
    for column in (j, k):
        values = table.factors[:, column]
        half = len(np.unique(values)) // 2
        place = by_appearance(values, table.test_factors[:, column])
        train &= by_appearance(values, values) < half
        test &= (place >= 0) & (place < half)
    return train, test


def _pairs(table: Representation) -> list[tuple[int, int]]:
    """(factor, partner) where rows can be fitted and tested; large factors first."""
    kept = []
    for j, k in np.ndindex(2 * (table.factors.shape[1],)):
        if j == k:
            continue
        train, test = left_out(table, j, k)
        varies = not train.all() and np.ptp(table.factors[~train, j]) > 0
        if test.any() and not test.all() and varies:
            kept.append((int(j), int(k)))
    return sorted(kept, key=lambda pair: -len(np.unique(table.factors[:, pair[0]])))


def _accuracy(
    table: Representation,
    rows: Rows,
    piece: tuple[str, int, int],
    trees: int,
    seed: int,
) -> Accuracy:
    """Accuracies of factor j with partner k."""
    name, j, k = piece
    train, test = left_out(table, j, k)
    codes = rows.codes[~train]
    alive = np.ptp(codes, axis=0) > 0
    values = by_appearance(table.factors[:, j], table.factors[:, j])[~train]
    truth = by_appearance(table.factors[:, j], table.test_factors[:, j])
    test_codes = rows.test_codes[:, alive]
    guesses = np.full(len(truth), np.bincount(values).argmax())
    if alive.any() and len(values) > len(np.unique(values)):
        fit = _linear if name == "linear" else _forest
        guesses = fit(codes[:, alive], values, test_codes, trees, seed)
    right = guesses == truth
    return Accuracy(float(np.mean(right[~test])), float(np.mean(right[test])))


def _linear(
    codes: np.ndarray, values: np.ndarray, test_codes: np.ndarray, _: int, __: int
) -> np.ndarray:
    """Guesses (N',) of linear discriminant analysis."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE)
    with refusals("scikit-learn's LinearDiscriminantAnalysis"):
        guesses: np.ndarray = model.fit(codes, values).predict(test_codes)
    return guesses


def _forest(
    codes: np.ndarray, values: np.ndarray, test_codes: np.ndarray, trees: int, seed: int
) -> np.ndarray:
    """Guesses (N',) of a random forest, on codes in an order of their own."""
    from sklearn.tree import DecisionTreeClassifier

    order = by_content(codes)
    bag = bagged(
        lambda drawn: DecisionTreeClassifier(random_state=drawn),
        codes[:, order],
        values,
        trees=trees,
        seed=seed,
    )
    return likeliest(bag, test_codes[:, order])


def _means(
    partners: list[list[int]], done: dict[tuple[str, int, int], Accuracy]
) -> dict[str, np.ndarray]:
    """part -> each factor's mean over its partners (F,), 0 without any."""
    means: dict[str, np.ndarray] = {}
    for name in PREDICTORS:
        found = np.zeros((len(partners), 2))
        for j, ks in enumerate(partners):
            if ks:
                found[j] = np.mean([done[name, j, k] for k in ks], axis=0)
        means |= {name: found[:, 1], f"{name}_gap": found[:, 0] - found[:, 1]}
    return means


METRIC = Metric(
    compositional,
    {
        "linear": Part(
            "unseen linear",
            "Accuracy, 0 to 1, of a linear classifier on combinations of two factors' "
            "values that it was not fitted to.",
        ),
        "linear_gap": Part(
            "gap linear",
            "Its accuracy on combinations it has seen less that, −1 to 1.",
            "lower",
        ),
        "forest": Part("unseen forest", "Accuracy, 0 to 1, of a forest on the same."),
        "forest_gap": Part("gap forest", "The forest's gap, −1 to 1.", "lower"),
    },
    protocols=Protocols(("own",), "a common task with many forms"),
)
