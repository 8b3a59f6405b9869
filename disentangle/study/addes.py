"""An ADDE for each group of tasks of the main job, through both of its stages.

With `edits=True` the job trains, beside its networks, one ADDE (methods/adde.py, the
config's section `adde`) for each chosen group, each task alone and all tasks together,
so that what groups do to edits of codes is measured where codes can be edited:

  adde/<tasks joined by +>/         a job of stages, a member per seed of the networks

An attribute is a task's factor, in the bins that queries of the data set ask about.
What the job says itself (`SET`, of the method `TOLD`) is not in the section.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from disentangle.data.dataset import Dataset
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.methods.attributes import usual
from disentangle.study.stages import crc
from disentangle.training.config import (
    check_fields,
    default_config,
    plain,
    read_experiment,
    stage_configs,
)
from disentangle.training.run import Run, fit, prepare
from disentangle.training.stages import How

FOLDER = "adde"
SET = ("data", "seed", "seeds", "stages", "init_from")
TOLD = ("attributes", "learns")
STAGES = ({"method.learns": "attributes"}, {"method.learns": "edits"})
Addes = Mapping[tuple[str, ...], Run]  # tasks, in the job's order -> their ADDE


def asked_groups(
    tasks: Sequence[str], groups: Sequence[Sequence[str]]
) -> list[tuple[str, ...]]:
    """Each task alone, the groups, and all tasks together; each once."""
    found = [*([task] for task in tasks), *groups, tasks]
    return list(dict.fromkeys(in_order(tasks, group) for group in found))


def in_order(tasks: Sequence[str], group: Sequence[str]) -> tuple[str, ...]:
    """A group's tasks as the job has them one after the other."""
    return tuple(task for task in tasks if task in group)


def factor_of(task: str) -> str:
    """The factor that a task is about."""
    return task.partition(":")[0]


def default_section(data: str) -> ConfigDict:
    """The section `adde`; each of the two stages takes its `steps`."""
    section = default_config(data, "adde")
    with section.unlocked():
        for name in SET:
            del section[name]
        for name in TOLD:
            del section.method[name]
    return section


def config_of(config: Mapping[str, Any], attributes: Sequence[str]) -> dict[str, Any]:
    """The training config of an ADDE; data and seeds are those of the networks."""
    section, networks = config["adde"], config["supervised"]
    told = {"attributes": tuple(attributes), "learns": "edits"}
    own = {"data": config["data"], "stages": STAGES, "init_from": ""}
    own |= {name: networks[name] for name in ("seed", "seeds")}
    return dict(section) | own | {"method": section["method"] | told}


def attributes_of(group: Sequence[str], space: FactorSpace) -> tuple[str, ...]:
    """What the ADDE of a group of tasks learns."""
    bins = {factor_of(name): name for name in usual(space)}
    factors = dict.fromkeys(factor_of(task) for task in group)
    return tuple(bins.get(factor, factor) for factor in factors)


def check_section(config: Mapping[str, Any]) -> None:
    """Raises UserError for a section `adde` that no data set can be trained by."""
    section, known = config["adde"], plain(default_section(""))
    for held, of in ((section, known), (section["method"], known["method"])):
        check_fields(held, of)
    if section["method"]["memory"] == "dense":
        raise UserError(
            "adde.method.memory='dense' edits all attributes at once, and a group's "
            "codes are put together of several networks: choose 'block'"
        )
    models = read_experiment(config_of(config, ())).population
    if len({member.seed for member in models}) != len(models):
        raise UserError(
            "section 'adde' takes one value of each field: nothing is swept"
        )


def check(config: Mapping[str, Any], tasks: Sequence[str], data: Dataset) -> None:
    """Raises UserError where the ADDEs of a job cannot be trained, before any is."""
    told = attributes_of(tasks, data.space)
    for stage in stage_configs(config_of(config, told)):
        prepare(stage, data)


def train_addes(
    config: Mapping[str, Any],
    tasks: Sequence[str],
    groups: Sequence[Sequence[str]],
    data: Dataset,
    folder: Path,
    how: How,
) -> Addes:
    """The ADDE of each group, each task alone, and all together.

    Args:
      config: of the job.
      tasks: the N task names.
      groups: the chosen ones.
      data, folder: of the job.
      how: what is shown and logged.
    """
    return {
        group: fit(
            config_of(config, attributes_of(group, data.space)),
            data,
            workdir=folder / FOLDER / "+".join(group),
            loggers=how.loggers,
            progress=how.progress,
        )
        for group in asked_groups(tasks, groups)
    }


def source(config: Mapping[str, Any], folder: Path) -> list[Any]:
    """What scores of ADDEs depend on; [] where none is trained."""
    if not config["edits"]:
        return []
    ends = sorted((folder / FOLDER).glob("*/final.json"))
    return [config["adde"], {path.parent.name: crc(path) for path in ends}]
