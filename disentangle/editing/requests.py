"""What is asked of every model alike: this picture, with one attribute changed.

A request is a source picture, one attribute, the value that it shall have, and an
exemplar: another picture that has this value, and all else at random. The true answer
is the picture of the grid with the value and nothing else changed. Requests are
numbers of a counter (data/counted.py): the same for ever, on every machine.

With a split of the data set's world, sources are pictures that nobody who was trained
on that split has seen, and, where the split holds combinations out, the combination
that is ASKED FOR is held out; held-out sources alone would leave targets that were
trained on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from disentangle.data import counted
from disentangle.data.space import FactorSpace
from disentangle.data.worlds import TEST, world
from disentangle.editing.equality import equal
from disentangle.errors import UserError, shown
from disentangle.records import ArrayRecord

MOST = 10**6  # requests of one attribute
ROUNDS = 500  # times that pictures are drawn until there are enough
AT_ONCE = 8_192  # pictures drawn each time; larger numbers contain smaller ones


@dataclass(frozen=True)
class Asking:
    """How much is asked.

    Attributes:
      requests: of each attribute.
      split: "" asks of all pictures of the grid; a split of the data set's world, such
        as "rand" or "comp", of pictures outside of its training images.
      attributes: factors that are edited and judged, at least two; () is all that have
        several values.
      labels: labelled training images that an editor may read, the first of a fixed
        order.
      gallery: training images that an editor may give back; 0 is all.
      bootstrap: resamples for 95 % intervals over requests; 0 is none.

    Raises:
      UserError: a number out of its range.
    """

    requests: int = 2_000
    split: str = ""
    attributes: tuple[str, ...] = ()
    labels: int = 500
    gallery: int = 5_000
    bootstrap: int = 200

    def __post_init__(self) -> None:
        for name, least, most in (
            ("requests", 1, MOST),
            ("labels", 2, 10**7),
            ("gallery", 0, 10**7),
            ("bootstrap", 0, 10**5),
        ):
            value = vars(self)[name]
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            single = name == "bootstrap"  # one resample has no spread
            if not whole or not least <= value <= most or (single and value == 1):
                raise UserError(
                    f"{name}={shown(value)} must be a whole number from {least} to "
                    f"{most:,}" + ", not 1" * single
                )


@dataclass(frozen=True, eq=False)
class Requests(ArrayRecord):
    """edit_requests.npz: Q requests, those of one attribute after those of another.

    Attributes:
      names: (F,) the factors.
      judged: (A,) the columns of those that are edited and judged.
      attribute: (Q,) the column that changes.
      value: (Q,) what it shall be.
      source: (Q,) images asked with.
      exemplar: (Q,) images that have the value, all else at random.
      truth: (Q,) images that are the sources with the value and nothing else changed.
    """

    FILE: ClassVar[str] = "edit_requests.npz"
    names: np.ndarray
    judged: np.ndarray
    attribute: np.ndarray
    value: np.ndarray
    source: np.ndarray
    exemplar: np.ndarray
    truth: np.ndarray

    def of(self, column: int) -> np.ndarray:
        """(n,) the requests of one attribute."""
        return np.flatnonzero(self.attribute == column)


class Rule(NamedTuple):
    """Which images may be asked about; each takes (n,) images, gives (n,) bool.

    Attributes:
      source: of the pictures asked with.
      target: of the true answers.
    """

    source: Callable[[np.ndarray], np.ndarray]
    target: Callable[[np.ndarray], np.ndarray]


def anything(images: np.ndarray) -> np.ndarray:
    """Every image."""
    return np.ones(len(images), bool)


def rule_of(name: str, space: FactorSpace, split: str) -> Rule:
    """What a split of the world of a data set lets be asked; "" lets everything.

    Raises:
      UserError: a data set without a world, a part of one, or another split.
    """
    if not split:
        return Rule(anything, anything)
    found = world(name)
    if found.attributes.space != space:
        raise UserError(
            f"split={split!r} needs all images of {name}, and these are others"
        )
    parts = found.parts(split)
    seen = np.zeros(space.size, bool)
    seen[found.training(split)] = True
    unseen = lambda images: ~seen[images]
    if split == "rand":
        return Rule(unseen, anything)
    return Rule(
        unseen,
        lambda images: parts[np.asarray(found.attributes.tuple_of(images))] == TEST,
    )


def judged_columns(space: FactorSpace, attributes: Sequence[str]) -> list[int]:
    """The columns of the factors that are edited; of () all with several values.

    Raises:
      UserError: no full grid, a name that is no factor, repeats or has one value, or
        fewer than two.
    """
    space.require_grid("the edit bench")
    names = tuple(attributes) or tuple(f.name for f in space.items if f.size > 1)
    columns = [space.position(name) for name in names]
    if len(set(columns)) != len(columns):
        raise UserError(f"attributes={','.join(names)} repeat")
    single = [name for name in names if space[name].size < 2]
    if single:
        raise UserError(f"attribute {single[0]!r} has one value: it cannot be edited")
    if len(columns) < 2:
        raise UserError(
            f"attributes={','.join(names)} must be at least two: what an edit keeps is "
            "judged by the others"
        )
    return columns


def requests(name: str, space: FactorSpace, asking: Asking) -> Requests:
    """The requests of a data set, the same for every model.

    Args:
      name: of the data set.
      space: its factors, a full grid.
      asking: reads `requests`, `split`, `attributes`.

    Raises:
      UserError: as `judged_columns` and `rule_of`, or an attribute of which no edit can
        be asked in the split.
    """
    columns = judged_columns(space, asking.attributes)
    rule = rule_of(name, space, asking.split)
    parts = [_of_attribute(space, rule, column, asking) for column in columns]
    source, exemplar = (np.concatenate(part) for part in zip(*parts, strict=True))
    attribute = np.repeat(columns, [len(part[0]) for part in parts])
    rows, value = space.factors(source), space.factors(exemplar)
    at = np.arange(len(rows))
    rows[at, attribute] = value[at, attribute]
    return Requests(
        np.array(space.names),
        np.array(columns),
        attribute,
        value[at, attribute],
        source,
        exemplar,
        np.asarray(space.index(rows)),
    )


def _of_attribute(
    space: FactorSpace, rule: Rule, column: int, asking: Asking
) -> tuple[np.ndarray, np.ndarray]:
    """(sources, exemplars), (n,) each, of the edits of one factor."""
    name, wanted = space.names[column], asking.requests
    found: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for round_ in range(ROUNDS):
        own, other = (
            counted.below(f"edit {name}, {which}", round_, AT_ONCE, space.sizes)
            for which in ("source", "exemplar")
        )
        target = own.copy()
        target[:, column] = other[:, column]
        source, exemplar, truth = (
            np.asarray(space.index(rows)) for rows in (own, other, target)
        )
        good = ~equal(space, own, target)[:, column]
        good &= rule.source(source) & rule.target(truth)
        found.append((source[good], exemplar[good]))
        count += int(good.sum())
        if count >= wanted:
            break
    if not count:
        raise UserError(
            f"no edit of {name!r} can be asked for in the split {asking.split!r}"
        )
    source, exemplar = (np.concatenate(part) for part in zip(*found, strict=True))
    return source[:wanted], exemplar[:wanted]
