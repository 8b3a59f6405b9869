r"""Which of two sources each factor of a mixed picture follows.

Of pictures that are made of two, a and b, with factors y^a and y^b, and o_k what an
oracle reads of factor k of the mixed one,

$$
A_k = P[o_k \equiv y^b_k \mid y^a_k \not\equiv y^b_k], \qquad
C_k = P[o_k \equiv y^a_k \mid y^a_k \not\equiv y^b_k]
$$

An event counts only where all oracles see it, so that A_k + C_k <= 1; the rest follows
neither, or oracles disagree. Of translations a is the content and b the style; of mixed
styles b is the source of the layers from l on, and A over l is the mixing matrix.
"""

from typing import NamedTuple

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing.equality import equal


class Following(NamedTuple):
    """Shares per factor, (F,) each; NaN where no two sources differ in it.

    Attributes:
      second: A_k.
      first: C_k.
      asked: how many pictures A_k and C_k are shares of.
    """

    second: np.ndarray
    first: np.ndarray
    asked: np.ndarray


def following(
    space: FactorSpace,
    found: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    sure: np.ndarray | None = None,
) -> Following:
    """A_k and C_k.

    Args:
      space: the factors.
      found: (J, n, F) readings of the mixed pictures by J oracles.
      first: (n, F) y^a.
      second: (n, F) y^b.
      sure: (n, F) bool, the factors that are known of both sources; None: all.
    """
    differ = ~equal(space, first, second) & ~equal(space, second, first)
    differ = differ if sure is None else differ & sure
    asked = differ.sum(0)

    def share(source: np.ndarray) -> np.ndarray:
        target = np.broadcast_to(source[None], np.shape(found))
        seen = equal(space, found, target).all(0) & differ
        part = np.full(len(asked), np.nan)
        return np.divide(seen.sum(0), asked, out=part, where=asked > 0)

    return Following(share(np.asarray(second)), share(np.asarray(first)), asked)
