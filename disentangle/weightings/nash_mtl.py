"""Nash-MTL: the step on which all tasks agree as in a bargain (Navon et al. 2022).

"Multi-task learning as a bargaining game", ICML 2022: the direction d of a given length
with the largest sum_i log(g_i . d) is sum_i w_i g_i with

G w = 1 / w.

That is the minimum of the strictly convex w' G w / 2 - sum_i log w_i, found by Newton's
method (`fairgrad.fair`); d has length sqrt(N) whatever the gradients. The authors solve
a sequence of convex approximations by cvxpy, and their code and LibMTL's give equal
weights without a word where its solver is missing. They and TorchJD divide G by its
norm first, which multiplies w by the root of that norm, and may clip the step.
"""

from typing import Any

import jax

from disentangle.weightings.base import Weighting, read
from disentangle.weightings.fairgrad import fair


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Any, *, key: Any
) -> tuple[jax.Array, Any]:
    """The solution of G w = 1 / w over the active tasks; see `fair`."""
    del key
    return fair(read(gram, losses, active), alpha=1.0), memory


WEIGHTING = Weighting(weights)
