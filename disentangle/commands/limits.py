"""The limits of a grouping as words of the command line."""

from __future__ import annotations

from typing import NamedTuple

from disentangle.commands.flags import Flag, Values
from disentangle.errors import UserError

FLAGS = (
    Flag("largest", "integer", None, "the most tasks in a group"),
    Flag("memory", "number", None, "the most that the needs of a group may sum to"),
    Flag("needs", "string", None, "memory per task: --needs=shape=1,scale=2,..."),
    Flag("together", "string", None, "never split: --together=a+b,c+d"),
    Flag("apart", "string", None, "never in one group: --apart=a+c,b+d"),
    Flag("disjoint", "switch", False, "every task in one group only"),
    Flag("objective", "string", "mean", "mean over tasks, or the worst task first"),
    Flag("costs", "string", None, "per task, not 1 per group: --costs=shape=1,..."),
)


class Words(NamedTuple):
    """The arguments of `group_tasks` of the same names."""

    largest: int | None
    memory: float | None
    needs: dict[str, float] | None
    together: list[list[str]]
    apart: list[list[str]]
    disjoint: bool
    objective: str
    costs: dict[str, float] | None


def limits_in(values: Values) -> Words:
    """The limits that the flags give.

    Raises:
      UserError: a list that is not NAME=NUMBER,... or NAME+NAME,...
    """
    return Words(
        values["largest"],
        values["memory"],
        _numbers("needs", values["needs"]),
        _lists("together", values["together"]),
        _lists("apart", values["apart"]),
        values["disjoint"],
        values["objective"],
        _numbers("costs", values["costs"]),
    )


def _lists(flag: str, text: str | None) -> list[list[str]]:
    if text is None:
        return []
    found = [[name.strip() for name in word.split("+")] for word in text.split(",")]
    if any(len(names) < 2 or "" in names for names in found):
        raise UserError(f"--{flag} takes tasks joined by +, such as a+b,c+d: {text!r}")
    return found


def _numbers(flag: str, text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    found: dict[str, float] = {}
    for word in text.split(","):
        name, sign, number = word.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise UserError(f"--{flag} takes numbers such as a=1,b=2.5, got {word!r}")
        if name.strip() in found:
            raise UserError(f"--{flag} names {name.strip()!r} twice")
        found[name.strip()] = value
    return found
