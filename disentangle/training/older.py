"""What a training run's workdir allows: more steps, more models, older configs."""

import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from disentangle.errors import UserError
from disentangle.fields import swept_names
from disentangle.training.config import (
    Experiment,
    default_config,
    plain,
    read_experiment,
)
from disentangle.training.roster import lost
from disentangle.training.workdir import Policy, Rule, filled, free, only_more


def completed(held: Any) -> dict[str, Any]:
    """A config of an older version with the fields it lacks, at their defaults.

    Raises:
      UserError: it is no training config.
    """
    sections = [held.get(name) for name in ("data", "method", "optimizer")] * (
        isinstance(held, dict)
    )
    if not sections or not all(isinstance(part, dict) for part in sections):
        raise UserError("it has no sections data, method and optimizer")
    data, method, optimizer = (part.get("name") for part in sections)
    if not isinstance(data, str):
        raise UserError("it names no data set")
    reference = plain(default_config(data, method, optimizer or "adam"))
    whole = filled(held, reference)
    missing = sorted(_lacks(held, reference))
    if missing:
        warnings.warn(
            f"a config.json of an older version: {', '.join(missing)} taken as today's "
            "default",
            stacklevel=2,
        )
    return whole


def _lacks(held: dict[str, Any], reference: dict[str, Any], prefix: str = "") -> Any:
    for name, value in reference.items():
        if name not in held:
            yield f"{prefix}{name}"
        elif isinstance(value, dict):
            yield from _lacks(held[name], value, f"{name}.")


def shares(before: Experiment, after: Experiment) -> str:
    """Why two experiments that differ in their steps differ before the last one too."""
    methods = (before.hyperparameters.method, after.hyperparameters.method)
    leaves = map(jax.tree.leaves, methods)
    for name, one, other in zip(swept_names(methods[1]), *leaves, strict=True):
        if not np.array_equal(one, other):
            return f"method.{name} is a share of them, give it in steps"
    one, other = before.optimizer.schedule, after.optimizer.schedule
    if one.warmup != other.warmup:
        return "optimizer.warmup is a share of them, give it in steps"
    if one.every != other.every:
        return "optimizer.decay_steps is a share of them, give it in steps"
    if one.length != other.length:
        return (
            "optimizer.schedule='cosine' falls over all of them, start a new workdir "
            "with init_from this one"
        )
    return ""


def policy(config: dict[str, Any]) -> Policy:
    """What may change in a workdir that is to hold this (checked) config.

    More steps, more models (seeds, values of a sweep) and other intervals go on with
    the same bits as a run that had them from the start. Steps may not change where a
    schedule is a share of them; a model that is there may not be left out.
    """
    wanted = read_experiment(config)

    def steps(old: Any, new: Any, held: Mapping[str, Any]) -> str:
        before, after = (read_experiment(config | {"steps": n}) for n in (old, new))
        return shares(before, after) or only_more(old, new, held)

    def models(old: Any, new: Any, held: Mapping[str, Any]) -> str:
        del old, new
        missing = lost(read_experiment(held).population, wanted.population)
        if not missing:
            return ""
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return (
            f"the model {missing[0]}{more} would be left out; models can only be added"
        )

    rules: dict[str, Rule] = dict.fromkeys(("seed", "seeds"), models)
    for name in wanted.population[0].values:
        section = "method" if name in config["method"] else "optimizer"
        rules[f"{section}.{name}"] = models
    rules["stages"] = lambda old, new, held: "what comes before the last is trained"
    rules |= dict.fromkeys(("log_every", "eval_every", "checkpoint_every"), free)
    return Policy(
        completed,
        rules | {"steps": steps},
        "what is trained stays as it is, so more steps, more models (seeds, values of "
        "a sweep) and other log_every, eval_every and checkpoint_every are possible; "
        "for the rest give another workdir",
    )
