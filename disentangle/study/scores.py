"""Scores on disk: scores.json and the matrices beside it, one format for all jobs."""

import dataclasses
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from disentangle.errors import UserError
from disentangle.files import read_json, write_arrays, write_json
from disentangle.metrics.base import Result
from disentangle.metrics.score import flatten
from disentangle.training.run import Run

# file -> (metric, array): matrices (D, F) of the first seed of a representation
MATRICES = {
    "importance.npz": ("dci", "importance"),
    "information.npz": ("mig", "mutual_information"),
}


@dataclasses.dataclass(frozen=True)
class Kept:
    """What scores.json holds."""

    rows: list[dict[str, float | str | None]]
    ran: dict[str, dict[str, Any]]


class Scored(NamedTuple):
    """The results of one representation and seed."""

    representation: str
    seed: int
    codes: Sequence[str]  # D names
    results: dict[str, Result]


def scored_members(run: Run, results: Sequence[dict[str, Result]]) -> list[Scored]:
    """A Scored a living member; those that differ in the seed alone share a name."""
    return [
        Scored(
            member_label(run, member),
            int(run.swept[member]["seed"]),
            _code_names(run, found),
            found,
        )
        for member, found in enumerate(results)
        if run.alive[member]
    ]


def member_label(run: Run, member: int) -> str:
    """ "beta=4,seed=1" -> "beta=4"; the method's name where nothing is swept."""
    return run.population[member].label or str(run.config["method"]["name"])


def _code_names(run: Run, results: dict[str, Result]) -> list[str]:
    """z1, z2, ...; or the task of each code dimension and its number there."""
    if run.method.attributes is None:
        widths = [result.metadata.get("codes") for result in results.values()]
        width = next((width for width in widths if isinstance(width, int)), 0)
        return [f"z{i + 1}" for i in range(width)]
    seen: Counter[str] = Counter()
    names = []
    for attribute in run.method.attributes:
        seen[attribute] += 1
        names.append(f"{attribute} {seen[attribute]}")
    return names


def _kept(ran: dict[str, object]) -> dict[str, object]:
    """What holds for all representations alike."""
    own = ("codes", "categorical")
    return {k: v for k, v in ran.items() if k not in own}


def _matrix_rows(codes: Sequence[str], result: Result, array: str) -> list[str]:
    """Names of a matrix's rows: codes, or latents ("c1" a categorical one)."""
    groups = result.metadata.get("categorical")
    if len(codes) == len(result.arrays[array]) or not isinstance(groups, list):
        return list(codes)
    first = {group[0]: f"c{i + 1}" for i, group in enumerate(groups)}
    inner = {column for group in groups for column in group[1:]}
    return [first.get(i, z) for i, z in enumerate(codes) if i not in inner]


def keep_scores(
    folder: Path, scored: Sequence[Scored], factor_names: Sequence[str]
) -> None:
    """Writes scores.json, importance.npz and information.npz into `folder`.

    scores.json: `rows`, one a Scored ("representation", "seed", "<metric>/<part>"),
    and `ran`, metric -> how it was computed. The matrices are those of DCI
    (importance) and MIG (mutual information in nats, beside the factors' `entropy`
    and, by "<representation>:shuffled", what shuffled factors give), for whichever of
    the two was asked for. A metric that could not be had has its reason in `ran`,
    under "why_not".
    """
    rows: list[dict[str, Any]] = []
    ran: dict[str, Any] = {}
    arrays: dict[str, dict[str, Any]] = {name: {} for name in MATRICES}
    for name, seed, codes, results in scored:
        rows.append({"representation": name, "seed": seed} | flatten(results))
        for metric, result in results.items():
            why = {"why_not": result.why_not} if result.why_not else {}
            if not why or metric not in ran:  # of one member, another may have it
                ran[metric] = _kept(result.metadata) | why
        for file, (metric, array) in MATRICES.items():
            result = results.get(metric, Result({}))
            if array in result.arrays and name not in arrays[file]:
                arrays[file][name] = result.arrays[array]
                names = _matrix_rows(codes, result, array)
                arrays[file][f"{name}:codes"] = np.asarray(names)
                factors = result.metadata.get("factor_names", factor_names)
                arrays[file]["factors"] = np.asarray(factors)
                if "entropy" in result.arrays:
                    arrays[file]["entropy"] = result.arrays["entropy"]
                if "shuffled" in result.arrays:
                    arrays[file][f"{name}:shuffled"] = result.arrays["shuffled"]
    for file, found in arrays.items():
        if found:
            write_arrays(folder / file, found)
    write_json(folder / "scores.json", {"rows": rows, "ran": ran})
    for file, found in arrays.items():
        if not found:  # of scores that were replaced here
            (folder / file).unlink(missing_ok=True)


def held_scores(folder: Path) -> Kept | None:
    """What `keep_scores` wrote; None where nothing is, or by a warning damaged."""
    path = folder / "scores.json"
    if not path.exists():
        return None
    try:
        return read_json(path, Kept)
    except UserError as error:
        warnings.warn(f"{error}; it is passed over", stacklevel=2)
        return None
