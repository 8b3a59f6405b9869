"""Every method's equation in float64 NumPy: `EQUATIONS[name]` is a list of cases.

A new method's cases go into one file here, and one line below.
"""

from equations import (
    adde,
    critics,
    cycles,
    diffusion,
    discrete,
    few_labels,
    flows,
    gans,
    groups,
    objectives,
    plain,
    recent,
    retrieval,
    style,
    translation,
)
from equations.reference import Case

EQUATIONS: dict[str, list[Case]] = {
    **adde.CASES,
    **critics.CASES,
    **cycles.CASES,
    **plain.CASES,
    **diffusion.CASES,
    **discrete.CASES,
    **groups.CASES,
    **objectives.CASES,
    **few_labels.CASES,
    **flows.CASES,
    **gans.CASES,
    **recent.CASES,
    **retrieval.CASES,
    **style.CASES,
    **translation.CASES,
}
