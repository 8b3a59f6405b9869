"""What every affinity estimator sees: all task losses and gradients at one point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Probe(NamedTuple):
    """N task losses, their gradients, and the losses after a step on each task.

    Attributes:
      losses: (N,) the task losses L_j.
      gradients: like the shared parameters, each leaf with a leading axis N: the
        gradient of L_i with respect to them, i the SOURCE.
      after: (N, N) [source, target], L_j(theta_s - eta grad L_i): same batch, heads
        frozen. Under jit it costs nothing where it is not used.
      joint: the gradients (of the shared parameters, of the private ones) of the sum
        of the losses, from the same forward pass: the training gradient. It costs
        nothing where it is not used.
      learning_rate: eta of the lookahead step; a scalar, traced or not.
    """

    losses: jax.Array
    gradients: Any
    after: jax.Array
    joint: tuple[Any, Any]
    learning_rate: jax.typing.ArrayLike


def probe(
    losses_fn: Callable[[Any, Any], jax.Array],
    shared: Any,
    private: Any,
    *,
    learning_rate: jax.typing.ArrayLike,
    chunk: int = 1,
) -> Probe:
    """One shared forward pass; for each task a vector-Jacobian product and a lookahead.

    Both are computed in one loop over the tasks. Each gradient is used while it is in
    the cache, and on a CPU this is faster than one `vmap` over the cotangents (
    `benchmarks/affinity_overhead.py` prints what a sample costs).

    Args:
      losses_fn: (shared, private) -> (N,) task losses of one batch.
      shared: pytree of the parameters all tasks use.
      private: pytree of the heads.
      learning_rate: eta, the length of the lookahead step.
      chunk: how many tasks run side by side. 1, a loop, suits convolutions on a CPU
        (kernels with a batch axis are slow there); N suits dense networks.

    Returns:
      The Probe.
    """
    losses, pullback = jax.vjp(losses_fn, shared, private)

    def look(one_hot: jax.Array) -> tuple[Any, jax.Array]:
        gradient = pullback(one_hot)[0]
        return gradient, losses_fn(jax.tree.map(step, shared, gradient), private)

    def step(parameter: jax.Array, gradient: jax.Array) -> jax.Array:
        return parameter - jnp.asarray(learning_rate, parameter.dtype) * gradient

    # batch_size=1 would still vmap (with an axis of one), and slow convolutions down.
    gradients, after = jax.lax.map(
        look,
        jnp.eye(losses.shape[0], dtype=losses.dtype),
        batch_size=chunk if chunk > 1 else None,
    )
    joint = pullback(jnp.ones_like(losses))
    return Probe(losses, gradients, after, joint, learning_rate)


def gram(probe: Probe) -> jax.Array:
    """The inner products g_i . g_j of the shared gradients: (N, N), symmetric."""
    n = probe.losses.shape[0]
    rows = [leaf.reshape(n, -1) for leaf in jax.tree.leaves(probe.gradients)]
    products = [jnp.matmul(g, g.T, precision=jax.lax.Precision.HIGHEST) for g in rows]
    return sum(products[1:], start=products[0])
