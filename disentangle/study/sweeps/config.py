"""The config of a large study: its fields, its check, and the groups it stands for."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from disentangle.data import DATASETS
from disentangle.errors import UserError, unknown
from disentangle.fields import defaults, fields_of, read, spec_of
from disentangle.fields.define import Field, item_type
from disentangle.methods import METHODS
from disentangle.study.sections import Score, Sweep, check_score
from disentangle.training.config import (
    check_fields,
    check_sections,
    default_config,
    plain,
    read_experiment,
)
from disentangle.training.members import Member
from disentangle.training.optimizers import OPTIMIZERS
from disentangle.training.sections import Data

JOIN = "+"  # between the names of data sets
BUDGET = ("steps", "batch_size", "seed", "seeds", "log_every", "checkpoint_every")
SECTIONS = ("method", "optimizer")  # of a run
Config = dict[str, Any]


def default_sweep(
    data: str,
    runs: Mapping[str, Mapping[str, Any]],
    *,
    optimizer: str = "adam",
    half_steps: Sequence[str] = (),
) -> ConfigDict:
    """The config of a study.

    Args:
      data: name in DATASETS, or several joined by "+".
      runs: name of a run -> fields of its method, among them "method", the name in
        METHODS, where it is not the run's own; a tuple in a swept field is its grid.
      optimizer: of all runs.
      half_steps: the runs that take half the steps.

    Returns:
      ConfigDict: `data`, `score`, the fields of `Sweep`, those of the budget that all
      runs have in common, and `runs.<name>` with a section `method` and one
      `optimizer`.
    """
    held = ConfigDict()
    for name, fields in runs.items():
        config = default_config(
            data.partition(JOIN)[0], fields.get("method", name), optimizer
        )
        with config.ignore_type():  # a grid is a tuple where a number stood
            for field in fields:
                if field != "method":
                    config.method[field] = fields[field]
        held[name] = ConfigDict({part: config[part] for part in SECTIONS})
    reference = default_config("", "vae")
    return ConfigDict(
        {
            "data": defaults(Data) | {"name": data},
            **defaults(Sweep),
            "methods": tuple(runs),
            "half_steps": tuple(half_steps),
            **{name: reference[name] for name in BUDGET},
            "score": defaults(Score),
            "runs": held,
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> Config:
    """The config as plain data, with every error found before any compute."""
    config = plain(config)
    reference = plain(default_sweep("", {"vae": {}}))
    check_fields(config, reference)
    check_sections(config, reference, ("data", "score"))
    read(Data, config["data"], "data.")
    names = data_names(config)
    if len(names) > 1 and (config["data"]["path"] or config["data"]["source"]):
        raise UserError(
            f"data.path and data.source are of one data set, not of {JOIN.join(names)}"
        )
    runs = config["runs"]
    if not isinstance(runs, Mapping) or not runs:
        raise UserError("the study has no runs")
    for name, run in runs.items():
        if not isinstance(run, Mapping) or set(run) != set(SECTIONS):
            raise UserError(
                f"config field {'runs.' + name!r} must have the sections "
                f"{' and '.join(SECTIONS)}"
            )
    read(Sweep, config)
    for field in ("methods", "half_steps"):
        for name in config[field]:
            if name not in runs:
                raise unknown("method of the study", name, runs)
    check_score(config["score"], alone="")
    for one in training_configs(config):
        read_experiment(one.config)
    return config


def data_names(config: Config) -> list[str]:
    """The data sets of a study; UserError on one that is not there, or is twice."""
    names = str(config["data"]["name"]).split(JOIN)
    for name in names:
        if names == [""]:
            continue  # the fields alone
        if name not in DATASETS:
            raise unknown("data set", name, DATASETS)
        if names.count(name) > 1:
            raise UserError(f"data.name={config['data']['name']!r} has {name!r} twice")
    return names


class Laid:
    """One static choice of a study: a training config with its sweeps.

    Attributes:
      data: the name of its data set.
      run: the name of its run.
      config: the training config, a list in every swept field that has a grid.
      grid: the swept fields that have a grid, "method.beta" or "optimizer....".
    """

    def __init__(self, data: str, run: str, config: Config, grid: Sequence[str]):
        self.data, self.run, self.config, self.grid = data, run, config, tuple(grid)


def training_configs(config: Config) -> Iterator[Laid]:
    """Every static choice of a (checked) study, those of a data set together."""
    for data in data_names(config):
        for run in config["methods"]:
            for sections, grid in _variants(config["runs"][run], f"runs.{run}."):
                yield Laid(data, run, _training(config, data, run, sections), grid)


def _training(config: Config, data: str, run: str, sections: Config) -> Config:
    """The training config of one choice."""
    reference = plain(default_config("", "vae"))
    budget = {name: config[name] for name in BUDGET}
    if run in config["half_steps"] and isinstance(budget["steps"], int):
        budget["steps"] = max(1, budget["steps"] // 2)
    return (
        reference
        | {"data": config["data"] | {"name": data}}
        | sections
        | budget
        | {"eval_every": budget["steps"]}
    )


def _variants(run: Config, prefix: str) -> Iterator[tuple[Config, list[str]]]:
    """(sections, swept fields with a grid) of every static choice of a run."""
    choices: dict[tuple[str, str], list[Any]] = {}
    grid = []
    for part, table in (("method", METHODS), ("optimizer", OPTIMIZERS)):
        section = run[part]
        if not isinstance(section, Mapping):
            raise UserError(f"config field {prefix + part!r} must be a section")
        name = section.get("name")
        if not isinstance(name, str) or name not in table:
            raise unknown(f"{prefix}{part}.name", name, table)
        kind = METHODS[name].settings if part == "method" else OPTIMIZERS[name]
        for field, known in fields_of(kind).items():
            if not is_listed(known, section.get(field)):
                continue
            if spec_of(known).is_swept:
                grid.append(f"{part}.{field}")
            else:
                choices[part, field] = section[field]
    for values in itertools.product(*choices.values()):
        sections = {part: dict(run[part]) for part in SECTIONS}
        for (part, field), value in zip(choices, values, strict=True):
            sections[part][field] = value
        yield sections, grid


def is_listed(field: Field, value: Any) -> bool:
    """Whether the value of a field is a list of values."""
    if not isinstance(value, list) or not value:
        return False
    return item_type(field) is None or all(isinstance(row, list) for row in value)


def chosen(laid: Laid, strengths: int) -> list[Member]:
    """The models of a choice: `strengths` of its settings, times the seeds.

    Settings are the product of its grids, in their order.
    """
    population = read_experiment(laid.config).population
    settings: dict[str, list[Member]] = {}
    for member in population:
        settings.setdefault(repr(sorted(member.values.items())), []).append(member)
    rows = list(settings.values())
    return [m for at in sorted(spread(len(rows))[:strengths]) for m in rows[at]]


def spread(count: int) -> list[int]:
    """0 .. count - 1 in an order whose every beginning is spread over them.

    The ends first, then the middle of the widest gap: of six 0, 5, 2, 3, 1, 4. So a
    study that is given more strengths later keeps those that it has.
    """
    order = [0, count - 1][: min(count, 2)]
    while len(order) < count:
        held = sorted(order)
        gaps = [(b - a, -a) for a, b in itertools.pairwise(held)]
        width, start = max(gaps)
        order.append(-start + width // 2)
    return order
