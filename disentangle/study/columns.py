"""Which columns of a code are of which factor, where the method fixes that.

`Method.attributes` names a factor for each column ("shape"), bins of one ("scale:4") or
several together ("shape+scale"). Columns of no factor are free: a factor without
columns of its own is looked for there.
"""

from collections.abc import Callable, Sequence

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing import Known, Question
from disentangle.metrics.forest_importance import dimensions, forest_importance
from disentangle.metrics.leakage import owned
from disentangle.study.editor import Limits
from disentangle.training.run import Run

# columns of the code -> for each factor that is looked for, which of them are of it
Find = Callable[[np.ndarray, list[int]], list[np.ndarray]]


def fixed_columns(
    attributes: Sequence[str], names: Sequence[str], find: Find
) -> list[np.ndarray]:
    """(F,) the columns of each factor.

    Args:
      attributes: (D,) `Method.attributes`.
      names: (F,) factors.
      find: find(free columns, factors without columns of their own) -> their columns
        among the free ones, by place; only asked where there are both.
    """
    masks = np.array([owned(attributes, name) for name in names])
    found = [np.flatnonzero(mask) for mask in masks]
    without = [j for j, own in enumerate(found) if not len(own)]
    free = np.flatnonzero(~masks.any(0))
    if without and len(free):
        for j, places in zip(without, find(free, without), strict=True):
            found[j] = free[places]
    return found


def chunks_of(
    run: Run, known: Known, space: FactorSpace
) -> tuple[list[np.ndarray], Limits]:
    """(F,) the columns of the code that are of each factor, and what is to be known.

    Those that the method fixes (`Method.attributes`), else the dimensions by their
    importance, among those that it leaves free if it fixes some.
    """
    if run.method.attributes is not None:

        def find(free: np.ndarray, without: list[int]) -> list[np.ndarray]:
            codes, values = run.encode(known.images)[0], known.factors[:, without]
            return dimensions(forest_importance(codes[:, free], values))[0]

        chunks = fixed_columns(run.method.attributes, space.names, find)
        empty = [n for n, own in zip(space.names, chunks, strict=True) if not len(own)]
        return chunks, Limits.without(empty, "no column of the code is of {}")
    codes = run.encode(known.images)[0]
    chunks, without = dimensions(forest_importance(codes, known.factors))
    says = "the dimension that tells most stands in, as none is the most important for "
    names = ", ".join(space.names[j] for j in without)
    return chunks, Limits((says + names,) if without else ())


def annihilated(
    run: Run, space: FactorSpace, codes: np.ndarray, columns: np.ndarray, q: Question
) -> np.ndarray:
    """Codes (n, D) with the columns of a factor zero where the method has it so."""
    names = run.method.attributes
    if run.method.annihilates and names is not None and len(columns):
        size = space.sizes[q.column]
        bins = names[columns[0]].partition(":")[2]
        zero = q.value // (size // int(bins or size)) == 0
        codes[np.ix_(zero, columns)] = 0.0
    return codes
