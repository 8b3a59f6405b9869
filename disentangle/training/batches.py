"""A population trained in batches of members: one program and checkpoint for each.

The batches are dealt out over the devices. A member has the same bits in any batch of
any size on a CPU, where members run one after the other, and on any of its devices.
"""

import dataclasses
import functools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Split
from disentangle.errors import UserError
from disentangle.methods.base import Method
from disentangle.progress import Progress as Shown
from disentangle.training.bar import Bar
from disentangle.training.begin import begin_with
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import Experiment
from disentangle.training.data_axis import DataAxis
from disentangle.training.devices import Lane, deal
from disentangle.training.init_from import Start
from disentangle.training.loop import Progress, run_loop, start
from disentangle.training.observer import Observer
from disentangle.training.roster import Roster, checkpoint_folder, rows_of
from disentangle.training.run_logs import SharedWriters
from disentangle.training.state import TrainState


def part(experiment: Experiment, rows: Sequence[int]) -> Experiment:
    """The experiment of some of its members, by their places."""
    if list(rows) == list(range(len(experiment.population))):
        return experiment
    at = np.asarray(rows, np.int64)
    return dataclasses.replace(
        experiment,
        population=tuple(experiment.population[row] for row in rows),
        hyperparameters=jax.tree.map(lambda x: x[at], experiment.hyperparameters),
        seeds=experiment.seeds[at],
    )


class Job(NamedTuple):
    """What all batches of a run have in common."""

    experiment: Experiment
    method: Method
    split: Split
    test_index: np.ndarray
    observers: Sequence[Observer] = ()
    start: Start | None = None  # None: fresh parameters


def train_batches(
    job: Job,
    roster: Roster,
    *,
    workdir: Path | None = None,
    writers: SharedWriters | None = None,
    progress: bool = True,
    lane: Lane | None = None,
    axis: DataAxis | None = None,
) -> Progress:
    """Trains every batch, each on the first device that is free.

    Args:
      job: what is trained.
      roster: how; all members of the experiment are in it.
      workdir: where the checkpoints are; a batch goes on from its own.
      writers: where the numbers go; closed by the caller.
      progress: show one bar for all.
      lane: where all are trained; None deals them out. Told to stop there, they end
        where they are.
      axis: over which the images of a step are dealt out, instead of the batches.

    Returns:
      The members' last states in the order of the experiment; without the optimisers'
      where there are several batches.
    """
    rows = rows_of(roster, job.experiment.population)
    writers = writers or SharedWriters(())
    bars = _Bars(job.experiment, len(rows), progress)

    def train(number: int) -> Callable[[Lane | None], Progress]:
        """The work that trains one batch."""
        own = part(job.experiment, rows[number])
        begin = None
        if job.start is not None:
            begin = functools.partial(job.start.begin, rows=rows[number])

        def piece(lane: Lane | None) -> Progress:
            """One batch, where it is dealt to."""
            split = jax.device_put(job.split, lane.device) if lane else job.split
            place = workdir and checkpoint_folder(workdir, number)
            final = run_loop(
                own,
                job.method,
                split,
                job.test_index,
                observers=job.observers,
                checkpoints=Checkpoints(place) if place else None,
                open_writers=lambda step: writers.begin(step, own.members),
                open_bar=lambda step: bars.open(step, len(own.members)),
                signals=lane and lane.signals,
                begin=begin_with(job.method, split, begin),
                progress=progress and number == 0,
                axis=axis,
            )
            return final if len(rows) == 1 and not axis else _on_host(final)

        return piece

    try:
        work = [train(number) for number in range(len(rows))]
        devices = jax.local_devices()
        is_one = lane or axis
        found = [piece(lane) for piece in work] if is_one else deal(work, devices)
    finally:
        bars.close()
    return in_order(found, rows)


def restore_batches(
    experiment: Experiment, method: Method, roster: Roster, workdir: Path
) -> TrainState:
    """The states of all members from the newest checkpoint of every batch.

    Raises:
      UserError: there is none yet, or some members are not trained as far as others.
    """
    rows = rows_of(roster, experiment.population)
    found: list[TrainState] = []
    for number, own in enumerate(rows):
        if not own:  # of a config that was to have more
            continue
        like = jax.eval_shape(lambda own=own: start(method, part(experiment, own)))
        checkpoints = Checkpoints(checkpoint_folder(workdir, number))
        restored = checkpoints.restore({"state": like}, mend=False)
        if restored is not None:
            found.append(restored[1]["state"])
    if not found:
        raise UserError(f"{workdir} has no checkpoint yet")
    furthest = max(int(np.max(state.step)) for state in found)
    whole = [s for s in found if np.max(s.step) == furthest or not np.any(s.alive)]
    done, count = sum(len(s.alive) for s in whole), len(experiment.population)
    if done < count:
        raise UserError(
            f"{workdir} is not finished: {done} of {count} models are trained to step "
            f"{furthest:,}; the command that trains it goes on"
        )
    if len(found) > 1:
        found = [state._replace(optimizer={}, balancing={}) for state in found]
    return in_order(found, rows)


def in_order(found: Sequence[Any], rows: Sequence[Sequence[int]]) -> Any:
    """Trees of batches as one, its members in the order of the experiment."""
    order = [row for own in rows for row in own]
    if len(found) == 1 and order == sorted(order):
        return found[0]
    back = np.argsort(order)

    def joined(*leaves: Any) -> Any:
        if jax.dtypes.issubdtype(leaves[0].dtype, jax.dtypes.prng_key):
            data = joined(*(jax.random.key_data(leaf) for leaf in leaves))
            return jax.random.wrap_key_data(data)
        whole = np.concatenate([np.asarray(leaf) for leaf in leaves])
        return jnp.asarray(whole[back])

    return jax.tree.map(joined, *found)


def _on_host(final: Progress) -> Progress:
    """What a run gives back of a batch, off the device that the next one needs."""
    state = final.state._replace(optimizer={}, balancing={})
    data = jax.device_get(jax.random.key_data(state.key))
    state = state._replace(key=jax.random.wrap_key_data(data))
    return final._replace(
        state=state._replace(
            params=jax.device_get(state.params),
            state=jax.device_get(state.state),
            average=jax.device_get(state.average),
        ),
        observed=jax.device_get(final.observed),
    )


class _Bars:
    """One bar for all batches of a run, opened with the first."""

    def __init__(self, experiment: Experiment, batches: int, shown: bool):
        self._steps, self._shown = experiment.config["steps"], shown
        self._models, self._are_more = len(experiment.population), batches > 1
        self._bar: Shown | None = None
        self._lock = threading.Lock()

    def open(self, step: int, members: int) -> Bar:
        """The bar of a batch that goes on from a step."""
        weight = members if self._are_more else 1
        with self._lock:
            if self._bar is None:
                models = self._models
                self._bar = Shown(
                    "train" if models == 1 else f"train {models} models",
                    total=self._steps * (models if self._are_more else 1),
                    done=step * weight,
                    unit="step",
                    shown=self._shown,
                )
            else:
                self._bar.advance(step * weight, before=True)
        return Bar(self._bar, weight)

    def close(self) -> None:
        """Takes the bar off the screen."""
        if self._bar is not None:
            self._bar.close()
