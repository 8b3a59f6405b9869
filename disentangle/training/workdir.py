"""The folder of a run: one owner at a time, one config for its whole life."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from disentangle.errors import UserError
from disentangle.files import clear_leftovers, read_json, write_json

MISSING = "(absent)"
LOCK = "lock"
# Section and field of the paths in configs; where one points is what counts.
PATHS = (("data", "path"), ("", "run"), ("", "weights"), ("", "init_from"))


@contextlib.contextmanager
def owned(workdir: Path) -> Iterator[Path]:
    """Creates the folder and holds its lock; the system frees it on any death.

    A folder that is still empty at the end, because what was to be done there was
    refused, is removed again.

    Raises:
      UserError: if the path is a file, cannot be created, or another process
        holds it.
    """
    refuse_other(workdir)
    made = [path for path in (workdir, *workdir.parents) if not path.exists()]
    lock = FileLock(workdir / LOCK, timeout=0)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(f"workdir {workdir} is in use by another process") from None
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise UserError(f"workdir {workdir} cannot be used: {reason}") from None
    try:
        clear_leftovers(workdir)
        yield workdir
    finally:
        is_empty = [path.name for path in workdir.iterdir()] == [LOCK]
        if is_empty:  # a lock that others may wait for stays
            (workdir / LOCK).unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # another process may have come in
            for folder in made if is_empty else []:
                folder.rmdir()


def refuse_other(workdir: Path) -> None:
    """Raises UserError if the path is there and no folder, or cannot be a path."""
    try:
        if workdir.exists() and not workdir.is_dir():
            raise UserError(f"workdir {workdir} is a file, not a folder")
    except OSError as error:
        raise UserError(f"workdir {workdir} cannot be used: {error.strerror}") from None


Rule = Callable[[Any, Any, Mapping[str, Any]], str]


class Policy(NamedTuple):
    """What the workdir of a kind of job allows.

    Attributes:
      completed: the config.json of an older version -> with the fields it lacks, at
        their defaults; raises UserError on what is no config of the job.
      may_change: field ("a.b", also of a section) -> `rule(old, new, held)`, why it
        may not change so, or "" where it may; `held` is the whole config that is
        there. A field without a rule may not.
      advice: what to do instead, ending the sentence that refuses.
    """

    completed: Callable[[Any], dict[str, Any]] = lambda held: held
    may_change: Mapping[str, Rule] = MappingProxyType({})
    advice: str = "give another workdir"


FIXED = Policy()  # one config for life


def free(old: Any, new: Any, held: Mapping[str, Any]) -> str:
    """The rule of a field that may change in any way."""
    del old, new, held
    return ""


def only_more(old: Any, new: Any, held: Mapping[str, Any]) -> str:
    """The rule of a number that may only grow."""
    del held
    return "" if new >= old else "it can only grow"


def _fixed(old: Any, new: Any, held: Mapping[str, Any]) -> str:
    del old, new, held
    return "it may not change"


def check_workdir(
    workdir: Path, config: dict[str, Any], policy: Policy = FIXED
) -> None:
    """Raises, without touching it, what a run with this config there would."""
    refuse_other(workdir)
    if (workdir / "config.json").exists():
        refuse_difference(workdir, config, policy)


def refuse_difference(
    workdir: Path, config: dict[str, Any], policy: Policy = FIXED
) -> None:
    """Raises UserError if the workdir's config may not become this one."""
    path = workdir / "config.json"
    held = read_json(path)
    try:
        held = policy.completed(held)
    except UserError as error:
        raise UserError(f"{path} cannot be gone on with: {error}") from None
    lines = []
    for field, old, new in difference(held, config):
        rule = policy.may_change.get(field, _fixed)
        reason = "it is new" if MISSING in (old, new) else rule(old, new, held)
        if reason:
            known = field in policy.may_change
            lines.append(f"{field}: {old!r} -> {new!r}" + f", {reason}" * known)
    if lines:
        raise UserError(
            f"workdir {workdir} holds a run of another config ({'; '.join(lines)}): "
            f"{policy.advice}"
        )


def settle_config(
    workdir: Path, config: dict[str, Any], policy: Policy = FIXED
) -> None:
    """Writes the config of a new workdir, or that of an old one as it may change.

    Raises:
      UserError: naming every field that differs and may not, and both values; the
        workdir is then as it was.
    """
    path = workdir / "config.json"
    if path.exists():
        refuse_difference(workdir, config, policy)
        if read_json(path) == config:
            return
    write_json(path, config)


def filled(held: Any, reference: Mapping[str, Any]) -> dict[str, Any]:
    """A held config with the fields it lacks, taken from a reference."""
    if not isinstance(held, dict):
        raise UserError(f"it holds {type(held).__name__}, not a table of fields")
    new = dict(held)
    for name, value in reference.items():
        if name not in held:
            new[name] = value
        elif isinstance(value, Mapping):
            new[name] = filled(held[name], value)
    return new


def difference(old: Any, new: Any, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """The leaves in which two nested configs differ, as (field, old, new)."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return (
            [] if old == new or _same_place(prefix, old, new) else [(prefix, old, new)]
        )
    changes = []
    for key in [*old, *(k for k in new if k not in old)]:
        name = f"{prefix}.{key}" if prefix else key
        changes += difference(old.get(key, MISSING), new.get(key, MISSING), name)
    return changes


def _same_place(field: str, old: Any, new: Any) -> bool:
    """Whether a field is a path and both values are the same file or folder."""
    if tuple(field.rpartition(".")[::2]) not in PATHS:
        return False
    if not (isinstance(old, str) and isinstance(new, str) and old and new):
        return False
    return os.path.abspath(old) == os.path.abspath(new)
