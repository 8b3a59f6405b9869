"""What the models of a run are called on a page, and which tasks each learns."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.report.losses import ALL
from disentangle.training.load import population_of
from disentangle.training.members import Member

Models = Mapping[str, Member]  # name in the logs -> the model


def models(workdir: Path) -> dict[str, Member]:
    """The models of a run by name; {} where its files do not say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fields that an older config lacks
        try:
            return {member.name: member for member in population_of(workdir)}
        except UserError:
            return {}


def weights_of(member: Member | None) -> list[float] | None:
    """The task weights that a model was trained with, None where they do not differ."""
    found = member.swept.get("weights") if member else None
    return None if found is None else [float(weight) for weight in found]


def label(name: str, member: Member | None, tasks: Sequence[str]) -> str:
    """What a model is called in a legend; seeds share a label.

    A model of task weights 1, 0, 1 is "scale + shape", after its tasks.

    Args:
      name: its name, shown where nothing else is known of it.
      member: the model.
      tasks: the names of its tasks.
    """
    if member is None:
        return name
    weights = weights_of(member)
    if weights is None:
        return member.label or ALL
    rest = [f"{k}={v:g}" for k, v in member.swept.items() if k != "weights"]
    chosen = [t for t, w in zip(tasks, weights, strict=True) if w]
    return ", ".join([" + ".join(chosen), *rest]) or ALL


def mean_task_loss(row: Mapping[str, Any], member: Member | None) -> float | None:
    """The mean loss of the tasks with a weight, or None if one is not finite."""
    weights = weights_of(member) or [1.0] * len(row["task_losses"])
    chosen = [loss for loss, w in zip(row["task_losses"], weights, strict=True) if w]
    return None if None in chosen else float(np.mean(chosen))


def learned(row: Mapping[str, Any], member: Member | None) -> list[float | None]:
    """The task losses of a row, None for a task that the model is not trained on."""
    losses = list(row.get("task_losses", []))
    weights = weights_of(member) or [1.0] * len(losses)
    return [loss if w else None for loss, w in zip(losses, weights, strict=True)]
