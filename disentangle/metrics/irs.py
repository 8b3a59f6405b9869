"""Interventional robustness score (Suter et al. 2019), as disentanglement_lib does."""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import histogram_bins
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import BOTH, Protocols

QUANTILE = {"locatello": 0.99, "paper": 1.0}


def irs(table: Representation, settings: Settings) -> Result:
    r"""How little a code moves while the factor that it holds is held.

    With E_d|g the mean of code d over the rows where factor i has the value g,

    $$
    \mathrm{dev}_{di} = \mathrm{mean}_g \, \mathrm{quantile}_n |z_{nd} - E_{d|g}|,
    \qquad \mathrm{IRS}_{di} = 1 - \frac{\mathrm{dev}_{di}}{\max_n |z_{nd} - E_d|}
    $$

    $$
    \mathrm{IRS} = \frac{\sum_d \max_n |z_{nd} - E_d| \, \max_i \mathrm{IRS}_{di}}
    {\sum_d \max_n |z_{nd} - E_d|}
    $$

    n over the rows with the value g.

    "locatello": the 0.99 quantile, and factor values cut into `settings.bins`
    equal-width bins like codes: factors with more values than bins are coarser, and
    a perfect code stays below 1. The cut reads the values as numbers, so giving
    them other names changes the score. "paper": the maximum, over the factor values
    as they are.

    Codes count by their largest deviation, so that the score depends on the codes'
    scales. Constant codes are left out; if all are constant the score is 0.

    Args:
      table: training rows.
      settings: reads `protocol`, `bins`.

    Returns:
      part `score` at most 1; per code `score` max_i IRS_di, 0 for a constant code;
      array `robustness` IRS_di (D, F). Below 0, and above -1, is a code that strays
      further from the mean of every value's rows than from the mean of all.
    """
    binned = settings.protocol == "locatello"
    held = histogram_bins(table.factors, settings.bins) if binned else table.factors
    codes = table.codes.astype(np.float64)
    reach = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    reach = np.where(np.ptp(codes, axis=0) > 0, reach, 0.0)
    alive = reach > 0
    quantile = QUANTILE[settings.protocol]
    matrix = np.zeros((codes.shape[1], held.shape[1]))
    if alive.any():
        columns = [_deviation(codes[:, alive], column, quantile) for column in held.T]
        matrix[alive] = 1.0 - np.stack(columns, axis=1) / reach[alive, None]
    each = matrix.max(axis=1)
    score = np.sum(each * reach) / np.sum(reach) if alive.any() else 0.0
    values = {"bins": settings.bins} if binned else {}
    return Result(
        values={"score": float(score)},
        per_code={"score": tuple(each.tolist())},
        arrays={"robustness": matrix},
        metadata={
            "definition": "1 - a code's deviation while one factor is held, over its "
            "largest; best factor, mean over codes by largest deviation",
            "estimator": f"the {quantile} quantile of the training rows that share a "
            + ("bin of the factor" if binned else "factor value"),
            **values,
        },
    )


def _deviation(codes: np.ndarray, held: np.ndarray, quantile: float) -> np.ndarray:
    """The mean over values g of the quantile of |z - E[z|g]| over rows of g, (D,)."""
    deviations = []
    for value in np.unique(held):
        rows = codes[held == value]
        away = np.abs(rows - rows.mean(axis=0))
        deviations.append(np.quantile(away, quantile, axis=0))
    return np.mean(deviations, axis=0)


METRIC = Metric(
    irs,
    {
        "score": Part(
            "IRS",
            "Interventional robustness, 0 to 1: how still code dimensions are while "
            "one factor is held, against their largest deviation.",
        )
    },
    protocols=Protocols(BOTH),
)
