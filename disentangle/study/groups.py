"""groups.json: the chosen groups of tasks, who serves whom, and how sure that is."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from disentangle.affinity import Affinity, Grouping, group_tasks
from disentangle.errors import UserError
from disentangle.files import reading
from disentangle.records import JsonRecord
from disentangle.study.affinity import AFFINITIES, load_affinities
from disentangle.study.stages import Stages, crc

CHOOSE = ("budget", "singletons", "singleton_value", "affinity")  # of a job's config


@dataclasses.dataclass(frozen=True)
class Often:
    """Groups that came in some redraws, and in which share of them."""

    groups: list[list[str]]
    share: float


@dataclasses.dataclass(frozen=True)
class Redraws:
    """How often the groups come back when the affinity is redrawn, as `Stability`."""

    redraws: int
    share: float
    answers: int
    clear: int
    cells: int
    together: list[list[float]]
    most: list[Often] = dataclasses.field(default_factory=list)
    ratio: list[list[float | None]] = dataclasses.field(default_factory=list)
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Groups(JsonRecord):
    """The groups of a job; the fields of `affinity.Grouping`, and what they are from.

    Attributes:
      budget: how many networks were allowed; None of groups that are no job's.
      affinity: the estimator whose matrix chose them, or "".

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
        cls, grouping: Grouping, *, budget: float | None = None, affinity: str = ""
    ) -> Self:
        """The record of a grouping."""
        held = grouping.to_json()
        if held["stability"] is not None:
            often = [Often(**each) for each in held["stability"].pop("most")]
            held["stability"] = Redraws(most=often, **held["stability"])
        return cls(**held, budget=budget, affinity=affinity)


def choose_groups(config: Mapping[str, Any], stages: Stages) -> Groups:
    """The exact grouping of a job's measured affinity; writes groups.json."""
    folder = stages.folder

    def work() -> list[str]:
        grouping = group_tasks(
            measured_affinity(config, folder),
            config["budget"],
            singletons=config["singletons"],
            singleton_value=config["singleton_value"],
        )
        chosen_by = config["affinity"]["group_by"]
        Groups.of(grouping, budget=config["budget"], affinity=chosen_by).save(folder)
        return [Groups.FILE]

    stages.once("groups", lambda: grouping_source(config, folder), work)
    return Groups.load(folder)


def grouping_source(config: Mapping[str, Any], folder: Path) -> list[Any]:
    """What the groups depend on: the affinities, and how they are chosen by."""
    return [crc(folder / AFFINITIES), {name: config[name] for name in CHOOSE}]


def measured_affinity(config: Mapping[str, Any], folder: Path) -> Affinity:
    """The affinity that chooses the groups, from affinity.json."""
    with reading(folder / AFFINITIES):
        return load_affinities(folder)[config["affinity"]["group_by"]]
