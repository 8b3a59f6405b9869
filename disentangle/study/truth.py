"""How far the chosen groups are from the best: every group trained.

The judge is that of `disentangle regret` (oracle/regret.py), which also takes the files
of a job: `regret truth.parquet --estimate=affinity.csv --budget=2`, or, of groups that
a few trained ones chose, `--estimate=predicted.json`. It judges by test losses,
whatever the groups were chosen by.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from disentangle.affinity import GroupTable
from disentangle.affinity.from_groups import kernel, trained
from disentangle.data.dataset import Dataset
from disentangle.oracle import TaskTable
from disentangle.oracle.baselines import RANDOM
from disentangle.oracle.regret import Judge
from disentangle.oracle.train import every_group
from disentangle.oracle.verdict import Verdict, judge
from disentangle.records import JsonRecord
from disentangle.study import few_groups
from disentangle.study.affinity import load_affinities
from disentangle.study.representations import Serving
from disentangle.training.final import final_rows

TABLE = "truth.parquet"
KERNEL = "kernel"
FITTED = "kernel, from pairs and all"


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to choose groups, and what its groups really cost.

    Attributes:
      name: an estimator of affinity, or of FROM_GROUPS the one that chose the job's
        groups; or what the choice is beside it.
      is_estimate: whether it is an estimator.
      loss: test loss, mean over tasks and seeds; of chance, its exact expectation.
      regret: that less the loss of the best groups.
      normalised: regret over that of chance, 0 the best, 1 chance; None without chance.
      interval: 95 % of the regret over seeds, None of one seed.
      networks: how many groups; None of chance.
      groups: the chosen groups; [] of what chooses none.
      spearman: of an estimator, the rank correlation of its scores with the truth per
        task, mean over tasks.
      trained: how many networks per seed are trained for the choice; None where
        that is not known, or there is none.
    """

    name: str
    is_estimate: bool
    loss: float
    regret: float
    normalised: float | None = None
    interval: list[float] | None = None
    networks: int | None = None
    groups: list[list[str]] = dataclasses.field(default_factory=list)
    spearman: float | None = None
    trained: int | None = None

    @classmethod
    def of(cls, name: str, found: Verdict, trained: int | None) -> Self:
        """The way of an estimator, by what the table says of it."""
        regret = found.regrets[0]
        return cls(
            name,
            True,
            regret.loss,
            regret.regret,
            regret.normalised_regret,
            None if regret.interval is None else list(regret.interval),
            len(regret.groups),
            regret.groups,
            found.ranks.spearman,
            trained,
        )


@dataclasses.dataclass(frozen=True)
class Truth(JsonRecord):
    """truth.json: the chosen groups beside the best and beside chance.

    Attributes:
      budget: at most how many networks.
      seeds: those in which every network finished.
      trained: groups of tasks per seed.
      best, best_groups: the smallest loss within the budget, and how to have it.
      ways: the others.
    """

    FILE: ClassVar[str] = "truth.json"
    budget: int
    seeds: list[int]
    trained: int
    best: float
    best_groups: list[list[str]]
    ways: list[Way]


def groups_of(tasks: Sequence[str]) -> list[list[str]]:
    """The names of every group of tasks but the one of all."""
    rows = every_group(len(tasks))[:-1]
    return [[t for t, inside in zip(tasks, row, strict=True) if inside] for row in rows]


def table_of(serving: Serving, data: Dataset) -> TaskTable | None:
    """The test loss of every task in every group; None where no seed is whole.

    From the record of the step each run ended at. A seed with a network that diverged
    is left out, with a warning.
    """
    return serving.trained.table(
        every_group(len(serving.tasks)),
        lambda run, members: final_rows(run, data),
        data.name,
        "the truth",
    )


def smooth(table: TaskTable) -> np.ndarray:
    """(G, N) scores by the winner of the contest, from a few of the table's groups.

    Given to the judge as a function, so that it is made from other seeds than it is
    judged by.
    """
    designed = trained.pairs_and_all(table.groups)
    return -kernel.predict(table.groups, table.loss.mean(axis=0), designed)


def write_truth(
    config: Mapping[str, Any], serving: Serving, data: Dataset, folder: Path
) -> list[str]:
    """truth.parquet and truth.json of a job that trained every group.

    Returns:
      The names of the files; none where no seed is whole.
    """
    table = table_of(serving, data)
    if table is None:
        return []
    table.save(folder / TABLE)
    budget, ways = config["budget"], dict[str, Way]()
    found = judged(config, table, folder)
    for name, verdict in found.items():
        own = name == serving.groups.affinity
        ways[name] = Way.of(name, verdict, serving.groups.trained if own else 1)
        for beside, row in verdict.beside[0].items():
            if beside == RANDOM or row.networks is not None:
                numbers = (row.loss, row.regret, row.normalised_regret)
                ways.setdefault(
                    beside, Way(beside, False, *numbers, networks=row.networks)
                )
    if len(table.seeds) > 1 and config["affinity"]["group_by"] != KERNEL:
        fitted = Judge(table).regret(smooth, budget)
        ways[FITTED] = Way(
            FITTED,
            False,
            fitted.loss,
            fitted.regret,
            fitted.normalised_regret,
            networks=len(fitted.groups),
            trained=len(trained.pairs_and_all(table.groups)),
        )
    regret = next(iter(found.values())).regrets[0]
    estimates = [way for way in ways.values() if way.is_estimate]
    others = [way for way in ways.values() if not way.is_estimate]
    Truth(
        budget,
        list(table.seeds),
        len(table.groups),
        regret.best,
        regret.best_groups,
        [*estimates, *others],
    ).save(folder)
    return [TABLE, Truth.FILE]


def judged(
    config: Mapping[str, Any], table: TaskTable, folder: Path
) -> dict[str, Verdict]:
    """What the table says of what chose the groups, and of every affinity measured."""
    budgets, found = [config["budget"]], dict[str, Verdict]()
    if few_groups.chooses(config):
        predicted = GroupTable.from_json(folder / few_groups.PREDICTED)
        found[config["affinity"]["group_by"]] = judge(table, predicted, budgets)
    how = {name: config[name] for name in ("singletons", "singleton_value")}
    for name, affinity in load_affinities(folder).items():
        found[name] = judge(table, affinity, budgets, **how)
    return found
