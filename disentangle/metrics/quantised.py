"""Gaussian codes q(z|x) in bins, as Do & Tran 2020 quantise them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from disentangle.metrics.base import Representation
from disentangle.metrics.discretize import dense_labels

# Bins over [-REACH, REACH], for codes of a unit prior.
BINS, REACH = 100, 4.0
# Log-variances beyond are taken as this: exp must stay a float.
WIDEST = 80.0
CERTAIN = "no log-variances given: codes taken as certain"


class Quantised(NamedTuple):
    """What binned codes tell of factors, in nats.

    Attributes:
      information: (D, F) I(z_i; y_j) >= 0.
      joint: (D, F) H(z_i, y_j).
      entropy: (F,) H(y_j).
      most: the largest number of bins; a categorical latent has its values as bins.
    """

    information: np.ndarray
    joint: np.ndarray
    entropy: np.ndarray
    most: int


def quantised(table: Representation, labels: np.ndarray, bins: int = BINS) -> Quantised:
    """I and H of Q(z_i, y_j) = 1/N sum_n Q(z_i | x_n) 1[y_nj = y_j].

    Q(z_i = b | x) is the mass that q(z_i | x) has in bin b of `bins` equal bins over
    [-4, 4], what lies beyond being in the outer bins (Do & Tran 2020, App.). The
    authors take the density at the bin's middle, over its sum, instead of the mass:
    the same for posteriors wider than a bin, and without their special case for
    narrower ones.

    Args:
      table: training rows, one column per latent; a categorical latent has its values
        as bins, and without `logvars` all mass is at the codes.
      labels: (N, F) dense.
      bins: how many.
    """
    kinds = [int(column.max()) + 1 for column in labels.T]
    members = [np.eye(k)[column] for k, column in zip(kinds, labels.T, strict=True)]
    information = np.zeros((table.codes.shape[1], len(kinds)))
    joint = np.zeros_like(information)
    for i, mass in enumerate(_masses(table, bins)):
        for j, member in enumerate(members):
            both = mass.T @ member / len(mass)
            joint[i, j] = _entropy(both)
            marginals = _entropy(both.sum(axis=1)) + _entropy(both.sum(axis=0))
            information[i, j] = max(0.0, marginals - joint[i, j])
    entropies = np.array([_entropy(member.mean(axis=0)) for member in members])
    values = [len(np.unique(table.codes[:, i])) for (i,) in table.categorical]
    return Quantised(information, joint, entropies, max([bins, *values]))


def _masses(table: Representation, bins: int) -> Iterator[np.ndarray]:
    """Each code's Q(b | x_n), (N, bins)."""
    categorical = {i for (i,) in table.categorical}
    for i, means in enumerate(table.codes.T):
        if i in categorical:
            values = dense_labels(means[:, None])[:, 0]
            yield np.eye(int(values.max()) + 1)[values]
        else:
            spread = None if table.logvars is None else table.logvars[:, i]
            yield bin_mass(means, spread, bins)


def bin_mass(
    means: np.ndarray, logvars: np.ndarray | None, bins: int = BINS
) -> np.ndarray:
    """(N, bins) shares, rows sum to 1, of N Gaussians in bins over [-4, 4]."""
    from scipy.special import ndtr

    inner = np.linspace(-REACH, REACH, bins + 1)[1:-1]
    if logvars is None:
        return np.eye(bins)[np.digitize(means, inner)]
    deviation = np.exp(np.clip(logvars.astype(np.float64), -WIDEST, WIDEST) / 2)
    below = ndtr((inner - means[:, None].astype(np.float64)) / deviation[:, None])
    ends = np.ones((len(means), 1))
    return np.diff(np.hstack([0.0 * ends, below, ends]), axis=1)


def _entropy(p: np.ndarray) -> float:
    """-sum p log p, with 0 log 0 = 0."""
    return float(-np.sum(p * np.log(np.where(p > 0, p, 1.0))))
