"""Delta_m: by how much tasks do better together than alone (Maninis et al. 2019).

"Attentive single-tasking of multiple tasks", CVPR 2019, as also Vandenhende et al.
2021: the mean over tasks of the relative decrease of the test loss against a network
that learns the task alone, with the same budget and seed,

Delta_m = 1/T sum_t (L_single,t - L_t) / L_single,t,

so above 0 is better than alone (for losses; the paper's sign turns with measures that
are better when larger). 1 is the most there can be.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SINGLE = "single-task"
NO_REFERENCE = "no single-task reference"
Losses = Sequence[float | None]


def relative_gain(losses: np.ndarray, single: np.ndarray) -> np.ndarray:
    """(seeds, T) losses and those of single-task networks -> (seeds,) Delta_m."""
    return ((single - losses) / single).mean(axis=1)


def delta_m(losses: Losses, single: Losses) -> float | None:
    """Delta_m of one network; None where a loss is missing or a reference is 0."""
    pairs = list(zip(losses, single, strict=True))
    if not pairs or any(own is None or not alone for own, alone in pairs):
        return None
    return float(relative_gain(*np.asarray([losses, single], np.float64)[:, None])[0])


def beside_single(networks: Mapping[str, Sequence[Losses]]) -> dict[str, Any]:
    """Way of sharing -> Delta_m per seed, from the losses (seeds, T) of each way."""
    alone = networks.get(SINGLE, [])
    return {
        name: [delta_m(*pair) for pair in zip(rows, alone, strict=True)]
        for name, rows in networks.items()
        if name != SINGLE and len(rows) == len(alone)
    }


def beside_members(
    losses: Mapping[str, Losses], swept: Mapping[str, Mapping[str, Any]]
) -> dict[str, float | None]:
    """Delta_m of the members of one run against its single-task members.

    Args:
      losses: member -> the test loss of every task.
      swept: member -> what it differs in: `weights` (T,), `seed`, ...

    Returns:
      member -> Delta_m over the tasks with a weight; None for a member without a
      reference that differs from it in the weights alone, and for a reference itself.
    """
    learned = {name: _learned(swept.get(name, {}), losses[name]) for name in losses}
    found = {}
    for name, own in losses.items():
        tasks = learned[name]
        rest = _rest(swept.get(name, {}))
        alone = {
            learned[other][0]: losses[other][learned[other][0]]
            for other in losses
            if len(learned[other]) == 1 and _rest(swept.get(other, {})) == rest
        }
        known = len(tasks) > 1 and set(tasks) <= set(alone)
        single = [alone[t] for t in tasks] if known else []
        found[name] = delta_m([own[t] for t in tasks], single) if known else None
    return found


def _learned(values: Mapping[str, Any], losses: Losses) -> list[int]:
    weights = values.get("weights") or [1.0] * len(losses)
    return [t for t, weight in enumerate(weights) if weight]


def _rest(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "weights"}
