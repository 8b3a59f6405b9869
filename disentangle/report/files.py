"""What a workdir holds, read and checked: one function a file.

Each returns None where its file does not exist, and raises a UserError, one
sentence naming the file, where it is damaged or of another schema.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from disentangle.affinity import Affinity
from disentangle.errors import UserError
from disentangle.files import read_arrays, read_json
from disentangle.files import reading as named
from disentangle.training.final import Final
from disentangle.training.writers import read_metrics


class Groups(NamedTuple):
    """groups.json: the chosen groups and the certificate."""

    groups: list[list[str]]
    assignment: dict[str, int]  # task -> place in groups
    numbers: dict[str, float]  # objective, bound, gap, runner_up, margin, budget
    sense: str  # "max" or "min"


class TaskLosses(NamedTuple):
    """losses.json: test losses, 1 for the trivial predictor."""

    tasks: list[str]
    networks: dict[str, np.ndarray]  # name -> (seeds, N), seeds without a NaN
    lost: int  # seeds left out because a network diverged


class Scores(NamedTuple):
    """scores.json: one row a representation and seed."""

    columns: list[str]  # "<metric>/<part>"
    rows: dict[str, np.ndarray]  # representation -> (seeds, columns), NaN for none
    ran: dict[str, dict[str, Any]]  # metric -> protocol


class Importance(NamedTuple):
    """One representation of importance.npz, or of information.npz."""

    matrix: np.ndarray  # (D, F)
    factors: list[str]
    codes: list[str]
    shuffled: np.ndarray | None = None  # (F,) of information: what nothing looks like


class Units(NamedTuple):
    """units.json: active units of every model of a run."""

    latents: int
    active: dict[str, int]  # member -> count
    swept: tuple[str, list[float]] | None  # name and value per member, if one is swept


def reading(path: Path) -> AbstractContextManager[None]:
    """One sentence for whatever a damaged file causes; a page names no folder."""
    return named(path, "cannot be shown", name=path.name)


def affinities(workdir: Path) -> dict[str, Affinity] | None:
    """affinity.json: estimator -> Affinity."""
    path = workdir / "affinity.json"
    if not path.exists():
        return None
    with reading(path):
        return {
            name: Affinity(
                matrix=np.asarray(table["matrix"], np.float64),
                tasks=tuple(table["tasks"]),
                method=name,
                standard_error=table["standard_error"],
                samples=int(table["samples"]),
            )
            for name, table in read_json(path).items()
        }


def groups(workdir: Path) -> Groups | None:
    """groups.json."""
    path = workdir / "groups.json"
    if not path.exists():
        return None
    with reading(path):
        table = read_json(path)
        chosen = [[str(task) for task in group] for group in table["groups"]]
        assignment = {str(task): int(place) for task, place in table["serves"].items()}
        for task, place in assignment.items():
            if not 0 <= place < len(chosen) or task not in chosen[place]:
                raise UserError(f"group {place} is said to serve {task!r}")
        names = ("objective", "bound", "gap", "runner_up", "margin", "budget")
        numbers = {n: float(table[n]) for n in names if table.get(n) is not None}
        return Groups(chosen, assignment, numbers, str(table.get("sense", "max")))


def task_losses(workdir: Path) -> TaskLosses | None:
    """losses.json."""
    path = workdir / "losses.json"
    if not path.exists():
        return None
    with reading(path):
        table = read_json(path)
        tasks, networks, lost = [str(task) for task in table["tasks"]], {}, 0
        for name, rows in table["networks"].items():
            losses = np.asarray(rows, np.float64)
            if losses.ndim != 2 or losses.shape[1] != len(tasks):
                raise UserError(
                    f"{name!r} has shape {losses.shape} for {len(tasks)} tasks"
                )
            whole = losses[np.isfinite(losses).all(axis=1)]
            lost += len(losses) - len(whole)
            if len(whole):
                networks[name] = whole
        if not networks:
            raise UserError("it holds no finite loss")
        return TaskLosses(tasks, networks, lost)


def scores(workdir: Path) -> Scores | None:
    """scores.json."""
    path = workdir / "scores.json"
    if not path.exists():
        return None
    with reading(path):
        table = read_json(path)
        columns = list(dict.fromkeys(k for r in table["rows"] for k in r if "/" in k))
        grouped: dict[str, list[list[float]]] = {}
        for row in table["rows"]:
            values = np.array([row.get(k) for k in columns], np.float64)  # null: NaN
            grouped.setdefault(str(row["representation"]), []).append(values.tolist())
        if not columns:
            raise UserError("it holds no score")
        return Scores(
            columns,
            {name: np.array(rows) for name, rows in grouped.items()},
            {str(k): dict(v) for k, v in table.get("ran", {}).items()},
        )


def importances(workdir: Path) -> dict[str, Importance] | None:
    """importance.npz: representation -> its matrix with names."""
    return _matrices(workdir / "importance.npz")


def informations(workdir: Path) -> dict[str, Importance] | None:
    """information.npz: representation -> I(z; y) / H(y), a share of each factor."""
    path = workdir / "information.npz"
    found = _matrices(path)
    if found is None:
        return None
    with reading(path):
        entropy = _arrays(path)["entropy"]
        return {
            name: table._replace(
                matrix=table.matrix / entropy,
                shuffled=None if table.shuffled is None else table.shuffled / entropy,
            )
            for name, table in found.items()
        }


def _matrices(path: Path) -> dict[str, Importance] | None:
    if not path.exists():
        return None
    arrays = _arrays(path)
    with reading(path):
        factors = [str(name) for name in arrays["factors"]]
        names = [name for name in arrays if f"{name}:codes" in arrays]
        if not names:
            raise UserError("it holds no matrix with the names of its codes")
        return {
            name: Importance(
                arrays[name],
                factors,
                [str(code) for code in arrays[f"{name}:codes"]],
                arrays.get(f"{name}:shuffled"),
            )
            for name in names
        }


def impossibility(workdir: Path) -> dict[str, list[dict[str, Any]]] | None:
    """impossibility.json: code -> its rows, an angle each, ascending."""
    path = workdir / "impossibility.json"
    if not path.exists():
        return None
    with reading(path):
        found: dict[str, list[dict[str, Any]]] = {}
        for row in read_json(path)["rows"]:
            found.setdefault(str(row["code"]), []).append(dict(row))
        return {
            code: sorted(rows, key=lambda row: float(row["angle"]))
            for code, rows in found.items()
        }


def rotations_ran(workdir: Path) -> dict[str, dict[str, Any]]:
    """impossibility.json: metric -> protocol."""
    path = workdir / "impossibility.json"
    with reading(path):
        return {str(k): dict(v) for k, v in read_json(path).get("ran", {}).items()}


def clouds(workdir: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, str] | None:
    """impossibility.npz: angles (A,), points (A, n, 2), values (n,), their factor."""
    path = workdir / "impossibility.npz"
    if not path.exists():
        return None
    arrays = _arrays(path)
    with reading(path):
        points, values = arrays["clouds"], arrays["values"]
        if points.shape != (len(arrays["angles"]), len(values), 2):
            raise UserError(f"clouds have shape {points.shape}")
        return arrays["angles"], points, values, str(arrays["factor"])


def units(workdir: Path) -> Units | None:
    """units.json."""
    path = workdir / "units.json"
    if not path.exists():
        return None
    with reading(path):
        table = read_json(path)
        rows = table["rows"]
        active = {str(row["member"]): int(row["active"]) for row in rows}
        fields = {
            key: [row["swept"].get(key) for row in rows] for key in rows[0]["swept"]
        }
        several = [
            (key, values)
            for key, values in fields.items()
            if key != "seed" and len({str(value) for value in values}) > 1
        ]
        numbers = [
            (key, [float(value) for value in values])
            for key, values in several
            if all(isinstance(value, int | float) for value in values)
        ]
        one = numbers[0] if len(several) == len(numbers) == 1 else None
        return Units(int(table["latents"]), active, one)


def panels(workdir: Path) -> dict[str, np.ndarray] | None:
    """panels.npz: its arrays by name; any may be missing."""
    path = workdir / "panels.npz"
    return _arrays(path) if path.exists() else None


def plane(workdir: Path) -> dict[str, np.ndarray] | None:
    """plane.npz: its arrays by name."""
    path = workdir / "plane.npz"
    return _arrays(path) if path.exists() else None


def metrics(workdir: Path) -> list[dict[str, Any]] | None:
    """metrics.jsonl: its rows; lines that are torn are left out."""
    path = workdir / "metrics.jsonl"
    if not path.exists():
        return None
    with reading(path):
        rows = read_metrics(workdir)
        if not rows:
            raise UserError("it holds no whole line")
        for row in rows:
            row["step"], row["split"], row["member"]
        return rows


def final(workdir: Path) -> Final | None:
    """final.json: what the models are on the test images, for one step."""
    path = workdir / "final.json"
    if not path.exists():
        return None
    with reading(path):
        found: Final = read_json(path, Final)
        if not found.rows:
            raise UserError("it holds no model")
        return found


def task_names(workdir: Path) -> list[str]:
    """The tasks of a supervised run: its config's, or all factors of its data."""
    path = workdir / "config.json"
    with reading(path):
        named = read_json(path)["method"].get("tasks")
    if named:
        return [str(name) for name in named]
    path = workdir / "data.json"
    with reading(path):
        return [str(item["name"]) for item in read_json(path)["space"]["items"]]


def model_name(workdir: Path) -> str:
    """The method whose images panels.npz holds."""
    config = json_or_nothing(workdir / "config.json")
    method = config.get("unsupervised", config).get("method", {})
    return str(method.get("name", "model"))


def grouped_by(workdir: Path) -> str:
    """The estimator by which a pipeline chose its groups, or ""."""
    chosen = json_or_nothing(workdir / "config.json").get("affinity")
    return str(chosen.get("group_by", "")) if isinstance(chosen, dict) else ""


def json_or_nothing(path: Path) -> dict[str, Any]:
    """A JSON object that only adds to the page: {} where missing or damaged."""
    try:
        value = read_json(path)
    except UserError:
        return {}
    return value if isinstance(value, dict) else {}


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with reading(path):
        return read_arrays(path)
