"""FAMO: losses that fall at one relative rate, from the losses alone (Liu et al. 2023).

"FAMO: fast adaptive multitask optimization", NeurIPS 2023. With z = softmax(xi),

w_i = c z_i / l_i, c = 1 / sum_j (z_j / l_j),

and after the step, with delta_i = log l_i(before) - log l_i(after) of every task,

xi <- xi - beta (z * (delta - z . delta) + gamma xi).

xi starts at 0. The paper takes both losses of delta on one batch, which costs a second
forward pass; here "after" are the losses of the next step, on its batch. beta and the
plain descent are the paper's (the authors' code has Adam); of gamma the authors' code
has 0.01 and 1e-5, TorchJD 1e-3.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting, like, read, share

BETA = 0.025
GAMMA = 1e-3
LEAST = 1e-8  # a loss is taken to be at least that


class Memory(NamedTuple):
    """xi (N,), and the last loss (N,) of every task while it was active."""

    xi: jax.Array
    losses: jax.Array
    seen: jax.Array  # (N,) bool


def init(n: int) -> Memory:
    """xi = 0, nothing seen."""
    zero, one = jnp.zeros(n, jnp.float32), jnp.ones(n, jnp.float32)
    return Memory(zero, one, jnp.zeros(n, bool))


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Memory, *, key: Any
) -> tuple[jax.Array, Memory]:
    """c z / l over the active tasks, xi moved first by what the last step changed."""
    del key
    tasks = read(gram, losses, active)
    on, both = tasks.active, tasks.active & memory.seen
    xi, before = (x.astype(tasks.gram.dtype) for x in memory[:2])
    now = jnp.maximum(tasks.losses, LEAST)
    delta = jnp.where(both, jnp.log(before) - jnp.log(now), 0.0)
    z = share(xi, both)
    slope = z * (delta - (z * delta).sum()) + GAMMA * xi
    xi = jnp.where(both, xi - BETA * slope, xi)
    w = share(xi, on) * (jnp.min(now) / now)
    total = w.sum()
    kept = Memory(xi, jnp.where(on, now, before), memory.seen | on)
    return w / jnp.where(total > 0, total, 1.0), like(kept, memory)


WEIGHTING = Weighting(weights, init, reads="losses")
