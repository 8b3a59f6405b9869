"""A trained population and how to get one: train, go on, load."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from disentangle.data import as_dataset
from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.data.samplers import Split, split_data
from disentangle.data.stream import told
from disentangle.errors import UserError, unknown
from disentangle.files import place, read_json
from disentangle.methods.base import Method, init
from disentangle.training import older
from disentangle.training.batches import Job, train_batches
from disentangle.training.config import (
    Experiment,
    default_config,
    method_defaults,
    read_experiment,
)
from disentangle.training.data_spec import data_spec, keep_spec, refuse_other_data
from disentangle.training.fits import check_fit
from disentangle.training.kept import keep_data
from disentangle.training.load import as_run, compare_data, load_run, run_of
from disentangle.training.observer import Observer
from disentangle.training.roster import Roster, in_batches, keep_roster, read_roster
from disentangle.training.run_logs import SharedWriters
from disentangle.training.state import apart
from disentangle.training.trained import Run
from disentangle.training.width import members_at_once
from disentangle.training.workdir import owned, refuse_difference, settle_config
from disentangle.training.writers import (
    FinalWriter,
    JsonlWriter,
    TensorBoardWriter,
    Writer,
    parameter_table,
    tensorboard_library,
)

__all__ = ["Run", "as_run", "compare_data", "fit", "load_run", "prepare", "train"]


def train(
    method: str,
    data: Dataset | str,
    *,
    steps: int = 20_000,
    seed: int = 0,
    seeds: int = 1,
    batch_size: int = 64,
    learning_rate: float | Sequence[float] | None = None,
    optimizer: str = "adam",
    train_size: int | None = None,
    workdir: str | Path | None = None,
    progress: bool = True,
    at_once: int | None = None,
    **fields: Any,
) -> Run:
    """Trains a method, or a whole sweep of it in one program.

    Args:
      method: a name in METHODS.
      data: from `load`, or the name of a data set to load.
      steps: updates of every model.
      seed, seeds: models are trained for seeds seed .. seed + seeds - 1.
      batch_size: images per step.
      learning_rate: a number or a list to sweep; None is the optimiser's.
      optimizer: "adam" or "sgd".
      train_size: train on this many images of the grid; None on all of it.
      workdir: where checkpoints and logs go; the same call on the same workdir
        goes on where it stopped, with more `steps` beyond, and with more seeds or
        values of a sweep the new models are trained beside. None keeps nothing.
      progress: show the bar.
      at_once: models trained together, see `fit`.
      **fields: fields of the method, checked by name; a list in a swept field
        is a sweep: `beta=[1., 4., 16.], seeds=3` trains nine models.

    Returns:
      The Run, members ordered with the seed fastest.

    Raises:
      UserError: on anything wrong, before any compute.
    """
    _refuse_swapped(method, data)
    known = method_defaults(method)
    data = as_dataset(data)
    for name in fields:
        if name not in known:
            raise unknown(f"field of {method}", name, known)
    config = default_config(data.name, method, optimizer).to_dict()
    config["method"] |= fields
    config["data"]["train_size"] = train_size or 0
    if data.path:
        source = "stream" if data.is_streamed else ""
        config["data"] |= {"path": data.path, "source": source}
    if learning_rate is not None:
        config["optimizer"]["learning_rate"] = learning_rate
    config |= {"steps": steps, "seed": seed, "seeds": seeds, "batch_size": batch_size}
    return fit(config, data, workdir=workdir, progress=progress, at_once=at_once)


def _refuse_swapped(method: Any, data: Any) -> None:
    """Raises UserError where the data set stands in the method's place."""
    if not isinstance(method, str) and isinstance(data, str):
        name = getattr(method, "name", "data")
        raise UserError(
            f"the method comes first, then the data: train({data!r}, {name}, ...)"
        )


@float32()
def prepare(config: Any, data: Dataset) -> tuple[Experiment, Method, Split, np.ndarray]:
    """The checked experiment of a config, its method, training split and test index.

    Raises:
      UserError: the config is wrong, or does not go with the data set, its images'
        size or the memory of a machine.
    """
    experiment = read_experiment(config)
    section = experiment.config["data"]
    method = check_fit(experiment, data)
    for member in range(len(experiment.members)):
        method.check(
            jax.tree.map(lambda x, i=member: x[i], experiment.hyperparameters.method)
        )
    rates = experiment.config["optimizer"]["learning_rate"]
    if isinstance(rates, list) and all(p.optimizer for p in method.players.values()):
        raise UserError(
            f"optimizer.learning_rate={rates} would train equal models: every player "
            f"of {experiment.config['method']['name']!r} has an optimiser of its own, "
            "with its learning rate among the method's fields"
        )
    split, test_index = split_data(
        data,
        section["train_size"] or None,
        max(1, min(section["test_size"], _left(data, section["train_size"]))),
        seed=section["split_seed"],
    )
    batch_size = experiment.config["batch_size"]
    if batch_size > split.size:
        raise UserError(
            f"batch_size={batch_size} is larger than the {split.size} training images"
        )
    return experiment, method, split, test_index


def _left(data: Dataset, train_size: int) -> int:
    """How many images may be test images: of a table at most a fifth, if not told."""
    if data.space.is_grid or train_size:
        return data.space.size - train_size
    return data.space.size // 5


@float32()
def fit(
    config: Any,
    data: Dataset,
    *,
    workdir: str | Path | None = None,
    observers: Callable[[Method], Sequence[Observer]] = lambda method: (),
    progress: bool = True,
    tensorboard: bool = False,
    at_once: int | None = None,
) -> Run:
    """Trains what a config says; with a workdir, from where it stopped.

    A workdir takes more steps, more models (seeds, values of a sweep) and other
    intervals than before: models that are trained keep their bits. A finished one with
    the same config is returned as it is. Nothing is written there before config and
    data are checked.

    The models are dealt out over the devices of the machine, each of which trains
    batches of them; a batch has its own checkpoints.

    Args:
      config: see `default_config`.
      data: the data set, already loaded.
      workdir: folder for config.json, members.json, metrics.jsonl, final.json,
        checkpoints/.
      observers: built from the method; see `Observer`.
      progress: show the bar.
      tensorboard: also write TensorBoard summaries (needs the extra).
      at_once: models in a batch; None is as many as memory and speed allow. Batches
        that a workdir has stay as they are.

    Raises:
      UserError: wrong config, or a workdir that is a file, in use, another run's, or
        of a run on other data.
    """
    job = Job(*prepare(config, data))
    if tensorboard:
        tensorboard_library()  # is it there? asked before any compute
    job = job._replace(observers=observers(job.method))
    experiment, method, spec = job.experiment, job.method, data_spec(data)
    draws = [one.draw for one in (data, *data.others.values())]
    chosen = lambda count: members_at_once(job, count, at_once)
    if workdir is None:
        members = experiment.population
        roster = in_batches(members, chosen(len(members)))
        with told(draws):
            final = train_batches(job, roster, progress=progress)
        return run_of(experiment, method, final.state, final.observed, spec, None)
    with owned(place(workdir, "workdir")) as folder:
        refuse_other_data(folder, spec)
        roster = settle(folder, experiment, chosen)
        keep_spec(folder, spec)
        keep_data(folder, data)
        shapes, _ = apart(jax.eval_shape(lambda: init(method, key=jax.random.key(0))))
        (folder / "parameters.txt").write_text(parameter_table(shapes) + "\n")
        with told(draws):
            final = train_batches(
                job,
                roster,
                workdir=folder,
                writers=writers_of(folder, experiment, tensorboard),
                progress=progress,
            )
    return run_of(experiment, method, final.state, final.observed, spec, folder)


def settle(
    folder: Path, experiment: Experiment, at_once: Callable[[int], int]
) -> Roster:
    """The config and the members of a workdir, new or as they may change.

    Raises:
      UserError: as `settle_config`, and nothing is changed.
    """
    policy, path = older.policy(experiment.config), folder / "config.json"
    held = None
    if path.exists():
        refuse_difference(folder, experiment.config, policy)
        before = read_experiment(policy.completed(read_json(path)))
        held = read_roster(folder, before.population)
    roster = keep_roster(folder, held, experiment.population, at_once)
    settle_config(folder, experiment.config, policy)
    return roster


def writers_of(
    folder: Path, experiment: Experiment, tensorboard: bool
) -> SharedWriters:
    """The logs of a workdir."""
    ids = {member.name: member.id for member in experiment.population}
    writers: list[Writer] = [JsonlWriter(folder / "metrics.jsonl", ids=ids)]
    writers.append(FinalWriter(folder / "final.json", ids))
    if tensorboard:
        writers.append(TensorBoardWriter(folder / "tensorboard"))
    return SharedWriters(writers)
