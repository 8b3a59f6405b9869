"""Scores measured group by group, e.g. the test losses of trained networks."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from disentangle.affinity.base import LARGEST, check_tasks
from disentangle.affinity.sheets import read_text
from disentangle.errors import UserError, unknown

SENSES = ("min", "max")
SMALLEST = 1e-300  # of costs, which are counted in units
KEYS = ("tasks", "sense", "groups")
GROUP_KEYS = ("members", "scores", "cost")


class MeasuredGroup(NamedTuple):
    """One network: the tasks it was trained on, how well it does each, what it costs.

    Attributes:
      members: task names, in the order of the table's tasks.
      scores: one finite number per member.
      cost: > 0, in any unit; a budget is in the same.
    """

    members: tuple[str, ...]
    scores: tuple[float, ...]
    cost: float = 1.0


@dataclass(frozen=True)
class GroupTable:
    """The groups there are to choose from. A group can serve any of its members.

    Attributes:
      tasks: the N task names.
      sense: "min" if a score is a loss, "max" if larger is better.
      groups: the measured groups. The same members may come again at another cost.
    """

    tasks: tuple[str, ...]
    sense: str
    groups: tuple[MeasuredGroup, ...]

    @classmethod
    def from_dict(cls, value: Any) -> GroupTable:
        """Reads the parsed JSON form, strictly.

        Args:
          value: {"tasks": [...], "sense": "min" | "max", "groups": [{"members": [...],
            "scores": {task: value}, "cost": 1.0}]}; `cost` may be left out.

        Raises:
          UserError: anything missing, unknown, repeated or not a finite number.
        """
        _check_keys("the table", value, KEYS, required=KEYS)
        tasks = check_tasks(_names("tasks", value["tasks"]))
        if value["sense"] not in SENSES:
            raise unknown("sense", value["sense"], SENSES)
        if not isinstance(value["groups"], list) or not value["groups"]:
            raise UserError("groups must be a list of at least one measured group")
        groups = tuple(
            _measured(f"group {number}", group, tasks)
            for number, group in enumerate(value["groups"], start=1)
        )
        _check_once(groups)
        return cls(tasks, value["sense"], groups)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> GroupTable:
        """Reads a JSON file of the form of `from_dict`; errors name the file."""
        try:
            return cls.from_dict(parse_json(path))
        except UserError as error:
            message = str(error)
            raise UserError(
                message if str(path) in message else f"{path}: {message}"
            ) from None

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON that `from_dict` reads equal."""
        return {
            "tasks": list(self.tasks),
            "sense": self.sense,
            "groups": [
                {
                    "members": list(group.members),
                    "scores": dict(zip(group.members, group.scores, strict=True)),
                    "cost": group.cost,
                }
                for group in self.groups
            ],
        }


def parse_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds; no key may come twice in an object.

    Raises:
      UserError: names the file, if it is missing, not text or not JSON.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, times in Counter(name for name, _ in pairs).items():
            if times > 1:
                raise UserError(f"the key {name!r} is there {times} times")
        return dict(pairs)

    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=once)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:  # nesting, digits, syntax
        raise UserError(f"{path} is not JSON: {error}") from None


def _measured(where: str, value: Any, tasks: tuple[str, ...]) -> MeasuredGroup:
    _check_keys(where, value, GROUP_KEYS, required=GROUP_KEYS[:2])
    named = _names(f"the members of {where}", value["members"])
    scores = value["scores"]
    if not isinstance(scores, Mapping):
        raise UserError(
            f"the scores of {where} must be a table of task names and values"
        )
    for task in (*named, *scores):
        if task not in tasks:
            raise UserError(f"{where}: {unknown('task', task, tasks)}")
    if not named or len(set(named)) < len(named):
        raise UserError(f"{where} must have members, each once, got {list(named)}")
    members = tuple(task for task in tasks if task in named)
    for task in members:
        if task not in scores:
            raise UserError(f"{where} has no score for its member {task!r}")
    for task in scores:
        if task not in members:
            raise UserError(f"{where} has a score for {task!r}, which is not a member")
    cost = _number(f"the cost of {where}", value.get("cost", 1.0))
    if cost <= 0:
        raise UserError(f"the cost of {where} must be above 0, got {cost:g}")
    if cost < SMALLEST:
        raise UserError(f"the cost of {where} is {cost:g}, below {SMALLEST:g}")
    values = (_number(f"the score of {t!r} in {where}", scores[t]) for t in members)
    return MeasuredGroup(members, tuple(values), cost)


def _check_keys(
    where: str, value: Any, allowed: Sequence[str], required: Sequence[str]
) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be a JSON object with the keys {list(allowed)}")
    for key in value:
        if key not in allowed:
            raise UserError(f"{where}: {unknown('key', key, allowed)}")
    for key in required:
        if key not in value:
            raise UserError(f"{where} has no {key!r}")


def _check_once(groups: Sequence[MeasuredGroup]) -> None:
    first: dict[tuple[tuple[str, ...], float], int] = {}
    for number, group in enumerate(groups, start=1):
        before = first.setdefault((group.members, group.cost), number)
        if before != number:
            raise UserError(
                f"groups {before} and {number} have the same members, "
                f"{list(group.members)}, at the same cost"
            )


def _names(what: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise UserError(f"{what} must be a list of task names, got {value!r}")
    return tuple(value)


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{what} must be a number, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{what} is {value}, not a finite number")
    if abs(value) > LARGEST:
        raise UserError(f"{what} is beyond 1e300")
    return float(value)
