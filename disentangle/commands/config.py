"""The config that --config names: a Python file and its argument, or JSON.

A Python file is executed, with all that its author wrote in it; a JSON file, such
as the config.json of a workdir, is only read.
"""

import re
import runpy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.files import read_json
from disentangle.training.stopping import Stopped

FIELD = re.compile(r"--?config\.(?P<name>[\w.]+)=(?P<text>.*)", re.S)
NAMES = re.compile(r"[\w+-]+(,[\w+-]+)*")  # bare names, not a tuple as Python writes it
NAMED = re.compile(r"(?P<path>.*?\.(?:py|json))(?::(?P<argument>.*))?", re.S)


def split_words(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of --config, the last one if there are more; the other words."""
    value: str | None = None
    rest: list[str] = []
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "--":
            return value, [*rest, word, *words]
        head, equals, tail = word.partition("=")
        if head not in ("--config", "-config"):
            rest.append(word)
        elif equals:
            value = tail
        elif words:
            value = words.pop(0)
        else:
            raise UserError("--config=FILE is missing its file")
    return value, rest


def load_config(value: str) -> ConfigDict:
    """The config of `file.py`, `file.py:argument` or `file.json`.

    Raises:
      UserError: there is no such file (with a guess), it is not what it should be,
        or it cannot be executed; the sentence names the file.
    """
    found = NAMED.fullmatch(value)
    name, argument = found.groups() if found else (value, None)
    path = _existing(name)
    if path.suffix == ".json":
        if argument is not None:
            raise UserError(f"{path} is JSON, which takes no argument {argument!r}")
        config: Any = _frozen(read_json(path))
    else:
        config = _execute(path, argument)
    if not isinstance(config, ConfigDict | Mapping):
        given = repr(config)[:60]
        raise UserError(f"config file {path} gives {given}, not a ConfigDict")
    try:
        return config if isinstance(config, ConfigDict) else ConfigDict(dict(config))
    except Exception as error:  # keys that are no names, ...
        raise UserError(f"config file {path}: {error}") from None


def _existing(name: str) -> Path:
    if not name:
        raise UserError("--config=FILE is missing its file")
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            raise UserError(f"config file {path} is a folder")
        if path.is_file():
            return path
        around = [*path.parent.glob("*.py"), *path.parent.glob("*.json")]
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"config file {name[:60]!r}: {reason}") from None
    raise unknown("config file", str(path), map(str, sorted(around)))


def _execute(path: Path, argument: str | None) -> Any:
    """What get_config(argument) of the file returns."""
    try:
        module = runpy.run_path(str(path), run_name=f"config_{path.stem}")
    except (UserError, Stopped):
        raise
    except SyntaxError as error:
        where = f"{path}, line {error.lineno}" if error.lineno else path
        raise UserError(f"config file {where}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise UserError(f"config file {path} cannot be run: {_said(error)}") from None
    get_config = module.get("get_config")
    if not callable(get_config):
        raise UserError(f"config file {path} has no function get_config")
    try:
        return get_config() if argument is None else get_config(argument)
    except (UserError, Stopped):
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"get_config of {path} fails: {_said(error)}") from None


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _frozen(value: Any) -> Any:
    """JSON with tuples for lists, as config files have them."""
    if isinstance(value, dict):
        return {key: _frozen(held) for key, held in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def fields(config: ConfigDict, prefix: str = "config") -> dict[str, Any]:
    """Every field of a config by its flag's name, such as "config.method.beta"."""
    found: dict[str, Any] = {}
    for key in config:
        name, value = f"{prefix}.{key}", config.get_oneway_ref(key).get()
        inside = isinstance(value, ConfigDict)
        found |= fields(value, name) if inside else {name: value}
    return found


def described(config: ConfigDict) -> Iterator[str]:
    """A line per field as a flag, and one with its type, range, meaning and source."""
    from disentangle.fields import about
    from disentangle.study.sections import ALONE, SECTIONS
    from disentangle.training.config_fields import config_fields

    known = config_fields(config, sections=SECTIONS, alone=ALONE)
    for name, value in fields(config).items():
        yield f"  --{name}={value!r}"
        field = known.get(name.removeprefix("config."))
        if field is not None:
            yield f"      {about(field)}"


def take_sweeps(config: ConfigDict, words: Sequence[str]) -> list[str]:
    """Sets the sweeps among flags, --config.method.beta="1|4"; the other words.

    Other values are left to the flags. A field that holds a sweep takes one value, or
    another sweep, too. In a study of many models a static field may be swept as well.
    Names are set here too, --config.score.metrics=mig,sap.
    """
    from disentangle.fields import spec_of
    from disentangle.fields.define import item_type
    from disentangle.study.sections import ALONE, SECTIONS
    from disentangle.training.config_fields import config_fields, put, set_field

    known = config_fields(config, sections=SECTIONS, alone=ALONE)
    rest = list[str]()
    for word in words:
        found = FIELD.fullmatch(word)
        field = known.get(found["name"]) if found else None
        if found is None or field is None:
            rest.append(word)
            continue
        name, text = found["name"], found["text"]
        if item_type(field) is str and NAMES.fullmatch(text):
            put(config, name, tuple(text.split(",")))
            continue
        if not spec_of(field).is_swept:
            if "strengths" in config and name.startswith("runs.") and "|" in text:
                set_field(config, name, text)
            else:
                rest.append(word)
            continue
        is_number = isinstance(field.default, float)
        held = fields(config)[f"config.{name}"]
        is_sweep = "|" in text or (is_number and "," in text)
        if is_sweep or (is_number and isinstance(held, tuple)):
            set_field(config, name, text)
        else:
            rest.append(word)
    return rest
