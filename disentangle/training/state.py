"""The state of a run: everything a checkpoint holds, and how it starts."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from disentangle.methods import base
from disentangle.methods.base import Method, Params, Player
from disentangle.nn import Variables
from disentangle.training.schedule import Optimizer


class TrainState(NamedTuple):
    """One model in training; a population has a leading axis P on every leaf.

    The last three are empty for a method that has no such thing, and a checkpoint
    then holds nothing of them.
    """

    params: Params
    optimizer: dict[str, Any]  # optax state per player
    key: jax.Array  # the seed's key; step s uses fold_in(key, s)
    step: jax.Array  # () int32
    alive: jax.Array  # () bool; False froze the model where it diverged
    state: dict[str, Any]  # running statistics and the like, per network
    average: Params  # of the networks in Method.averages
    balancing: dict[str, Any]  # memory of Player.gradient, per player


class TrainHyperparameters(NamedTuple):
    """The numbers of one model that a population sweeps."""

    method: Any  # the method's settings, arrays in the swept fields
    learning_rate: jax.Array


def transformation(
    player: Player,
    optimizer: Optimizer,
    hyperparameters: TrainHyperparameters,
    step: jax.Array,
) -> optax.GradientTransformation:
    """The player's own optimiser, or the run's; with the run's schedule and clipping.

    Its state is the same at every step.
    """
    if player.optimizer is not None:
        update = player.optimizer(hyperparameters.method)
    else:
        update = optimizer.build(hyperparameters.learning_rate)
    return optimizer.around(update, step)


def init(
    method: Method,
    optimizer: Optimizer,
    hyperparameters: TrainHyperparameters,
    seed: jax.Array,
) -> TrainState:
    """Step 0 of the model with this seed (() uint32)."""
    init_key, key = jax.random.split(jax.random.key(seed))
    params, state = apart(base.init(method, key=init_key))
    optimizers = {
        name: transformation(player, optimizer, hyperparameters, jnp.int32(0)).init(
            {net: params[net] for net in player.moves}
        )
        for name, player in method.players.items()
    }
    balancing = {
        name: player.gradient.weighting.init(player.gradient.tasks)
        for name, player in method.players.items()
        if player.gradient
    }
    return TrainState(
        params,
        optimizers,
        key,
        jnp.int32(0),
        jnp.bool_(True),
        state,
        {net: params[net] for net in method.averages},
        balancing,
    )


def apart(variables: Params) -> tuple[Params, dict[str, Any]]:
    """(parameters of every network, state of those that have one)."""
    has_state = lambda held: isinstance(held, Variables)
    params = {
        net: held.params if has_state(held) else held for net, held in variables.items()
    }
    return params, {net: v.state for net, v in variables.items() if has_state(v)}


def joined(params: Params, state: dict[str, Any], *, frozen: bool = False) -> Params:
    """What the functions of a method are given, the inverse of `apart`.

    Args:
      params: per network.
      state: of the networks that have one.
      frozen: for evaluation: `Net.train` then uses the state as it is, and keeps it.
    """
    return {
        net: Variables(held, state[net], frozen) if net in state else held
        for net, held in params.items()
    }


def trained(state: TrainState) -> Params:
    """What evaluation is given: averages where there are, and frozen states."""
    return joined(state.params | state.average, state.state, frozen=True)
