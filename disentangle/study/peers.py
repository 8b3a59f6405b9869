"""Which members of a run can be compared with each other, and scores that do so."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics import METRICS, Population
from disentangle.metrics.base import PopulationResult, Result, Settings
from disentangle.metrics.protocols import used
from disentangle.metrics.udr import gaussian_kl
from disentangle.training.run import Run


def hyperparameters(swept: dict[str, Any]) -> str:
    """A label, equal for members that differ in nothing but the seed."""
    rest = {name: value for name, value in swept.items() if name != "seed"}
    return json.dumps(rest, sort_keys=True, default=repr)


def why_alone(run: Run) -> str:
    """Why the run's models cannot be compared with each other; "" if some can."""
    if len(run.members) < 2:
        return f"this run has one, {run.members[0]!r}: train several seeds"
    if run.method.posterior is None:
        name = run.config["method"]["name"]
        return f"by the KL of Gaussian codes, which method {name!r} does not have"
    living = [
        hyperparameters(s) for s, a in zip(run.swept, run.alive, strict=True) if a
    ]
    if max(Counter(living).values(), default=0) < 2:
        return (
            "no two living models of this run differ in nothing but the seed: train "
            "several seeds of each"
        )
    return ""


def population_results(
    run: Run,
    names: Sequence[str],
    codes: np.ndarray,
    logvars: np.ndarray | None,
    settings: Settings,
) -> list[dict[str, Result]]:
    """A dict a member: metric -> its Result, of metrics that compare models.

    Peers are living members of the same hyperparameters and other seeds; a member
    that has none says so.

    Args:
      run: where the codes are from.
      names: of METRICS that need a population.
      codes: (P, N, D) posterior means.
      logvars: (P, N, D), needed if there are names.
      settings: as for all metrics.
    """
    found: list[dict[str, Result]] = [{} for _ in codes]
    if not names or logvars is None:
        return found
    living = [m for m, alive in enumerate(run.alive) if alive]
    population = Population(
        codes[living],
        gaussian_kl(codes[living], logvars[living]),
        tuple(hyperparameters(run.swept[m]) for m in living),
    )
    for name in names:
        if settings.progress is not None:
            settings.progress(name, 0, 1)
        try:
            compared = METRICS[name].compute(population, settings)
        except UserError as error:
            compared = PopulationResult({}, metadata={"why_not": str(error)})
        for place, member in enumerate(living):
            result = _of_member(name, compared, place, run.members[member])
            ran = used(METRICS[name].protocols, settings.protocol) | result.metadata
            found[member][name] = replace(result, metadata=ran)
    return found


def _of_member(
    name: str, compared: PopulationResult, place: int, member: str
) -> Result:
    """One model's scores, or why it has none."""
    if "why_not" in compared.metadata:
        return Result({}, why_not=str(compared.metadata["why_not"]))
    parts = {k: float(values[place]) for k, values in compared.values.items()}
    if all(np.isnan(value) for value in parts.values()):
        why = (
            f"{name} compares models of the same hyperparameters and other seeds, and "
            f"{member!r} has no living one"
        )
        return Result({}, metadata=compared.metadata, why_not=why)
    return Result(parts, metadata=compared.metadata)
