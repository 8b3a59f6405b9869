"""What a command is, and how commands read what they share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from disentangle.commands.flags import COMMON, Flag, Values
from disentangle.errors import UserError, printable


class Command(NamedTuple):
    """A row of the table below."""

    run: Callable[[Values, list[str]], None]
    summary: str
    example: str
    flags: tuple[Flag, ...] = ()
    words: tuple[str, ...] = ()  # one in brackets may be left out

    @property
    def all_flags(self) -> tuple[Flag, ...]:
        """Its own flags and those that every command has."""
        return (*self.flags, *COMMON)


def show(result: object) -> None:
    """Prints a result on stdout; names in it cannot command the terminal."""
    print(printable(str(result)))


def workdir_of(values: Values) -> Path:
    """--workdir, which must be given."""
    if not values["workdir"]:
        raise UserError("--workdir=FOLDER is missing")
    return path_of(values["workdir"], "--workdir")


def config_of(values: Values, workdir: Path) -> Any:
    """The given config, or the one the workdir was started with.

    Its paths are made absolute, so that a config.json is the same config from anywhere.
    """
    from disentangle.files import read_json
    from disentangle.training.config import plain
    from disentangle.training.workdir import PATHS

    if values["config"] is not None:
        config = plain(values["config"])
        for section, field in PATHS:
            held = config.get(section, {}) if section else config
            if isinstance(held, dict) and isinstance(held.get(field), str):
                held[field] = held[field] and str(absolute(held[field]))
        return config

    if workdir.is_file():
        raise UserError(f"workdir {workdir} is a file, not a folder")
    if not (workdir / "config.json").exists():
        raise UserError(f"--config is missing and {workdir} holds no run to go on with")
    return read_json(workdir / "config.json")


def absolute(path: str) -> Path:
    """A path as it is from any folder, `~` as the home folder."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:  # a user who is not there; whoever opens it says so
        return Path(path)


def path_of(text: str, what: str) -> Path:
    """The path that a flag or a word gives; UserError where it can be none."""
    from disentangle.files import place

    return place(text, what)


def output_of(path: str | None, flag: str = "json") -> Path | None:
    """The file to write, checked before anything is computed."""
    if path is None:
        return None
    out = path_of(path, f"--{flag}")
    if out.is_dir():
        raise UserError(f"--{flag}={path} is a folder")
    if not out.parent.is_dir():
        raise UserError(f"--{flag}={path}: there is no folder {out.parent}")
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise UserError(f"--{flag}={path} cannot be written: no permission")
    return out
