"""Questions whose answers are exact: "this in another value", "alike in this respect".

Pictures are tuples of attributes; `World.view` says which image of a tuple is asked
about and which is found. The gallery has one image per tuple, in the order of tuples,
so that a tuple's number is also its row there.
"""

from typing import NamedTuple

import numpy as np

from disentangle import errors
from disentangle.data import counted
from disentangle.data.worlds import TEST, World

KINDS = ("random", "conflict")


class Edits(NamedTuple):
    """Pictures, and what they shall be changed to.

    Attributes:
      attribute: that shall change.
      reference: (n,) tuples asked about; to be left out of the gallery.
      old: (n,) their values.
      value: (n,) the values they shall have.
      target: (n,) the tuples that are right, rows of the gallery.
      image: (n,) images of the references, the world's view "query".
      truth: (n,) images that are these with the new value and nothing else changed.
    """

    attribute: str
    reference: np.ndarray
    old: np.ndarray
    value: np.ndarray
    target: np.ndarray
    image: np.ndarray
    truth: np.ndarray


class Triplets(NamedTuple):
    """Tuples of which the first is alike the second, and not the third, in one respect.

    Attributes:
      attribute: the respect.
      anchor: (n,) tuples.
      positive: (n,) tuples with the anchor's value.
      negative: (n,) tuples with another one.
    """

    attribute: str
    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


def edits(
    world: World,
    attribute: str,
    count: int = 2_000,
    *,
    split: str = "rand",
    part: int = TEST,
    gallery: np.ndarray | None = None,
) -> Edits:
    """Different edits of one attribute, evenly spread over all there are.

    Args:
      world: of the data set.
      attribute: that changes.
      count: how many; fewer where there are not so many.
      split: targets are tuples of its `part`; references are any.
      part: TEST or VALIDATION.
      gallery: (m,) tuples that references and targets belong to, such as
        `World.mini()`; None for all.

    Raises:
      UserError: no such attribute or split, or fewer than one edit asked for.
    """
    if count < 1:
        raise errors.UserError(f"count={count} must be at least 1.")
    attributes = world.attributes
    column = attributes.column(attribute)
    size, stride = attributes.sizes[column], _stride(attributes.sizes, column)
    allowed = np.zeros(attributes.tuples, bool)
    allowed[world.tuples(split, part)] = True
    listed = np.zeros(attributes.tuples, bool)
    listed[slice(None) if gallery is None else gallery] = True
    targets = np.flatnonzero(allowed & listed)
    # Of each target the references are its K - 1 neighbours along the attribute.
    value = targets // stride % size
    old = (value[:, None] + np.arange(1, size)) % size
    reference = targets[:, None] + (old - value[:, None]) * stride
    rows, columns = np.nonzero(listed[reference])
    chosen = counted.spread(len(rows), count)
    rows, columns = rows[chosen], columns[chosen]
    reference = reference[rows, columns]
    image = world.view("query" if part == TEST else "validation", reference)
    return Edits(
        attribute,
        reference,
        old[rows, columns],
        value[rows],
        targets[rows],
        image,
        attributes.edited(image, attribute, value[rows]),
    )


def triplets(
    world: World,
    attribute: str,
    count: int = 10_000,
    *,
    kind: str = "random",
    split: str = "rand",
    part: int = TEST,
    seed: int = 0,
) -> Triplets:
    """Triplets of one attribute; of any encoder chance is 1/2.

    Anchors are tuples of the split's part. "random": positive and negative are uniform
    among tuples with the anchor's value and with another one. "conflict": the positive
    differs from the anchor in every other attribute, the negative in none, so that
    whoever looks at the whole picture is wrong.

    Raises:
      UserError: no such attribute, kind or split, or an attribute of a single value.
    """
    if kind not in KINDS:
        raise errors.unknown("kind of triplets", kind, KINDS)
    if count < 1:
        raise errors.UserError(f"count={count} must be at least 1.")
    attributes = world.attributes
    sizes = np.array(attributes.sizes)
    if sizes.min() < 2:
        raise errors.UserError(f"an attribute has one value: {attributes.sizes}.")
    column = attributes.column(attribute)
    stream = f"{kind} triplets of {attribute}"
    tuples = world.tuples(split, part)
    anchor = tuples[
        counted.below(f"{stream}, anchors", seed, count, [len(tuples)])[:, 0]
    ]
    own = attributes.values(anchor)
    other = (
        own + 1 + counted.below(f"{stream}, others", seed, count, sizes - 1)
    ) % sizes
    positive, negative = other.copy(), own.copy()
    if kind == "random":
        positive = counted.below(f"{stream}, positives", seed, count, sizes)
        negative = counted.below(f"{stream}, negatives", seed, count, sizes)
    positive[:, column], negative[:, column] = own[:, column], other[:, column]
    return Triplets(
        attribute, anchor, attributes.number(positive), attributes.number(negative)
    )


def _stride(sizes: tuple[int, ...], column: int) -> int:
    return int(np.prod(sizes[column + 1 :], dtype=np.int64))
