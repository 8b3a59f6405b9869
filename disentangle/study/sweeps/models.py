"""The parameters of a unit's models: models/<unit>.npz, written when they are trained.

Without the optimiser's memory, and without the axis of a run's folder: what `Run` needs
to encode, decode and be scored again.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.precision import float32
from disentangle.errors import UserError
from disentangle.files import read_arrays, reading, write_arrays
from disentangle.study.sweeps.plan import Ledger, experiment_of
from disentangle.training.build import build_method
from disentangle.training.checkpoint import leaf_name
from disentangle.training.data_spec import FILE, data_spec, keep_spec, read_spec
from disentangle.training.loop import start
from disentangle.training.state import trained
from disentangle.training.trained import Run

FOLDER = "models"
ALIVE, STEP = ":alive", ":step"  # beside the parameters, whose names begin otherwise


def model_file(folder: Path, unit: str) -> Path:
    """Where a unit's parameters are."""
    return folder / FOLDER / f"{unit}.npz"


def keep_models(folder: Path, unit: str, run: Run) -> None:
    """Writes the parameters of a trained unit, whole or not at all."""
    paths = jax.tree_util.tree_leaves_with_path(jax.device_get(run.params))
    arrays = {leaf_name(path): np.asarray(leaf) for path, leaf in paths}
    arrays |= {ALIVE: run.alive, STEP: np.asarray(run.step)}
    path = model_file(folder, unit)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, arrays)


@float32()
def load_models(folder: Path, ledger: Ledger, unit: str) -> Run:
    """The trained models of a unit as a Run, without their data set.

    Raises:
      UserError: they are not there, or damaged.
    """
    held = ledger.units[unit]
    group = ledger.groups[held.group]
    experiment = experiment_of(group, held.models)
    spec = read_spec(spec_file(folder, group.data))
    method = build_method(experiment.recipe, experiment.settings, spec)
    like = jax.eval_shape(lambda: trained(start(method, experiment)))
    path = model_file(folder, unit)
    arrays = read_arrays(path)
    with reading(path):
        params = jax.tree_util.tree_map_with_path(
            lambda where, shape: _leaf(arrays[leaf_name(where)], shape), like
        )
        alive, step = arrays[ALIVE], int(arrays[STEP])
    config, members = experiment.config, experiment.population
    return Run(config, members, method, params, alive, step, spec, {})


def _leaf(array: np.ndarray, shape: Any) -> jax.Array:
    if (array.shape, array.dtype) != (shape.shape, shape.dtype):
        raise UserError(f"it holds {array.dtype} {array.shape}, not {shape}")
    return jnp.asarray(array)


def spec_file(folder: Path, data: str) -> Path:
    """What the study remembers of a data set."""
    return folder / FOLDER / data / FILE


def keep_data_spec(folder: Path, name: str, data: Any) -> None:
    """Writes what `load_models` has to know of a data set, unless it is there."""
    path = spec_file(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        keep_spec(path.parent, data_spec(data))
