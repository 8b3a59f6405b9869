"""Unfairness of predictions from the codes (Locatello et al. 2019, Fairness)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.dci import fit_factors
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.trees import BACKENDS

SHUFFLES = 20


def fairness(table: Representation, settings: Settings) -> Result:
    r"""unfairness(i, j) = mean_s TV(p(y^_i), p(y^_i | s_j = s)): lower is fairer.

    $$
    \mathrm{unfairness}(i, j) = \sum_s p(s_j = s) \,
    \mathrm{TV}\big(p(\hat y_i), \, p(\hat y_i \mid s_j = s)\big), \qquad
    \mathrm{TV}(p, q) = \tfrac{1}{2} \sum_k |p_k - q_k|
    $$

    y^_i is the prediction of the target factor i from all codes, by the boosted trees
    of DCI (`settings.backend`), fitted to the training rows without looking at any
    other factor; s_j is another factor, the sensitive one, independent of the target.
    TV(p, q) = 1/2 sum_k |p_k - q_k|; the mean over values s is weighted by their rows.
    A prediction that takes in the sensitive factor changes its distribution with it
    (Locatello et al. 2019, "On the fairness of disentangled representations", Sec. 4;
    disentanglement_lib's `mean_fairness:mean_pred:mean_sens` is `mean`).

    The authors encode new images with the sensitive factor set to each value in turn;
    here they are the test rows that have the value, which is the same for independent
    factors. These are few, and distributions of few predictions differ by chance: the
    part `chance` is the same mean where the sensitive values are shuffled over the
    rows, 20 times. What a score is above it is unfairness; compare scores of as many
    test rows.

    Args:
      table: training rows to fit, test rows to measure; two factors or more.
      settings: reads `backend`, `seed`, `threads`, `progress`.

    Returns:
      parts in [0, 1], lower is fairer: `mean` over all pairs of factors, `worst`, the
      mean over targets of their worst sensitive factor, and `chance`. Per factor
      `target` and `sensitive`, its mean as either. Array `unfairness` (F, F), target
      by sensitive factor, 0 on the diagonal. Constant codes predict one value: 0.

    Raises:
      UserError: no test rows, or one factor only.
    """
    table.need_test_rows("fairness")
    factors = table.factors.shape[1]
    if factors < 2:
        raise UserError(
            "fairness compares a target factor and a sensitive one, but factors has "
            "one column"
        )
    guesses = [fit.test_guesses for fit in fit_factors(table, settings, "fairness")]
    unfair = np.zeros((factors, factors))
    chance = np.zeros((factors, factors))
    rng = np.random.default_rng(settings.seed)
    orders = [rng.permutation(len(table.test_codes)) for _ in range(SHUFFLES)]
    for i, j in ((i, j) for i in range(factors) for j in range(factors) if i != j):
        sensitive = table.test_factors[:, j]
        unfair[i, j] = unfairness(guesses[i], sensitive)
        chance[i, j] = np.mean(
            [unfairness(guesses[i], sensitive[order]) for order in orders]
        )
    others = factors - 1
    return Result(
        values={
            "mean": float(unfair.sum() / (factors * others)),
            "worst": float(np.mean(unfair.max(axis=1))),
            "chance": float(chance.sum() / (factors * others)),
        },
        per_factor={
            "target": tuple((unfair.sum(axis=1) / others).tolist()),
            "sensitive": tuple((unfair.sum(axis=0) / others).tolist()),
        },
        arrays={"unfairness": unfair, "chance": chance},
        metadata={
            "definition": "mean total variation between a factor's predictions and "
            "those at one value of another factor; lower is fairer; chance: the same "
            "with shuffled values",
            "estimator": BACKENDS[settings.backend].says,
            "backend": settings.backend,
        },
    )


def unfairness(guesses: np.ndarray, sensitive: np.ndarray) -> float:
    """mean_s TV(p(guess), p(guess | s)), values s weighted by their rows.

    Args:
      guesses: (N,) int >= 0.
      sensitive: (N,) int.

    Returns:
      In [0, 1).
    """
    kinds = int(guesses.max()) + 1
    everywhere = np.bincount(guesses, minlength=kinds) / len(guesses)
    total = 0.0
    for value in np.unique(sensitive):
        some = guesses[sensitive == value]
        here = np.bincount(some, minlength=kinds) / len(some)
        total += len(some) / len(guesses) * 0.5 * np.sum(np.abs(here - everywhere))
    return float(total)


METRIC = Metric(
    fairness,
    {
        "mean": Part(
            "unfairness",
            "Unfairness, 0 to 1: how much the predictions of one factor change with "
            "another one, mean over all pairs (total variation).",
            "lower",
        ),
        "worst": Part(
            "unfairness worst",
            "The same of the worst other factor, mean over factors.",
            "lower",
        ),
        "chance": Part(
            "unfairness by chance",
            "What so few rows show where the other factor is shuffled.",
            "neither",
        ),
    },
    protocols=Protocols(BOTH, "Locatello et al. 2019 proposed this score"),
)
