"""What is written beside the weights of one model: enough to know and load it again."""

import copy
import dataclasses
import json
from typing import Any

from disentangle.errors import shown
from disentangle.training.data_spec import SpecFile, spec_file
from disentangle.training.trained import Run
from disentangle.versions import versions


@dataclasses.dataclass(frozen=True)
class Facts:
    """One model.

    Attributes:
      version: of this package, which wrote it.
      config: the config of a run of this model alone, whatever sweep it stood in.
      data: what its run remembers of the data set.
      id: the model's, of training/members.py.
      name: the model's in its run, such as "beta=4,seed=0".
      step: steps taken.
      before: steps that its parameters had when it began.
      learned: what they had been told by then (methods/supervision.py).
      digest: of the arrays beside it; "" where there are none.
      scores: part of a metric -> value, where they are known.
      protocol: how these were taken: metric -> what its result says it ran.
    """

    version: str
    config: dict[str, Any]
    data: SpecFile
    id: str
    name: str
    step: int
    before: int = 0
    learned: str = "none"
    digest: str = ""
    scores: dict[str, float | None] = dataclasses.field(default_factory=dict)
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)

    def text(self) -> str:
        """One JSON string."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False, sort_keys=True)


def facts_of(run: Run, index: int) -> Facts:
    """What there is to say of one model of a run."""
    member = run.population[index]
    return Facts(
        version=versions(())["disentangle"],
        config=config_alone(run, index),
        data=spec_file(run.spec),
        id=member.id,
        name=member.name,
        step=run.step,
        before=run.before,
        learned=run.learned,
    )


def config_alone(run: Run, index: int) -> dict[str, Any]:
    """The config of a run of this model alone: its own numbers in place of sweeps."""
    member, config = run.population[index], copy.deepcopy(run.config)
    for name, value in member.values.items():
        section = "method" if name in config["method"] else "optimizer"
        config[section][name] = value
    return config | {"seed": member.seed, "seeds": 1}


def title(run: Run, index: int) -> str:
    """One line on a model: method, data set, member, step."""
    name, data = run.config["method"]["name"], run.spec.name
    member = shown(run.members[index]).strip("'")
    return f"{name} trained on {data}, {member}, step {run.step}"
