"""What every estimator said in the regimes of the shipped tables, without training.

`python -m benchmarks.oracle_estimates --keep` measures it and writes what is here: the
means over the samples of each seed, per step (S, N, N) or (S, 2^N - 1, N), and the
predictions of one-model estimators (S, 2^N - 1, N), each with its cost.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from disentangle.affinity.samples import mean
from disentangle.errors import UserError
from disentangle.files import read_arrays, reading, write_arrays
from disentangle.oracle.contest import Estimates
from disentangle.oracle.estimate import check_same
from disentangle.oracle.estimates import ONE_MODEL, in_table, scored
from disentangle.oracle.measured import Measured, cost
from disentangle.oracle.regime import Regime
from disentangle.oracle.shipped import folder, shipped

TASKS, SEEDS, STEP, MODEL, COST = "tasks", "seeds", "step/", "model/", "cost/"


def place(name: str) -> Path:
    """The file of a shipped table's estimates."""
    return folder() / "estimates" / f"{name}.npz"


def keep(path: Path, regime: Regime, measured: Mapping[int, Measured]) -> None:
    """Writes the means of what was measured of several seeds of one regime."""
    seeds = sorted(measured)
    first = measured[seeds[0]]
    arrays = {
        TASKS: np.asarray(first.samples.tasks),
        SEEDS: np.asarray(seeds),
    }
    for name in first.samples.values:
        each = [measured[seed].samples for seed in seeds]
        means = [mean(one.values[name], one.losses) for one in each]
        arrays[STEP + name] = np.stack(means).astype(np.float32)
        arrays[COST + name] = np.asarray(cost(name, regime, first))
    for name in first.predicted:
        rows = [measured[seed].predicted[name] for seed in seeds]
        arrays[MODEL + name] = np.stack(rows).astype(np.float32)
        arrays[COST + name] = np.asarray(cost(name, regime, first))
    write_arrays(path, arrays)


def kept(name: str) -> list[Estimates]:
    """The estimates of a shipped table, per step by their means and by their sums.

    In a group of its own a task has no other member: its sum is 0, its mean not there,
    so that means choose no group of one.

    Args:
      name: as `shipped` takes it.

    Raises:
      UserError: there is no such table, nothing was measured of it, or of other tasks
        or seeds, or its file is damaged.
    """
    table, path = shipped(name), place(name)
    if not path.exists():
        raise UserError(f"no estimates of {name} come with the package")
    arrays = read_arrays(path)
    with reading(path):
        tasks = tuple(str(task) for task in arrays[TASKS])
        check_same(table, tasks)
        if arrays[SEEDS].tolist() != list(table.seeds):
            raise UserError(f"it has the seeds {arrays[SEEDS].tolist()}")
        found = []
        for key, values in arrays.items():
            price = lambda name: float(arrays[COST + name])
            if key.startswith(STEP):
                own = key.removeprefix(STEP)
                found += scored(table, tasks, own, values, price(own))
            elif key.startswith(MODEL):
                own = key.removeprefix(MODEL)
                scores = np.stack([-in_table(table, one, tasks) for one in values])
                found.append(Estimates(own, ONE_MODEL, price(own), scores))
        return found
