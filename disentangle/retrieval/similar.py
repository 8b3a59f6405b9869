r"""Conditional similarity retrieval: "the same, like this one in one respect only".

With d_a the distance of codes as they are compared in attribute a,

- triplets: how often $d_a(anchor, positive) < d_a(anchor, negative)$, a tie counting
  half. "random" ones as Veit et al. 2017 (conditional similarity networks) report;
  in "conflict" ones the positive differs from the anchor in every other attribute and
  the negative in none, so that whoever looks at more than attribute a is wrong;
- the mean average precision of ranking the gallery by $d_a$ for pictures with the
  query's value of a, without the query's own tuple (as ASEN, Ma et al. 2020).

"whole" compares whole codes, "own" the columns of the attribute; chance is 1/2, and the
share of pictures that are right.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import counted
from disentangle.data.queries import KINDS, triplets
from disentangle.data.worlds import World
from disentangle.errors import UserError
from disentangle.retrieval import scores
from disentangle.retrieval.asking import Asking, tuples_of
from disentangle.retrieval.encoder import Encoder
from disentangle.retrieval.outcome import Outcome, mean_rows

ROWS = 64  # queries whose distances to the whole gallery are held at a time


class Questions(NamedTuple):
    """Triplets of every attribute and kind, and searches, by images.

    Attributes:
      names: (A,) attributes.
      triplets: (attribute, kind) -> (3, n) images: anchor, positive, negative.
      image: (Q,) images that are searched with.
      wanted: (Q, A) their labels.
      excluded: (Q,) the row of the gallery that is their own tuple, -1 for none.
      gallery: (G,) images.
      labels: (G, A) theirs.
    """

    names: tuple[str, ...]
    triplets: dict[tuple[str, str], np.ndarray]
    image: np.ndarray
    wanted: np.ndarray
    excluded: np.ndarray
    gallery: np.ndarray
    labels: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """All images that must be encoded."""
        drawn = [found.ravel() for found in self.triplets.values()]
        return np.concatenate([self.image, self.gallery, *drawn])


def questions(world: World, asking: Asking) -> Questions:
    """The triplets and searches of a world, the same for every model.

    Anchors and queries are pictures of the view "query", the others of "gallery";
    tuples that are searched with are in the gallery.

    Raises:
      UserError: none is.
    """
    of, tuples = world.attributes, tuples_of(world, asking)
    row = np.full(of.tuples, -1)
    row[tuples] = np.arange(len(tuples))
    drawn = {}
    for name in of.names:
        for kind in KINDS:
            found = triplets(
                world,
                name,
                asking.triplets,
                kind=kind,
                split=asking.split,
                seed=asking.seed,
            )
            others = (found.positive, found.negative)
            drawn[name, kind] = np.stack(
                [
                    world.view("query", found.anchor),
                    *(world.view("gallery", other) for other in others),
                ]
            )
    allowed = np.intersect1d(world.tuples(asking.split), tuples)
    if not len(allowed):
        raise UserError(
            f"no picture of the gallery {asking.gallery!r} is in the split "
            f"{asking.split!r}"
        )
    chosen = allowed[counted.spread(len(allowed), asking.searches)]
    return Questions(
        of.names,
        drawn,
        world.view("query", chosen),
        of.values(chosen),
        row[chosen],
        world.view("gallery", tuples),
        of.values(tuples),
    )


def similar_retrieval(asked: Questions, encoder: Encoder, asking: Asking) -> Outcome:
    """How well parts of the code say what is alike in one respect.

    Returns:
      Rows of the ways "chance", "whole" and "own"; scores "random", "conflict" and
      "map". Array "map" (A + 1, A): ranked by the columns of attribute i, the last row
      by the whole code, the mean average precision for attribute j.
    """
    names = asked.names
    precise = _precision(asked, encoder)
    prevalence = _prevalence(asked)
    half = np.full(1, 0.5)
    rows = mean_rows(
        "chance",
        {
            name: {"random": half, "conflict": half, "map": prevalence[a : a + 1]}
            for a, name in enumerate(names)
        },
        0,
    )
    for way in ("whole", "own"):
        parts = {}
        for a, name in enumerate(names):
            place = a if way == "own" else len(names)
            parts[name] = {
                **{
                    kind: triplets_right(encoder, asked.triplets[name, kind], a, way)
                    for kind in KINDS
                },
                "map": precise[place, a],
            }
        rows += _rows(way, parts, asking)
    return Outcome(rows, {"map": precise.mean(2)}, notes=encoder.notes)


def _rows(way: str, parts: dict[str, dict[str, np.ndarray]], asking: Asking) -> list:
    """Rows of triplets and of searches, which are of different numbers of queries."""
    found = []
    for chosen in (KINDS, ("map",)):
        some = {name: {k: of[k] for k in chosen} for name, of in parts.items()}
        found += mean_rows(way, some, asking.bootstrap, seed=asking.seed)
    return found


def triplets_right(
    encoder: Encoder, triplets: np.ndarray, a: int, way: str
) -> np.ndarray:
    """(n,) whether each triplet is right, a tie half.

    Args:
      encoder: of the images.
      triplets: (3, n) images: anchor, positive, negative.
      a: the attribute they are alike in, or not.
      way: "own" or "whole".
    """
    codes = [encoder.encode(images) for images in triplets]
    seen = [
        encoder.respect(part, a) if way == "own" else encoder.compared(part)
        for part in codes
    ]
    anchor, positive, negative = (part.astype(np.float64) for part in seen)
    far = ((anchor - negative) ** 2).sum(1)
    return scores.nearer(((anchor - positive) ** 2).sum(1), far)


def _prevalence(asked: Questions) -> np.ndarray:
    """(A,) the mean share of the gallery that is right, without the own tuple."""
    found = []
    for a in range(len(asked.names)):
        counts = np.bincount(asked.labels[:, a], minlength=asked.wanted.max() + 1)
        own = asked.excluded >= 0
        left = len(asked.labels) - own
        found.append(((counts[asked.wanted[:, a]] - own) / left).mean())
    return np.array(found)


def _precision(asked: Questions, encoder: Encoder) -> np.ndarray:
    """(A + 1, A, Q) average precision: columns of i (last: all), for attribute j."""
    codes, gallery = encoder.encode(asked.image), encoder.encode(asked.gallery)
    found = []
    for place in range(len(asked.names) + 1):
        if place < len(asked.names):
            seen, held = (encoder.respect(part, place) for part in (codes, gallery))
        else:
            seen, held = encoder.compared(codes), encoder.compared(gallery)
        found.append(
            np.concatenate(
                [
                    _of_rows(asked, slice(start, start + ROWS), seen, held)
                    for start in range(0, len(seen), ROWS)
                ],
                axis=1,
            )
        )
    return np.stack(found)


def _of_rows(
    asked: Questions, rows: slice, codes: np.ndarray, gallery: np.ndarray
) -> np.ndarray:
    """(A, q) average precision of some queries for every attribute."""
    distances = np.array(_apart(jnp.asarray(codes[rows]), jnp.asarray(gallery)))
    for line, own in zip(distances, asked.excluded[rows], strict=True):
        if own >= 0:
            line[own] = np.inf
    right = asked.labels[None] == asked.wanted[rows][:, None]
    return scores.average_precision(distances, right).T


@jax.jit
def _apart(queries: jax.Array, gallery: jax.Array) -> jax.Array:
    """(q, G) squared distances by the differences themselves: equal rows are equal."""
    difference = queries[:, None] - gallery[None]
    return (difference * difference).sum(2)
