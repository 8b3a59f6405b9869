"""Derivatives of a network along directions, exact, by reverse mode alone.

The project's convolutions have a `custom_vjp`, which `jax.jvp` does not go through. A
pullback u -> J^T u is linear in u, and pulling v back through it gives J v: two passes
back take the place of one forward (Christianson 1992). The result can be
differentiated again, as the penalty on a Jacobian needs.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def along(
    f: Callable[[jax.Array], jax.Array], z: jax.Array, directions: jax.Array
) -> jax.Array:
    """J_f(z) v for several v.

    Args:
      f: (B, D) -> (B, ...), each row of the output of that row of the input alone.
      z: (B, D), where the derivative is taken.
      directions: (K, B, D), v.

    Returns:
      (K, B, ...).
    """
    out, pull = jax.vjp(f, z)
    _, push = jax.vjp(lambda u: pull(u)[0], jnp.zeros_like(out))
    return jax.vmap(lambda v: push(v)[0])(directions)
