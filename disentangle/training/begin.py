"""What a method reads off its training images before the first step."""

from collections.abc import Callable

import jax

from disentangle.data.samplers import Split
from disentangle.methods.base import Method
from disentangle.training import population
from disentangle.training.state import TrainState, apart, joined

Begin = Callable[[TrainState], TrainState]


def begin_with(method: Method, split: Split, begin: Begin | None) -> Begin | None:
    """`begin` of fresh states, then `Method.begin` of every member.

    Moving averages start as the parameters do.

    Args:
      method: what is trained.
      split: its training images.
      begin: what comes before, such as the parameters of another run.

    Returns:
      What makes the states of step 0 of fresh ones; None where they stay as they are.
    """
    read = method.begin
    if read is None:
        return begin

    def one(state: TrainState, split: Split) -> TrainState:
        params, _ = apart(read(joined(state.params, state.state, frozen=True), split))
        average = {net: params[net] for net in state.average}
        return state._replace(params=params, average=average)

    @jax.jit
    def every(state: TrainState, split: Split) -> TrainState:
        return population.over_members(lambda own: one(own, split))(state)

    return lambda state: every(begin(state) if begin else state, split)
