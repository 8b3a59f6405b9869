"""The fields of a whole config by their dotted names, and how words set them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.fields import fields_of, from_text, spec_of
from disentangle.fields.define import Field
from disentangle.fields.words import SWEEP
from disentangle.methods import METHODS
from disentangle.training.optimizers import OPTIMIZERS
from disentangle.training.sections import Data, Run

PLACES = ("method.", "optimizer.", "", "data.")  # where a bare name is looked for


def config_fields(
    config: Any,
    prefix: str = "",
    sections: Mapping[str, Any] = MappingProxyType({}),
    alone: Sequence[Any] = (),
) -> dict[str, Field]:
    """Dotted name -> field, of a training config or of a job that holds some.

    Args:
      config: a ConfigDict or plain data.
      prefix: of the names.
      sections: settings of further sections by name, such as a study's; "runs.*" is
        every section within the section "runs".
      alone: settings of further fields that stand in no section of the job.

    Returns:
      The fields that settings define; others, of a config of one's own, are left out.
    """
    found: dict[str, Field] = {}
    own = fields_of(Run) if "steps" in config else {}
    own = {name: f for kind in alone for name, f in fields_of(kind).items()} | own
    for name in config:
        value = _held(config, name)
        kind = _kind(name, value) or sections.get(name) or sections.get(f"{prefix}*")
        if kind is not None and isinstance(value, ConfigDict | Mapping):
            known = fields_of(kind)
            found |= {f"{prefix}{name}.{k}": known[k] for k in value if k in known}
        elif isinstance(value, ConfigDict | Mapping):
            found |= config_fields(value, f"{prefix}{name}.", sections)
        elif name in own:
            found[prefix + name] = own[name]
    return found


def _held(config: Any, name: str) -> Any:
    is_config = isinstance(config, ConfigDict)
    return config.get_oneway_ref(name).get() if is_config else config[name]


def _kind(name: str, section: Any) -> Any:
    """The settings that define a section; None where there are none."""
    if not isinstance(section, ConfigDict | Mapping):
        return None
    if name == "data":
        return Data
    chosen = section.get("name")
    if name == "method" and isinstance(chosen, str) and chosen in METHODS:
        return METHODS[chosen].settings
    if name == "optimizer" and isinstance(chosen, str):
        return OPTIMIZERS.get(chosen)
    return None


def set_field(config: ConfigDict, name: str, text: str) -> None:
    """Sets a field to what is written: "4", a sweep "1|4", a list "8+8".

    Args:
      config: changed in place.
      name: dotted, or bare: a field of the method, the optimiser, the run or the
        data, whichever has it first.
      text: see `fields.from_text`; "5|10" of a static field is a sweep, which only a
        study of many models takes.

    Raises:
      UserError: there is no such field (with a guess), or the text is none of its
        type.
    """
    known = config_fields(config)
    where = next((p + name for p in PLACES if p + name in known), None)
    if where is None:
        bare = [field.rpartition(".")[2] for field in known if field != "data.name"]
        raise unknown(f"field of {config.method.name}", name, bare)
    field = known[where]
    if SWEEP in text and not spec_of(field).is_swept:
        rows = [from_text(where, field, part) for part in text.split(SWEEP)]
        put(config, where, tuple(rows))
    else:
        put(config, where, from_text(where, field, text))


def put(config: ConfigDict, name: str, value: Any) -> None:
    """Sets the field of a dotted name to a value of any type."""
    *sections, last = name.split(".")
    inner = config
    for section in sections:
        inner = inner[section]
    with inner.ignore_type():  # a sweep is a tuple where a number stood
        inner[last] = value


def set_fields(config: ConfigDict, words: list[str]) -> ConfigDict:
    """The config with "field=value" words set, as in the argument of a config file."""
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"{word!r} in the config's argument is not field=value")
        set_field(config, name.strip(), text)
    return config
