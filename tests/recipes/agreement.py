"""A metric that needs a population: how alike the codes of several models are."""

import numpy as np

from disentangle.metrics.base import Population, PopulationResult, Settings
from disentangle.metrics.metric import Metric, Part


def agreement(population: Population, settings: Settings) -> PopulationResult:
    """The mean over the other models of linear CKA, in [0, 1] (Kornblith et al. 2019).

    CKA(X, Y) = |X'Y|^2 / (|X'X| |Y'Y|) of centred codes X, Y, Frobenius norms. Any
    rotation of the codes has the same.
    """
    del settings
    centred = population.codes - population.codes.mean(axis=1, keepdims=True)
    cross = np.linalg.norm(np.einsum("pnd,qne->pqde", centred, centred), axis=(2, 3))
    own = np.diag(cross)
    alike = cross**2 / np.outer(own, own)
    scores = (alike.sum(axis=1) - 1) / (len(alike) - 1)
    return PopulationResult({"score": scores})


METRIC = Metric(
    agreement,
    {"score": Part("CKA", "How alike codes of several models are, 0 to 1.")},
    needs="population",
    uses_factors=False,
)
