"""How the gradients of several tasks become one: one file each, and this table.

A weighting reads the inner products of the gradients and nothing else of them (see
`Weighting`), so it is the same for every network.
"""

from disentangle.methods.base import Weighting
from disentangle.methods.weightings import equal, mgda, pcgrad

WEIGHTINGS: dict[str, Weighting] = {
    "equal": equal.WEIGHTING,
    "mgda": mgda.WEIGHTING,
    "pcgrad": pcgrad.WEIGHTING,
}
