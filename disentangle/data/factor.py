"""One ground-truth factor of variation: its values, and what they mean."""

from dataclasses import dataclass

import numpy as np

from disentangle import errors

KINDS = ("categorical", "ordinal", "circular", "real")


@dataclass(frozen=True)
class Symmetry:
    """The image repeats `orders[v]` times per turn when factor `by` has value v.

    Attributes:
      by: name of the factor that decides, e.g. "shape".
      orders: one positive integer for each value of that factor; 4 for a square, 2
        for an ellipse, 1 for a shape without rotational symmetry.
    """

    by: str
    orders: tuple[int, ...]


@dataclass(frozen=True)
class Factor:
    """One ground-truth factor of variation.

    Attributes:
      name: its name, as in TensorFlow Datasets.
      size: K, the number of values; a value is an index in [0, K).
      kind: "categorical" (no order), "ordinal" (a line), "circular" (a circle) or
        "real" (a line; the values are the different real numbers of a table).
      values: (K,) the physical value of each index, as published; categorical
        factors have 0..K-1.
      steps_per_turn: circular only, the number of index steps in a full turn. It may
        be less than K: dSprites' orientations 0 and 39 are one turn apart.
      symmetry: circular only, the rotational symmetry of what is turned.
      tolerance: index distance up to which two values count as equal.
      words: (K,) what each value is called, where it is a word; else ().
      counts: (K,) how many images of a table have each value; () on a grid, where
        all are as frequent.
    """

    name: str
    size: int
    kind: str
    values: tuple[float, ...]
    steps_per_turn: int | None = None
    symmetry: Symmetry | None = None
    tolerance: int = 0
    words: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        numbers = {"size": self.size, "tolerance": self.tolerance}
        if self.steps_per_turn is not None:
            numbers["steps_per_turn"] = self.steps_per_turn
        for what, number in numbers.items():
            least = 0 if what == "tolerance" else 1
            if type(number) is not int or number < least:
                raise errors.UserError(
                    f"factor {self.name!r} has {what} {number!r}; it must be a whole "
                    f"number, at least {least}."
                )
        if self.kind not in KINDS:
            raise errors.unknown("factor kind", self.kind, KINDS)
        if len(self.values) != self.size:
            raise errors.UserError(
                f"factor {self.name!r} has size {self.size} but "
                f"{len(self.values)} values."
            )
        for what, row in (("words", self.words), ("counts", self.counts)):
            if row and len(row) != self.size:
                raise errors.UserError(
                    f"factor {self.name!r} has size {self.size} but {len(row)} {what}."
                )
        if (self.kind == "circular") != (self.steps_per_turn is not None):
            raise errors.UserError(
                f"factor {self.name!r} is {self.kind}: steps_per_turn belongs to "
                "circular factors, and to all of them."
            )
        if self.symmetry is not None and self.kind != "circular":
            raise errors.UserError(
                f"factor {self.name!r} is {self.kind}: only a circular factor can "
                "have a symmetry."
            )

    @property
    def weights(self) -> np.ndarray:
        """(K,) float64, the share of the labelled images that have each value."""
        counts = np.asarray(self.counts or (1,) * self.size, np.float64)
        return counts / counts.sum()
