"""How the gradients of several tasks become one: one file each, and this table.

A weighting reads the inner products of the gradients and the losses, and nothing else
of them (see `base.Weighting`), so it is the same for every network.
"""

from disentangle.weightings import (
    cagrad,
    dualproj,
    dwa,
    equal,
    fairgrad,
    famo,
    gradnorm,
    imtl_g,
    mgda,
    nash_mtl,
    pcgrad,
    rlw,
    uncertainty,
    upgrad,
)
from disentangle.weightings.base import Weighting

WEIGHTINGS: dict[str, Weighting] = {
    "equal": equal.WEIGHTING,
    "uncertainty": uncertainty.WEIGHTING,
    "dwa": dwa.WEIGHTING,
    "rlw": rlw.WEIGHTING,
    "gradnorm": gradnorm.WEIGHTING,
    "pcgrad": pcgrad.WEIGHTING,
    "cagrad": cagrad.WEIGHTING,
    "mgda": mgda.WEIGHTING,
    "imtl_g": imtl_g.WEIGHTING,
    "nash_mtl": nash_mtl.WEIGHTING,
    "fairgrad": fairgrad.WEIGHTING,
    "famo": famo.WEIGHTING,
    "upgrad": upgrad.WEIGHTING,
    "dualproj": dualproj.WEIGHTING,
}
