"""The editor of attribute vectors: a code moved by a difference of class means."""

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing import Known, Question
from disentangle.retrieval.encoder import class_means
from disentangle.study.editor import Editor, Limits, Pictures
from disentangle.training.run import Run


def directions(run: Run, known: Known, space: FactorSpace) -> Editor:
    """The whole code moved from the mean of the value it has to that of the wanted."""
    means = class_means(run.encode(known.images)[0], known.factors, space.sizes)
    seen = [len(np.unique(column)) for column in known.factors.T]
    gaps = [
        f"{size - count} of {size} values of {name}"
        for name, size, count in zip(space.names, space.sizes, seen, strict=True)
        if count < size
    ]
    stands = "the mean of all labelled images stands in for values without one"
    notes = (f"{stands}: {', '.join(gaps)}",) if gaps else ()

    def edited(q: Question) -> Pictures:
        own = means[q.column]
        codes = run.encode(q.images)[0]
        return run.decode(codes + own[q.value] - own[q.factors[:, q.column]])[0]

    same = lambda q: run.decode(run.encode(q.images)[0])[0]
    return Editor(edited, same, Limits(notes))
