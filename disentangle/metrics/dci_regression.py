"""DCI by regression, as Eastwood & Williams 2018 compute it: lasso, random forests.

Codes and factors are standardised by the training rows. A factor is regressed on all
codes; R_ij says how much code i counts for factor j:

    D_i = 1 - H_F(R_i. / sum_j R_ij),   D = sum_i rho_i D_i,  rho_i = R_i. / sum R,
    C_j = 1 - H_D(R_.j / sum_i R_ij),   C = mean_j C_j,
    I_j = sqrt(mean (y_j - f_j(z))^2) / std(y_j),   an error: lower is better.

H_F is the entropy in base F. C is the plain mean over factors and the constants are
those of the authors' published notebook. They regress quantities; so here a factor's
value is the number it has in the table, and for a factor whose values have no order the
scores depend on their names: read the factors one by one there.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from disentangle.metrics.bagging import Bag, bagged, mean_prediction
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.importance import concentration, disentanglement
from disentangle.metrics.labels import by_content
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import Protocols
from disentangle.metrics.refusals import few_rows, refusals

DEPTHS = (2, 4, 8, 12)
# The share of the training rows that decide the depth: 0.1 beside 0.8 that fit.
DEVELOPMENT = 1 / 9


class Rows(NamedTuple):
    """Standardised codes (N, D), (N', D) and factors (N, F), (N', F)."""

    codes: np.ndarray
    factors: np.ndarray
    test_codes: np.ndarray
    test_factors: np.ndarray


class Regression(NamedTuple):
    """One fitted factor: importance (D,) >= 0, NRMSE on training and test rows."""

    importance: np.ndarray
    train_error: float
    test_error: float


def dci_lasso(
    table: Representation, settings: Settings, *, alpha: float = 0.02
) -> Result:
    r"""DCI with R_ij = |coefficient| of the lasso of factor j on the codes.

    $$
    D = \sum_i \rho_i \Big(1 - H_F\big(\tfrac{R_{i\cdot}}{\sum_j R_{ij}}\big)\Big),
    \quad \rho_i = \frac{\sum_j R_{ij}}{\sum_{ij} R_{ij}}, \quad
    C = \frac{1}{F} \sum_j \Big(1 - H_D\big(\tfrac{R_{\cdot j}}{\sum_i R_{ij}}\big)\Big)
    $$

    Args:
      table: training rows to fit, test rows for the error.
      settings: reads `threads`, `progress`.
      alpha: the lasso's penalty, scikit-learn's scale; 0.02 is the authors'.

    Returns:
      parts `disentanglement` and `completeness` in [0, 1], higher is better,
      `informativeness_error_train` and `informativeness_error_test`, >= 0, lower is
      better: 0 is exact, 1 is what the factor's mean predicts. Per factor
      `completeness` and both errors. Arrays `importance` R (D, F) and
      `disentanglement` (D,). Constant codes have D = C = 0.

    Raises:
      UserError: no test rows.
    """
    table.need_test_rows("dci_lasso")
    rows = standardise(table)
    unfinished: list[int] = []

    def fit(j: int) -> Regression:
        from sklearn.linear_model import Lasso

        with refusals("scikit-learn's Lasso"):
            model = Lasso(alpha=alpha).fit(rows.codes, rows.factors[:, j])
            guesses = model.predict(rows.codes), model.predict(rows.test_codes)
        if model.n_iter_ >= model.max_iter:
            unfinished.append(j)
        return _measured(np.abs(model.coef_), guesses, rows, j)

    metadata = {"estimator": f"scikit-learn Lasso(alpha={alpha})", "alpha": alpha}
    found = _scored(fit, rows, settings, "dci_lasso", metadata)
    if unfinished:
        names = ", ".join(repr(table.factor_names[j]) for j in sorted(unfinished))
        found.metadata["note"] = (
            f"the lasso did not converge in 1,000 passes for {names}"
        )
    return found


def dci_forest(
    table: Representation,
    settings: Settings,
    *,
    trees: int = 10,
    depths: tuple[int, ...] = DEPTHS,
) -> Result:
    r"""DCI with R_ij the importance (variance decrease) of code i in a forest for j.

    $$
    D = \sum_i \rho_i \Big(1 - H_F\big(\tfrac{R_{i\cdot}}{\sum_j R_{ij}}\big)\Big),
    \quad \rho_i = \frac{\sum_j R_{ij}}{\sum_{ij} R_{ij}}, \quad
    C = \frac{1}{F} \sum_j \Big(1 - H_D\big(\tfrac{R_{\cdot j}}{\sum_i R_{ij}}\big)\Big)
    $$

    Each factor's forest has the depth among `depths` with the least error on the last
    ninth of the training rows after fitting the others, and is then fitted to all of
    them; the authors likewise choose between depths of 2 and 12 by rows of their own.
    Every split may use every code.

    Args:
      table: training rows to fit, test rows for the error.
      settings: reads `seed`, `threads`, `progress`.
      trees: of a forest; 10 is the authors'.
      depths: to choose from.

    Returns:
      as `dci_lasso`; the columns of `importance` sum to 1, or to 0 without a split.
      `metadata` has the `depths` that were chosen.

    Raises:
      UserError: no test rows.
    """
    table.need_test_rows("dci_forest")
    rows = standardise(table)
    order = by_content(table.codes)
    back = np.argsort(order)
    codes, test_codes = rows.codes[:, order], rows.test_codes[:, order]
    kept = len(codes) - max(1, round(len(codes) * DEVELOPMENT))
    factors = range(rows.factors.shape[1])

    def forest(depth: int, j: int, upto: int) -> Bag:
        from sklearn.tree import DecisionTreeRegressor

        return bagged(
            lambda drawn: DecisionTreeRegressor(max_depth=depth, random_state=drawn),
            codes[:upto],
            rows.factors[:upto, j],
            trees=trees,
            seed=settings.seed,
        )

    def best(j: int) -> int:
        found = [mean_prediction(forest(d, j, kept), codes[kept:]) for d in depths]
        errors = [np.mean((guess - rows.factors[kept:, j]) ** 2) for guess in found]
        return depths[int(np.argmin(errors))]

    chosen = in_threads(best, factors, settings, "dci_forest")

    def fit(j: int) -> Regression:
        bag = forest(chosen[j], j, len(codes))
        guesses = mean_prediction(bag, codes), mean_prediction(bag, test_codes)
        return _measured(bag.importance[back], guesses, rows, j)

    metadata: dict[str, object] = {
        "estimator": f"scikit-learn's random forest of {trees} regression trees, depth "
        f"chosen among {depths} on the last ninth of the training rows",
        "trees": trees,
        "depths": chosen,
    }
    return _scored(fit, rows, settings, "dci_forest", metadata)


def standardise(table: Representation) -> Rows:
    """Codes and factors less the training mean, over the training deviation.

    A constant column is 0 in all rows.
    """
    # In row order, so that a column's sum is rounded alike wherever it stands.
    codes = np.ascontiguousarray(table.codes, np.float64)
    factors = np.ascontiguousarray(table.factors, np.float64)
    found = []
    for train, test in (
        (codes, table.test_codes),
        (factors, table.test_factors),
    ):
        # Scaled first: squares of codes of 1e200 would overflow.
        size = np.abs(train).max(axis=0)
        size = np.where(size > 0, size, 1.0)
        scaled = train / size
        mean, spread = scaled.mean(axis=0), scaled.std(axis=0)
        alive = (np.ptp(train, axis=0) > 0) & (spread > 0)
        spread = np.where(alive, spread, 1.0)
        found += [
            np.where(alive, (scaled - mean) / spread, 0.0),
            np.where(alive, (test / size - mean) / spread, 0.0),
        ]
    return Rows(found[0], found[2], found[1], found[3])


def nrmse(guesses: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square error over the truth's deviation, its size where that is 0."""
    error = float(np.sqrt(np.mean((guesses - truth) ** 2)))
    spread = float(np.std(truth))
    return error / spread if spread > 0 else error


def _measured(
    importance: np.ndarray, guesses: tuple[np.ndarray, np.ndarray], rows: Rows, j: int
) -> Regression:
    """A fitted model's importance, and its errors on factor j."""
    return Regression(
        importance.astype(np.float64),
        nrmse(guesses[0], rows.factors[:, j]),
        nrmse(guesses[1], rows.test_factors[:, j]),
    )


def _scored(
    fit: Callable[[int], Regression],
    rows: Rows,
    settings: Settings,
    metric: str,
    metadata: dict[str, object],
) -> Result:
    """The Result of one regression per factor."""
    with few_rows():
        found = in_threads(fit, range(rows.factors.shape[1]), settings, metric)
    importance = np.stack([one.importance for one in found], axis=1)
    complete = concentration(importance.T)
    errors = {
        "informativeness_error_train": tuple(one.train_error for one in found),
        "informativeness_error_test": tuple(one.test_error for one in found),
    }
    return Result(
        values={
            "disentanglement": disentanglement(importance),
            "completeness": float(np.mean(complete)),
            **{part: float(np.mean(values)) for part, values in errors.items()},
        },
        per_factor={"completeness": tuple(complete.tolist()), **errors},
        arrays={
            "importance": importance,
            "disentanglement": concentration(importance),
        },
        metadata={
            "definition": "Eastwood & Williams 2018: importance-weighted 1 - "
            "normalised entropy; informativeness is the root mean square error over "
            "the factor's deviation, lower is better",
            **metadata,
        },
    )


def _parts(head: str, words: str) -> dict[str, Part]:
    """The words of DCI by one kind of regressor."""
    return {
        "disentanglement": Part(
            f"D {head}",
            f"DCI disentanglement by {words}, 0 to 1: each code dimension matters to "
            "one factor only.",
        ),
        "completeness": Part(
            f"C {head}",
            f"DCI completeness by {words}, 0 to 1: each factor is held by one code "
            "dimension only.",
        ),
        "informativeness_error_train": Part(
            f"error train {head}",
            f"Squared error of predicting the factors from the code by {words}, over "
            "their variance, on the rows they were fitted to; 1 is what the mean "
            "predicts.",
            "lower",
        ),
        "informativeness_error_test": Part(
            f"error test {head}", "The same on rows they have not seen.", "lower"
        ),
    }


BOOSTED = Protocols(("paper",), "Locatello et al. 2019 boost trees: see dci")
FOREST = Metric(dci_forest, _parts("forest", "random forests"), protocols=BOOSTED)
LASSO = Metric(dci_lasso, _parts("lasso", "the lasso"), protocols=BOOSTED)
