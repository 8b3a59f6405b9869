"""What a task gives: numbers by way and attribute, matrices, and examples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from disentangle.retrieval import scores

EVERY = ""  # the attribute of a mean over all of them


class Row(NamedTuple):
    """One number.

    Attributes:
      way: how it was done: an edit, a part of the code, or a baseline.
      attribute: its name; "" for the mean over attributes.
      score: its name.
      value: the number.
      low, high: the 95 % interval over queries; NaN where there is none.
    """

    way: str
    attribute: str
    score: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


class Example(NamedTuple):
    """Pictures that were asked with, and what was found.

    Attributes:
      attribute: that was to change.
      old, new: its values.
      asked: the image that it was asked with.
      truth: the image that was to be found.
      found: (k,) images, best first.
      right: (k,) bool, whether each is right.
    """

    attribute: str
    old: int
    new: int
    asked: int
    truth: int
    found: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """The result of one task for one model.

    Attributes:
      rows: the numbers.
      arrays: matrices by name, over attributes in the order of the world.
      examples: some of the queries, for people.
      notes: what else is to be known, a sentence each.
    """

    rows: list[Row]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def value(self, way: str, score: str, attribute: str = EVERY) -> float:
        """One number; NaN where there is none."""
        return self.row(way, score, attribute).value

    def row(self, way: str, score: str, attribute: str = EVERY) -> Row:
        """The row of a number; one of NaN where there is none."""
        for row in self.rows:
            if (row.way, row.attribute, row.score) == (way, attribute, score):
                return row
        return Row(way, attribute, score, float("nan"))


def mean_rows(
    way: str,
    outcomes: Mapping[str, Mapping[str, np.ndarray]],
    draws: int,
    *,
    seed: int = 0,
) -> list[Row]:
    """The means of scores over queries, of each attribute and over attributes.

    Args:
      way: as in `Row`.
      outcomes: attribute -> score -> (n,) of each query; the same scores everywhere.
      draws, seed: of the intervals, see `scores.intervals`.
    """
    found = []
    names = list(next(iter(outcomes.values())))
    tables = {
        a: np.stack([parts[name] for name in names], axis=1).astype(np.float64)
        for a, parts in outcomes.items()
    }
    groups = {a: [table] for a, table in tables.items()}
    for attribute, tables_of in {EVERY: list(tables.values()), **groups}.items():
        bounds = scores.intervals(tables_of, draws, seed=seed)
        for name, value, low, high in zip(names, *bounds, strict=True):
            found.append(
                Row(way, attribute, name, float(value), float(low), float(high))
            )
    return found
