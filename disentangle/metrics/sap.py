"""Separated attribute predictability (Kumar et al. 2018), and as Locatello et al. 2019
compute it."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mig import gap
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.refusals import few_rows, refusals

C = 0.01


def sap(
    table: Representation, settings: Settings, *, continuous_factors: bool = False
) -> Result:
    r"""SAP = mean_j (S(1)j - S(2)j) over the factors j.

    $$
    \mathrm{SAP} = \frac{1}{F} \sum_j (S_{(1)j} - S_{(2)j})
    $$

    S_ij says how well code i alone predicts factor j; S(1)j and S(2)j are the two
    largest of column j. A categorical latent is one code, the number of its most
    probable value.

    "locatello": S_ij is the test accuracy of a linear support vector classifier,
    one class against the rest, C = 0.01, classes weighted by 1 / frequency, on the
    code as it is. The penalty makes it depend on the code's scale, and lines cannot
    single out a middle value, so that good codes score far below 1. The solver is
    scikit-learn's own choice, since 1.5 one that draws nothing; the one Locatello et
    al. ran stops early on codes of large scale, 0.002 of SAP apart by seed.

    "paper": S_ij is the balanced accuracy, on the test rows, of the best cut of the
    code's line into at most K intervals that each name one of the K values (Kumar
    et al. 2018, Section 3: thresholds fitted on the test rows themselves). It
    depends on the order of the codes' values only.

    Args:
      table: at least two codes.
      settings: reads `protocol`, `seed`, `threads`, `progress`.
      continuous_factors: factor values are quantities; S_ij is then the squared
        correlation of code and factor over the training rows, 0 where the code's
        variance is at most 1e-12 (both protocols).

    Returns:
      part `score` in [0, 1]; per factor `score`; array `predictability` S (D, F). A
      constant code predicts one value for all.

    Raises:
      UserError: one code only, or no test rows where they are needed.
    """
    table = table.by_latent()
    if table.codes.shape[1] < 2:
        raise UserError(
            "sap compares a factor's two best codes, but codes has one column"
        )
    if continuous_factors:
        found, says = _squared_correlations(table), "squared correlation"
    else:
        table.need_test_rows("sap")
        form = {"locatello": _accuracies, "paper": _balanced_accuracies}
        found = form[settings.protocol](table, settings)
        says = {
            "locatello": f"test accuracy of scikit-learn LinearSVC(C={C}, "
            "class_weight='balanced') on one unscaled code",
            "paper": "balanced accuracy of the best thresholds on the test rows",
        }[settings.protocol]
    gaps = gap(found)
    return Result(
        values={"score": float(np.mean(gaps))},
        per_factor={"score": tuple(gaps.tolist())},
        arrays={"predictability": found},
        metadata={
            "definition": "mean over factors of the gap between the two codes that "
            "predict it best",
            "estimator": says,
        },
    )


def _accuracies(table: Representation, settings: Settings) -> np.ndarray:
    """Test accuracies (D, F) of one linear classifier per code and factor."""
    from sklearn.svm import LinearSVC

    def accuracy(pair: tuple[int, int]) -> float:
        i, j = pair
        model = LinearSVC(C=C, class_weight="balanced", random_state=settings.seed)
        with refusals("scikit-learn's LinearSVC"):
            model.fit(table.codes[:, i : i + 1], table.factors[:, j])
            guesses = model.predict(table.test_codes[:, i : i + 1])
        return float(np.mean(guesses == table.test_factors[:, j]))

    pairs = [
        (i, j) for i, j in np.ndindex(table.codes.shape[1], table.factors.shape[1])
    ]
    with few_rows():
        found = in_threads(accuracy, pairs, settings, "sap")
    return np.reshape(found, (table.codes.shape[1], table.factors.shape[1]))


def _balanced_accuracies(table: Representation, settings: Settings) -> np.ndarray:
    """Balanced accuracies (D, F) of the best thresholds, on the test rows."""
    columns = in_threads(
        lambda j: threshold_accuracy(table.test_codes, table.test_factors[:, j]),
        range(table.factors.shape[1]),
        settings,
        "sap",
    )
    return np.stack(columns, axis=1)


def threshold_accuracy(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The best balanced accuracy of intervals of each code that name a value.

    Exact, by dynamic programming over the rows in the order of the code: best[s, k]
    is the most that the rows so far can score with s thresholds where the last
    interval names k. Rows of equal code cannot be cut apart.

    Args:
      codes: (N, D) float.
      values: (N,) int, K different ones; there are at most K - 1 thresholds.

    Returns:
      (D,) in [1/K, 1]: the mean over values of the share of its rows named right.
    """
    classes, counts = np.unique(values, return_inverse=True, return_counts=True)[1:]
    kinds, places = len(counts), np.arange(codes.shape[1])
    order = np.argsort(codes, axis=0, kind="stable")
    ordered = np.take_along_axis(codes, order, axis=0)
    apart = np.diff(ordered, axis=0, prepend=ordered[:1]) > 0
    worth = 1.0 / (kinds * counts)
    best = np.zeros((len(places), kinds, kinds))
    for new, row in zip(apart, classes[order], strict=True):
        if new.any():
            cut = best[:, :-1].max(axis=2, keepdims=True)
            cut = np.where(new[:, None, None], cut, 0.0)
            np.maximum(best[:, 1:], cut, out=best[:, 1:])
        best[places, :, row] += worth[row][:, None]
    return best.max(axis=(1, 2))


def _squared_correlations(table: Representation) -> np.ndarray:
    """cov(z_i, y_j)^2 / (var z_i var y_j), (D, F)."""
    codes = table.codes - table.codes.mean(axis=0, dtype=np.float64)
    factors = table.factors - table.factors.mean(axis=0)
    rows = len(codes) - 1
    spread = np.sum(codes**2, axis=0)[:, None] / rows
    alive = spread > 1e-12
    top = (codes.T @ factors / rows) ** 2
    bottom = spread * np.sum(factors**2, axis=0) / rows
    return np.where(alive, top / np.where(alive, bottom, 1.0), 0.0)


METRIC = Metric(
    sap,
    {
        "score": Part(
            "SAP",
            "Separated attribute predictability, 0 to 1: how much better the best code "
            "dimension predicts a factor than the second best. Linear classifiers on "
            "one dimension keep it far below 1.",
        )
    },
    protocols=Protocols(BOTH),
)
