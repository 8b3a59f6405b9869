"""What an editor of pictures is, and what is said of a way to edit."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing import Known, Question
from disentangle.training.run import Run

SEED = 7  # of what a generator draws

Pictures = np.ndarray  # (n, H, W, C) float32 in [0, 1]


class Editor(NamedTuple):
    """One model's way to edit.

    Attributes:
      edit: the pictures of a question, edited.
      rebuild: the same, without an edit: how well the model draws what it is shown.
      notes: what is to be known, a sentence each.
    """

    edit: Callable[[Question], Pictures]
    rebuild: Callable[[Question], Pictures]
    notes: tuple[str, ...] = ()


class Way(NamedTuple):
    """A row of EDITORS.

    Attributes:
      make: (run of one model, known, space) -> Editor.
      can: (run) -> whether its method has what is needed.
      lack: what the others lack.
      summary: what becomes of the picture, in a line.
      exemplar: whether another picture that has the value is read.
      generates: whether the pictures are the model's own.
    """

    make: Callable[[Run, Known, FactorSpace], Editor]
    can: Callable[[Run], bool]
    lack: str
    summary: str
    exemplar: bool = False
    generates: bool = False
