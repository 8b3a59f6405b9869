"""GradNorm: gradients of one length, longer where a task lags (Chen et al. 2018).

"GradNorm: gradient normalization for adaptive loss balancing in deep multitask
networks", ICML 2018. With r_i the share of its first loss that task i still has, over
the mean of these shares, the weights are to make

w_i |g_i| = c r_i^alpha for all i, sum_i w_i = N,

so w_i = N (r_i^alpha / |g_i|) / sum_j (r_j^alpha / |g_j|). They start at 1. The paper
takes gradient steps on sum_i |w_i |g_i| - c r_i^alpha|, whose length is that of the
gradients; here w goes in every step a share of the way to where these steps lead.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting, like, read

ALPHA = 1.5  # as on NYUv2 in the paper
RATE = 0.1  # share of the way per step


class Memory(NamedTuple):
    """Weights (N,), and the loss (N,) of the first step in which a task was active."""

    weights: jax.Array
    first: jax.Array
    seen: jax.Array  # (N,) bool


def init(n: int) -> Memory:
    """Weights of 1."""
    one = jnp.ones(n, jnp.float32)
    return Memory(one, one, jnp.zeros(n, bool))


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Memory, *, key: Any
) -> tuple[jax.Array, Memory]:
    """The remembered w, with sum N over the N active tasks, which then moves.

    The w of a gradient of 0 stays.
    """
    del key
    tasks = read(gram, losses, active)
    on, can = tasks.active, tasks.moving
    held = jnp.where(on, memory.weights.astype(tasks.gram.dtype), 0.0)
    w = held * tasks.number / jnp.where(on.any(), held.sum(), 1.0)
    first = jnp.where(on & ~memory.seen, tasks.losses, memory.first.astype(w.dtype))
    left = jnp.where(on & (first > 0), tasks.losses / jnp.where(first > 0, first, 1), 1)
    left = jnp.maximum(left, 0.0)
    mean = jnp.where(on, left, 0.0).sum() / tasks.number
    r = left / jnp.where(mean > 0, mean, 1.0)
    length = jnp.sqrt(jnp.where(can, jnp.diagonal(tasks.gram), 1.0))
    shortest = jnp.min(jnp.where(can, length, jnp.inf))
    wanted = jnp.where(can, r**ALPHA * (shortest / length), 0.0)
    total = wanted.sum()
    wanted = wanted * jnp.where(can, w, 0.0).sum() / jnp.where(total > 0, total, 1.0)
    moved = jnp.where(can & (total > 0), w + RATE * (wanted - w), w)
    kept = jnp.where(on, moved, memory.weights.astype(w.dtype))
    return w, like(Memory(kept, first, memory.seen | on), memory)


WEIGHTING = Weighting(weights, init)
