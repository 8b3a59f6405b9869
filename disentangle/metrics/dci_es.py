"""DCI-ES: with explicitness and size (Eastwood et al. 2023)."""

from collections.abc import Sequence

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.forest_curve import Curve, forest_curve
from disentangle.metrics.importance import (
    completeness,
    concentration,
    disentanglement,
)
from disentangle.metrics.labels import by_appearance, by_content
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import NOT_THERE, Protocols
from disentangle.metrics.refusals import few_rows

DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32)


def dci_es(
    table: Representation,
    settings: Settings,
    *,
    depths: Sequence[int] = DEPTHS,
    trees: int = 100,
    max_features: str | float | None = "sqrt",
) -> Result:
    r"""How much capacity a probe needs to read the factors, and D, C, I with it.

    Probes of growing capacity k, here random forests of growing depth, read a factor
    j from the codes; l_j(k) is the test error of the best one up to k. With the area
    A_j under l_j(k) - min l_j, by the trapezoid rule,

    $$
    E_j = 1 - \frac{2 A_j}{(k_{\max} - k_{\min}) \, b_j}, \qquad
    E = \mathrm{mean}_j E_j, \qquad S = \frac{F}{D}
    $$

    where b_j = 1 - 1 / K_j is the error of guessing among K_j values (Eastwood et al.
    2023, Sec. 4). E_j = 1: the weakest probe is as good as any. E_j = 0: the loss
    falls from guessing to 0 as a straight line. E tells nothing where no probe reads
    anything, as there the curve is flat, E = 1: look at the informativeness too.

    The authors also probe with MLPs and random Fourier features, each with an E of
    its own; forests are what two cores can afford. They regress ordered factors; here
    all factors are classes. D and C are at the depth with the best mean test accuracy.
    Forests that draw sqrt(D) codes per split, scikit-learn's default and the authors',
    split on codes that know nothing, so that D and C of a perfect code are near 0.6:
    compare them with no other D and C, or give max_features=None.

    Args:
      table: training rows to fit, test rows for the losses.
      settings: reads `seed`, `threads`, `progress`.
      depths: capacities, increasing.
      trees, max_features: of the forests, see `forest_curve`.

    Returns:
      parts `explicitness` (above -1, at most 1), `size` (above 1 if there are fewer
      codes than factors), `disentanglement`, `completeness`, `informativeness_train`
      and `informativeness_test` (accuracies) in [0, 1]. Per factor explicitness,
      completeness and both informativenesses; per code `disentanglement`. Arrays
      `importance` (D, F), `loss` (depths, F). Constant codes have D = C = 0, E = 1.

    Raises:
      UserError: no test rows.
    """
    table.need_test_rows("dci_es")
    curves = _curves(table, settings, tuple(depths), trees, max_features)
    loss = 1.0 - np.stack([curve.test for curve in curves], axis=1)
    guessing = [1.0 - 1.0 / len(np.unique(y)) for y in table.factors.T]
    explicit = explicitness(np.array(depths), loss, np.array(guessing))
    best = int(loss.mean(axis=1).argmin())
    importance = np.stack([curve.importance[best] for curve in curves], axis=1)
    train = np.array([curve.train[best] for curve in curves])
    test = 1.0 - loss[best]
    return Result(
        values={
            "explicitness": float(np.mean(explicit)),
            "size": table.factors.shape[1] / table.codes.shape[1],
            "disentanglement": disentanglement(importance),
            "completeness": completeness(importance),
            "informativeness_train": float(np.mean(train)),
            "informativeness_test": float(np.mean(test)),
        },
        per_factor={
            "explicitness": tuple(explicit.tolist()),
            "completeness": tuple(concentration(importance.T).tolist()),
            "informativeness_train": tuple(train.tolist()),
            "informativeness_test": tuple(test.tolist()),
        },
        per_code={"disentanglement": tuple(concentration(importance).tolist())},
        arrays={"importance": importance, "loss": loss},
        metadata={
            "definition": "1 - 2 area under the loss-capacity curve / (capacity range "
            "x loss of guessing), mean over factors; D, C, I at the best depth",
            "estimator": "random forests, Gini, test error as loss, depth as capacity",
            "depths": list(depths),
            "best_depth": int(depths[best]),
            "trees": trees,
            "max_features": max_features,
        },
    )


def explicitness(
    capacities: np.ndarray, loss: np.ndarray, guessing: np.ndarray
) -> np.ndarray:
    """E of each factor from its loss-capacity curve.

    Args:
      capacities: (Q,) increasing. With Q = 1 nothing is learnt from more: E = 1.
      loss: (Q, F); the best up to a capacity counts.
      guessing: (F,) the loss without codes.

    Returns:
      (F,), at most 1.
    """
    if len(capacities) < 2:
        return np.ones(loss.shape[1])
    best = np.minimum.accumulate(loss, axis=0)
    above = best - best[-1]
    area = np.sum(np.diff(capacities)[:, None] * (above[1:] + above[:-1]) / 2, axis=0)
    return 1.0 - 2.0 * area / ((capacities[-1] - capacities[0]) * guessing)


def _curves(
    table: Representation,
    settings: Settings,
    depths: tuple[int, ...],
    trees: int,
    max_features: str | float | None,
) -> list[Curve]:
    """One Curve a factor.

    Codes go in by an order of their ranks, and classes by first appearance, so that
    the forests' draws and ties do not depend on the order of columns or on names.
    """
    order = by_content(table.codes)
    back = np.argsort(order)

    def curve(j: int) -> Curve:
        found = forest_curve(
            table.codes[:, order],
            by_appearance(table.factors[:, j], table.factors[:, j]),
            table.test_codes[:, order],
            by_appearance(table.factors[:, j], table.test_factors[:, j]),
            depths,
            trees=trees,
            max_features=max_features,
            seed=settings.seed,
        )
        return found._replace(importance=found.importance[:, back])

    with few_rows():
        return in_threads(curve, range(table.factors.shape[1]), settings, "dci_es")


METRIC = Metric(
    dci_es,
    {
        "explicitness": Part(
            "E",
            "DCI-ES explicitness, at most 1: how little capacity a probe needs to read "
            "the factors. 1 also where no probe reads anything.",
        ),
        "size": Part("S", "Number of factors over number of codes.", "neither"),
        "disentanglement": Part(
            "D probe",
            "Disentanglement, 0 to 1, of the probe of the best accuracy, whose forests "
            "draw few codes a split: not comparable with DCI's.",
        ),
        "completeness": Part("C probe", "Completeness, 0 to 1, of the same probe."),
        "informativeness_train": Part(
            "I train probe",
            "Accuracy, 0 to 1, of the same probe on the rows it was fitted to.",
        ),
        "informativeness_test": Part(
            "I test probe", "The same on rows it has not seen."
        ),
    },
    protocols=Protocols(("paper",), NOT_THERE),
)
