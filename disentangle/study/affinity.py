"""Inter-task affinity measured on the way, while one network learns all tasks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from disentangle.affinity import ESTIMATORS, Affinity, accumulate, probe, samples
from disentangle.affinity.samples import Samples
from disentangle.data import as_dataset
from disentangle.data.dataset import Dataset
from disentangle.data.samplers import Batch
from disentangle.errors import UserError, unknown
from disentangle.fields.check import number, whole_number
from disentangle.files import read_json, reading, write_json
from disentangle.methods.base import Method, Params, Tasks
from disentangle.training.config import default_config
from disentangle.training.observer import Inside, Observer
from disentangle.training.run import Run, fit

NAME = "affinity"  # of the observer, and of its sums in a checkpoint
LOG = "samples"  # beside the sums of the estimators, each under its name
AFFINITIES = "affinity.json"


def save_affinities(folder: Path, measured: Mapping[str, Affinity]) -> None:
    """Writes affinity.json: every estimator's Affinity, with its standard errors."""
    write_json(
        folder / AFFINITIES, {name: held.to_json() for name, held in measured.items()}
    )


def load_affinities(folder: Path) -> dict[str, Affinity]:
    """What `save_affinities` wrote; UserError naming the file where it is damaged."""
    path = folder / AFFINITIES
    tables = read_json(path, dict[str, Any])
    with reading(path):
        return {n: Affinity.from_json(table, method=n) for n, table in tables.items()}


def observe_affinity(
    estimators: Sequence[str], *, every: int, learning_rate: float, steps: int = 0
) -> Callable[[Method], list[Observer]]:
    """The observer that measures affinity every `every` steps of training.

    It sees the parameters and the batch of the sampled step and moves nothing,
    so the trajectory of training is, bit for bit, that without it.

    Args:
      estimators: names in ESTIMATORS, all fed by the same gradients.
      every: steps between samples.
      learning_rate: eta of the lookahead step (plain gradient descent,
        whatever optimiser trains the network).
      steps: of the training: every sample is kept, for `affinity_samples`; 0 keeps
        only their means and standard errors.

    Returns:
      A function of the method, for `fit(observers=...)`.

    Raises:
      UserError: unknown estimator, or a number out of range.
    """
    for name in estimators:
        if not isinstance(name, str) or name not in ESTIMATORS:
            raise unknown("affinity estimator", name, ESTIMATORS)
    whole_number("affinity.every", every, 1)
    if not number("affinity.learning_rate", learning_rate) > 0:
        raise UserError(f"the lookahead rate {learning_rate} must be above 0")

    def build(method: Method) -> list[Observer]:
        """The observer of this method's tasks."""
        tasks = method.tasks
        if tasks is None:
            raise UserError("affinity needs a method with tasks, such as supervised")
        needs = accumulate.needs(estimators)

        def update(
            carry: dict[str, Any], params: Params, hyper: Any, batch: Batch, *more: Any
        ) -> dict[str, Any]:
            del hyper
            offers = offered(tasks, needs.point, batch, *more)
            shared, private = apart(tasks, params)
            seen = probe(
                lambda s, p: tasks.losses(s | p, batch),
                shared,
                private,
                learning_rate=learning_rate,
                needs=needs,
                **offers,
            )
            values = accumulate.estimates(estimators, seen)
            moments = {name: carry[name] for name in estimators}
            new: dict[str, Any] = dict(accumulate.add(moments, values))
            if steps:
                new |= {LOG: samples.append(carry[LOG], seen.losses, values)}
            return new

        n = len(tasks.names)
        carry: dict[str, Any] = dict(accumulate.init(estimators, n))
        if steps:
            shapes = {name: held.seen.shape for name, held in carry.items()}
            carry |= {LOG: samples.room(shapes, n, -(-steps // every))}
        inside = bool({"update", "drift", "key"} & set(needs.point))
        grows = LOG if steps else ""
        return [Observer(NAME, every, carry, update, inside, grows)]

    return build


def apart(tasks: Tasks, params: Params) -> tuple[Params, Params]:
    """(networks that all tasks use, the others)."""
    shared = {name: params[name] for name in tasks.shared}
    return shared, {name: held for name, held in params.items() if name not in shared}


def offered(
    tasks: Tasks, wanted: Sequence[str], batch: Batch, inside: Inside | None = None
) -> dict[str, Any]:
    """The optional parts of a `Point` that estimators want, of one step of training."""
    offers: dict[str, Any] = {}
    if "halves" in wanted:
        half = jax.tree.leaves(batch)[0].shape[0] // 2
        if half < 1:
            raise UserError("batch_size=1 has no two halves to hold one out")

        def of_part(rows: slice) -> Callable[[Params, Params], jax.Array]:
            part = jax.tree.map(lambda x: x[rows], batch)
            return lambda shared, private: tasks.losses(shared | private, part)

        offers["halves"] = (of_part(slice(half)), of_part(slice(half, None)))
    if inside is not None:
        every = {
            "update": inside.update,
            "drift": lambda: inside.drift(tasks.shared),
            "key": inside.key,
        }
        offers |= {name: value for name, value in every.items() if name in wanted}
    return offers


def affinities(run: Run) -> dict[str, Affinity]:
    """What the observer measured, averaged over sampled steps and seeds."""
    observed = dict(_observed(run))
    observed.pop(LOG, None)
    return accumulate.finish(observed, _tasks(run), keep=run.alive)


def affinity_samples(run: Run, every: int) -> list[Samples]:
    """Every sampled step of every member; see `samples.Samples`.

    Args:
      run: with an observer that was told the `steps`.
      every: steps between samples, as the observer had it.
    """
    observed = _observed(run)
    if LOG not in observed:
        raise UserError("this run kept no samples of its affinity")
    log, tasks = observed[LOG], _tasks(run)
    members = range(len(run.members))
    return [samples.of_log(log, tasks, every, member) for member in members]


def _observed(run: Run) -> dict[str, Any]:
    if NAME not in run.observed or run.method.tasks is None:
        raise UserError("this run did not measure affinity")
    observed: dict[str, Any] = jax.device_get(run.observed[NAME])
    return observed


def _tasks(run: Run) -> tuple[str, ...]:
    assert run.method.tasks is not None
    return run.method.tasks.names


def measure_affinity(
    data: Dataset | str,
    *,
    tasks: Sequence[str] = (),
    method: str = "lookahead",
    steps: int = 1000,
    every: int = 10,
    lookahead_rate: float = 1e-3,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    train_size: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    progress: bool = True,
) -> Affinity:
    """Trains one network on all tasks and measures their affinity on the way.

    Args:
      data: from `load`, or the name of a data set to load.
      tasks: written as in methods/tasks.py; () is every factor.
      method: a name in ESTIMATORS.
      steps: training steps; `every` of them are sampled once.
      every: steps between samples.
      lookahead_rate: eta of the lookahead step.
      learning_rate: of the Adam that trains the network.
      batch_size: images per step.
      train_size: train on this many images; None on the whole grid.
      seed, seeds: networks are trained for seeds seed .. seed + seeds - 1.
      progress: show the bar.

    Returns:
      The Affinity, `matrix[source, target]`, mean over sampled steps and seeds.

    Raises:
      UserError: on anything wrong, before any compute.
    """
    data = as_dataset(data)
    config: dict[str, Any] = default_config(data.name, "supervised").to_dict()
    config["method"]["tasks"] = tuple(tasks)
    config["optimizer"]["learning_rate"] = learning_rate
    config["data"]["train_size"] = train_size or 0
    config |= {"steps": steps, "batch_size": batch_size, "eval_every": 0}
    config |= {"seed": seed, "seeds": seeds}
    watch = observe_affinity([method], every=every, learning_rate=lookahead_rate)
    return affinities(fit(config, data, observers=watch, progress=progress))[method]
