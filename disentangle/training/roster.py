"""members.json: the models that a workdir holds, and which are trained together.

A workdir may gain models. Those that are there keep their batch, with its checkpoints;
new ones come in batches of their own. A model is known by its numbers and its seed,
whatever it is called: its name may change with the sweep it stands in.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from disentangle.errors import UserError
from disentangle.files import read_json, write_json
from disentangle.training.members import Member, identity
from disentangle.training.run_logs import rename_members

FILE = "members.json"


@dataclasses.dataclass(frozen=True)
class Roster:
    """The models of a run and how they are trained.

    Attributes:
      members: in the order of the config.
      batches: ids of the members that one program trains together, in its order.
    """

    members: tuple[Member, ...]
    batches: tuple[tuple[str, ...], ...]


def checkpoint_folder(workdir: Path, batch: int) -> Path:
    """Where the checkpoints of a batch are: checkpoints/, then checkpoints/batch-1/."""
    first = workdir / "checkpoints"
    return first / f"batch-{batch}" if batch else first


def in_batches(members: Sequence[Member], at_once: int) -> Roster:
    """A new roster, `at_once` members in a batch, the rest in the last one."""
    return Roster(tuple(members), _cut([member.id for member in members], at_once))


def read_roster(workdir: Path, population: Sequence[Member]) -> Roster:
    """The roster of a workdir; without one (older versions), all in one batch.

    Args:
      workdir: of a run.
      population: the members of its config.json.

    Raises:
      UserError: members.json is damaged.
    """
    path = workdir / FILE
    if not path.exists():
        return in_batches(population, max(1, len(population)))
    roster = read_json(path, Roster)
    ids = [member.id for member in roster.members]
    if sorted(id for batch in roster.batches for id in batch) != sorted(ids):
        raise UserError(f"{path} is not what it should be: its batches hold others")
    return roster


def matched(held: Roster, population: Sequence[Member]) -> dict[str, Member]:
    """id in `held` -> the member of `population` that is the same model.

    Numbers that one of the two versions of the program does not know are passed over:
    they are at their defaults.
    """
    ours = {name for member in population[:1] for name in member.values}
    fields = [n for member in held.members[:1] for n in member.values if n in ours]
    known = {_key(member, fields): member for member in population}
    pairs = [(member.id, known.get(_key(member, fields))) for member in held.members]
    return {id: found for id, found in pairs if found is not None}


def grown(held: Roster, population: Sequence[Member], at_once: int) -> Roster:
    """`held` with the members it lacks, in further batches; `population` has all."""
    same = matched(held, population)
    kept = tuple(tuple(same[id].id for id in batch) for batch in held.batches)
    there = {id for batch in kept for id in batch}
    new = [member.id for member in population if member.id not in there]
    return Roster(tuple(population), kept + _cut(new, at_once))


def lost(held: Sequence[Member], population: Sequence[Member]) -> list[str]:
    """The names of the members in `held` that are not in `population`."""
    roster = in_batches(held, 1)
    same = matched(roster, population)
    return [member.name for member in held if member.id not in same]


def keep_roster(
    workdir: Path,
    held: Roster | None,
    population: Sequence[Member],
    at_once: Callable[[int], int],
) -> Roster:
    """Writes members.json for a run of these members, and renames them in its logs.

    Args:
      workdir: of the run.
      held: the roster of what is there, all of whose members are in `population`; None
        for a new run.
      population: all members, in the order of the config.
      at_once: number of members that are new -> how many a batch of them has.

    Returns:
      The roster: that which was held, and the new members in further batches.
    """
    held = held or Roster((), ())
    lacking = len(population) - len(held.members)
    new = grown(held, population, at_once(lacking) if lacking else 1)
    if (workdir / FILE).exists() and new == held:
        return new
    same = matched(held, population)
    if any(_shown(old) != _shown(same[old.id]) for old in held.members):
        by_name = {old.name: same[old.id] for old in held.members}
        rename_members(workdir, same, by_name)
    write_json(workdir / FILE, dataclasses.asdict(new))
    return new


def _shown(member: Member) -> tuple[str, str]:
    return member.id, member.name


def rows_of(roster: Roster, population: Sequence[Member]) -> list[list[int]]:
    """The positions in `population` of the members of every batch."""
    place = {member.id: i for i, member in enumerate(population)}
    same: Mapping[str, Member] = matched(roster, population)
    return [
        [place[same[id].id] for id in batch if id in same] for batch in roster.batches
    ]


def _key(member: Member, fields: Sequence[str]) -> str:
    return identity({name: member.values[name] for name in fields}, member.seed)


def _cut(ids: Sequence[str], at_once: int) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(ids[start : start + at_once]) for start in range(0, len(ids), at_once)
    )
