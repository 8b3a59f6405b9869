"""Many models, one program: how the member axis P is run."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Split
from disentangle.methods.base import Logs
from disentangle.training.state import TrainHyperparameters, TrainState
from disentangle.training.step import Step


class LogAccumulator(NamedTuple):
    """Sums of the logs since the last line was written."""

    total: Logs
    steps: jax.Array  # () float32


def over_members(function: Callable, at_once: int | None = None) -> Callable:
    """`function` of one member, for a leading axis P of its arguments.

    On a CPU the members run one after the other: as a batch their matrix products
    turn into batched ones, which XLA is slow at there. Accelerators get `vmap`: on an
    H100 256 models train 3.3 times as fast as one (`benchmarks/README.md`,
    "Populations"). The form is chosen where the program is lowered, so that one
    exported for another platform has that one's. `inline` leaves no trace in the
    program; it has JAX read the Python of a member once, and not once per form.

    Args:
      function: of one member.
      at_once: members that `vmap` takes together; None is all of them.
    """
    once = jax.jit(function, inline=True)

    def one_by_one(*members: Any) -> Any:
        return jax.lax.map(lambda member: once(*member), members)

    def together(*members: Any) -> Any:
        count = jax.tree.leaves(members)[0].shape[0]
        if at_once is None or count <= at_once:
            return jax.vmap(once)(*members)
        return jax.lax.map(lambda one: once(*one), members, batch_size=at_once)

    def mapped(*members: Any) -> Any:
        return jax.lax.platform_dependent(*members, cpu=one_by_one, default=together)

    return mapped


def make_chunk(step: Step) -> Callable:
    """`chunk(state, accumulator, hyperparameters, split, n)`: n steps of every member.

    n is traced, so that any number of steps is the same program and a run cut
    into other chunks (by a kill, by the logging) has the same bits.
    """

    def chunk(
        state: TrainState,
        accumulator: LogAccumulator,
        hyperparameters: TrainHyperparameters,
        split: Split,
        n: jax.Array,
    ) -> tuple[TrainState, LogAccumulator]:
        """n steps of every member; their logs are added up."""

        def member(state, accumulator, hyperparameters):
            def body(_, carry):
                state, accumulator = carry
                state, logs = step(state, hyperparameters, split)
                total = jax.tree.map(jnp.add, accumulator.total, logs)
                return state, LogAccumulator(total, accumulator.steps + 1.0)

            return jax.lax.fori_loop(0, n, body, (state, accumulator))

        return over_members(member)(state, accumulator, hyperparameters)

    return chunk


def empty_accumulator(
    step: Step, state: TrainState, hyperparameters: TrainHyperparameters, split: Split
) -> LogAccumulator:
    """Zeros of the shapes that `step` logs, for every member."""
    one = lambda tree: jax.tree.map(lambda x: x[0], tree)
    shapes = jax.eval_shape(
        lambda s, t, p: step(one(s), one(t), p)[1], state, hyperparameters, split
    )
    members = state.step.shape[0]
    total = jax.tree.map(lambda s: jnp.zeros((members, *s.shape), s.dtype), shapes)
    return LogAccumulator(total, jnp.zeros((members,), jnp.float32))
