"""plan.json: the models of a study, and which of them are trained together.

A model is known by all that decides what is trained: data set, method, every static
field, its numbers, its seed. A unit is some models that differ in swept fields alone,
one program, trained and scored as one piece of work. Once written down a unit stays as
it is, so that all who work on a study, at any time and with more models than before,
mean the same by it.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from disentangle.errors import UserError
from disentangle.fields import swept_names
from disentangle.methods import METHODS
from disentangle.records import JsonRecord
from disentangle.study.stages import data_source, digest
from disentangle.study.sweeps.config import Config, Laid, chosen, training_configs
from disentangle.training.batches import part
from disentangle.training.config import (
    Experiment,
    default_config,
    plain,
    read_experiment,
)
from disentangle.training.members import identity as member_id
from disentangle.training.optimizers import OPTIMIZERS
from disentangle.training.workdir import filled

DIGITS = 16  # of a hash, hexadecimal
OWN = ("seed", "seeds", "log_every", "eval_every", "checkpoint_every")  # not identity


@dataclasses.dataclass(frozen=True)
class Model:
    """One model of a study.

    Attributes:
      id: a hash of all that decides what is trained.
      member: its id among the members of its unit, `Member.id`.
      values: field -> value, of every field that can be swept.
      seed: its seed.
    """

    id: str
    member: str
    values: dict[str, Any]
    seed: int


@dataclasses.dataclass(frozen=True)
class Group:
    """Models of one program.

    Attributes:
      data: the data set's name.
      run: the name of the run.
      strength: the field that its grid sweeps, "method.beta"; "" for none or several.
      config: the training config; its swept fields are those of some model.
    """

    data: str
    run: str
    strength: str
    config: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Unit:
    """Models that are trained together.

    Attributes:
      group: the key of their Group.
      models: in the order of the program.
    """

    group: str
    models: tuple[Model, ...]


@dataclasses.dataclass(frozen=True)
class Ledger(JsonRecord):
    """plan.json.

    Attributes:
      groups: key -> Group.
      units: id -> Unit, in the order in which they were planned.
      columns: name -> type of the columns of the table that are of some runs only.
    """

    FILE: ClassVar[str] = "plan.json"
    groups: dict[str, Group] = dataclasses.field(default_factory=dict)
    units: dict[str, Unit] = dataclasses.field(default_factory=dict)
    columns: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        lost = {unit.group for unit in self.units.values()} - self.groups.keys()
        if lost:
            raise UserError(f"it has units of a group that it does not have: {lost}")

    @property
    def models(self) -> dict[str, str]:
        """id of every model -> that of its unit."""
        return {m.id: id for id, unit in self.units.items() for m in unit.models}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A group, and those of its models that a config asks for."""

    key: str
    group: Group
    models: tuple[Model, ...]


def wanted(config: Config) -> list[Wanted]:
    """What a (checked) config asks for."""
    return [_wanted(laid, config["strengths"]) for laid in training_configs(config)]


def _wanted(laid: Laid, strengths: int) -> Wanted:
    config = laid.config
    key = key_of(config)
    models = tuple(_model(key, m.values, m.seed) for m in chosen(laid, strengths))
    strength = laid.grid[0] if len(laid.grid) == 1 else ""
    return Wanted(key, Group(laid.data, laid.run, strength, config), models)


def _model(key: str, values: Mapping[str, Any], seed: int) -> Model:
    """A model of the group with this key."""
    member = member_id(values, seed)
    return Model(digest([key, member])[:DIGITS], member, dict(values), seed)


def key_of(config: Mapping[str, Any]) -> str:
    """A hash of what all models of a group have in common."""
    common = {name: value for name, value in config.items() if name not in OWN}
    for section, names in _swept(config).items():
        inner = config[section]
        common[section] = {k: v for k, v in inner.items() if k not in names}
    common["data"] = data_source(config["data"])
    return digest(common)[:DIGITS]


def today(group: Group) -> dict[str, Any]:
    """The config of a group, with the fields that came after it at their defaults."""
    held = group.config
    names = (held["data"]["name"], held["method"]["name"], held["optimizer"]["name"])
    return filled(held, plain(default_config(*names)))


def _values(group: Group, model: Model) -> dict[str, Any]:
    """The values of a model, of all fields that can be swept today."""
    config, found = today(group), dict[str, Any]()
    for section, names in _swept(config).items():
        found |= {name: model.values.get(name, config[section][name]) for name in names}
    return found


def adopted(want: Wanted, ledger: Ledger) -> Wanted:
    """What is wanted, under the names that the ledger has for it.

    They differ where an older version, whose configs had fewer fields, planned it.
    """
    if want.key in ledger.groups:
        return want
    for key, group in ledger.groups.items():
        if key_of(today(group)) != want.key:
            continue
        held = {
            member_id(_values(group, model), model.seed): model
            for unit in ledger.units.values()
            for model in unit.models
            if unit.group == key
        }
        models = (
            held.get(m.member) or _model(key, m.values, m.seed) for m in want.models
        )
        return Wanted(key, group, tuple(models))
    return want


def _swept(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Section -> its fields that can be swept."""
    return {
        "method": swept_names(METHODS[config["method"]["name"]].settings),
        "optimizer": swept_names(OPTIMIZERS[config["optimizer"]["name"]]),
    }


def extended(
    ledger: Ledger,
    wants: Iterable[Wanted],
    width: Callable[[Wanted, int], int],
    columns: Mapping[str, str],
) -> Ledger:
    """The ledger with units for the models that it lacks.

    Args:
      ledger: what is planned.
      wants: what is to be.
      width: (what is wanted of a group, models that it lacks) -> how many a unit has.
      columns: of the table, those that are new.
    """
    there = ledger.models
    groups, units = dict(ledger.groups), dict(ledger.units)
    for want in wants:
        new = [model for model in want.models if model.id not in there]
        if not new:
            continue
        groups.setdefault(want.key, want.group)
        each = width(want, len(new))
        for start in range(0, len(new), each):
            models = tuple(new[start : start + each])
            units[digest([m.id for m in models])[:DIGITS]] = Unit(want.key, models)
            there |= {model.id: "" for model in models}
    return Ledger(groups, units, dict(ledger.columns) | dict(columns))


def experiment_of(group: Group, models: Sequence[Model]) -> Experiment:
    """The experiment of these models, in their order.

    It has the product of their values as its config; the members are these alone.
    """
    config = today(group)
    own = [_values(group, model) for model in models]
    for section, names in _swept(config).items():
        values = {name: _distinct(each[name] for each in own) for name in names}
        config[section] = config[section] | values
    seeds = [model.seed for model in models]
    config |= {"seed": min(seeds), "seeds": max(seeds) - min(seeds) + 1}
    whole = read_experiment(config)
    at = {member.id: row for row, member in enumerate(whole.population)}
    ids = map(member_id, own, seeds)
    return part(whole, [at[id] for id in ids])


def _distinct(values: Iterable[Any]) -> Any:
    """The values, each once, as a sweep; one alone as it is."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found if len(found) > 1 else found[0]
