"""The supervised networks of the main job: all tasks together, and groups of them."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from disentangle.affinity import ESTIMATORS, samples
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.files import read_json, reading
from disentangle.oracle import TaskTable
from disentangle.study.affinity import (
    affinities,
    affinity_samples,
    observe_affinity,
    save_affinities,
)
from disentangle.training.final import Rows
from disentangle.training.run import Run, fit
from disentangle.training.stages import How

AFFINITY = "affinity.csv"


class Networks(NamedTuple):
    """The trained networks of a job that have tasks.

    Attributes:
      multitask: all tasks; a member per seed.
      groups: members: task weights, then seeds (seed fastest).
    """

    multitask: Run
    groups: tuple[Run, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names."""
        assert self.multitask.method.tasks is not None
        return self.multitask.method.tasks.names

    @property
    def seeds(self) -> list[int]:
        """The seeds every network was trained with."""
        return [row["seed"] for row in self.multitask.swept]

    def network_of(self, group: Sequence[str], seed: int) -> tuple[Run, int]:
        """The run and member trained on exactly these tasks with this seed."""
        weights = [float(name in group) for name in self.tasks]
        if all(weights):
            return self.multitask, _find(self.multitask, {"seed": seed})
        wanted = {"seed": seed, "weights": weights}
        for run in self.groups:
            if any(_matches(row, wanted) for row in run.swept):
                return run, _find(run, wanted)
        raise UserError(f"no network was trained with {wanted}")

    def table(
        self,
        groups: np.ndarray,
        rows_of: Callable[[Run, list[int]], Rows],
        data: str,
        what: str,
    ) -> TaskTable | None:
        """The loss of every task in each of these groups; None where no seed is whole.

        A seed with a network that diverged is left out, with a warning.

        Args:
          groups: (G, N) bool.
          rows_of: of a run and the places of some of its members, member ->
            {"task_losses": (N,)}.
          data: the data set's name.
          what: what such a seed is left out of, in words.
        """
        names, members = np.array(self.tasks), dict[tuple[int, int], tuple[Run, int]]()
        for s, seed in enumerate(self.seeds):
            for g, inside in enumerate(groups):
                members[s, g] = self.network_of(names[inside].tolist(), seed)
        rows = {}
        for run in (self.multitask, *self.groups):
            used = sorted({m for found, m in members.values() if found is run})
            rows[id(run)] = rows_of(run, used) if used else {}
        loss = np.full((len(self.seeds), *groups.shape), np.nan)
        for (s, g), (run, member) in members.items():
            found = rows[id(run)][run.members[member]]["task_losses"]
            if run.alive[member]:
                loss[s, g] = np.where(groups[g], np.array(found, np.float64), np.nan)
        whole = (np.isfinite(loss) == groups).all(axis=(1, 2))
        if not whole.all():
            lost = np.asarray(self.seeds)[~whole].tolist()
            warnings.warn(
                f"a network diverged in the seeds {lost}: left out of {what}",
                stacklevel=2,
            )
        kept = tuple(int(s) for s, ok in zip(self.seeds, whole, strict=True) if ok)
        if not kept:
            return None
        return TaskTable(self.tasks, groups, kept, loss[whole], data=data, regime="job")


def _find(run: Run, wanted: dict[str, Any]) -> int:
    for member, row in enumerate(run.swept):
        if _matches(row, wanted):
            return member
    raise UserError(f"no network with {wanted} in {run.workdir}")


def _matches(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return {key: row.get(key) for key in wanted} == wanted


def training_config(config: Mapping[str, Any], part: str, **method: Any) -> dict:
    """The training config of a part, its method's fields replaced by `method`."""
    section = dict(config[part])
    section["method"] = section["method"] | method
    return {"data": config["data"]} | section


def train_multitask(config: dict, data: Dataset, folder: Path, how: How) -> Run:
    """The all-together network; writes affinity.csv and affinity.json.

    affinity.csv is the matrix that chooses the groups; of groups that trained ones
    choose, the first that is measured.
    """
    chosen = config["affinity"]
    run = fit(
        training_config(config, "supervised"),
        data,
        workdir=folder / "multitask",
        observers=observe_affinity(
            chosen["estimators"],
            every=chosen["every"],
            learning_rate=chosen["learning_rate"],
            steps=config["supervised"]["steps"],
        ),
        progress=how.progress,
        loggers=how.loggers,
    )
    measured = affinities(run)
    samples.save(folder / samples.FILE, affinity_samples(run, chosen["every"]))
    save_affinities(folder, measured)
    by = chosen["group_by"]
    shown = by if by in ESTIMATORS else chosen["estimators"][0]
    measured[shown].to_csv(folder / AFFINITY)
    return run


def train_networks(
    config: dict,
    tasks: Sequence[str],
    groups: Sequence[Sequence[str]],
    data: Dataset,
    folder: Path,
    how: How,
    at_hand: Sequence[Run] = (),
) -> tuple[Run, ...]:
    """A network per group of tasks, as populations over task weights.

    Groups that come later are trained beside those that are there: in networks-2/,
    networks-3/, ...

    Args:
      config: of the job.
      tasks: the N task names.
      groups: members of each; the group of all tasks is the multi-task network's.
      data, folder: of the job.
      how: what is shown and logged.
      at_hand: what this function gave before, of the same job.

    Returns:
      The runs that have these groups, and those at hand.
    """
    masks = [[float(task in group) for task in tasks] for group in groups]
    missing = [mask for i, mask in enumerate(masks) if mask not in masks[:i]]
    held = {run.workdir: run for run in at_hand}
    runs: list[Run] = []
    spot, number = folder / "networks", 1
    while missing or (spot / "config.json").exists():
        weights = weights_at(spot) or missing
        if spot in held:
            runs.append(held[spot])
        elif any(mask in missing for mask in weights):
            part = training_config(config, "supervised", weights=weights)
            loggers, progress = how.loggers, how.progress
            run = fit(part, data, workdir=spot, loggers=loggers, progress=progress)
            runs.append(run)
        missing = [mask for mask in missing if mask not in weights]
        number += 1
        spot = folder / f"networks-{number}"
    return tuple(runs)


def weights_at(spot: Path) -> list[list[float]]:
    """The task weights that a run of groups has or is to have; [] where none is."""
    path = spot / "config.json"
    if not path.exists():
        return []
    with reading(path):
        return list(read_json(path, dict[str, Any])["method"]["weights"])


def run_folders(folder: Path) -> list[Path]:
    """networks/, networks-2/, ... of a job, as far as they are there."""
    found, spot = list[Path](), folder / "networks"
    while (spot / "config.json").exists():
        found.append(spot)
        spot = folder / f"networks-{len(found) + 1}"
    return found
