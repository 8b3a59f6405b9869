"""Dynamic weight average: more weight where the loss falls slowly (Liu et al. 2019).

"End-to-end multi-task learning with attention", CVPR 2019, eq. 7:

w_i(t) = N exp(r_i(t-1) / T) / sum_j exp(r_j(t-1) / T),  r_i(t-1) = L_i(t-1) / L_i(t-2),

r = 1 in the first two steps. The weights are those of the losses before this step's.
The paper's t counts epochs, with losses averaged over each; here t counts steps.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.weightings.base import Weighting, like, read, share

TEMPERATURE = 2.0  # T, as in the paper


class Memory(NamedTuple):
    """The two last losses (N,) of every task while it was active, and how many."""

    older: jax.Array
    newer: jax.Array
    seen: jax.Array  # (N,) 0, 1 or 2


def init(n: int) -> Memory:
    """Nothing is seen."""
    one = jnp.ones(n, jnp.float32)
    return Memory(one, one, jnp.zeros(n, jnp.int32))


def weights(
    gram: jax.Array, losses: jax.Array, active: jax.Array, memory: Memory, *, key: Any
) -> tuple[jax.Array, Memory]:
    """w = N softmax(r / T), N the number of active tasks; r = 1 without a history."""
    del key
    tasks = read(gram, losses, active)
    older, newer = (x.astype(tasks.gram.dtype) for x in memory[:2])
    known = (memory.seen == 2) & (older != 0)
    r = jnp.where(known, newer / jnp.where(known, older, 1.0), 1.0)
    w = tasks.number * share(r / TEMPERATURE, tasks.active)
    on = tasks.active
    moved = Memory(
        jnp.where(on, newer, older),
        jnp.where(on, tasks.losses, newer),
        jnp.where(on, jnp.minimum(memory.seen + 1, 2), memory.seen),
    )
    return w, like(moved, memory)


WEIGHTING = Weighting(weights, init, reads="losses")
