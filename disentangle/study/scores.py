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
    """A Scored a member; members that differ in nothing but the seed share a name."""
    return [
        Scored(_label(run, name), int(swept["seed"]), _code_names(run, found), found)
        for name, swept, found in zip(run.members, run.swept, results, strict=True)
    ]


def _label(run: Run, member: str) -> str:
    """ "beta=4,seed=1" -> "beta=4"; the method's name where nothing is swept."""
    parts = [part for part in member.split(",") if not part.startswith("seed=")]
    return ",".join(parts) or str(run.config["method"]["name"])


def _code_names(run: Run, results: dict[str, Result]) -> list[str]:
    """z1, z2, ...; or the task of each code dimension and its number there."""
    if run.method.blocks is None:
        widths = [result.ran.get("codes") for result in results.values()]
        width = next((width for width in widths if isinstance(width, int)), 0)
        return [f"z{i + 1}" for i in range(width)]
    seen: Counter[str] = Counter()
    names = []
    for block in run.method.blocks:
        seen[block] += 1
        names.append(f"{block} {seen[block]}")
    return names


def keep_scores(
    folder: Path, scored: Sequence[Scored], factor_names: Sequence[str]
) -> None:
    """Writes scores.json, importance.npz and information.npz into `folder`.

    scores.json: `rows`, one a Scored ("representation", "seed", "<metric>/<part>"),
    and `ran`, metric -> how it was computed. The matrices are those of DCI
    (importance) and MIG (mutual information in nats, beside the factors' `entropy`
    and, by "<representation>:shuffled", what shuffled factors give), for whichever of
    the two was asked for.
    """
    rows: list[dict[str, Any]] = []
    ran: dict[str, Any] = {}
    arrays: dict[str, dict[str, Any]] = {name: {} for name in MATRICES}
    for name, seed, codes, results in scored:
        rows.append({"representation": name, "seed": seed} | flatten(results))
        for metric, result in results.items():
            ran[metric] = {k: v for k, v in result.ran.items() if k != "codes"}
        for file, (metric, array) in MATRICES.items():
            if metric in results and name not in arrays[file]:
                arrays[file][name] = results[metric].arrays[array]
                arrays[file][f"{name}:codes"] = np.asarray(codes)
                floor = results[metric].arrays.get("shuffled")
                if floor is not None:
                    arrays[file][f"{name}:shuffled"] = floor
        if "mig" in results:
            arrays["information.npz"]["entropy"] = results["mig"].arrays["entropy"]
    for file, found in arrays.items():
        if found:
            write_arrays(folder / file, {"factors": np.asarray(factor_names)} | found)
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
