"""What a weighting is, and what all of them do first: leave out what is not active."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Weighting(NamedTuple):
    """How the gradients g_1 .. g_N of N tasks become one, sum_i w_i g_i.

    `weights(gram (N, N), losses (N,), active (N,) bool, memory, *, key) -> (weights
    (N,), memory)`: `gram` holds the inner products g_i . g_j, `losses` those of this
    step. A task that is not active has weight 0 and changes nothing for the others,
    whatever stands in its rows; without any active task all weights are 0.
    `init(n)` is the memory of n tasks at the start, a pytree of arrays.
    `reads` is "gram", or "losses" where the Gram matrix is not used: a step then takes
    one pass back instead of one per task, and `gram` is NaN.
    """

    weights: Callable[..., tuple[jax.Array, Any]]
    init: Callable[[int], Any] = lambda n: ()
    reads: str = "gram"


class Tasks(NamedTuple):
    """The arguments of `weights` in one floating type; 0 and 1 where not active."""

    gram: jax.Array  # (N, N), symmetric, 0 in rows and columns that are not active
    losses: jax.Array  # (N,), 1 where not active
    active: jax.Array  # (N,) bool

    @property
    def number(self) -> jax.Array:
        """() the number of active tasks, 1 where there are none, as a float."""
        return jnp.maximum(self.active.sum(), 1).astype(self.gram.dtype)

    @property
    def moving(self) -> jax.Array:
        """(N,) bool: active tasks whose gradient is not 0."""
        return self.active & (jnp.diagonal(self.gram) > 0)

    @property
    def rank(self) -> jax.Array:
        """(N,) int32: the place of an active task among the active ones."""
        return jnp.cumsum(self.active.astype(jnp.int32)) - 1


def read(gram: Any, losses: Any, active: Any) -> Tasks:
    """JAX or NumPy arrays -> Tasks, in float32 or, if `gram` is, in float64."""
    gram = jnp.asarray(gram)
    gram = gram.astype(jnp.promote_types(gram.dtype, jnp.float32))
    active = jnp.asarray(active, bool)
    both = active[:, None] & active[None, :]
    gram = jnp.where(both, 0.5 * gram + 0.5 * gram.T, 0.0)
    losses = jnp.where(active, jnp.asarray(losses).astype(gram.dtype), 1.0)
    return Tasks(gram, losses, active)


def share(logits: jax.Array, active: jax.Array) -> jax.Array:
    """Softmax (N,) over the active tasks, 0 elsewhere."""
    largest = jnp.max(jnp.where(active, logits, -jnp.inf))
    weights = jnp.where(active, jnp.exp(logits - largest), 0.0)
    total = weights.sum()
    return weights / jnp.where(total > 0, total, 1.0)


def like(new: Any, old: Any) -> Any:
    """`new` in the floating types of `old`: a memory keeps its own."""
    return jax.tree.map(lambda a, b: a.astype(b.dtype), new, old)
