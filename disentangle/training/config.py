"""A training config: its defaults, its check, and the plan it stands for.

A config is nested plain data (JSON round trip). `plan` is the one place that
reads it: everything wrong is found there, before any compute.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.methods import METHODS
from disentangle.methods.base import Recipe, check_number, in_steps
from disentangle.training import optimizers
from disentangle.training.state import Optimizer, Traced

COUNTS = ("steps", "batch_size", "seeds", "log_every", "checkpoint_every")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a config means: one program (static) and P members (traced)."""

    config: dict[str, Any]
    recipe: Recipe
    settings: Any
    optimizer: Optimizer
    members: tuple[str, ...]  # "beta=4,seed=1", ... unique
    swept: tuple[dict[str, Any], ...]  # per member, what it differs in
    traced: Traced  # leaves (P, ...) float32
    seeds: np.ndarray  # (P,) uint32


def method_defaults(name: str) -> dict[str, Any]:
    """The fields of a method, static and traced, with their defaults."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    recipe = METHODS[name]
    static = {f.name: f.default for f in dataclasses.fields(recipe.settings)}
    return static | dict(recipe.hyper._field_defaults)


def default_config(data: str, method: str, optimizer: str = "adam") -> ConfigDict:
    """The Locatello et al. 2019 protocol but for `steps` (theirs: 300,000)."""
    if optimizer not in optimizers.OPTIMIZERS:
        raise unknown("optimizer", optimizer, optimizers.OPTIMIZERS)
    return ConfigDict(
        {
            "data": {
                "name": data,
                "path": "",  # a published file; "" renders
                "source": "",  # "tfds" reads a prepared copy
                "train_size": 0,  # labelled images; 0 is the whole grid
                "test_size": 2000,
                "split_seed": 0,
            },
            "method": {"name": method} | method_defaults(method),
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
    """The config as JSON would give it back (tuples become lists)."""
    tree = config.to_dict() if isinstance(config, ConfigDict) else dict(config)
    try:
        return json.loads(json.dumps(tree, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(f"the config is not plain finite data: {error}") from None


def plan(config: Mapping[str, Any] | ConfigDict) -> Plan:
    """Checks a config and lays out its members.

    Sweeps: a list in a traced field of the method, or in
    `optimizer.learning_rate`, is swept; members are the product of the sweeps
    times `seeds` seeds from `seed` on. A schedule given as a share of the steps is
    steps in `traced`, and stays as written in `config` and in the members' names.

    Raises:
      UserError: on an unknown key, a number out of range, a list in a static
        field.
    """
    config = plain(config)
    method = dict(config.get("method", {}))
    reference = default_config("", method.get("name", ""), _optimizer_name(config))
    _check_keys(config, plain(reference))
    _check_numbers(config)
    recipe = METHODS[method.pop("name")]
    settings, traced = _static(recipe, method), _traced(recipe, method)
    rate = config["optimizer"]["learning_rate"]
    traced["learning_rate"] = [
        _number("optimizer.learning_rate", r)
        for r in (rate if isinstance(rate, list) else [rate])
    ]
    names = list(traced)
    rows = [
        (dict(zip(names, values, strict=True)), config["seed"] + seed)
        for values in itertools.product(*traced.values())
        for seed in range(config["seeds"])
    ]
    differing = [name for name in names if len(traced[name]) > 1]
    swept = tuple(
        {name: row[name] for name in differing} | {"seed": seed} for row, seed in rows
    )

    def stack(name: str) -> Any:
        values = [in_steps(recipe, name, row[name], config["steps"]) for row, _ in rows]
        return np.asarray(values, np.float32)

    hyper = recipe.hyper(**{name: stack(name) for name in recipe.hyper._fields})
    return Plan(
        config=config,
        recipe=recipe,
        settings=settings,
        optimizer=optimizers.build(config["optimizer"]),
        members=tuple(
            ",".join(f"{k}={_short(v)}" for k, v in row.items()) for row in swept
        ),
        swept=swept,
        traced=Traced(hyper, stack("learning_rate")),
        seeds=np.asarray([seed for _, seed in rows], np.uint32),
    )


def check_fields(config: Mapping, names: Collection[str]) -> None:
    """Raises UserError unless a job's config has exactly these top-level fields."""
    for name in names:
        if name not in config:
            raise UserError(f"the config has no field {name!r}")
    for name in config:
        if name not in names:
            raise unknown("config field", name, names)


def _optimizer_name(config: dict) -> str:
    return dict(config.get("optimizer", {})).get("name", "adam")


def _short(value: Any) -> str:
    return (
        "+".join(f"{v:g}" for v in value) if isinstance(value, list) else f"{value:g}"
    )


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


def _check_numbers(config: Mapping) -> None:
    for name in COUNTS:
        value = config[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{name}={value!r} must be a whole number, at least 1")
    for name in ("seed", "eval_every"):
        value = config[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise UserError(f"{name}={value!r} must be a whole number, at least 0")
    if config["seed"] + config["seeds"] > 2**32:
        raise UserError(f"seed={config['seed']} is beyond 32 bits")


def _static(recipe: Recipe, method: dict) -> Any:
    fields = {f.name: f.default for f in dataclasses.fields(recipe.settings)}
    chosen: dict[str, Any] = {}
    for name, default in fields.items():
        value = method[name]
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if type(value) is not type(default):
            raise UserError(
                f"method.{name}={value!r} is no {type(default).__name__}"
                + ("; it is static and cannot be swept" * isinstance(value, list))
            )
        chosen[name] = value
    return recipe.settings(**chosen)


def _traced(recipe: Recipe, method: dict) -> dict[str, list]:
    """Field -> the values it is swept over."""
    values: dict[str, list] = {}
    for name, default in recipe.hyper._field_defaults.items():
        value = method[name]
        if isinstance(default, tuple):  # a vector; a list of vectors is a sweep
            nested = bool(value) and isinstance(value[0], list)
            rows = value if nested else [value]
            values[name] = [[_number(f"method.{name}", v) for v in r] for r in rows]
        else:
            rows = value if isinstance(value, list) else [value]
            values[name] = [_number(f"method.{name}", v) for v in rows]
        if not values[name]:
            raise UserError(f"method.{name} is an empty list")
        for number in np.ravel(np.asarray(values[name], object)):
            check_number(recipe, name, number)
    return values


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}={value!r} must be a number")
    if not math.isfinite(value):
        raise UserError(f"{name}={value!r} must be finite")
    return float(value)
