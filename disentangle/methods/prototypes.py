r"""Prototypes: a vector for every value of every attribute, and edits of codes by them.

Codes hold a chunk of d numbers per attribute, (A d,). A prototype of value v of
attribute a lies in the chunk of a, so that those of all S values are a table (d, S), or
the block-diagonal memory M (A d, S) of Hou et al. 2021. An edit from value u to v is

$$
\text{add: } r' = r + \alpha\, M (e_v - e_u), \qquad
\text{replace: } r'_a = (1 - \alpha)\, r_a + \alpha\, m_v
$$

the published one and the one that forgets where in its class an image was.

`PROTOTYPES` are ways to have them from codes and a linear classifier of each chunk.
With classes of one covariance C and means m_v the optimal classifier has the rows
w_v = C^-1 m_v + c: a row is a direction that tells apart, the prototype is C times it.
C within classes takes labels; that of all codes does not, and stretches what lies
between means, so that only a direction is had of it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import unknown
from disentangle.methods.base import EDIT_MODES

EXACT = jax.lax.Precision.HIGHEST


class Evidence(NamedTuple):
    """What prototypes may be read off."""

    codes: jax.Array  # (n, A, d)
    labels: jax.Array  # (n, A) int32, -1 where one is missing
    predicted: jax.Array  # (n, A) int32, the classifier's own
    kernels: tuple[jax.Array, ...]  # (d, K_a) of the classifier of each chunk


def off_block(sizes: tuple[int, ...], width: int) -> np.ndarray:
    """(A d, S) float32: 1 where a value's prototype would be in another's chunk."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.repeat(np.arange(len(sizes)), width)
    return (rows[:, None] != owners[None]).astype(np.float32)


def memory(table: jax.Array, sizes: tuple[int, ...]) -> jax.Array:
    """The block-diagonal M (A d, S) of a table (d, S)."""
    tiled = jnp.tile(table, (len(sizes), 1))
    return tiled * (1.0 - off_block(sizes, table.shape[0]))


def edited(
    matrix: jax.Array,
    sizes: tuple[int, ...],
    codes: jax.Array,
    old: jax.Array,
    new: jax.Array,
    alpha: jax.Array,
    *,
    mode: str,
) -> jax.Array:
    """Codes r' after an edit of any number of attributes.

    Args:
      matrix: M, (A d, S).
      sizes: (A,) K_a.
      codes: r, (B, A d), as the encoder gives them, not of length 1.
      old: (B, A) the values that are left, -1 where one is not known: nothing is
        subtracted then. Read in mode "add" alone.
      new: (B, A) the wanted values, -1 where an attribute stays.
      alpha: (B,) how far; 0 is no edit, 1 all of it, and beyond is allowed.
      mode: one of EDIT_MODES.

    Raises:
      UserError: another mode.
    """
    if mode not in EDIT_MODES:
        raise unknown("way to edit", mode, EDIT_MODES)
    moved = new >= 0
    if mode == "add":
        indicator = one_hot(sizes, new) - one_hot(sizes, jnp.where(moved, old, -1))
        step = jnp.matmul(indicator, matrix.T, precision=EXACT)
        return codes + alpha[:, None] * step
    width = codes.shape[1] // len(sizes)
    own = matrix * (1.0 - off_block(sizes, width))
    target = jnp.matmul(one_hot(sizes, new), own.T, precision=EXACT)
    chunk = jnp.repeat(moved, width, axis=1)
    return jnp.where(chunk, codes + alpha[:, None] * (target - codes), codes)


def one_hot(sizes: tuple[int, ...], labels: jax.Array) -> jax.Array:
    """(B, A) labels -> (B, S), a missing one is all 0."""
    parts = [
        jax.nn.one_hot(labels[:, a], size, dtype=jnp.float32)
        for a, size in enumerate(sizes)
    ]
    return jnp.concatenate(parts, axis=1)


def class_means(evidence: Evidence) -> jax.Array:
    """(d, S) mean codes of the images labelled with each value, 0 without any."""
    return _means(evidence, evidence.labels)


def own_means(evidence: Evidence) -> jax.Array:
    """(d, S) mean codes of the images that the classifier gives each value."""
    return _means(evidence, evidence.predicted)


def rows(evidence: Evidence) -> jax.Array:
    """(d, S) mean code plus s (w_v - mean w): raw rows of the classifier."""
    return _directed(evidence, lambda codes, rows: rows)


def covariance_rows(evidence: Evidence) -> jax.Array:
    """(d, S) mean code plus s C (w_v - mean w), C the covariance of all codes."""
    return _directed(evidence, lambda codes, rows: _exact(_covariance(codes), rows))


def inverse_rows(evidence: Evidence) -> jax.Array:
    """(d, S) mean code plus s times the pseudo-inverse of the classifier's rows."""
    return _directed(evidence, lambda codes, rows: jnp.linalg.pinv(rows).T)


def random_vectors(evidence: Evidence) -> jax.Array:
    """(d, S) Gaussian vectors with the mean and the spread of the codes."""
    parts = []
    for a, kernel in enumerate(evidence.kernels):
        codes = evidence.codes[:, a]
        noise = jax.random.normal(jax.random.key(a), kernel.shape)
        spread = jnp.sqrt(codes.var(0).mean())
        parts.append(codes.mean(0)[:, None] + spread * noise)
    return jnp.concatenate(parts, axis=1)


def _means(evidence: Evidence, labels: jax.Array) -> jax.Array:
    parts = []
    for a, kernel in enumerate(evidence.kernels):
        chosen = jax.nn.one_hot(labels[:, a], kernel.shape[1], dtype=jnp.float32)
        total = _exact(evidence.codes[:, a].T, chosen)
        parts.append(total / jnp.maximum(chosen.sum(0), 1.0)[None])
    return jnp.concatenate(parts, axis=1)


def _directed(
    evidence: Evidence, direction: Callable[[jax.Array, jax.Array], jax.Array]
) -> jax.Array:
    """Mean code plus s times the direction of each value.

    s is by least squares, of the codes to the vector of the value predicted for them:
    no label is read.
    """
    parts = []
    for a, kernel in enumerate(evidence.kernels):
        codes = evidence.codes[:, a]
        middle = codes.mean(0)
        towards = direction(codes, kernel - kernel.mean(1, keepdims=True))
        towards = towards - towards.mean(1, keepdims=True)
        aimed = towards.T[evidence.predicted[:, a]]
        square = jnp.maximum((aimed * aimed).sum(), 1e-12)
        scale = (aimed * (codes - middle[None])).sum() / square
        parts.append(middle[:, None] + scale * towards)
    return jnp.concatenate(parts, axis=1)


def _covariance(codes: jax.Array) -> jax.Array:
    centred = codes - codes.mean(0, keepdims=True)
    return _exact(centred.T, centred) / codes.shape[0]


def _exact(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=EXACT)


PROTOTYPES: dict[str, Callable[[Evidence], jax.Array]] = {
    "class_means": class_means,
    "rows": rows,
    "covariance_rows": covariance_rows,
    "inverse_rows": inverse_rows,
    "own_means": own_means,
    "random": random_vectors,
}
