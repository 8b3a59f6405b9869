"""What the models of a run are asked in the edit bench, and what they may read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from disentangle.data import counted
from disentangle.data.dataset import Dataset
from disentangle.editing import Asking, Bench, Known, Question, Requests, requests
from disentangle.editing.requests import judged_columns, rule_of
from disentangle.errors import UserError
from disentangle.study.editors import ways_of
from disentangle.study.judges import Judges, pictures
from disentangle.training.run import Run, compare_data, prepare


class Asked(NamedTuple):
    """All that the models of a run are asked with.

    Attributes:
      data: the data set.
      asking: how much is asked.
      requests: what.
      known: what editors may read.
      judges: the oracles.
    """

    data: Dataset
    asking: Asking
    requests: Requests
    known: Known
    judges: Judges

    @property
    def bench(self) -> Bench:
        """What edits are judged by."""
        columns = tuple(int(c) for c in self.requests.judged)
        return Bench(self.data.space, columns, self.judges.accuracy)

    def question(self, column: int) -> Question:
        """The requests of one attribute, with their pictures."""
        own, space = self.requests.of(column), self.data.space
        draw = lambda index: pictures(self.data, index[own])
        asked = self.requests
        return Question(
            column,
            draw(asked.source),
            np.asarray(space.factors(asked.source[own])),
            np.asarray(space.factors(asked.truth[own])),
            draw(asked.exemplar),
            draw(asked.truth),
        )


def check(run: Run, data: Dataset, asking: Asking, editors: Sequence[str]) -> None:
    """Raises UserError for what cannot be asked, before anything is computed."""
    compare_data(run, data)
    judged_columns(data.space, asking.attributes)
    rule_of(data.name, data.space, asking.split)
    ways_of(run, tuple(editors))
    labelled(run, data, asking)
    requests(data.name, data.space, asking)


def labelled(run: Run, data: Dataset, asking: Asking) -> np.ndarray:
    """The run's training images in a fixed order, the first `labels` with labels.

    Raises:
      UserError: more labels than there are training images.
    """
    images = training_images(run, data)
    if asking.labels > len(images):
        raise UserError(
            f"labels={asking.labels:,} are more than the {len(images):,} training "
            "images of the run"
        )
    return images


def training_images(run: Run, data: Dataset) -> np.ndarray:
    """(n,) images that a run was trained on, in a fixed order."""
    subset = prepare(run.config, data)[2].subset
    images = np.arange(len(data)) if subset is None else np.sort(np.asarray(subset))
    order = np.argsort(counted.numbers("labels", 0, (len(images),)), kind="stable")
    return np.asarray(images[order])


def known_of(run: Run, data: Dataset, asking: Asking) -> Known:
    """What editors may read of the run's training images; errors as `labelled`."""
    images = labelled(run, data, asking)
    some = images[: asking.labels]
    return Known(
        pictures(data, some),
        np.asarray(data.factors(some)),
        pictures(data, images[: asking.gallery or None]),
    )


def asked_of(run: Run, data: Dataset, asking: Asking, judges: Judges) -> Asked:
    """The requests, and what editors may read of the run's training images."""
    found, known = requests(data.name, data.space, asking), known_of(run, data, asking)
    return Asked(data, asking, found, known, judges)
