"""A trained population and how to get one: train, go on, load."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from disentangle.data import as_dataset
from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.data.samplers import PUBLISHED, Split, split_data, split_published
from disentangle.data.worlds import split_world
from disentangle.errors import UserError, unknown
from disentangle.fields.check import whole_number
from disentangle.files import place
from disentangle.methods.base import Method
from disentangle.training.batches import Job
from disentangle.training.config import (
    Experiment,
    default_config,
    method_defaults,
    plain,
    read_experiment,
    stage_configs,
)
from disentangle.training.data_axis import refuse_joined
from disentangle.training.fits import check_fit
from disentangle.training.init_from import MEMORY, Given, Start, given_by, name_of
from disentangle.training.load import as_run, compare_data, load_run
from disentangle.training.loggers import chosen
from disentangle.training.observer import Observer
from disentangle.training.stages import (
    How,
    axis_of,
    check_links,
    data_per_stage,
    train_in_folders,
    train_in_memory,
)
from disentangle.training.trained import Run
from disentangle.training.weight_files import read_weights
from disentangle.training.workdir import owned

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
    split: str = "",
    workdir: str | Path | None = None,
    progress: bool = True,
    at_once: int | None = None,
    devices: str = "members",
    init_from: str | Path | Run | None = None,
    stages: Sequence[Mapping[str, Any]] = (),
    loggers: str | Sequence[str] = (),
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
      split: train on images of a split of the data set's world, "rand" or one with a
        hole such as "comp" (data/worlds.py), so that what retrieval asks about is
        never trained on; "published", on the part a data set was published with; ""
        is the whole data set.
      workdir: where checkpoints and logs go; the same call on the same workdir
        goes on where it stopped, with more `steps` beyond, and with more seeds or
        values of a sweep the new models are trained beside. None keeps nothing.
      progress: show the bar.
      at_once: models trained together, see `fit`.
      devices: what several devices share, see `fit`.
      init_from: a Run, or its workdir, whose parameters the run starts with, as far
        as they are the same by path and shape; or an .npz of torchvision's weights of
        the encoder (training/weight_files.py); see `fit`.
      stages: what each stage of a job has otherwise, such as [{"steps": 500,
        "method.beta": 1.0}, {"steps": 2000}]: each starts with the parameters of the
        one before; see `training.config.stage_configs`.
      loggers: where numbers, hyperparameters and images go besides metrics.jsonl:
        "tensorboard", "wandb" (each needs its extra, and a workdir).
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
    config["data"] |= {"train_size": train_size or 0, "split": split}
    if data.path:
        source = "stream" if data.is_streamed else ""
        config["data"] |= {"path": data.path, "source": source}
    if learning_rate is not None:
        config["optimizer"]["learning_rate"] = learning_rate
    config |= {"steps": steps, "seed": seed, "seeds": seeds, "batch_size": batch_size}
    config["stages"] = stages
    return fit(
        config,
        data,
        workdir=workdir,
        progress=progress,
        at_once=at_once,
        devices=devices,
        init_from=init_from,
        loggers=loggers,
    )


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
    split, test_index = _images(data, section)
    batch_size = experiment.config["batch_size"]
    if batch_size > split.size:
        raise UserError(
            f"batch_size={batch_size} is larger than the {split.size} training images"
        )
    method.suits(split)
    return experiment, method, split, test_index


def _images(data: Dataset, section: Mapping[str, Any]) -> tuple[Split, np.ndarray]:
    """The training split and the test images of a config's section `data`."""
    train_size, test_size = section["train_size"], section["test_size"]
    seed = section["split_seed"]
    if section["split"] == PUBLISHED:
        return split_published(data, train_size, test_size, seed=seed)
    if section["split"]:
        return split_world(data, section["split"], train_size, test_size, seed=seed)
    test_size = max(1, min(test_size, _left(data, train_size)))
    return split_data(data, train_size or None, test_size, seed=seed)


def _left(data: Dataset, train_size: int) -> int:
    """How many images may be test images: of a table at most a fifth, if not told."""
    if data.space.is_grid or train_size:
        return data.space.size - train_size
    return data.space.size // 5


@float32()
def fit(
    config: Any,
    data: Dataset | Sequence[Dataset],
    *,
    workdir: str | Path | None = None,
    observers: Callable[[Method], Sequence[Observer]] = lambda method: (),
    progress: bool = True,
    loggers: str | Sequence[str] = (),
    at_once: int | None = None,
    devices: str = "members",
    init_from: str | Path | Run | None = None,
) -> Run:
    """Trains what a config says; with a workdir, from where it stopped.

    A workdir takes more steps, more models (seeds, values of a sweep) and other
    intervals than before: models that are trained keep their bits. A finished one with
    the same config is returned as it is. Nothing is written there before config and
    data are checked.

    The models are dealt out over the devices of the machine, each of which trains
    batches of them; a batch has its own checkpoints.

    A config with `stages` is a job of several runs, each of which starts with the
    parameters of the one before (training/stages.py says where they are).

    Args:
      config: see `default_config` and `stage_configs`.
      data: the data set, already loaded; a list of one per stage where they differ.
      workdir: folder for config.json, members.json, metrics.jsonl, final.json,
        checkpoints/.
      observers: built from the method, of the last stage; see `Observer`.
      progress: show the bar.
      loggers: names in training/loggers, such as "tensorboard" (needs the extra):
        where numbers, hyperparameters and images go besides metrics.jsonl.
      at_once: models in a batch; None is as many as memory and speed allow. Batches
        that a workdir has stay as they are.
      devices: what several devices share. "members": each trains models of its own,
        with the bits of one device. "images": all train the same models, each on its
        share of a step's images, for a model too big for one device; the last bits
        differ with their number. Processes that were joined (`data_axis.join`) give
        back the same; they name the same workdir, a folder that all see, into which
        process 0 writes.
      init_from: a Run, its workdir, or a file of published weights, whose parameters
        the (first) run starts with, see training/init_from.py; None is the config's. Of
        a source of one model all
        start, of one of several each model with the one in its place. What goes over is
        said in one line and written to init.json. Where all models have checkpoints it
        is not read.

    Returns:
      The Run of the last stage.

    Raises:
      UserError: wrong config, or a workdir that is a file, in use, another run's, or
        of a run on other data; a source with other models, or without anything that
        goes over.
    """
    if at_once is not None:
        whole_number("at_once", at_once, 1)
    follows: Path | None = None
    if jax.process_index() > 0:  # process 0 of those that are joined keeps all
        follows = place(workdir, "workdir") if workdir else None
        workdir, loggers, progress = None, (), False
    how = How(
        at_once, chosen(loggers, workdir), progress, devices=devices, follows=follows
    )
    config, first = _started(plain(config), init_from)
    configs = stage_configs(config)
    if len(configs) > 1:
        read_experiment(config)  # errors say of which stage they are
    sets = data_per_stage(configs, data)
    jobs = [Job(*prepare(one, of)) for one, of in zip(configs, sets, strict=True)]
    jobs[-1] = jobs[-1]._replace(observers=observers(jobs[-1].method))
    jobs[0] = jobs[0]._replace(start=first)
    check_links(jobs)
    for job in jobs:
        axis_of(job.experiment, how)
    refuse_joined(len(jobs), devices)
    if workdir is None:
        return train_in_memory(jobs, sets, how)
    with owned(place(workdir, "workdir")) as folder:
        return train_in_folders(jobs, sets, how, folder)


def _started(config: dict[str, Any], given: Any) -> tuple[dict[str, Any], Start | None]:
    """The config with what it starts with by name, and how that is read."""
    given = given or config.get("init_from")
    if not given or (given is config.get("init_from") and not isinstance(given, str)):
        return config, None  # nothing, or what reading the config refuses
    if isinstance(given, Run):
        return config | {"init_from": name_of(given)}, Start(
            name_of(given), lambda: given_by(given)
        )
    if not isinstance(given, str | Path):
        as_run(given)  # refuses it
    is_memory = str(given).startswith(MEMORY)
    name = str(given) if is_memory else os.path.abspath(place(given, "init_from"))
    return config | {"init_from": name}, Start(name, lambda: _source(name))


def _source(name: str) -> Given:
    """The run, or the file of weights, that `init_from` names."""
    if name.startswith(MEMORY):
        raise UserError(
            f"init_from={name!r} is a Run that was given in Python and lives nowhere "
            "else: give it again"
        )
    if Path(name).is_file():
        return read_weights(Path(name))
    try:
        return given_by(load_run(name))
    except UserError as error:
        raise UserError(f"init_from: {error}") from None
