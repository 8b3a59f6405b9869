"""A trained population from its workdir, or from a file of weights."""

import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.errors import UserError
from disentangle.files import place, read_json
from disentangle.methods.base import Method
from disentangle.training import older
from disentangle.training.batches import restore_batches
from disentangle.training.build import build_method
from disentangle.training.config import Experiment, read_experiment
from disentangle.training.data_spec import (
    FILE,
    DataSpec,
    data_spec,
    differences,
    read_spec,
)
from disentangle.training.import_weights import read_disvae
from disentangle.training.init_from import Origin
from disentangle.training.loop import start
from disentangle.training.members import Member
from disentangle.training.roster import FILE as ROSTER
from disentangle.training.roster import read_roster
from disentangle.training.state import TrainState, trained
from disentangle.training.trained import Run


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
            experiment.population,
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
        method = build_method(experiment.recipe, experiment.settings, spec)
        jax.eval_shape(lambda: start(method, experiment))
    except UserError as error:
        raise UserError(f"{folder} holds no run that can be read: {error}") from None
    roster = read_roster(folder, experiment.population)
    state = restore_batches(experiment, method, roster, folder)
    origin = origin_in(folder)
    return run_of(experiment, method, state, {}, spec, folder, origin)


def origin_in(folder: Path) -> Origin | None:
    """What the parameters of a workdir began with; None for fresh ones."""
    return Origin.held(folder, "its parameters are taken to have begun here")


def population_of(folder: Path) -> tuple[Member, ...]:
    """The models of a workdir, by members.json; of an older version by its config.

    Raises:
      UserError: neither file is there, or one is damaged.
    """
    if (folder / ROSTER).exists():
        return read_roster(folder, ()).members
    held = read_json(folder / "config.json")
    return read_experiment(older.completed(held)).population


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


def run_of(
    experiment: Experiment,
    method: Method,
    state: TrainState,
    observed: dict[str, Any],
    spec: DataSpec,
    workdir: Path | None,
    origin: Origin | None = None,
) -> Run:
    """The Run of the states of all members."""
    return Run(
        config=experiment.config,
        population=experiment.population,
        method=method,
        params=trained(state),
        alive=np.asarray(state.alive),
        step=int(np.max(np.asarray(state.step))),
        spec=spec,
        observed=observed,
        workdir=workdir,
        before=origin.before if origin else 0,
        learned=origin.told if origin else "none",
    )
