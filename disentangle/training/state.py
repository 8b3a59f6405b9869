"""The state of a run: everything a checkpoint holds, and how it starts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from disentangle.methods import base
from disentangle.methods.base import Method, Params, Player

Optimizer = Callable[[jax.Array], optax.GradientTransformation]


class TrainState(NamedTuple):
    """One model in training; a population has a leading axis P on every leaf."""

    params: Params
    optimizer: dict[str, Any]  # optax state per player
    key: jax.Array  # the seed's key; step s uses fold_in(key, s)
    step: jax.Array  # () int32
    alive: jax.Array  # () bool; False froze the model where it diverged


class TrainHyperparameters(NamedTuple):
    """The numbers of one model that a population sweeps."""

    method: Any  # the method's settings, arrays in the swept fields
    learning_rate: jax.Array


def transformation(
    player: Player, optimizer: Optimizer, hyperparameters: TrainHyperparameters
) -> optax.GradientTransformation:
    """The player's own optimiser, or the run's."""
    if player.optimizer is not None:
        return player.optimizer(hyperparameters.method)
    return optimizer(hyperparameters.learning_rate)


def init(
    method: Method,
    optimizer: Optimizer,
    hyperparameters: TrainHyperparameters,
    seed: jax.Array,
) -> TrainState:
    """Step 0 of the model with this seed (() uint32)."""
    init_key, key = jax.random.split(jax.random.key(seed))
    params = base.init(method, key=init_key)
    optimizers = {
        name: transformation(player, optimizer, hyperparameters).init(
            {net: params[net] for net in player.moves}
        )
        for name, player in method.players.items()
    }
    return TrainState(params, optimizers, key, jnp.int32(0), jnp.bool_(True))
