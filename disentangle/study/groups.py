"""groups.json: the chosen groups of tasks, who serves whom, and how sure that is."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from disentangle.affinity import Affinity, Grouping, group_tasks
from disentangle.errors import UserError
from disentangle.files import reading, write_json
from disentangle.oracle import TaskTable
from disentangle.records import JsonRecord
from disentangle.study import few_groups
from disentangle.study.affinity import AFFINITIES, load_affinities
from disentangle.study.few_groups import PREDICTED, VALIDATION
from disentangle.study.stages import Stages, crc

CHOOSE = ("budget", "singletons", "singleton_value", "affinity")  # of a job's config


@dataclasses.dataclass(frozen=True)
class Often:
    """Groups that came in some redraws, and in which share of them."""

    groups: list[list[str]]
    share: float


@dataclasses.dataclass(frozen=True)
class Redraws:
    """How often the groups come back when what they were chosen by is redrawn.

    The fields of `affinity.stability.Stability`, and `of`: "affinity", every affinity
    within its standard error; "seeds", the seeds with replacement. Of seeds there is
    no `ratio`, and `clear` and `cells` are 0.
    """

    redraws: int
    share: float
    answers: int
    clear: int
    cells: int
    together: list[list[float]]
    most: list[Often] = dataclasses.field(default_factory=list)
    ratio: list[list[float | None]] = dataclasses.field(default_factory=list)
    seed: int = 0
    of: str = "affinity"


@dataclasses.dataclass(frozen=True)
class Groups(JsonRecord):
    """The groups of a job; the fields of `affinity.Grouping`, and what they are from.

    Attributes:
      budget: how many networks were allowed; None of groups that are no job's.
      affinity: the estimator that chose them, or "". One of FROM_GROUPS predicts the
        losses of every group: then `sense` is "min".
      trained: how many networks per seed were trained for the choice; None of groups
        that are no job's.

    Raises:
      UserError: a task is said to be served by a group that it is not in.
    """

    FILE: ClassVar[str] = "groups.json"
    groups: list[list[str]]
    serves: dict[str, int]
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    runner_up: float | None = None
    margin: float | None = None
    sense: str = "max"
    method: str = ""
    costs: list[float] = dataclasses.field(default_factory=list)
    by_budget: list[float] = dataclasses.field(default_factory=list)
    stability: Redraws | None = None
    unsure: str = ""
    goal: str = "mean"
    budget: int | float | None = None
    affinity: str = ""
    trained: int | None = None

    def __post_init__(self) -> None:
        for task, place in self.serves.items():
            if not 0 <= place < len(self.groups) or task not in self.groups[place]:
                raise UserError(f"group {place} is said to serve {task!r}")
        if self.stability is not None:
            n, rows = len(self.serves), self.stability.together
            if [len(row) for row in rows] != [n] * n:
                raise UserError(f"together is not {n} rows of {n} shares")

    @classmethod
    def of(
        cls,
        grouping: Grouping,
        *,
        budget: float | None = None,
        affinity: str = "",
        trained: int | None = None,
    ) -> Self:
        """The record of a grouping."""
        held = grouping.to_json()
        if held["stability"] is not None:
            held["stability"] = _redraws(held["stability"])
        return cls(**held, budget=budget, affinity=affinity, trained=trained)


def _redraws(held: Mapping[str, Any]) -> Redraws:
    most = [Often(**each) for each in held["most"]]
    return Redraws(**{**held, "most": most})


def choose_groups(config: Mapping[str, Any], stages: Stages) -> Groups:
    """The exact grouping of a job; writes groups.json.

    By an affinity it reads affinity.json alone, by a few trained groups
    validation.parquet alone; then it writes predicted.json beside, the losses that they
    say every group has.
    """
    folder = stages.folder

    def work() -> list[str]:
        if few_groups.chooses(config):
            return _by_few_groups(config, folder)
        return _by_affinity(config, folder)

    stages.once("groups", lambda: grouping_source(config, folder), work)
    return Groups.load(folder)


def _by_affinity(config: Mapping[str, Any], folder: Path) -> list[str]:
    grouping = group_tasks(
        measured_affinity(config, folder),
        config["budget"],
        singletons=config["singletons"],
        singleton_value=config["singleton_value"],
    )
    by = config["affinity"]["group_by"]
    Groups.of(grouping, budget=config["budget"], affinity=by, trained=1).save(folder)
    return [Groups.FILE]


def _by_few_groups(config: Mapping[str, Any], folder: Path) -> list[str]:
    table = TaskTable.load(folder / VALIDATION)
    how, budget = config["affinity"]["group_by"], config["budget"]
    grouping, predicted = few_groups.choose(table, how, budget)
    write_json(folder / PREDICTED, predicted.to_json())
    found = Groups.of(grouping, budget=budget, affinity=how, trained=len(table.groups))
    drawn = few_groups.redraws(table, how, budget, grouping.groups)
    if drawn is None:
        found = dataclasses.replace(found, unsure="there is one seed to choose by")
    else:
        found = dataclasses.replace(found, stability=_redraws(drawn), unsure="")
    found.save(folder)
    return [Groups.FILE, PREDICTED]


def grouping_source(config: Mapping[str, Any], folder: Path) -> list[Any]:
    """What the groups depend on: what was measured, and how they are chosen by."""
    measured = VALIDATION if few_groups.chooses(config) else AFFINITIES
    return [crc(folder / measured), {name: config[name] for name in CHOOSE}]


def measured_affinity(config: Mapping[str, Any], folder: Path) -> Affinity:
    """The affinity that chooses the groups, from affinity.json."""
    with reading(folder / AFFINITIES):
        return load_affinities(folder)[config["affinity"]["group_by"]]
