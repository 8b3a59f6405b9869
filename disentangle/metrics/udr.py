"""Unsupervised disentanglement ranking (Duan et al. 2020): scores without labels."""

import numpy as np

from disentangle.errors import UserError, unknown
from disentangle.metrics.base import Population, PopulationResult, Settings
from disentangle.metrics.infomec import standardised
from disentangle.metrics.mcc import correlations
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.refusals import few_rows, refusals

ESTIMATORS = ("lasso", "spearman")
ALPHA = 0.1


def udr(
    population: Population,
    settings: Settings,
    *,
    estimator: str = "lasso",
    threshold: float = 0.01,
    points: int = 1000,
) -> PopulationResult:
    r"""How alike the codes of a model and of its peers are: the median over the peers.

    Peers are the other models of the same hyperparameters, trained with other seeds
    (Duan et al. 2020, Sec. 4, step 2); models of other hyperparameters count only in
    the authors' separate UDR-A2A, which is not here.

    Disentangled models are alike up to order and sign, entangled ones each in their
    own way. With R_ab the strength of code a of model i and code b of model j,

    $$
    \mathrm{UDR}_{ij} = \frac{1}{2} \left(
    \mathrm{mean}_b \frac{\max_a R_{ab}^2}{\sum_a R_{ab}}
    + \mathrm{mean}_a \frac{\max_b R_{ab}^2}{\sum_b R_{ab}}\right)
    $$

    over informative codes only, those whose KL to the prior is above `threshold`
    (Duan et al. 2020, Eq. 3). A zero row or column counts 0, and so does a pair of
    which one model has no informative code.

    Args:
      population: two models or more, codes and KL.
      settings: reads `threads`, `progress`.
      estimator: "lasso", R = |coefficients| of the Lasso (penalty 0.1) from i's
        informative codes to each of j's, all standardised, or "spearman", R = |rank
        correlation|.
      threshold: nats per image.
      points: the first so many images are used; as in disentanglement_lib, 1000.

    Returns:
      part `score` (P,) in [0, 1] for "spearman", about that for "lasso"; NaN for a
      model without a peer. Arrays `pairs` (P, P), UDR_ij with i in rows, 0 where they
      are no peers and on the diagonal, and `informative` (P, D).

    Raises:
      UserError: fewer than two models, no two of the same hyperparameters, or an
        estimator of another name.
    """
    if estimator not in ESTIMATORS:
        raise unknown("estimator", estimator, ESTIMATORS)
    peers = _peers(population)
    models = len(peers)
    informative = population.kl > threshold
    codes = population.codes[:, :points].astype(np.float64)
    standard = [
        standardised(z[:, kept]) for z, kept in zip(codes, informative, strict=True)
    ]
    pairs = [(int(i), int(j)) for i, j in np.argwhere(peers)]

    def alike(pair: tuple[int, int]) -> float:
        i, j = pair
        if not standard[i].size or not standard[j].size:
            return 0.0
        strength = _lasso if estimator == "lasso" else _spearman
        return relative_strength(strength(standard[i], standard[j]))

    matrix = np.zeros((models, models))
    with few_rows():
        found = in_threads(alike, pairs, settings, "udr")
    for pair, value in zip(pairs, found, strict=True):
        matrix[pair] = value
    scores = [
        float(np.median(matrix[peers[:, j], j])) if peers[:, j].any() else np.nan
        for j in range(models)
    ]
    return PopulationResult(
        values={"score": np.array(scores)},
        arrays={"pairs": matrix, "informative": informative},
        metadata={
            "definition": "median over models of the same hyperparameters and other "
            "seeds of the relative strength of the best match of informative codes",
            "estimator": estimator,
            "alpha": ALPHA,
            "threshold": threshold,
            "points": codes.shape[1],
            "models": models,
        },
    )


def _peers(population: Population) -> np.ndarray:
    """(P, P), whether i and j are different models of the same hyperparameters."""
    models = len(population.codes)
    if models < 2:
        raise UserError(
            "udr compares models with each other, but there is one: train it with "
            "several seeds"
        )
    kinds = np.array(population.settings or ("",) * models)
    peers = (kinds[:, None] == kinds) & ~np.eye(models, dtype=bool)
    if not peers.any():
        raise UserError(
            "udr compares models of the same hyperparameters, but no two of these "
            f"{models} are: train each with several seeds"
        )
    return peers


def gaussian_kl(means: np.ndarray, logvars: np.ndarray) -> np.ndarray:
    """KL(N(m, e^l) || N(0, 1)) per code, mean over images, in nats.

    Args:
      means, logvars: (P, N, D).

    Returns:
      (P, D) float64; infinite where a variance is beyond float64.
    """
    means, logvars = means.astype(np.float64), logvars.astype(np.float64)
    with np.errstate(over="ignore"):
        return np.mean(0.5 * (means**2 + np.exp(logvars) - 1.0 - logvars), axis=1)


def relative_strength(strengths: np.ndarray) -> float:
    """1/2 (mean_b max_a R^2 / sum_a R + mean_a max_b R^2 / sum_b R) of R (A, B) >= 0.

    In [0, 1] where R is: 1 on a permutation matrix. Zero rows and columns count 0.
    """
    each = []
    for axis in (0, 1):
        total = strengths.sum(axis=axis)
        best = strengths.max(axis=axis) ** 2
        each.append(np.mean(best / np.where(total > 0, total, 1.0)))
    return float(np.mean(each))


def _lasso(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """|coefficients| (A, B) of the Lasso from all sources (N, A) to each target."""
    from sklearn.linear_model import Lasso

    with refusals("scikit-learn's Lasso"):
        model = Lasso(alpha=ALPHA).fit(sources, targets)
    return np.abs(model.coef_.reshape(targets.shape[1], sources.shape[1]).T)


def _spearman(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """|rank correlation| (A, B) of the columns of (N, A) and (N, B)."""
    from scipy.stats import rankdata

    return correlations(rankdata(sources, axis=0), rankdata(targets, axis=0))


METRIC = Metric(
    udr,
    {
        "score": Part(
            "UDR",
            "Unsupervised disentanglement ranking, about 0 to 1: how alike the codes "
            "are that models of other seeds learn. No factor is looked at.",
        )
    },
    needs="population",
    uses_factors=False,
    protocols=Protocols(BOTH, "disentanglement_lib has the code of Duan et al. 2020"),
)
