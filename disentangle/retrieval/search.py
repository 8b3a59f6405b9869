"""What a search of a whole gallery gives: the nearest, and where the first hit is."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError
from disentangle.retrieval import nearest as near
from disentangle.retrieval.nearest import nearest

TIED = 1e-6  # of the squared lengths: what rounding makes of no difference


class Found(NamedTuple):
    """The result of Q queries to a gallery.

    Attributes:
      nearest: (Q, k) int32 rows of the gallery, nearest first.
      rank: (Q,) int64, 1 for the nearest: of the first row that has every wanted
        label; one more than there are rows where none has.
    """

    nearest: np.ndarray
    rank: np.ndarray


def search(
    queries: np.ndarray,
    wanted: np.ndarray,
    gallery: np.ndarray,
    labels: np.ndarray,
    k: int,
    *,
    excluded: np.ndarray | None = None,
    product: bool = False,
) -> Found:
    """The k nearest rows to each query, and the rank of the first that is right.

    Of rows at the same distance the one with the smaller index comes first.

    Args:
      queries: (Q, D) real numbers.
      wanted: (Q, A) int, the labels that a right row has; -1, missing, must be missing
        there too.
      gallery: (G, D).
      labels: (G, A) int of its rows.
      k: as in `nearest`.
      excluded: (Q,) a row per query that is left out; -1 leaves out none.
      product: as in `nearest`.

    Raises:
      UserError: as `nearest`; labels that do not go with the rows.
    """
    _check_labels(queries, wanted, gallery, labels)
    top, _ = nearest(queries, gallery, k, excluded=excluded, product=product)
    hit = (labels[top] == wanted[:, None]).all(2)
    rank = np.where(hit.any(1), hit.argmax(1) + 1, 0)
    late = np.flatnonzero(rank == 0)  # beyond k, where last digits make a tie
    if len(late):
        queries, gallery, out = near.checked(queries, gallery, excluded)
        beyond = _ranks(
            queries[late], wanted[late], gallery, labels, out[late], product
        )
        rank[late] = np.maximum(beyond, k + 1)
    return Found(top, rank)


def matches(
    wanted: np.ndarray, labels: np.ndarray, excluded: np.ndarray | None = None
) -> np.ndarray:
    """(Q, A + 1) int64: how many rows of the gallery have 0, 1, .. A wanted labels.

    Args:
      wanted: (Q, A) int.
      labels: (G, A) int.
      excluded: (Q,) as in `search`.
    """
    left_out = np.full(len(wanted), -1) if excluded is None else np.asarray(excluded)
    held = jnp.asarray(labels, jnp.int32)
    found = [
        np.asarray(
            _counted(jnp.asarray(wanted[rows], jnp.int32), held, left_out[rows, None])
        )
        for rows in _blocks(len(wanted))
    ]
    return np.concatenate(found).astype(np.int64)


def _blocks(count: int) -> list[slice]:
    return [slice(b, b + near.ROWS) for b in range(0, count, near.ROWS)]


def _check_labels(
    queries: np.ndarray, wanted: np.ndarray, gallery: np.ndarray, labels: np.ndarray
) -> None:
    shapes = wanted.shape, labels.shape
    if shapes != ((len(queries), shapes[0][-1]), (len(gallery), shapes[0][-1])):
        raise UserError(
            f"wanted and labels have the shapes {shapes[0]} and {shapes[1]}, which do "
            f"not go with {len(queries)} queries and {len(gallery)} rows"
        )


@jax.jit
def _counted(wanted: jax.Array, labels: jax.Array, excluded: jax.Array) -> jax.Array:
    """(Q, A + 1) of a block of queries."""
    index = jnp.arange(len(labels), dtype=jnp.int32)[None]
    same = (wanted[:, None] == labels[None]).sum(2)
    same = jnp.where(index == excluded, -1, same)
    kinds = jnp.arange(labels.shape[1] + 1)
    return jax.vmap(lambda n: (same == n).sum(1), out_axes=1)(kinds)


def _ranks(
    queries: np.ndarray,
    wanted: np.ndarray,
    gallery: np.ndarray,
    labels: np.ndarray,
    excluded: np.ndarray,
    product: bool,
) -> np.ndarray:
    """(Q,) 1 + the rows before the first right one, nearer or as near and earlier."""
    held, tags = jnp.asarray(gallery), jnp.asarray(labels, jnp.int32)
    count, found = len(queries), []
    filled = np.arange(-(-count // near.ROWS) * near.ROWS) % count  # one shape for all
    queries, wanted, excluded = queries[filled], wanted[filled], excluded[filled]
    for rows in _blocks(len(queries)):
        own = jnp.asarray(queries[rows]), jnp.asarray(excluded[rows], jnp.int32)
        asked = jnp.asarray(wanted[rows], jnp.int32)
        parts = [
            (held[b : b + near.COLUMNS], tags[b : b + near.COLUMNS], jnp.int32(b))
            for b in range(0, len(gallery), near.COLUMNS)
        ]
        best = jnp.full(len(own[0]), jnp.inf), jnp.full(len(own[0]), len(gallery))
        for part, some, begin in parts:
            best = _best(*own, *best, asked, part, some, begin, product)
        before = sum(_before(*own, *best, p, b, product) for p, _, b in parts)
        found.append(np.asarray(before))
    return np.concatenate(found)[:count].astype(np.int64) + 1


def _gaps(
    queries: jax.Array,
    excluded: jax.Array,
    part: jax.Array,
    begin: jax.Array,
    product: bool,
) -> jax.Array:
    """(Q, C) `nearest.gaps`, infinite for the row that is left out."""
    index = begin + jnp.arange(len(part), dtype=jnp.int32)
    gaps = near.gaps(queries, part, product)
    return jnp.where(index[None] == excluded[:, None], jnp.inf, gaps)


def _digits(queries: jax.Array, part: jax.Array) -> jax.Array:
    """(Q,) by how much gaps of equal rows may differ from rounding."""
    return TIED * ((queries * queries).sum(1) + (part * part).sum(1).max())


@functools.partial(jax.jit, static_argnames="product")
def _best(
    queries: jax.Array,
    excluded: jax.Array,
    best: jax.Array,
    first: jax.Array,
    wanted: jax.Array,
    part: jax.Array,
    labels: jax.Array,
    begin: jax.Array,
    product: bool,
) -> tuple[jax.Array, jax.Array]:
    """The smallest gap (Q,) of right rows, and the first row that has it.

    Args:
      queries, excluded: (Q, D), (Q,).
      best, first: (Q,) of the parts before.
      wanted: (Q, A).
      part, labels, begin: (C, D), (C, A), its first row.
      product: as in `nearest`.
    """
    right = (wanted[:, None] == labels[None]).all(2)
    gaps = jnp.where(right, _gaps(queries, excluded, part, begin, product), jnp.inf)
    digits, least = _digits(queries, part), gaps.min(1)
    own = begin + (gaps <= (least + digits)[:, None]).argmax(1)
    first = jnp.where(least < best - digits, own, first)
    return jnp.minimum(best, least), first


@functools.partial(jax.jit, static_argnames="product")
def _before(
    queries: jax.Array,
    excluded: jax.Array,
    best: jax.Array,
    first: jax.Array,
    part: jax.Array,
    begin: jax.Array,
    product: bool,
) -> jax.Array:
    """(Q,) how many rows of a part come before the row `first`, of gap `best`."""
    gaps = _gaps(queries, excluded, part, begin, product)
    digits = _digits(queries, part)[:, None]
    index = begin + jnp.arange(len(part), dtype=jnp.int32)[None]
    nearer = gaps < best[:, None] - digits
    tied = (jnp.abs(gaps - best[:, None]) <= digits) & (index < first[:, None])
    return (nearer | tied).sum(1)
