r"""All groups of tasks of one seed in one program, on common random numbers.

$$
\theta_g \leftarrow \mathrm{Adam}\Big(\theta_g,\; \nabla \sum_{t \in g} L_t(\theta_g;
x, y)\Big) \quad \text{for every group } g \text{, the batch } (x, y) \text{ shared}
$$

The groups are an axis of `vmap`: they begin at the same parameters and see the same
images with the same noise in every step, so that their losses differ by the group
alone. Which tasks a group has is traced, so that any groups are the same program. Seeds
stay outside: each has its own images.

Every `every` steps, step 0 included, each task of each group is looked at on the
validation images; its result is the test loss where its validation loss is least. The
encoder that is kept of a group is the one with the least mean validation loss over the
tasks of the group.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.oracle.examples import Examples, Parts
from disentangle.oracle.network import Batch, Network, Params, build
from disentangle.oracle.regime import Regime

MOST_TASKS = 10  # 1,023 groups
LOOK = 1000  # images of a look at a time


@dataclass(frozen=True, eq=False)
class Program:
    """What a compiled program depends on; `program_of` gives equal ones as one.

    Attributes:
      regime: all that is static.
      network: the network of one group.
      optimizer: Adam.
    """

    regime: Regime
    network: Network
    optimizer: optax.GradientTransformation


@functools.cache
def program_of(regime: Regime, space: FactorSpace, channels: int) -> Program:
    """The program of a regime on images of a space.

    Raises:
      UserError: a task that the space does not have.
    """
    network = build(regime, space, channels)
    return Program(regime, network, optax.adam(regime.learning_rate))


class Best(NamedTuple):
    """The least validation losses so far.

    Attributes:
      validation, test: (G, N) the losses at each task's least validation loss.
      step: (G, N) int32, where that was.
      mean: (G,) the least mean validation loss of the group's tasks.
      shared: the encoders of that moment, each leaf (G, ...).
    """

    validation: jax.Array
    test: jax.Array
    step: jax.Array
    mean: jax.Array
    shared: Params


class State(NamedTuple):
    """All groups of one seed: everything that must survive a kill.

    Attributes:
      step: () int32, updates done.
      shared, private: each leaf (G, ...).
      optimizer: of (shared, private). Adam moves every number by itself, so that one
        state serves all groups.
      best: what is kept.
    """

    step: jax.Array
    shared: Params
    private: Params
    optimizer: Any
    best: Best


def every_group(tasks: int) -> np.ndarray:
    """(2^N - 1, N) bool, all groups: row m - 1 holds task i if bit i of m is set.

    Raises:
      UserError: more than ten tasks.
    """
    if tasks > MOST_TASKS:
        raise UserError(
            f"{tasks} tasks have {2**tasks - 1:,} groups, too many to train: name at "
            f"most {MOST_TASKS} in `tasks`"
        )
    return (np.arange(1, 2**tasks)[:, None] >> np.arange(tasks)[None] & 1).astype(bool)


def keys_of(seed: int | jax.Array) -> tuple[jax.Array, jax.Array]:
    """The keys of the first parameters and of the batches of a seed."""
    first, batches = jax.random.split(jax.random.key(seed))
    return first, batches


def batch_at(
    regime: Regime,
    train: Examples,
    seed_key: jax.Array,
    step: jax.Array,
    which: int = 0,
) -> Batch:
    """The batch of a step, with the regime's noise on its images.

    Args:
      regime: its size and noise.
      train: the training examples.
      seed_key: the second of `keys_of`.
      step: () int32.
      which: 0 is the batch that the step trains on; others are drawn independently.
    """
    key = jax.random.fold_in(jax.random.fold_in(seed_key, step), which)
    drawn, noise = jax.random.split(key)
    index = jax.random.randint(drawn, (regime.batch_size,), 0, train.size)
    batch = train.batch(index)
    if not regime.pixel_noise:
        return batch
    normal = jax.random.normal(noise, batch.images.shape)
    return batch._replace(images=batch.images + regime.pixel_noise * normal)


def start(program: Program, groups: jax.Array, seed: int, parts: Parts) -> State:
    """Step 0 of all groups (G, N): the same parameters in each, looked at once."""
    return look(program, begin(program, groups, jnp.uint32(seed)), groups, parts)


def advance(
    program: Program,
    state: State,
    groups: jax.Array,
    seed: int,
    parts: Parts,
    steps: int,
) -> State:
    """`steps` updates of all groups (G, N), then a look at the held images."""
    moved = move(
        program, state, groups, jnp.uint32(seed), parts.train, jnp.int32(steps)
    )
    return look(program, moved, groups, parts)


@functools.partial(jax.jit, static_argnames="program")
def begin(program: Program, groups: jax.Array, seed: jax.Array) -> State:
    """The parameters of all groups before step 0, and nothing kept."""
    shared, private = program.network.init(keys_of(seed)[0])
    spread = lambda leaf: jnp.broadcast_to(leaf, (len(groups), *leaf.shape))
    shared, private = jax.tree.map(spread, (shared, private))
    held = program.optimizer.init((shared, private))
    worst = jnp.full(groups.shape, jnp.inf)
    where = jnp.zeros(groups.shape, jnp.int32)
    nothing = jax.tree.map(jnp.zeros_like, shared)
    best = Best(worst, worst, where, worst[:, 0], nothing)
    return State(jnp.int32(0), shared, private, held, best)


@functools.partial(jax.jit, static_argnames="program")
def move(
    program: Program,
    state: State,
    groups: jax.Array,
    seed: jax.Array,
    train: Examples,
    steps: jax.Array,
) -> State:
    """`steps` updates of all groups, each step one batch for all."""
    network, optimizer = program.network, program.optimizer
    key = keys_of(seed)[1]

    def total(params: Any, active: jax.Array, batch: Batch) -> jax.Array:
        shared, private = params
        return network.losses(shared, private, batch, active).sum()

    gradients = jax.vmap(jax.grad(total), in_axes=(0, 0, None))

    def body(i: jax.Array, carry: tuple[Params, Any]) -> tuple[Params, Any]:
        params, held = carry
        batch = batch_at(program.regime, train, key, state.step + i)
        gradient = gradients(params, groups, batch)
        with jax.numpy_dtype_promotion("standard"):  # optax: float ** int count
            change, held = optimizer.update(gradient, held, params)
        return optax.apply_updates(params, change), held

    begun = ((state.shared, state.private), state.optimizer)
    (shared, private), held = jax.lax.fori_loop(0, steps, body, begun)
    return State(state.step + steps, shared, private, held, state.best)


@functools.partial(jax.jit, static_argnames="program")
def look(program: Program, state: State, groups: jax.Array, parts: Parts) -> State:
    """The state with what is best so far, by the validation images."""
    network = program.network
    validation = held_losses(network, state, groups, parts.validation)
    test = held_losses(network, state, groups, parts.test)
    best = state.best
    better = groups & (validation < best.validation)
    count = groups.sum(1).astype(jnp.float32)
    mean = jnp.where(groups, validation, 0.0).sum(1) / count
    newer = mean < best.mean
    choose = lambda new, old: jnp.where(
        newer.reshape(-1, *[1] * (new.ndim - 1)), new, old
    )
    return state._replace(
        best=Best(
            jnp.where(better, validation, best.validation),
            jnp.where(better, test, best.test),
            jnp.where(better, state.step, best.step),
            jnp.where(newer, mean, best.mean),
            jax.tree.map(choose, state.shared, best.shared),
        )
    )


def held_losses(
    network: Network, state: State, groups: jax.Array, examples: Examples
) -> jax.Array:
    """(G, N) the losses on held images: weighted means over pieces of them."""
    whole = jax.vmap(network.losses, in_axes=(0, 0, None, 0))
    sums, counts = jnp.float32(0.0), jnp.float32(0.0)
    for begin in range(0, examples.size, LOOK):
        end = min(begin + LOOK, examples.size)
        batch = examples.batch(jnp.arange(begin, end))
        count = batch.known.sum(1).astype(jnp.float32)[None]
        sums += count * whole(state.shared, state.private, batch, groups)
        counts += count
    return sums / counts


class Sample(NamedTuple):
    """The all-together network at one step, before the step.

    Attributes:
      step: updates done.
      shared, private: its parameters.
      optimizer: the state of Adam, of (shared, private).
      batches: fields (M, ...): the batch that the step trains on, then M - 1 that are
        drawn independently.
    """

    step: int
    shared: Params
    private: Params
    optimizer: Any
    batches: Batch


def all_together(
    program: Program, parts: Parts, seed: int, *, every: int, batches: int = 1
) -> Iterator[Sample]:
    """Trains the network of all tasks as the oracle does; shows it every `every` steps.

    The trajectory is that of the last group of `every_group` up to rounding, whoever
    looks.

    Args:
      program: of the regime.
      parts: of the same seed.
      seed: of parameters and batches.
      every: steps between two samples, the first before step 0.
      batches: M, how many batches a sample has.

    Yields:
      A Sample; the last has `regime.steps` steps done, for what is asked of the trained
      network.
    """
    regime, groups = program.regime, jnp.ones((1, len(program.network.tasks)), bool)
    state = start(program, groups, seed, parts)
    seen = _batches(program, batches)
    done = 0
    while True:
        one = lambda leaf: leaf[0] if leaf.ndim else leaf
        shared, private, held = jax.tree.map(
            one, (state.shared, state.private, state.optimizer)
        )
        shown = seen(parts.train, jnp.uint32(seed), jnp.int32(done))
        yield Sample(done, shared, private, held, shown)
        steps = min(every, regime.steps - done)
        if not steps:
            return
        state = advance(program, state, groups, seed, parts, steps)
        done += steps


def _batches(program: Program, count: int) -> Callable[..., Batch]:
    """(train, seed, step) -> the batches of a step, stacked."""

    def draw(train: Examples, seed: jax.Array, step: jax.Array) -> Batch:
        key = keys_of(seed)[1]
        found = [batch_at(program.regime, train, key, step, m) for m in range(count)]
        return jax.tree.map(lambda *parts: jnp.stack(parts), *found)

    return jax.jit(draw)


@functools.partial(jax.jit, static_argnames="program")
def codes_of(program: Program, shared: Params, images: jax.Array) -> jax.Array:
    """(G, M, z) the codes of images (M, S, S, C) by the encoders of all groups."""
    encode = program.network.encode
    return jax.vmap(encode, in_axes=(0, None))(shared, images)
