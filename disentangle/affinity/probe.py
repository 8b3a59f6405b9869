"""What every affinity estimator sees: all task losses and gradients at one point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Probe(NamedTuple):
    """N task losses and their gradients, from one shared forward pass.

    It lives inside one traced function (it holds a function): build it, hand it to the
    estimators, let it go.

    Attributes:
      losses: (N,) the task losses L_j.
      gradients: like `shared`, each leaf with a leading axis N: the gradient of L_i
        with respect to the shared parameters, i the SOURCE.
      joint: the gradients (of `shared`, of `private`) of the sum of the losses, from
        the same forward pass: the training gradient. Under jit it costs nothing where
        it is not used.
      relosses: shared -> (N,), the losses at other shared parameters, same batch,
        heads frozen.
      shared: the shared parameters theta_s.
      learning_rate: eta of the lookahead step; a scalar, traced or not.
      chunk: how many lookahead forwards run side by side (static).
    """

    losses: jax.Array
    gradients: Any
    joint: tuple[Any, Any]
    relosses: Callable[[Any], jax.Array]
    shared: Any
    learning_rate: jax.typing.ArrayLike
    chunk: int = 1


def probe(
    losses_fn: Callable[[Any, Any], jax.Array],
    shared: Any,
    private: Any,
    *,
    learning_rate: jax.typing.ArrayLike,
    chunk: int = 1,
) -> Probe:
    """One shared forward pass and N vector-Jacobian products.

    The products are one `vmap`: the cotangents fold into the batch, as the kernels are
    the same for all. Only the shared parameters are differentiated N times.

    Args:
      losses_fn: (shared, private) -> (N,) task losses of one batch.
      shared: pytree of the parameters all tasks use.
      private: pytree of the heads.
      learning_rate: eta, the length of the lookahead step.
      chunk: how many lookahead forwards run side by side. 1, a loop, suits
        convolutions on a CPU (kernels with a batch axis are slow there); N suits dense
        networks.

    Returns:
      The Probe.
    """
    losses, pullback = jax.vjp(losses_fn, shared, private)
    one_hot = jnp.eye(losses.shape[0], dtype=losses.dtype)
    gradients = jax.vmap(lambda row: pullback(row)[0])(one_hot)
    return Probe(
        losses=losses,
        gradients=gradients,
        joint=pullback(jnp.ones_like(losses)),
        relosses=lambda other: losses_fn(other, private),
        shared=shared,
        learning_rate=learning_rate,
        chunk=chunk,
    )


def lookahead_losses(probe: Probe) -> jax.Array:
    """The N losses after a step on each task alone: (N, N), [source, target]."""

    def after(gradient: Any) -> jax.Array:
        return probe.relosses(jax.tree.map(step, probe.shared, gradient))

    def step(parameter: jax.Array, gradient: jax.Array) -> jax.Array:
        return parameter - jnp.asarray(probe.learning_rate, parameter.dtype) * gradient

    # batch_size=1 would still vmap (with an axis of one), and slow convolutions down.
    batch_size = probe.chunk if probe.chunk > 1 else None
    return jax.lax.map(after, probe.gradients, batch_size=batch_size)


def gram(probe: Probe) -> jax.Array:
    """The inner products g_i . g_j of the shared gradients: (N, N), symmetric."""
    n = probe.losses.shape[0]
    rows = [leaf.reshape(n, -1) for leaf in jax.tree.leaves(probe.gradients)]
    products = [jnp.matmul(g, g.T, precision=jax.lax.Precision.HIGHEST) for g in rows]
    return sum(products[1:], start=products[0])
