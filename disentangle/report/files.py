"""What a workdir holds, as the page needs it: the records of its files, and damage.

Each function returns None where its file does not exist, and raises a UserError, one
sentence naming the file, where it is damaged or of another schema.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from disentangle.affinity import Affinity
from disentangle.errors import UserError
from disentangle.files import read_json
from disentangle.files import reading as named
from disentangle.records import Record
from disentangle.study.affinity import AFFINITIES, load_affinities
from disentangle.study.representations import Losses
from disentangle.study.scores import Matrices, Matrix, Scores
from disentangle.study.visualize import Units
from disentangle.training.final import Final
from disentangle.training.writers import read_metrics

R = TypeVar("R", bound=Record)


class TaskLosses(NamedTuple):
    """losses.json: test losses, 1 for the trivial predictor."""

    tasks: list[str]
    networks: dict[str, np.ndarray]  # name -> (seeds, N), seeds without a NaN
    lost: int  # seeds left out because a network diverged


class ScoreTable(NamedTuple):
    """scores.json: one row per representation and seed."""

    columns: list[str]  # "<metric>/<part>"
    rows: dict[str, np.ndarray]  # representation -> (seeds, columns), NaN for none
    ran: dict[str, dict[str, Any]]  # metric -> protocol


class Swept(NamedTuple):
    """The one number in which the models of a run differ besides the seed."""

    name: str
    values: list[float]  # of every model


def reading(path: Path) -> AbstractContextManager[None]:
    """One sentence for whatever a damaged file causes; a page names no folder."""
    return named(path, "cannot be shown", name=path.name)


def found(record: type[R], workdir: Path) -> R | None:
    """The record of that type in a workdir."""
    path = workdir / record.FILE
    if not path.exists():
        return None
    with reading(path):
        return record.load(workdir)


def affinities(workdir: Path) -> dict[str, Affinity] | None:
    """affinity.json: estimator -> Affinity."""
    path = workdir / AFFINITIES
    if not path.exists():
        return None
    with reading(path):
        return load_affinities(workdir)


def task_losses(workdir: Path) -> TaskLosses | None:
    """losses.json, without the seeds in which a network diverged."""
    held = found(Losses, workdir)
    if held is None:
        return None
    networks, lost = {}, 0
    with reading(workdir / Losses.FILE):
        for name, rows in held.networks.items():
            losses = np.asarray(rows, np.float64)  # None: NaN
            whole = losses[np.isfinite(losses).all(axis=1)]
            lost += len(losses) - len(whole)
            if len(whole):
                networks[name] = whole
        if not networks:
            raise UserError("it holds no finite loss")
    return TaskLosses(held.tasks, networks, lost)


def scores(workdir: Path) -> ScoreTable | None:
    """scores.json."""
    held = found(Scores, workdir)
    if held is None:
        return None
    with reading(workdir / Scores.FILE):
        if not held.columns:
            raise UserError("it holds no score")
        return ScoreTable(held.columns, held.tables(), held.ran)


def importances(workdir: Path) -> dict[str, Matrix] | None:
    """importance.npz: representation -> its matrix with names."""
    held = _matrices(workdir / "importance.npz")
    return held.tables if held else None


def informations(workdir: Path) -> dict[str, Matrix] | None:
    """information.npz: representation -> I(z; y) / H(y), a share of each factor."""
    path = workdir / "information.npz"
    held = _matrices(path)
    if held is None:
        return None
    with reading(path):
        return held.shares()


def _matrices(path: Path) -> Matrices | None:
    if not path.exists():
        return None
    with reading(path):
        return Matrices.load(path)


def swept(units: Units) -> Swept | None:
    """What the models of units.json differ in, where that is one number."""
    first = units.rows[0].swept
    fields = {key: [row.swept.get(key) for row in units.rows] for key in first}
    several = [
        (key, values)
        for key, values in fields.items()
        if key != "seed" and len({str(value) for value in values}) > 1
    ]
    if len(several) != 1:
        return None
    name, values = several[0]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return Swept(name, numbers) if len(numbers) == len(values) else None


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
        held: Final = read_json(path, Final)
        if not held.rows:
            raise UserError("it holds no model")
        return held


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
    """The estimator, or one of FROM_GROUPS, that chose a job's groups, or ""."""
    chosen = json_or_nothing(workdir / "config.json").get("affinity")
    return str(chosen.get("group_by", "")) if isinstance(chosen, dict) else ""


def json_or_nothing(path: Path) -> dict[str, Any]:
    """A JSON object that only adds to the page: {} where missing or damaged."""
    try:
        value = read_json(path)
    except UserError:
        return {}
    return value if isinstance(value, dict) else {}
