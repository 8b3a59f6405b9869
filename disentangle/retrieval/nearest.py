"""The k nearest rows of a gallery, exactly, in pieces that fit anywhere.

    |q - g|^2 = |q|^2 + |g|^2 - 2 q . g

gives the candidates by one matrix product; the last digits of that sum are rounding, so
a few more than k are taken, and the differences themselves decide among them.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError

ROWS = 256  # queries at a time
COLUMNS = 32_768  # rows of the gallery at a time
MORE = 16  # candidates beyond k, among which the differences decide


def nearest(
    queries: np.ndarray,
    gallery: np.ndarray,
    k: int,
    *,
    excluded: np.ndarray | None = None,
    product: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of the gallery to each query, by Euclidean distance.

    Of rows at the same distance the one with the smaller index comes first. Of rows of
    length 1 these are the rows with the largest cosine.

    Args:
      queries: (Q, D) real numbers.
      gallery: (G, D).
      k: at most G, and G - 1 with `excluded`.
      excluded: (Q,) an index into the gallery per query that is left out, such as the
        query's own image; -1 leaves out none.
      product: nearest are the rows with the largest inner product instead, and
        "distance" is less that product.

    Returns:
      (indices (Q, k) int32, squared distances (Q, k) float32), nearest first.

    Raises:
      UserError: shapes that do not go together, numbers that are not finite, k out of
        its range.
    """
    queries, gallery, left_out = checked(queries, gallery, excluded)
    most = len(gallery) - (excluded is not None)
    if not 1 <= k <= most:
        raise UserError(f"k={k} must be at least 1 and at most {most}")
    wanted = min(k + MORE, len(gallery))
    held = jnp.asarray(gallery)
    found = []
    for begin in range(0, len(queries), ROWS):
        rows = jnp.asarray(queries[begin : begin + ROWS])
        own = jnp.asarray(left_out[begin : begin + ROWS], jnp.int32)
        near = _candidates(rows, held, own, wanted, product)
        found.append(_decided(rows, held, own, near, k, product))
    indices, distances = (np.concatenate(part) for part in zip(*found, strict=True))
    return indices, distances


def checked(
    queries: np.ndarray, gallery: np.ndarray, excluded: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries and gallery as float32, and what is left out, -1 for none.

    Raises:
      UserError: shapes that do not go together, or numbers that are not finite.
    """
    queries, gallery = _rows("queries", queries), _rows("gallery", gallery)
    if queries.shape[1] != gallery.shape[1]:
        raise UserError(
            f"queries have {queries.shape[1]} numbers, the gallery {gallery.shape[1]}"
        )
    left_out = np.full(len(queries), -1) if excluded is None else np.asarray(excluded)
    if left_out.shape != (len(queries),):
        raise UserError(f"excluded must be ({len(queries)},), got {left_out.shape}")
    return queries, gallery, left_out


def _rows(name: str, values: np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or not array.size:
        raise UserError(f"{name} must be (rows, numbers), got {array.shape}")
    if not np.isfinite(array).all():
        raise UserError(f"{name} hold numbers that are not finite")
    return array.astype(np.float32)


def _candidates(
    queries: jax.Array,
    gallery: jax.Array,
    excluded: jax.Array,
    wanted: int,
    product: bool,
) -> jax.Array:
    """(Q, wanted) indices of the rows that are nearest by the matrix product."""
    near = jnp.zeros((len(queries), 0), jnp.int32)
    far = jnp.zeros((len(queries), 0), jnp.float32)
    for begin in range(0, len(gallery), COLUMNS):
        part = gallery[begin : begin + COLUMNS]
        near, far = _merged(
            queries, part, excluded, jnp.int32(begin), near, far, wanted, product
        )
    return near


@functools.partial(jax.jit, static_argnames=("wanted", "product"))
def _merged(
    queries: jax.Array,
    part: jax.Array,
    excluded: jax.Array,
    begin: jax.Array,
    near: jax.Array,
    far: jax.Array,
    wanted: int,
    product: bool,
) -> tuple[jax.Array, jax.Array]:
    """The candidates of the gallery so far and of one more part of it."""
    distances = gaps(queries, part, product)
    index = begin + jnp.arange(len(part), dtype=jnp.int32)
    distances = jnp.where(index[None] == excluded[:, None], jnp.inf, distances)
    taken = min(wanted, len(part))
    values, places = jax.lax.top_k(-distances, taken)
    near = jnp.concatenate([near, index[places]], axis=1)
    far = jnp.concatenate([far, -values], axis=1)
    values, places = jax.lax.top_k(-far, min(wanted, far.shape[1]))
    return jnp.take_along_axis(near, places, axis=1), -values


def gaps(queries: jax.Array, part: jax.Array, product: bool) -> jax.Array:
    """(Q, G) |q - g|^2 - |q|^2, which orders rows as distances do; or -q . g."""
    products = jnp.matmul(queries, part.T, precision=jax.lax.Precision.HIGHEST)
    return -products if product else (part * part).sum(1)[None] - 2.0 * products


@functools.partial(jax.jit, static_argnames=("k", "product"))
def _decided(
    queries: jax.Array,
    gallery: jax.Array,
    excluded: jax.Array,
    near: jax.Array,
    k: int,
    product: bool,
) -> tuple[jax.Array, jax.Array]:
    """The k nearest of the candidates, by the sum of squared differences."""
    rows = gallery[near]
    difference = rows - queries[:, None, :]
    by = -rows * queries[:, None, :] if product else difference * difference
    distances = by.sum(2)
    distances = jnp.where(near == excluded[:, None], jnp.inf, distances)
    order = jnp.lexsort((near, distances))[:, :k]
    take = lambda values: jnp.take_along_axis(values, order, axis=1)
    return take(near), take(distances)
