"""What a training run's workdir allows: more steps, other intervals, older configs."""

import warnings
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.training.config import default_config, plain, read_experiment
from disentangle.training.workdir import Policy, filled, free, only_more


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


def policy(config: dict[str, Any]) -> Policy:
    """What may change in a workdir that is to hold this (checked) config.

    More steps and other intervals go on with the same bits as a run that had them
    from the start. Steps may not change where a schedule is a share of them.
    """

    def steps(old: Any, new: Any) -> str:
        before, after = (
            read_experiment(config | {"steps": n}).hyperparameters.method
            for n in (old, new)
        )
        for name, one, other in zip(after._fields, before, after, strict=True):
            if not np.array_equal(one, other):
                return f"method.{name} is a share of them, give it in steps"
        return only_more(old, new)

    def seeds(old: Any, new: Any) -> str:
        if new < old:
            return "it cannot shrink"
        return (
            "train the further ones in another workdir, with seed="
            f"{config['seed'] + old} and seeds={new - old}"
        )

    rules = {"steps": steps, "seeds": seeds}
    rules |= dict.fromkeys(("log_every", "eval_every", "checkpoint_every"), free)
    return Policy(
        completed,
        rules,
        "more steps and other log_every, eval_every and checkpoint_every are possible, "
        "for the rest give another workdir",
    )
