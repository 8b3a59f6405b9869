"""What an editor of pictures is, and what is said of a way to edit."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing import Known, Question
from disentangle.training.run import Run

SEED = 7  # of what a generator draws

Pictures = np.ndarray  # (n, H, W, C) float32 in [0, 1]


class Limits(NamedTuple):
    """What an editor does not do.

    Attributes:
      notes: a sentence each.
      cannot: the factors that it leaves as they are, whatever is wanted.
    """

    notes: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()

    @classmethod
    def without(cls, cannot: Sequence[str], says: str) -> "Limits":
        """Those factors; `says` has "{}" where their names go."""
        names = tuple(cannot)
        return cls((says.format(", ".join(names)),) if names else (), names)


class Editor(NamedTuple):
    """One model's way to edit.

    Attributes:
      edit: the pictures of a question, edited.
      rebuild: the same, without an edit: how well the model draws what it is shown.
      limits: what it does not do.
    """

    edit: Callable[[Question], Pictures]
    rebuild: Callable[[Question], Pictures]
    limits: Limits = Limits()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known, a sentence each."""
        return self.limits.notes


class Way(NamedTuple):
    """A row of EDITORS.

    Attributes:
      make: (run of one model, known, space) -> Editor.
      can: (run) -> whether its method has what is needed.
      lack: what the others lack.
      summary: what becomes of the picture, in a line.
      exemplar: whether another picture that has the value is read.
      generates: whether the pictures are the model's own.
      told: whether it must be told what the picture shows.
    """

    make: Callable[[Run, Known, FactorSpace], Editor]
    can: Callable[[Run], bool]
    lack: str
    summary: str
    exemplar: bool = False
    generates: bool = False
    told: bool = False
