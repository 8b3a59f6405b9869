r"""Questions that data sets of clothes were published with, and no labels answer.

- triplets "alike in one respect" (Veit et al. 2017, UT-Zappos50k): how often
  $d(anchor, near) < d(anchor, far)$, a tie counting half;
- sets that people put together (Vasileva et al. 2018, Polyvore Outfits): which of the
  answers fills the blank, the one with the least sum of distances from the items; and
  the area under the ROC curve of the mean distance over pairs of items.

Distances are |x - y| here, as in the code of Vasileva et al. Which columns of a code
are of a condition must be told ("own"); "whole" compares whole codes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from disentangle.data import counted
from disentangle.retrieval import scores
from disentangle.retrieval.asking import Asking
from disentangle.retrieval.encoder import Encoder
from disentangle.retrieval.outcome import EVERY, Outcome, Row, mean_rows
from disentangle.retrieval.similar import triplets_right

ROWS = 100_000  # pairs whose distances are taken at a time


class Triplets(NamedTuple):
    """condition -> (3, n) images: anchor, the near one, the far one."""

    of: Mapping[str, np.ndarray]

    @property
    def images(self) -> np.ndarray:
        """All images that must be encoded."""
        return np.concatenate([found.ravel() for found in self.of.values()])


class Sets(NamedTuple):
    """Sets of items that are asked about.

    Attributes:
      blanks: (items, answers, which is right) of each question.
      judged: (items of a set, whether they go together).
    """

    blanks: Sequence[tuple[Sequence[int], Sequence[int], int]]
    judged: Sequence[tuple[Sequence[int], bool]]

    @property
    def images(self) -> np.ndarray:
        """All images that must be encoded."""
        asked = [np.array([*items, *answers]) for items, answers, _ in self.blanks]
        return np.concatenate([*asked, *(np.array(items) for items, _ in self.judged)])


def some_triplets(of: Mapping[str, np.ndarray], asking: Asking) -> Triplets:
    """At most `asking.triplets` of each condition, spread evenly."""
    chosen = lambda found: found[:, counted.spread(found.shape[1], asking.triplets)]
    return Triplets({name: chosen(found) for name, found in of.items()})


def some_sets(asked: Sets, asking: Asking) -> Sets:
    """At most `asking.sets` questions and sets, spread evenly."""
    some = lambda found: [found[i] for i in counted.spread(len(found), asking.sets)]
    return Sets(some(asked.blanks), some(asked.judged))


def similar(asked: Triplets, encoder: Encoder, asking: Asking) -> Outcome:
    """How often what is alike is nearer.

    Returns:
      Rows of the ways "chance", "whole" and, where columns of every condition were
      told, "own"; the score "triplets" of each condition and of their mean.
    """
    ways = ["whole", "own"] if all(map(len, encoder.chunks)) else ["whole"]
    half = {name: {"triplets": np.full(1, 0.5)} for name in asked.of}
    rows = mean_rows("chance", half, 0)
    for way in ways:
        right = {
            name: {"triplets": triplets_right(encoder, found, a, way)}
            for a, (name, found) in enumerate(asked.of.items())
        }
        rows += mean_rows(way, right, asking.bootstrap, seed=asking.seed)
    return Outcome(rows, notes=encoder.notes)


def complete(asked: Sets, encoder: Encoder, asking: Asking) -> Outcome:
    """Which answer fills a blank, and which sets go together.

    Returns:
      Rows of the ways "chance" and "whole"; scores "fitb" and "auc".
    """
    guess = np.mean([1 / len(answers) for _, answers, _ in asked.blanks])
    rows = [Row("chance", EVERY, "fitb", float(guess))]
    rows.append(Row("chance", EVERY, "auc", 0.5))
    widest = max(len(answers) for _, answers, _ in asked.blanks)
    sums = np.full((len(asked.blanks), widest), np.inf)
    pairs = [
        (q, k, item, answer)
        for q, (items, answers, _) in enumerate(asked.blanks)
        for k, answer in enumerate(answers)
        for item in items
    ]
    question, place, first, second = np.array(pairs).T
    sums[question, place] = 0.0
    np.add.at(sums, (question, place), apart(encoder, first, second))
    right = np.array([which for _, _, which in asked.blanks])
    filled = {EVERY: {"fitb": scores.chosen_first(sums, right)}}
    rows += mean_rows("whole", filled, asking.bootstrap, seed=asking.seed)[:1]
    together = np.array([is_set for _, is_set in asked.judged])
    value, error = scores.roc_auc(-set_distances(encoder, asked.judged), together)
    half = 1.96 * error if asking.bootstrap else float("nan")
    rows.append(Row("whole", EVERY, "auc", value, value - half, value + half))
    return Outcome(rows, notes=encoder.notes)


def set_distances(
    encoder: Encoder, sets: Sequence[tuple[Sequence[int], bool]]
) -> np.ndarray:
    """(n,) the mean distance over the pairs of items of each set."""
    pairs = [
        (n, items[i], items[j])
        for n, (items, _) in enumerate(sets)
        for i in range(len(items))
        for j in range(i)
    ]
    number, first, second = np.array(pairs).T
    total = np.bincount(number, apart(encoder, first, second), len(sets))
    return np.asarray(total / np.bincount(number, minlength=len(sets)))


def apart(encoder: Encoder, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) float64 |x - y| of whole codes of images (n,) and (n,)."""
    found = []
    for start in range(0, len(first), ROWS):
        part = slice(start, start + ROWS)
        x, y = (
            encoder.compared(encoder.encode(images[part])).astype(np.float64)
            for images in (first, second)
        )
        found.append(np.sqrt(((x - y) ** 2).sum(1)))
    return np.concatenate(found)
