"""Rows that are known in advance: what is no edit, and what no edit can better.

copy           the source as it is: nothing is hit, all is kept, EDIT 0
reference      the exemplar itself: all is hit, nothing is kept but by chance, EDIT 0
pixel-mean     the mean of the labelled pictures that have the value: about 0
render         the true answer: what the oracles allow, about 1
nearest-train  the training picture nearest to the true answer: what the best retrieval
               could do; 1 where the answer was trained on
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from disentangle.retrieval.nearest import nearest


class Question(NamedTuple):
    """The requests of one attribute, n of them, as pictures in [0, 1].

    Attributes:
      column: of the factor that changes.
      images: (n, H, W, C) the sources.
      factors: (n, F) theirs.
      target: (n, F) those of the true answers.
      exemplars: (n, H, W, C) others that have the wanted value.
      truth: (n, H, W, C) the true answers.
      given: (n, F) what a generator was told to draw the sources, where they are its
        own; None of real ones.
    """

    column: int
    images: np.ndarray
    factors: np.ndarray
    target: np.ndarray
    exemplars: np.ndarray
    truth: np.ndarray
    given: np.ndarray | None = None

    @property
    def value(self) -> np.ndarray:
        """(n,) the wanted values."""
        return np.asarray(self.target[:, self.column])


class Known(NamedTuple):
    """What an editor may read besides its model.

    Attributes:
      images: (n, H, W, C) in [0, 1], labelled training pictures.
      factors: (n, F) theirs.
      gallery: (G, H, W, C) training pictures that may be given back.
    """

    images: np.ndarray
    factors: np.ndarray
    gallery: np.ndarray


Way = Callable[[Question, Known], np.ndarray]


def copy(question: Question, known: Known) -> np.ndarray:
    """The sources."""
    del known
    return question.images


def reference(question: Question, known: Known) -> np.ndarray:
    """The exemplars."""
    del known
    return question.exemplars


def pixel_mean(question: Question, known: Known) -> np.ndarray:
    """The mean labelled picture of the wanted value; of none that of all."""
    means = means_by_value(known.images, known.factors[:, question.column])
    every = known.images.mean(0)
    return np.stack([means.get(int(v), every) for v in question.value])


def render(question: Question, known: Known) -> np.ndarray:
    """The true answers."""
    del known
    return question.truth


def nearest_train(question: Question, known: Known) -> np.ndarray:
    """The pictures of the gallery that are nearest to the true answers."""
    flat = lambda images: np.asarray(images, np.float32).reshape(len(images), -1)
    found, _ = nearest(flat(question.truth), flat(known.gallery), 1)
    return np.asarray(known.gallery[found[:, 0]])


def means_by_value(rows: np.ndarray, values: np.ndarray) -> dict[int, np.ndarray]:
    """value -> the mean of the rows (n, ...) that have it in `values` (n,)."""
    return {int(v): rows[values == v].mean(0) for v in np.unique(values)}


REFERENCES: dict[str, Way] = {
    "copy": copy,
    "reference": reference,
    "pixel-mean": pixel_mean,
    "render": render,
    "nearest-train": nearest_train,
}
