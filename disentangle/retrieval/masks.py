r"""Diagonal masks of pairs of slots, in closed form, from labelled images.

Items x of slot i and y of slot j that go together share the value of one attribute.
With the difference $\delta = x - y$ taken as Gaussian in every column, of variance
$v_c$ where items go together and $v_r$ where they are any two, the log-likelihood ratio
that they do is, up to a constant, less the distance

$$
d_{ij}(x, y) = \sum_d w_d (\delta_d - \mu_d)^2, \qquad
w_d = \max(0, 1 / v_{c,d} - 1 / v_{r,d})
$$

with $\mu$ the mean difference of items that go together. It is the mask of CSA-Net
(Lin, Tran & Davis 2020) per pair of categories, fitted to a frozen code without an
optimiser: columns that carry the shared attribute alone get all weight. In a rotated
code no column does, and what an axis-aligned code wins is lost.
"""

from typing import NamedTuple

import numpy as np

FLOOR = 1e-6  # of a variance, as a share of the mean one


class Mask(NamedTuple):
    """What a pair of slots looks at.

    Attributes:
      weights: (D,) w, at least 0.
      middle: (D,) mu, of the first slot's item less the second's.
      mass: (D,) how much better than any two items those that go together agree, v_r /
        v_c - 1 and at least 0: what of the mask is in which column.
    """

    weights: np.ndarray
    middle: np.ndarray
    mass: np.ndarray


def mask(
    first: np.ndarray, second: np.ndarray, own: np.ndarray, other: np.ndarray
) -> Mask:
    """The mask of two slots.

    Args:
      first, second: (n, D), (m, D) codes of labelled items of either slot.
      own, other: (n,), (m,) the values of the attribute that they share in a set.

    Returns:
      The Mask; all columns alike where no two labelled items go together.
    """
    first, second = first.astype(np.float64), second.astype(np.float64)
    width = first.shape[1]
    pairs, gaps, spreads = [], [], []
    for value in np.intersect1d(own, other):
        x, y = first[own == value], second[other == value]
        pairs.append(len(x) * len(y))
        gaps.append(x.mean(0) - y.mean(0))
        spreads.append(x.var(0) + y.var(0))
    if not pairs:
        return Mask(np.ones(width), np.zeros(width), np.zeros(width))
    share = np.array(pairs)[:, None] / np.sum(pairs)
    middle = (share * gaps).sum(0)
    together = (share * (np.array(spreads) + (np.array(gaps) - middle) ** 2)).sum(0)
    offset = first.mean(0) - second.mean(0) - middle
    anyhow = first.var(0) + second.var(0) + offset**2
    floor = FLOOR * max(float(anyhow.mean()), 1e-12)
    together, anyhow = together + floor, anyhow + floor
    weights = np.maximum(0.0, 1.0 / together - 1.0 / anyhow)
    return Mask(weights, middle, np.maximum(0.0, anyhow / together - 1.0))
