"""The one training loop: chunks of steps between the things that are due."""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Split
from disentangle.methods.activity import code_logs, moments
from disentangle.methods.base import Logs, Method, evaluate_losses
from disentangle.progress import say, waiting
from disentangle.training import population, stopping
from disentangle.training.bar import Bar
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import Experiment
from disentangle.training.data_axis import DataAxis, is_follower
from disentangle.training.lost import report_collapsed, report_dead
from disentangle.training.observer import Observer, inside
from disentangle.training.state import (
    TrainHyperparameters,
    TrainState,
    init,
    joined,
    trained,
)
from disentangle.training.step import batch_of, make_step
from disentangle.training.writers import Writer

EVAL_BATCH = 250


class Progress(NamedTuple):
    """Everything that must survive a kill."""

    state: TrainState
    window: population.LogAccumulator  # so named in checkpoints
    observed: dict[str, Any]


class CompiledFunctions(NamedTuple):
    """What training an experiment calls, each jitted for all of its members."""

    first: Callable[[], Progress]
    chunk: Callable
    observe: dict[str, Callable]
    evaluate: Callable


def start(method: Method, experiment: Experiment) -> TrainState:
    """Step 0 of all members."""
    hyperparameters = jax.tree.map(jnp.asarray, experiment.hyperparameters)
    one = lambda hyperparameters, seed: init(
        method, experiment.optimizer, hyperparameters, seed
    )
    return population.over_members(one)(hyperparameters, jnp.asarray(experiment.seeds))


def compile_functions(
    experiment: Experiment,
    method: Method,
    split: Split,
    observers: Sequence[Observer],
    axis: DataAxis | None = None,
) -> CompiledFunctions:
    """Jitted chunk, observers and evaluation for all members of an experiment."""
    jit = functools.partial(jax.jit, out_shardings=axis and axis.everywhere)
    batch_size = experiment.config["batch_size"]
    step = make_step(method, experiment.optimizer, batch_size)
    hyperparameters = jax.tree.map(jnp.asarray, experiment.hyperparameters)

    def first() -> Progress:
        """Where a run begins: fresh models, nothing logged, nothing observed."""
        state = start(method, experiment)
        empty = population.empty_accumulator(step, state, hyperparameters, split)
        spread = lambda x: jnp.broadcast_to(x, (len(experiment.members), *jnp.shape(x)))
        observed = {o.name: jax.tree.map(spread, o.carry) for o in observers}
        return Progress(state, empty, observed)

    def observe(observer):
        def member(carry, state, hyperparameters, split):
            batch, _ = batch_of(method, split, state, batch_size)
            params = joined(state.params, state.state)
            seen = [params, hyperparameters.method, batch]
            if observer.looks_inside:
                optimizer = experiment.optimizer
                seen.append(inside(method, optimizer, state, hyperparameters))
            new = observer.update(carry, *seen)
            return jax.tree.map(lambda a, b: jnp.where(state.alive, a, b), new, carry)

        def all_members(carry, state, split):
            run = population.over_members(lambda c, s, t: member(c, s, t, split))
            return run(carry, state, hyperparameters)

        return jit(all_members, donate_argnums=0)

    def evaluate(state: TrainState, split: Split, index: jax.Array):
        """Of every member, see `evaluation`."""
        member = lambda state, hyper: evaluation(method, state, hyper, split, index)
        return population.over_members(member)(state, hyperparameters)

    jitted = jit(population.make_chunk(step), donate_argnums=(0, 1))
    return CompiledFunctions(
        first=jax.jit(first),
        chunk=lambda state, accumulator, n: jitted(
            state, accumulator, hyperparameters, split, n
        ),
        observe={o.name: observe(o) for o in observers},
        evaluate=jit(evaluate),
    )


def evaluation(
    method: Method,
    state: TrainState,
    hyperparameters: TrainHyperparameters,
    split: Split,
    index: jax.Array,
) -> Logs:
    """One member's losses, means over the batches `index` (batches, B), and which of
    its latents tell their images apart; at its own step, with one key for all."""
    tested = Split(split.data, index.reshape(-1))
    params = trained(state)

    def part(index):
        key = jax.random.key(0)
        batch = method.collate(tested, index, key)
        losses = evaluate_losses(
            method, params, hyperparameters.method, batch, key=key, step=state.step
        )
        return losses, moments(method, params, batch["images"])

    found = jax.lax.map(part, index)
    logs, codes = jax.tree.map(lambda x: x.mean(0), found)
    return logs | code_logs(codes)


def run_loop(
    experiment: Experiment,
    method: Method,
    split: Split,
    test_index: np.ndarray,
    *,
    observers: Sequence[Observer] = (),
    checkpoints: Checkpoints | None = None,
    open_writers: Callable[[int], Sequence[Writer]] = lambda step: (),
    open_bar: Callable[[int], Bar],
    signals: stopping.Deferred | None = None,
    begin: Callable[[TrainState], TrainState] | None = None,
    progress: bool = True,
    axis: DataAxis | None = None,
) -> Progress:
    """Trains all members to `steps`, from the newest checkpoint if there is one.

    Without one they start fresh, or with what `begin` makes of fresh states, which is
    saved at once: it is not asked again.

    Order at every due step: observers see the state before the step; then the
    steps; then log, evaluation and checkpoint, so that a checkpoint never
    holds less than what was logged. Ctrl-C and the signals of a cluster end it
    between two chunks, with a checkpoint of that step; with `signals`, their first
    number does, and the caller raises. With an `axis` the images of a step are dealt
    out over its devices, and all its processes take the same steps.
    """
    if axis:
        method, split = axis.method(method), axis.spread(split)
    compiled = compile_functions(experiment, method, split, observers, axis)
    with waiting("prepare the networks", shown=progress):
        step, now = begun(compiled.first, checkpoints, observers, begin, axis)
    writers = open_writers(step)
    config = experiment.config
    periods = [config["log_every"], config["eval_every"], config["checkpoint_every"]]
    periods += [observer.every for observer in observers]
    alive, stopped = np.asarray(now.state.alive), False
    bar = open_bar(step)
    with contextlib.ExitStack() as closing:
        signals = signals or closing.enter_context(stopping.deferred())
        for writer in writers:
            closing.callback(writer.close)
        while step < config["steps"] and alive.any() and not stopped:
            now = observe(now, step, compiled, split, observers)
            n = bar.clip(_until_due(step, config["steps"], periods))
            heard = 0
            if axis:
                n, heard = axis.agreed(n, signals.number)
                signals.number = signals.number or heard
            state, accumulator = compiled.chunk(now.state, now.window, jnp.int32(n))
            now, step = now._replace(state=state, window=accumulator), step + n
            alive = report_dead(
                alive, jax.block_until_ready(state.alive), experiment, step, n
            )
            signals.unsaved = checkpoints is not None
            bar.advance(n)
            last = step == config["steps"] or not alive.any()
            if step % config["log_every"] == 0 or last:
                now = write_window(now, experiment, writers, step, bar)
            if config["eval_every"] and (step % config["eval_every"] == 0 or last):
                batches = batched(test_index)
                logs = jax.device_get(compiled.evaluate(now.state, split, batches))
                write_rows(writers, experiment, step, "test", logs)
                if last:
                    report_collapsed(experiment, alive, logs, batches.size)
            stopped = bool(heard if axis else signals.number)
            due = step % config["checkpoint_every"] == 0 or last
            if checkpoints and (due or stopped):
                save(checkpoints, step, now, writers, stopped)
                signals.unsaved = False
    return now


def begun(
    first: Callable[[], Progress],
    checkpoints: Checkpoints | None,
    observers: Sequence[Observer],
    begin: Callable[[TrainState], TrainState] | None,
    axis: DataAxis | None,
) -> tuple[int, Progress]:
    """The step to go on from and what there is of it, the same in joined processes."""
    held = None if is_follower(axis) else checkpoints
    step, now = progress_at_hand(first, held, observers, begin)
    if axis:
        (step, _), now = axis.agreed(step), axis.spread(now)
        if checkpoints and not held and step >= 0:
            checkpoints.follow(step)
    if begin and checkpoints and step < 0:
        checkpoints.save(0, now)
    return max(step, 0), now


def progress_at_hand(
    first: Callable[[], Progress],
    checkpoints: Checkpoints | None,
    observers: Sequence[Observer],
    begin: Callable[[TrainState], TrainState] | None,
) -> tuple[int, Progress]:
    """The step of the newest checkpoint and what it holds, or a fresh start at -1."""
    if checkpoints:
        grows = tuple(f"observed.{o.name}.{o.grows}" for o in observers if o.grows)
        like = (
            jax.eval_shape(first) if checkpoints.steps() else ()
        )  # seconds of tracing
        restored = checkpoints.restore(like, mend=True, grows=grows)
        if restored:
            return restored
    now = first()
    if begin:
        now = now._replace(state=begin(now.state))
    return -1, now


def observe(
    now: Progress,
    step: int,
    compiled: CompiledFunctions,
    split: Split,
    observers: Sequence[Observer],
) -> Progress:
    """Shows the state of a step to the observers that are due."""
    for observer in observers:
        if step % observer.every == 0:
            carry = now.observed[observer.name]
            seen = compiled.observe[observer.name](carry, now.state, split)
            now = now._replace(observed=now.observed | {observer.name: seen})
    return now


def save(
    checkpoints: Checkpoints,
    step: int,
    now: Progress,
    writers: Sequence[Writer],
    stopped: bool,
) -> None:
    """A checkpoint, after all that was logged; said if it is the last before a stop."""
    for writer in writers:
        writer.flush()
    checkpoints.save(step, now)
    if stopped:
        say(f"step {step:,} is saved in {checkpoints.folder}")


def _until_due(step: int, steps: int, periods: Sequence[int]) -> int:
    """Steps until the next multiple of any period, or the end."""
    return min([steps - step] + [p - step % p for p in periods if p])


def batched(index: np.ndarray) -> jax.Array:
    """(n,) -> (n // b, b); what does not fill a batch is left out."""
    size = min(EVAL_BATCH, len(index))
    whole = len(index) // size * size
    return jnp.asarray(index[:whole].reshape(-1, size), jnp.int32)


def write_window(
    now: Progress,
    experiment: Experiment,
    writers: Sequence[Writer],
    step: int,
    bar: Bar,
) -> Progress:
    """Writes the means since the last line and starts the next window."""
    total, count = jax.device_get(now.window)
    divide = lambda x: x / count.reshape((-1,) + (1,) * (x.ndim - 1))
    means = jax.tree.map(divide, total)
    write_rows(writers, experiment, step, "train", means)
    bar.note({k: v[np.isfinite(v)] for k, v in means.items() if v.ndim == 1})
    return now._replace(window=jax.tree.map(jnp.zeros_like, now.window))


def write_rows(
    writers: Sequence[Writer],
    experiment: Experiment,
    step: int,
    split: str,
    logs: Mapping,
) -> None:
    """One row per member to every writer."""
    rows = {
        name: {key: value[i] for key, value in logs.items()}
        for i, name in enumerate(experiment.members)
    }
    for writer in writers:
        writer.write_scalars(step, split, rows)
