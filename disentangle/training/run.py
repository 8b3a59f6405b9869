"""A trained population and how to get one: train, go on, load."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from disentangle.data import as_dataset
from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.data.samplers import Split, split_data
from disentangle.errors import UserError, unknown
from disentangle.files import place, read_json
from disentangle.methods.base import Method, init
from disentangle.training import older
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import (
    Experiment,
    default_config,
    method_defaults,
    read_experiment,
)
from disentangle.training.data_spec import (
    FILE,
    DataSpec,
    data_spec,
    differences,
    keep_spec,
    read_spec,
    refuse_other_data,
)
from disentangle.training.fits import check_fit
from disentangle.training.import_weights import read_disvae
from disentangle.training.loop import Observer, run_loop, start
from disentangle.training.state import TrainState
from disentangle.training.trained import Run
from disentangle.training.workdir import owned, settle_config
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
    **fields: Any,
) -> Run:
    """Trains a method, or a whole sweep of it in one program.

    Args:
      method: a name in METHODS.
      data: from `load`, or the name of a data set to load.
      steps: updates of every model.
      seed, seeds: models are trained for seeds seed .. seed + seeds - 1.
      batch_size: images a step.
      learning_rate: a number or a list to sweep; None is the optimiser's.
      optimizer: "adam" or "sgd".
      train_size: train on this many images of the grid; None on all of it.
      workdir: where checkpoints and logs go; the same call on the same workdir
        goes on where it stopped, and with more `steps` beyond. None keeps nothing.
      progress: show the bar.
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
    if learning_rate is not None:
        config["optimizer"]["learning_rate"] = learning_rate
    config |= {"steps": steps, "seed": seed, "seeds": seeds, "batch_size": batch_size}
    return fit(config, data, workdir=workdir, progress=progress)


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
    left = data.space.size - section["train_size"]
    split, test_index = split_data(
        data,
        section["train_size"] or None,
        max(1, min(section["test_size"], left)),
        seed=section["split_seed"],
    )
    batch_size = experiment.config["batch_size"]
    if batch_size > split.size:
        raise UserError(
            f"batch_size={batch_size} is larger than the {split.size} training images"
        )
    return experiment, method, split, test_index


@float32()
def fit(
    config: Any,
    data: Dataset,
    *,
    workdir: str | Path | None = None,
    observers: Callable[[Method], Sequence[Observer]] = lambda method: (),
    progress: bool = True,
    tensorboard: bool = False,
) -> Run:
    """Trains what a config says; with a workdir, from where it stopped.

    A workdir takes more steps and other intervals than before; a finished one with the
    same config is returned as it is. Nothing is written there before config and data
    are checked.

    Args:
      config: see `default_config`.
      data: the data set, already loaded.
      workdir: folder for config.json, metrics.jsonl, final.json, checkpoints/.
      observers: built from the method; see `Observer`.
      progress: show the bar.
      tensorboard: also write TensorBoard summaries (needs the extra).

    Raises:
      UserError: wrong config, or a workdir that is a file, in use, another run's, or
        of a run on other data.
    """
    experiment, method, split, test_index = prepare(config, data)
    if tensorboard:
        tensorboard_library()  # is it there? asked before any compute
    watching = observers(method)
    spec = data_spec(data)
    if workdir is None:
        final = run_loop(
            experiment, method, split, test_index, observers=watching, progress=progress
        )
        return _run(experiment, method, final.state, final.observed, spec, None)
    with owned(place(workdir, "workdir")) as folder:
        refuse_other_data(folder, spec)
        settle_config(folder, experiment.config, older.policy(experiment.config))
        keep_spec(folder, spec)
        shapes = jax.eval_shape(lambda: init(method, key=jax.random.key(0)))
        (folder / "parameters.txt").write_text(parameter_table(shapes) + "\n")

        def open_writers(step: int) -> list[Writer]:
            writers: list[Writer] = [JsonlWriter(folder / "metrics.jsonl", step)]
            writers.append(FinalWriter(folder / "final.json"))
            if tensorboard:
                writers.append(TensorBoardWriter(folder / "tensorboard"))
            return writers

        final = run_loop(
            experiment,
            method,
            split,
            test_index,
            observers=watching,
            checkpoints=Checkpoints(folder / "checkpoints"),
            open_writers=open_writers,
            progress=progress,
        )
    return _run(experiment, method, final.state, final.observed, spec, folder)


@float32()
def load_run(path: str | Path) -> Run:
    """The newest checkpoint of a workdir, without its data set.

    A path ending in .npz is read as a peer's weights (training/import_weights.py); its
    `step` is then 0, as the file does not say.

    Raises:
      UserError: if the path is no run, or holds no checkpoint.
    """
    folder = place(path, "path of a run")
    if folder.suffix == ".npz" and not folder.is_dir():
        experiment, method, params, spec = read_disvae(folder)
        alive = np.ones(1, bool)
        return Run(
            experiment.config,
            experiment.members,
            experiment.swept,
            method,
            params,
            alive,
            step=0,
            spec=spec,
            observed={},
        )
    if not folder.is_dir():
        raise UserError(f"no run at {folder}: it is not a folder")
    _refuse_a_job(folder)
    spec = read_spec(folder / FILE)
    try:
        experiment = read_experiment(older.completed(read_json(folder / "config.json")))
        method = experiment.recipe.build(experiment.settings, spec.space, spec.shape)
        like = jax.eval_shape(lambda: {"state": start(method, experiment)})
    except UserError as error:
        raise UserError(f"{folder} holds no run that can be read: {error}") from None
    restored = Checkpoints(folder / "checkpoints").restore(like, mend=False)
    if restored is None:
        raise UserError(f"{folder} has no checkpoint yet")
    return _run(experiment, method, restored[1]["state"], {}, spec, folder)


def _refuse_a_job(folder: Path) -> None:
    """The folder of a job is no run, but holds some."""
    inner = [*folder.glob("*/checkpoints"), *folder.glob("runs/*/checkpoints")]
    if inner and not (folder / "checkpoints").exists():
        names = ", ".join(sorted(f"{path.parent}" for path in inner))
        raise UserError(
            f"{folder} is the folder of a job, not of one run: take one of {names}"
        )


def as_run(run: Any) -> Run:
    """A Run, or the one in the workdir that is named; UserError on anything else."""
    if isinstance(run, str | Path):
        return load_run(run)
    if not isinstance(run, Run):
        raise UserError(
            f"run is a {type(run).__name__}, not a Run from train, or its workdir"
        )
    return run


def compare_data(run: Run, data: Any) -> None:
    """Warns where a run was trained on other data; UserError where it cannot see it."""
    if not isinstance(data, Dataset):
        raise UserError(f"data is a {type(data).__name__}, not a data set from load")
    if (data.shape, data.max_value) != (run.spec.shape, run.spec.max_value):
        raise UserError(
            f"the run takes images of {run.spec.shape} with pixels "
            f"0..{run.spec.max_value}, those of {data.name} are {data.shape} with "
            f"0..{data.max_value}"
        )
    changes = "; ".join(differences(run.spec, data_spec(data)))
    if changes:
        warnings.warn(f"the run was trained on other data ({changes})", stacklevel=3)


def _run(
    experiment: Experiment,
    method: Method,
    state: TrainState,
    observed: dict[str, Any],
    spec: DataSpec,
    workdir: Path | None,
) -> Run:
    return Run(
        config=experiment.config,
        members=experiment.members,
        swept=experiment.swept,
        method=method,
        params=state.params,
        alive=np.asarray(state.alive),
        step=int(np.max(np.asarray(state.step))),
        spec=spec,
        observed=observed,
        workdir=workdir,
    )
