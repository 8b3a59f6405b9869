"""One training step of one model: pure, and the same for every method."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch, Split, draw
from disentangle.methods.base import Logs, Method, named_logs
from disentangle.training.state import (
    Optimizer,
    TrainHyperparameters,
    TrainState,
    transformation,
)

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
    parameters it had and is no longer alive. Finite means: the sum of squares is a
    float32, so parameters of 1e38 are dead too.
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

            def loss(own, player=player, params=new.params, key=key):
                return player.loss(
                    params | own,
                    hyperparameters.method,
                    batch,
                    key=key,
                    step=state.step,
                )

            (value, extra), gradient = jax.value_and_grad(loss, has_aux=True)(own)
            logs |= named_logs(method, name, value, extra)
            tx = transformation(player, optimizer, hyperparameters)
            with jax.numpy_dtype_promotion("standard"):  # optax: float ** int count
                updates, memory = tx.update(gradient, new.optimizer[name], own)
            finite = jnp.isfinite(value) & jnp.isfinite(optax.tree.norm(gradient))
            alive = new.alive & finite
            moves = alive & (state.step % player.every == 0)
            moved = select(moves, optax.apply_updates(own, updates), own)
            # The barrier keeps the update the program, and the bits, it is without
            # the look at its result.
            moved = jax.lax.optimization_barrier(moved)
            alive &= jnp.isfinite(optax.tree.norm(moved))
            new = new._replace(
                alive=alive,
                params=new.params | select(alive, moved, own),
                optimizer=new.optimizer
                | {name: select(moves, memory, new.optimizer[name])},
            )
        return new._replace(step=state.step + 1), logs

    return step


def select(condition: jax.Array, new, old):
    """`new` where the scalar condition holds, else `old`, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
