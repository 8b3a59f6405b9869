"""Residuals of linear equations, exact to the last bits of a float32.

Gradients of tasks are often nearly dependent: the equations of a weighting then lose in
float32 as many digits as their condition number has. Solved approximately and corrected
by their exactly computed residual they lose none (iterative refinement: Wilkinson 1963,
Higham 2002, ch. 12). A product of two float32 is exact as a sum of products of their
halves of 12 bits, and sums keep their rounding errors (Knuth's two-sum).
"""

import jax
import jax.numpy as jnp

LOW_BITS = 0xFFF  # of the 24 of a float32
REFINE = 6
EXACT = jax.lax.Precision.HIGHEST


def residual(
    b: jax.Array, matrix: jax.Array, w: jax.Array, rest: jax.Array | None = None
) -> jax.Array:
    """b + rest - matrix @ w, (N,), as if summed without rounding; `rest` 0 if None."""
    rest = jnp.zeros_like(b) if rest is None else rest
    if matrix.dtype != jnp.float32:
        return b + rest - jnp.matmul(matrix, w, precision=EXACT)
    parts = [-a * x[None, :] for a in halves(matrix) for x in halves(w)]
    return total(jnp.concatenate([b[:, None], rest[:, None], *parts], axis=1))


def halves(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x = high + low, float32 of 12 bits each."""
    bits = jax.lax.bitcast_convert_type(x, jnp.uint32)
    high = jax.lax.bitcast_convert_type(bits & ~jnp.uint32(LOW_BITS), jnp.float32)
    return high, x - high


def total(terms: jax.Array) -> jax.Array:
    """(N, M) -> (N,) sums over M in pairs, with the rounding errors of all of them."""
    errors = jnp.zeros_like(terms[:, 0])
    while terms.shape[1] > 1:
        terms = jnp.pad(terms, ((0, 0), (0, terms.shape[1] % 2)))
        a, b = terms[:, ::2], terms[:, 1::2]
        terms = a + b
        back = terms - a
        errors = errors + ((a - (terms - back)) + (b - back)).sum(1)
    return terms[:, 0] + errors


def factor(matrix: jax.Array, on: jax.Array) -> jax.Array:
    """A Cholesky factor of the rows and columns `on` (N,), the identity elsewhere.

    Of the matrix with a ridge of some rounding errors on its diagonal, so that it has
    one if it is positive semidefinite; refinement takes the ridge's effect away.
    """
    diagonal = jnp.diagonal(matrix)
    ridge = 8 * matrix.shape[0] * jnp.finfo(matrix.dtype).eps
    inside = jnp.where(on[:, None] & on[None, :], matrix, 0.0)
    added = jnp.where(on, ridge * diagonal, 1.0)
    return jnp.linalg.cholesky(inside + jnp.diag(added))


def back(lower: jax.Array, b: jax.Array) -> jax.Array:
    """The solution (N,) of lower lower' x = b."""
    half = jax.scipy.linalg.solve_triangular(lower, b, lower=True)
    return jax.scipy.linalg.solve_triangular(lower, half, lower=True, trans=1)


def corrected(
    b: jax.Array,
    matrix: jax.Array,
    w: jax.Array,
    on: jax.Array,
    rest: jax.Array | None = None,
    times: int = REFINE,
) -> jax.Array:
    """`w` (N,), changed where `on` (N,) so that matrix @ w = b + rest there."""
    lower = factor(matrix, on)

    def correct(_: jax.Array, w: jax.Array) -> jax.Array:
        return w + back(lower, jnp.where(on, residual(b, matrix, w, rest), 0.0))

    return jax.lax.fori_loop(0, times, correct, w)


def scales(gram: jax.Array) -> jax.Array:
    """(N,) powers of 2 by which rows and columns have a diagonal in [1, 4), or 0."""
    diagonal = jnp.diagonal(gram)
    _, exponent = jnp.frexp(jnp.where(diagonal > 0, diagonal, 1.0))
    # diagonal = m 2^e with m in [1/2, 1): times 2^-2f, f = floor((e - 1) / 2).
    return jnp.ldexp(jnp.ones_like(diagonal), -((exponent - 1) // 2))
