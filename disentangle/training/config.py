"""A training config: its defaults, its check, and the experiment it stands for.

A config is nested plain data (JSON round trip). `read_experiment` is the one place that
reads it: everything wrong is found there, before any compute.
"""

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any, get_args

import jax
import numpy as np
from ml_collections import ConfigDict

from disentangle.data import DATASETS
from disentangle.errors import UserError, unknown
from disentangle.methods import METHODS
from disentangle.methods.base import Recipe, check_number, in_steps
from disentangle.training import optimizers, ranges
from disentangle.training.members import Member, members
from disentangle.training.ranges import LARGEST, number, short, whole_number
from disentangle.training.state import Optimizer, TrainHyperparameters

NETWORKS = ("encoder", "decoder")
ITEMS = 100  # of a list that is not swept, such as the widths of a network


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
    recipe = METHODS[name]
    static = {f.name: f.default for f in dataclasses.fields(recipe.settings)}
    return static | dict(recipe.hyperparameters._field_defaults)


def default_config(data: str, method: str, optimizer: str = "adam") -> ConfigDict:
    """The Locatello et al. 2019 protocol but for `steps` (theirs: 300,000)."""
    if not isinstance(optimizer, str) or optimizer not in optimizers.OPTIMIZERS:
        raise unknown("optimizer", optimizer, optimizers.OPTIMIZERS)
    section = {"name": method} | method_defaults(method)
    if network := DATASETS[data].network if data in DATASETS else "":
        parts = [part for part in NETWORKS if section.get(part) == "locatello"]
        section |= dict.fromkeys(parts, network)
    return ConfigDict(
        {
            "data": {
                "name": data,
                "path": "",  # a published file, or one's own data; "" renders
                "source": "",  # "stream" reads on the way, "tfds" a prepared copy
                "train_size": 0,  # labelled images; 0 is the whole grid
                "test_size": 2000,
                "split_seed": 0,
            },
            "method": section,
            "optimizer": {"name": optimizer} | optimizers.DEFAULTS[optimizer],
            "steps": 20_000,
            "batch_size": 64,
            "seed": 0,
            "seeds": 1,
            "log_every": 100,
            "eval_every": 1000,  # 0: never
            "checkpoint_every": 1000,
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
        text = json.dumps(dict(tree), allow_nan=False, default=_numpy)
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"the config is not plain finite data: {error}") from None


def _numpy(value: Any) -> Any:
    """Numbers and arrays of NumPy and JAX as Python's own."""
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        return np.asarray(value).tolist()
    raise TypeError(f"{short(value)} is a {type(value).__name__}")


def read_experiment(config: Mapping[str, Any] | ConfigDict) -> Experiment:
    """Checks a config and lays out its members.

    Sweeps: a list in a swept field of the method, or in
    `optimizer.learning_rate`, is swept; members are the product of the sweeps
    times `seeds` seeds from `seed` on. A schedule given as a share of the steps is
    steps in `hyperparameters`, and stays as written in `config` and in the names.

    Raises:
      UserError: on an unknown key, a number out of range, a list in a static
        field.
    """
    config = plain(config)
    method = dict(_section(config, "method"))
    optimizer = _section(config, "optimizer").get("name", "adam")
    reference = default_config("", method.get("name", ""), optimizer)
    _check_keys(config, plain(reference))
    ranges.check_counts(config)
    ranges.check_data(config["data"])
    ranges.check_optimizer(config["optimizer"])
    recipe = METHODS[method.pop("name")]
    settings, sweeps = _static(recipe, method), _sweeps(recipe, method)
    rate = config["optimizer"]["learning_rate"]
    rates = rate if isinstance(rate, list) else [rate]
    if not rates:
        raise UserError("optimizer.learning_rate is an empty list")
    sweeps["learning_rate"] = [float(r) for r in rates]
    population = members(sweeps, config["seed"], config["seeds"])

    def stack(name: str) -> Any:
        steps = config["steps"]
        values = [in_steps(recipe, name, one.values[name], steps) for one in population]
        return np.asarray(values, np.float32)

    hyper = recipe.hyperparameters(
        **{name: stack(name) for name in recipe.hyperparameters._fields}
    )
    return Experiment(
        config=config,
        recipe=recipe,
        settings=settings,
        optimizer=optimizers.build(config["optimizer"]),
        population=population,
        hyperparameters=TrainHyperparameters(hyper, stack("learning_rate")),
        seeds=np.asarray([one.seed for one in population], np.uint32),
    )


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


def _static(recipe: Recipe, method: dict) -> Any:
    """The settings of a method; every field must have the type of its default."""
    chosen: dict[str, Any] = {}
    for field in dataclasses.fields(recipe.settings):
        name, default, value = f"method.{field.name}", field.default, method[field.name]
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if isinstance(default, float) and type(value) is int:
            value = number(name, value)
        if type(value) is not type(default):
            raise UserError(
                f"{name}={short(value)} is no {type(default).__name__}"
                + ("; it is static and cannot be swept" * isinstance(value, list))
            )
        if isinstance(value, tuple) and len(value) > ITEMS:
            raise UserError(f"{name} has {len(value):,} items, more than {ITEMS:,}")
        _check_items(name, value, get_args(field.type))
        chosen[field.name] = value
    return recipe.settings(**chosen)


def _check_items(name: str, value: Any, types: tuple[Any, ...]) -> None:
    """A static value: numbers within 32 bits, items of one type."""
    if isinstance(value, tuple):
        for item in value:
            if types and type(item) is not types[0]:
                kind = {str: "strings", int: "whole numbers"}.get(types[0], "numbers")
                raise UserError(f"{name}={short(list(value))} must be a list of {kind}")
            _check_items(name, item, ())
    elif isinstance(value, float):
        number(name, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        whole_number(name, value, -LARGEST)


def _sweeps(recipe: Recipe, method: dict) -> dict[str, list]:
    """Field -> the values it is swept over."""
    values: dict[str, list] = {}
    for name, default in recipe.hyperparameters._field_defaults.items():
        field, value = f"method.{name}", method[name]
        if isinstance(default, tuple):  # a vector; a list of vectors is a sweep
            if not isinstance(value, list):
                raise UserError(f"{field}={short(value)} must be a list of numbers")
            nested = bool(value) and all(isinstance(row, list) for row in value)
            rows = value if nested else [value]
            if len({len(row) for row in rows}) > 1:
                raise UserError(f"{field}={short(value)} has rows of other lengths")
            values[name] = [[number(field, v) for v in row] for row in rows]
        else:
            rows = value if isinstance(value, list) else [value]
            values[name] = [number(field, v) for v in rows]
        if not values[name]:
            raise UserError(f"{field} is an empty list")
        for item in np.ravel(np.asarray(values[name], object)):
            check_number(recipe, name, item)
    return values
