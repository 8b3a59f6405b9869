"""Observers of training, and what they are shown: they see all and move nothing."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from disentangle.errors import UserError
from disentangle.methods.base import Method, Params, Player
from disentangle.training.state import (
    Optimizer,
    TrainHyperparameters,
    TrainState,
    transformation,
)

WATCHED = 0x0B5E  # folded into the key of a step for the key of its observers
FIRST_MOMENTS = ("mu", "trace")  # of Adam and its kin, of heavy-ball SGD


class Observer(NamedTuple):
    """Watches training without touching it: an accumulator fed every k steps.

    `update(carry, params, hyperparameters, batch) -> carry` sees, before the step moves
    anything, the parameters and the very batch of that step. It is pure and
    for one member; the carry is checkpointed with the state.

    Attributes:
      name: of the observer, and of its carry in a checkpoint.
      every: steps between two looks.
      carry: what it starts with.
      update: as above.
      looks_inside: `update` is given an `Inside` as a fifth argument.
      grows: the part of the carry, as a path such as "log.rows", whose arrays have
        more room in a run of more steps; what a checkpoint lacks of it is zeros.
    """

    name: str
    every: int
    carry: Any
    update: Callable[..., Any]
    looks_inside: bool = False
    grows: str = ""


class Inside(NamedTuple):
    """What stands behind the parameters of a step. Nothing of it is changed.

    Attributes:
      update: gradients of some networks -> these networks after an update by a copy of
        their player's optimiser; gradients of its other networks count as 0.
      drift: names of networks -> what momentum adds to their gradients in a heavy-ball
        step, m v with v the sum of m^k g^{t-1-k} over past gradients g. Of Adam m is
        beta_1 and v the first moment over 1 - beta_1.
      key: of the step, for observers alone.
    """

    update: Callable[[Params], Params]
    drift: Callable[[tuple[str, ...]], Params]
    key: jax.Array


def inside(
    method: Method,
    optimizer: Optimizer,
    state: TrainState,
    hyperparameters: TrainHyperparameters,
) -> Inside:
    """What stands behind the parameters of `state`."""

    def player_of(networks: Any) -> tuple[str, Player]:
        """The player that moves the networks."""
        for name, player in method.players.items():
            if set(networks) <= set(player.moves):
                return name, player
        raise UserError(f"no player of this method moves {', '.join(networks)}")

    def updated(gradient: Params) -> Params:
        name, player = player_of(gradient)
        own = {net: state.params[net] for net in player.moves}
        whole = jax.tree.map(jnp.zeros_like, own) | gradient
        tx = transformation(player, optimizer, hyperparameters, state.step)
        with jax.numpy_dtype_promotion("standard"):  # optax: float ** int count
            updates, _ = tx.update(whole, state.optimizer[name], own)
        moved = optax.apply_updates(own, updates)
        return {net: moved[net] for net in gradient}

    def drift(networks: tuple[str, ...]) -> Params:
        name, player = player_of(networks)
        own = {net: state.params[net] for net in player.moves}
        tx = transformation(player, optimizer, hyperparameters, state.step)
        held = momentum(tx, state.optimizer[name], own)
        return {net: held[net] for net in networks}

    key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), WATCHED)
    return Inside(updated, drift, key)


def momentum(tx: optax.GradientTransformation, memory: Any, params: Any) -> Any:
    """m v, like `params`: what momentum adds to a gradient in a heavy-ball step.

    It is the first moment after a gradient of 0, over that of a gradient of 1.

    Raises:
      UserError: the optimiser has no momentum.
    """
    still = jax.tree.map(jnp.zeros_like, params)
    small = jnp.float32(2**-20)  # below what is clipped
    with jax.numpy_dtype_promotion("standard"):  # optax: float ** int count
        _, held = tx.update(still, memory, params)
        _, fresh = tx.update(small, tx.init(jnp.float32(0)), jnp.float32(0))
    unit = _first_moment(fresh) / small
    return jax.tree.map(lambda x: x / unit.astype(x.dtype), _first_moment(held))


def _first_moment(memory: Any) -> Any:
    """The optimiser's decaying sum of gradients.

    Raises:
      UserError: it has none.
    """
    for name in FIRST_MOMENTS:
        found = optax.tree.get(memory, name)
        if found is not None:
            return found
    raise UserError("this optimiser has no momentum")
