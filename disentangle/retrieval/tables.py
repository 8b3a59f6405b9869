"""Edits asked of a table of labelled images: the protocol of Hou et al. 2021 (ADDE).

Of a table nobody has drawn the edited picture. Asked for are all changes of one label
of an image of the gallery for which another image of it has the labels that are wanted,
missing ones missing there too; any such image is right. As published, but that
the image asked with is left out, and attributes weigh alike.
"""

from collections.abc import Sequence

import numpy as np

from disentangle.data import counted
from disentangle.errors import UserError
from disentangle.retrieval.asking import Asking
from disentangle.retrieval.edit import Questions
from disentangle.retrieval.search import matches


def table_edits(
    names: Sequence[str],
    sizes: Sequence[int],
    images: np.ndarray,
    values: np.ndarray,
    asking: Asking,
) -> Questions:
    """The edits that can be asked of some images, `asking.queries` of each attribute.

    Args:
      names: (A,) attributes.
      sizes: (A,) how many values each has.
      images: (G,) the gallery.
      values: (G, A) its labels, -1 where one is missing.
      asking: how many; they are spread evenly over all there are.

    Raises:
      UserError: there is no such edit of any attribute.
    """
    order = np.argsort(counted.numbers("gallery", 0, (len(images),)), kind="stable")
    images, values = images[order], values[order]
    marks = _marks(sizes)
    own = _hashes(values, marks)
    known = np.unique(own)
    asked: list[tuple[np.ndarray, np.ndarray, int]] = []
    for a, size in enumerate(sizes):
        rows, wanted = np.divmod(np.arange(len(values) * size), size)
        other = values[rows, a] != wanted
        rows, wanted = rows[other], wanted[other]
        moved = own[rows] - marks[a][values[rows, a] + 1] + marks[a][wanted + 1]
        there = np.flatnonzero(np.isin(moved, known))
        chosen = (
            there[counted.spread(len(there), asking.queries)] if len(there) else there
        )
        asked.append((rows[chosen], wanted[chosen], a))
    reference = np.concatenate([rows for rows, _, _ in asked])
    if not len(reference):
        raise UserError(
            f"no image of the {len(images):,} of the gallery has the labels of another "
            "with one changed: there is no edit to ask for"
        )
    attribute = np.repeat(np.arange(len(names)), [len(rows) for rows, _, _ in asked])
    target = values[reference].copy()
    target[np.arange(len(target)), attribute] = np.concatenate([w for _, w, _ in asked])
    first = np.argsort(own, kind="stable")
    place = np.searchsorted(own[first], _hashes(target, marks))
    return Questions(
        tuple(names),
        tuple(sizes),
        attribute,
        values[reference],
        target,
        images[reference],
        images[first[place]],
        reference,
        images,
        values,
        matches(target, values, reference),
    )


def published_edits(
    names: Sequence[str],
    sizes: Sequence[int],
    images: np.ndarray,
    values: np.ndarray,
    asked: tuple[np.ndarray, np.ndarray, np.ndarray],
    asking: Asking,
) -> Questions:
    """The edits that a data set was published with, `asking.queries` of an attribute.

    Args:
      names, sizes: (A,) attributes, and how many values each has.
      images, values: (G,), (G, A) the gallery and its labels, -1 where one is missing.
      asked: rows of the gallery (n,) asked with; the values (n, A) put there, -1 where
        one stays; the labels (n, A) that are right.
      asking: how many; they are spread evenly over those of an attribute.

    Raises:
      UserError: none of them changes one attribute to a value that there is.
    """
    reference, new, wanted = asked
    single = np.flatnonzero((new != -1).sum(1) == 1)
    attribute = (new != -1).argmax(1)
    chosen = []
    for a in range(len(names)):
        own = single[(attribute[single] == a) & (new[single, a] >= 0)]
        chosen.append(own[counted.spread(len(own), asking.queries)])
    rows = np.concatenate(chosen).astype(np.int64)
    if not len(rows):
        raise UserError("no published query changes one attribute of an image")
    marks = _marks(sizes)
    first, hashes = {}, _hashes(values, marks)
    for row in reversed(range(len(values))):
        first[int(hashes[row])] = row
    known = np.where(wanted[rows] < -1, -1, wanted[rows])
    places = [
        first.get(int(own), int(row))
        for own, row in zip(_hashes(known, marks), reference[rows], strict=True)
    ]
    return Questions(
        tuple(names),
        tuple(sizes),
        attribute[rows],
        values[reference[rows]],
        wanted[rows],
        images[reference[rows]],
        images[np.array(places, np.int64)],
        reference[rows],
        images,
        values,
        matches(wanted[rows], values, reference[rows]),
    )


def _marks(sizes: Sequence[int]) -> list[np.ndarray]:
    """A arrays (K_a + 1,) of random uint64: of a missing label, then of each value."""
    return [
        counted.numbers(f"labels {a}", 0, (size + 1,)) for a, size in enumerate(sizes)
    ]


def _hashes(values: np.ndarray, marks: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) uint64, a number per row of labels: sums of marks, modulo 2^64."""
    parts = [mark[column + 1] for mark, column in zip(marks, values.T, strict=True)]
    return np.asarray(np.sum(parts, axis=0, dtype=np.uint64))
