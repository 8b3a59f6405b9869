"""One training step of one model: pure, and the same for every method."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch, Split, draw
from disentangle.methods.base import (
    Logs,
    Method,
    Output,
    Params,
    Player,
    named_logs,
)
from disentangle.training.gradient import OwnLoss, of_scalar, of_tasks
from disentangle.training.schedule import Optimizer
from disentangle.training.state import (
    TrainHyperparameters,
    TrainState,
    joined,
    transformation,
)

WEIGHTING = 0x7E16  # folded into a player's key for the key of its weighting
Step = Callable[[TrainState, TrainHyperparameters, Split], tuple[TrainState, Logs]]


def batch_of(
    method: Method, split: Split, state: TrainState, batch_size: int
) -> tuple[Batch, jax.Array]:
    """The batch of `state.step`, and the key left for the losses' noise.

    A function of (seed, step) alone, so a resumed run, an observer and a
    replay see the same batch.
    """
    drawn, noise = jax.random.split(jax.random.fold_in(state.key, state.step))
    index = draw(split, drawn, batch_size)
    return method.collate(split, index, jax.random.fold_in(drawn, 1)), noise


def make_step(method: Method, optimizer: Optimizer, batch_size: int) -> Step:
    """The step function: every player moves its own networks once, in order.

    A model whose loss, gradient or updated parameters stop being finite keeps the
    parameters it had and is no longer alive, and so does one whose state does. Finite
    means: the sum of squares is a float32, so parameters of 1e38 are dead too.
    """

    def step(
        state: TrainState, hyperparameters: TrainHyperparameters, split: Split
    ) -> tuple[TrainState, Logs]:
        """(state, hyperparameters, split) -> (next state, logs)."""
        batch, noise = batch_of(method, split, state, batch_size)
        keys = jax.random.split(noise, len(method.players))
        new = state
        logs: Logs = {}
        for key, (name, player) in zip(keys, method.players.items(), strict=True):
            own = {net: new.params[net] for net in player.moves}

            def loss(own, player=player, new=new, key=key):
                given = joined(new.params | own, new.state)
                hyper = hyperparameters.method
                return Output(
                    *player.loss(given, hyper, batch, key=key, step=state.step)
                )

            found, gradient, balancing = player_gradient(
                name, player, loss, own, new.balancing, key=key
            )
            logs |= named_logs(method, name, found)
            tx = transformation(player, optimizer, hyperparameters, state.step)
            with jax.numpy_dtype_promotion("standard"):  # optax: float ** int count
                updates, memory = tx.update(gradient, new.optimizer[name], own)
            finite = jnp.isfinite(found.total) & jnp.isfinite(optax.tree.norm(gradient))
            alive = new.alive & finite & is_finite(found.state)
            moves = alive & (state.step % player.every == 0)
            moved = select(moves, optax.apply_updates(own, updates), own)
            # The barrier keeps the update the program, and the bits, it is without
            # the look at its result.
            moved = jax.lax.optimization_barrier(moved)
            alive &= jnp.isfinite(optax.tree.norm(moved))
            new = new._replace(
                alive=alive,
                params=new.params | select(alive, moved, own),
                optimizer=kept(moves, {name: memory}, new.optimizer),
                state=kept(moves & alive, found.state, new.state),
                balancing=kept(moves, balancing, new.balancing),
            )
        average = averaged(method, hyperparameters.method, new)
        return new._replace(step=state.step + 1, average=average), logs

    return jax.jit(step, inline=True)  # traced once, wherever it is put


def player_gradient(
    name: str,
    player: Player,
    loss: OwnLoss,
    own: Params,
    balancing: Mapping[str, Any],
    *,
    key: jax.Array,
) -> tuple[Output, Params, dict[str, Any]]:
    """What the loss gave, the gradient, and the new memory under the player's name."""
    if player.gradient is None:
        return *of_scalar(loss, own), {}
    weighting_key = jax.random.fold_in(key, WEIGHTING)
    found, gradient, memory = of_tasks(
        player.gradient, loss, own, balancing[name], key=weighting_key
    )
    return found, gradient, {name: memory}


def averaged(method: Method, hyper: Any, state: TrainState) -> Params:
    """The moving averages after a step that `state.params` has taken."""

    def one(net: str, decay: Any) -> Any:
        old, share = state.average[net], jnp.float32(decay(hyper, state.step))
        mix = lambda a, p: share * a + (1.0 - share) * p
        return select(state.alive, jax.tree.map(mix, old, state.params[net]), old)

    return {net: one(net, decay) for net, decay in method.averages.items()}


def is_finite(tree: Any) -> Any:
    """Whether all numbers of a tree are finite; True for a tree without numbers."""
    found: Any = True
    for leaf in jax.tree.leaves(tree):
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            found &= jnp.isfinite(leaf).all()
    return found


def kept(condition: jax.Array, new: Mapping[str, Any], old: dict[str, Any]) -> Any:
    """`old` with the entries of `new` where the scalar condition holds."""
    return old | {name: select(condition, new[name], old[name]) for name in new}


def select(condition: jax.Array, new: Any, old: Any) -> Any:
    """`new` where the scalar condition holds, else `old`, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
