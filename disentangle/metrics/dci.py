"""Disentanglement, completeness, informativeness (Eastwood & Williams 2018).

"locatello": one gradient-boosted classifier per factor, its feature importances as the
matrix R, accuracy as informativeness, higher is better (Locatello et al. 2019).
"paper": random forests and the lasso as regressors, informativeness is an error, lower
is better (`dci_regression`).
"""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.dci_regression import (
    FOREST,
    LASSO,
    dci_forest,
    dci_lasso,
)
from disentangle.metrics.importance import (
    completeness,
    concentration,
    disentanglement,
)
from disentangle.metrics.labels import matched
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.refusals import few_rows
from disentangle.metrics.trees import BACKENDS, Fit


def dci(table: Representation, settings: Settings) -> Result:
    r"""Fits a classifier per factor and scores its importances.

    $$
    D = \sum_i \rho_i \Big(1 - H_F\big(\tfrac{R_{i\cdot}}{\sum_j R_{ij}}\big)\Big),
    \quad \rho_i = \frac{\sum_j R_{ij}}{\sum_{ij} R_{ij}}, \quad
    C = \frac{1}{F} \sum_j \Big(1 - H_D\big(\tfrac{R_{\cdot j}}{\sum_i R_{ij}}\big)\Big)
    $$

    Protocol "paper" is `dci_forest`, and `dci_lasso` beside it with `lasso_` before
    its names: Eastwood & Williams 2018 report both. The rest is of "locatello".

    Args:
      table: training rows to fit, test rows for `informativeness_test`.
      settings: reads `protocol`, `backend`, `seed`, `threads`, `progress`.

    Returns:
      parts `disentanglement`, `completeness`, `informativeness_train` and
      `informativeness_test`, each in [0, 1]. Per factor `completeness` and the two
      informativenesses (accuracies; a test value that no training row has counts
      as wrong). Arrays `importance` R (D, F), whose columns sum to 1, or to 0 if no
      code tells anything of the factor, and `disentanglement` (D,), one per code.
      Constant codes give 0 for the first two.

    Raises:
      UserError: no test rows, or the backend's library is missing.
    """
    table.need_test_rows("dci")
    if settings.protocol == "paper":
        return _paper(table, settings)
    fits = fit_factors(table, settings, "dci")
    importance = np.stack([fit.importance for fit in fits], axis=1)
    train = tuple(fit.train_accuracy for fit in fits)
    test = tuple(fit.test_accuracy for fit in fits)
    return Result(
        values={
            "disentanglement": disentanglement(importance),
            "completeness": completeness(importance),
            "informativeness_train": float(np.mean(train)),
            "informativeness_test": float(np.mean(test)),
        },
        per_factor={
            "completeness": tuple(concentration(importance.T).tolist()),
            "informativeness_train": train,
            "informativeness_test": test,
        },
        arrays={
            "importance": importance,
            "disentanglement": concentration(importance),
        },
        metadata={
            "definition": "Eastwood & Williams 2018 in the form of Locatello et al. "
            "2019: importance-weighted 1 - normalised entropy, accuracy",
            "backend": settings.backend,
            "estimator": BACKENDS[settings.backend].says,
        },
    )


def _paper(table: Representation, settings: Settings) -> Result:
    """The forests' result, and the lasso's with `lasso_` before its names."""
    forest, lasso = dci_forest(table, settings), dci_lasso(table, settings)
    named = {f"lasso_{part}": value for part, value in lasso.values.items()}
    each = {f"lasso_{part}": values for part, values in lasso.per_factor.items()}
    arrays = {f"lasso_{part}": array for part, array in lasso.arrays.items()}
    return Result(
        values=forest.values | named,
        per_factor=forest.per_factor | each,
        arrays=forest.arrays | arrays,
        metadata=forest.metadata
        | {"lasso_estimator": lasso.metadata["estimator"]}
        | {
            name: lasso.metadata[name]
            for name in ("alpha", "note")
            if name in lasso.metadata
        },
    )


def fit_factors(table: Representation, settings: Settings, metric: str) -> list[Fit]:
    """One classifier per factor of `settings.backend`, on `settings.threads` threads.

    Factors with many values take longest (trees grow with the number of classes),
    so they start first. Each fit is seeded alone and the results are in factor
    order, so the number of threads changes nothing. `metric` is the name under which
    progress is told.
    """
    fit = BACKENDS[settings.backend].fit

    def one(j: int) -> Fit:
        classes, test_classes = matched(table.factors[:, j], table.test_factors[:, j])
        return fit(table.codes, classes, table.test_codes, test_classes, settings.seed)

    sizes = [len(np.unique(column)) for column in table.factors.T]
    longest_first = sorted(range(len(sizes)), key=lambda j: -sizes[j])
    with few_rows():
        found = in_threads(one, longest_first, settings, metric)
    done = dict(zip(longest_first, found, strict=True))
    return [done[j] for j in range(len(sizes))]


METRIC = Metric(
    dci,
    {
        **FOREST.parts,  # of protocol "paper"
        "disentanglement": Part(
            "D",
            "DCI disentanglement, 0 to 1: each code dimension matters to one factor "
            "only.",
            name="DCI disentanglement",
        ),
        "completeness": Part(
            "C",
            "DCI completeness, 0 to 1: each factor is held by one code dimension only. "
            "Codes with several dimensions a task are below 1 by design.",
            name="DCI completeness",
        ),
        "informativeness_train": Part(
            "I train",
            "DCI informativeness, accuracy from 0 to 1 of predicting the factors from "
            "the code, on the rows the predictors were fitted to.",
        ),
        "informativeness_test": Part("I test", "The same on rows they have not seen."),
        **{f"lasso_{name}": part for name, part in LASSO.parts.items()},
    },
    protocols=Protocols(BOTH),
)
