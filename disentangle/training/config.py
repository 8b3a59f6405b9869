"""A training config: its defaults, its check, and the experiment it stands for.

A config is nested plain data (JSON round trip). `read_experiment` is the one place that
reads it: everything wrong is found there, before any compute.
"""

import copy
import dataclasses
import json
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from disentangle.data import DATASETS
from disentangle.errors import UserError, unknown
from disentangle.fields import defaults, fields_of, in_steps, read
from disentangle.fields.check import short, value_of
from disentangle.methods import METHODS
from disentangle.methods.base import Recipe
from disentangle.training.members import Member, members
from disentangle.training.optimizers import OPTIMIZERS, optimizer_of
from disentangle.training.schedule import Optimizer
from disentangle.training.sections import Data, Run
from disentangle.training.state import TrainHyperparameters

NETWORKS = ("encoder", "decoder")
SECTIONS = ("method", "optimizer")  # whose fields go by a name
COMMON = ("stages", "init_from")  # fields of the job, in no row of a stage


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What a config means: one program (static) and P members (swept)."""

    config: dict[str, Any]
    recipe: Recipe
    settings: Any
    optimizer: Optimizer
    population: tuple[Member, ...]
    hyperparameters: TrainHyperparameters  # leaves (P, ...) float32
    seeds: np.ndarray  # (P,) uint32

    @property
    def members(self) -> tuple[str, ...]:
        """The names of the members."""
        return tuple(member.name for member in self.population)

    @property
    def swept(self) -> tuple[dict[str, Any], ...]:
        """What each member differs in, its seed too."""
        return tuple(one.swept | {"seed": one.seed} for one in self.population)


def method_defaults(name: str) -> dict[str, Any]:
    """The fields of a method, static and swept, with their defaults."""
    if not isinstance(name, str) or name not in METHODS:
        raise unknown("method", name, METHODS)
    return defaults(METHODS[name].settings)


def optimizer_defaults(name: str) -> dict[str, Any]:
    """The fields of an optimiser with their defaults."""
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise unknown("optimizer", name, OPTIMIZERS)
    return defaults(OPTIMIZERS[name])


def default_config(data: str, method: str, optimizer: str = "adam") -> ConfigDict:
    """The Locatello et al. 2019 protocol but for `steps` (theirs: 300,000)."""
    section = {"name": method} | method_defaults(method)
    if network := DATASETS[data].network if data in DATASETS else "":
        parts = [part for part in NETWORKS if section.get(part) == "locatello"]
        section |= dict.fromkeys(parts, network)
    return ConfigDict(
        {
            "data": defaults(Data) | {"name": data},
            "method": section,
            "optimizer": {"name": optimizer} | optimizer_defaults(optimizer),
            **defaults(Run),
        }
    )


def paper_config(data: str, method: str) -> ConfigDict:
    """`default_config` with what the method's paper has otherwise (Recipe.protocol).

    Raises:
      UserError: where the paper's settings are not known.
    """
    config = default_config(data, method)
    protocol = METHODS[method].protocol
    if protocol is None:
        raise UserError(f"the settings of {method!r} in its paper are not known here")
    config.update_from_flattened_dict(dict(protocol))
    return config


def plain(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as JSON would give it back: tuples and arrays become lists.

    Raises:
      UserError: it is no table of fields, or holds what JSON cannot, as NaN.
    """
    tree = config.to_dict() if isinstance(config, ConfigDict) else config
    if not isinstance(tree, Mapping):
        raise UserError(f"the config is {short(tree)}, not a table of fields")
    try:
        found = json.loads(json.dumps(dict(tree), default=_numpy))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"the config is not plain data: {error}") from None
    for name, value in _numbers(found):
        if not math.isfinite(value):
            raise UserError(f"{name}={value} must be a finite number")
    return found


def _numbers(tree: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """(dotted name, value) of the floats of a tree of JSON."""
    if isinstance(tree, float):
        yield name, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _numbers(value, f"{name}.{key}" if name else key)
    elif isinstance(tree, list):
        for value in tree:
            yield from _numbers(value, name)


def _numpy(value: Any) -> Any:
    """Numbers and arrays of NumPy and JAX as Python's own."""
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        return np.asarray(value).tolist()
    raise TypeError(f"{short(value)} is a {type(value).__name__}")


def read_experiment(config: Mapping[str, Any] | ConfigDict) -> Experiment:
    """Checks a config and lays out its members; of a job of several stages the last's.

    Sweeps: a list in a swept field of the method, or in
    `optimizer.learning_rate`, is swept; members are the product of the sweeps
    times `seeds` seeds from `seed` on. A schedule given as a share of the steps is
    steps in `hyperparameters`, and stays as written in `config` and in the names.

    Raises:
      UserError: on an unknown key, a number out of range, a list in a static
        field, in any of the stages.
    """
    *earlier, last = stage_configs(config)
    if not earlier:
        return _read_one(last)
    for number, one in enumerate([*earlier, last], start=1):
        try:
            found = _read_one(one)
        except UserError as error:
            raise UserError(f"stage {number}: {error}") from None
    return found


def _read_one(config: dict[str, Any]) -> Experiment:
    """The experiment of one stage; errors as `read_experiment`."""
    method, optimizer = _section(config, "method"), _section(config, "optimizer")
    name = optimizer.get("name", "adam")
    reference = default_config("", method.get("name", ""), name)
    _check_keys(config, plain(reference))
    read(Run, config)
    read(Data, config["data"], "data.")
    recipe = METHODS[method["name"]]
    settings, sweeps = read(recipe.settings, method, "method.")
    update, rates = read(OPTIMIZERS[name], optimizer, "optimizer.")
    population = members(sweeps | rates, config["seed"], config["seeds"])
    field_of = fields_of(recipe.settings) | fields_of(OPTIMIZERS[name])

    def stack(name: str) -> Any:
        steps = config["steps"]
        field = field_of[name]
        values = [in_steps(field, one.values[name], steps) for one in population]
        return np.asarray(values, np.float32)

    hyper = dataclasses.replace(settings, **{name: stack(name) for name in sweeps})
    return Experiment(
        config=config,
        recipe=recipe,
        settings=settings,
        optimizer=optimizer_of(update, config["steps"]),
        population=population,
        hyperparameters=TrainHyperparameters(hyper, stack("learning_rate")),
        seeds=np.asarray([one.seed for one in population], np.uint32),
    )


def stage_configs(config: Mapping[str, Any] | ConfigDict) -> list[dict[str, Any]]:
    """The config of every stage of a job, in order; one where `stages` is ().

    A row of `stages` says what a stage has otherwise than the config: field -> value,
    such as {"steps": 500, "method.beta": 1.0}, or a whole section by its name. With
    another method the fields that both methods have and that the config has chosen go
    over, the rest is at its defaults; so it is for an optimiser.

    A stage's own config has the fields of its row, and as its `stages` the rows up to
    its own: each with all fields in which any stage differs, and {} for its own. So it
    says the same whatever it is changed to, and is what its workdir holds.

    Raises:
      UserError: `stages` is no list of tables, or a row names a field that its stage
        does not have, or one that all stages have in common.
    """
    config = plain(config)
    field = fields_of(Run)["stages"]
    rows = value_of("stages", field, config.get("stages", []))
    if not rows:
        return [config]
    found = [_with_row(config, row, number) for number, row in enumerate(rows, start=1)]
    named = [name for row in rows for name in row]
    whole = [s for s in SECTIONS if {s, f"{s}.name"} & {*named}]
    apart = [n for n in named if n.partition(".")[0] not in whole]
    columns = dict.fromkeys([*apart, "steps", *whole])
    full = [{name: _inner(one, name) for name in columns} for one in found]
    own = [[*full[:i], {}] if i else [] for i in range(len(found))]
    return [one | {"stages": rows} for one, rows in zip(found, own, strict=True)]


def _with_row(config: dict[str, Any], row: dict, number: int) -> dict[str, Any]:
    """The config of the stage of this number."""
    new = copy.deepcopy(config)
    for section in SECTIONS:
        name, old = row.get(f"{section}.name"), _section(new, section)
        if name is not None and name != old.get("name"):
            new[section] = _renamed(config, section, name)
    known = [*SECTIONS, *_dotted(new)]
    for name, value in row.items():
        if name in COMMON:
            raise UserError(f"stage {number}: {name} is for all stages, not in a row")
        if name not in known:
            raise unknown(f"field of stage {number}", name, known)
        *sections, last = name.split(".")
        _inner(new, ".".join(sections))[last] = value
    return new


def _renamed(config: dict[str, Any], section: str, name: Any) -> dict[str, Any]:
    """The section of another method, or optimiser, with what the config has chosen."""
    old, data = _section(config, section), _section(config, "data").get("name", "")
    names = {part: _section(config, part).get("name", "") for part in SECTIONS}
    both = [names, names | {section: name}]
    before, new = (
        plain(default_config(data, found["method"], found["optimizer"]))[section]
        for found in both
    )
    chosen = {k: v for k, v in old.items() if k in new and v != before.get(k)}
    return new | chosen | {"name": name}


def _dotted(tree: Mapping[str, Any], under: str = "") -> list[str]:
    """The names of all fields, such as "method.beta"."""
    found = []
    for name, value in tree.items():
        inner = isinstance(value, dict)
        found += _dotted(value, f"{under}{name}.") if inner else [under + name]
    return found


def _inner(tree: dict[str, Any], name: str) -> Any:
    """What stands under a dotted name; the whole under ""."""
    for part in filter(None, name.split(".")):
        tree = tree[part]
    return tree


def check_sections(config: Mapping, reference: Mapping, names: Collection[str]) -> None:
    """Raises UserError unless these sections have exactly the reference's fields."""
    for name in names:
        if not isinstance(config[name], Mapping):
            raise UserError(f"config field {name!r} must be a section")
        _check_keys(config[name], reference[name], f"{name}.")


def check_fields(config: Mapping, names: Collection[str]) -> None:
    """Raises UserError unless a job's config has exactly these top-level fields."""
    for name in names:
        if name not in config:
            raise UserError(f"the config has no field {name!r}")
    for name in config:
        if name not in names:
            raise unknown("config field", name, names)


def _section(config: dict, name: str) -> dict:
    section = config.get(name, {})
    if not isinstance(section, dict):
        raise UserError(
            f"config field {name!r} must be a section, not {short(section)}"
        )
    return section


def _check_keys(config: Mapping, reference: Mapping, prefix: str = "") -> None:
    for key in config:
        if key not in reference:
            raise unknown("config field", prefix + key, (prefix + k for k in reference))
    for key, value in reference.items():
        if key not in config:
            raise UserError(f"the config has no field {prefix + key!r}")
        if isinstance(value, Mapping):
            if not isinstance(config[key], Mapping):
                raise UserError(f"config field {prefix + key!r} must be a section")
            _check_keys(config[key], value, f"{prefix}{key}.")
