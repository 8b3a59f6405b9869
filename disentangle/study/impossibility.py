"""The theorem as an experiment: nobody sees a rotation but the scores.

A perfect Gaussian code of the data set's factors is turned by growing angles, and
with `run` the latents of a trained VAE too. Every angle leaves a row; a stopped job
goes on with the first that is missing. `report` reads the same files.

  config.json         the whole job
  impossibility.json  rows (a code and an angle each), and how scores were computed
  impossibility.csv   the rows
  impossibility.npz   `angles` (A,), `clouds` (A, n, 2): the first two latents of the
                      Gaussian code; `values` (n,) and `factor`: the first's factor
"""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ml_collections import ConfigDict

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.files import place, read_json, whole, write_arrays, write_json
from disentangle.metrics.base import Settings
from disentangle.metrics.score import flatten, score_details
from disentangle.study.evaluate import load_data, sample_index
from disentangle.study.representations import check_score
from disentangle.study.rotation import (
    gaussian_code,
    givens,
    linear_probe,
    marginals,
    rotated_elbo,
    trained,
)
from disentangle.training import ranges
from disentangle.training.config import check_fields, check_sections, plain
from disentangle.training.run import Run, load_run
from disentangle.training.workdir import check_workdir, owned, settle_config

GAUSSIAN = "perfect Gaussian code"
CLOUD = 1500  # points drawn of a code
Row = dict[str, Any]
# angle -> what is measured at it, and how scores were computed
Measure = Callable[[float], tuple[Row, dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class Table:
    """What impossibility.json holds."""

    rows: list[dict[str, float | str | None]]
    ran: dict[str, dict[str, Any]]


def default_impossibility(data: str) -> ConfigDict:
    """The config of the experiment on a data set's factors."""
    return ConfigDict(
        {
            "data": {"name": data, "path": "", "source": ""},
            "angles": (0.0, 5.0, 10.0, 20.0, 45.0),  # degrees, all pairs of latents
            "run": "",  # a workdir, or a peer's .npz: its VAE is turned as well
            "score": {
                "metrics": ("dci", "mig"),
                "num_train": 10_000,
                "num_test": 5_000,
                "backend": "fast",
                "seed": 0,
            },
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    config = plain(config)
    reference = plain(default_impossibility(""))
    check_fields(config, reference)
    check_sections(config, reference, ("data", "score"))
    ranges.check_data(config["data"])
    ranges.text("run", config["run"])
    angles = config["angles"] if isinstance(config["angles"], list) else []
    for angle in angles:
        ranges.number("angles", angle)
    if not angles or len(set(angles)) < len(angles):
        raise UserError(f"angles={angles!r} must be different numbers of degrees")
    check_score(config["score"])
    return config


def run_impossibility(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    data: Dataset | None = None,
    progress: bool = True,
) -> Path:
    """Runs, or goes on with, the experiment in `workdir`.

    Args:
      config: see `default_impossibility`.
      workdir: created if needed; one process at a time, one config for life.
      data: the data set; None loads what the config names.
      progress: show the bar, a step an angle.

    Returns:
      The workdir.

    Raises:
      UserError: on anything wrong in the config, in its `run`, or the workdir.
    """
    config = check(config)
    run = load_run(config["run"]) if config["run"] else None
    with owned(place(workdir, "workdir")) as folder:
        check_workdir(folder, config)
        data = load_data(config["data"]) if data is None else data
        settle_config(folder, config)
        score = config["score"]
        index = sample_index(
            data, score["num_train"] + score["num_test"], seed=score["seed"]
        )
        measures = {GAUSSIAN: _perfect(data, index, config, folder)}
        if run is not None:
            name = f"{run.config['method']['name']} in {Path(config['run']).name}"
            measures[name] = _vae(run, data, index, config)
        path = folder / "impossibility.json"
        table = _held(path)
        done = {(row["code"], row["angle"]) for row in table["rows"]}
        todo = [(name, angle) for name in measures for angle in config["angles"]]
        todo = [pair for pair in todo if pair not in done]
        for name, angle in bars.over(
            todo, "rotate and score", unit="angle", shown=progress
        ):
            row, table["ran"] = measures[name](angle)
            table["rows"].append({"code": name, "angle": angle} | row)
            write_json(path, table)
        with whole(folder / "impossibility.csv") as beside:
            pd.DataFrame(table["rows"]).to_csv(beside, index=False)
    return folder


def _held(path: Path) -> dict[str, Any]:
    """The rows of an earlier start; a damaged file is reported and begun anew."""
    if path.exists():
        try:
            held = read_json(path, Table)
            if all({"code", "angle"} <= row.keys() for row in held.rows):
                return dataclasses.asdict(held)
            raise UserError(f"{path} has a row without code or angle")
        except UserError as error:
            warnings.warn(f"{error}; it is begun anew", stacklevel=3)
    return {"rows": [], "ran": {}}


def _perfect(data: Dataset, index: np.ndarray, config: dict, folder: Path) -> Measure:
    """The Gaussian code of the images `index`; writes impossibility.npz."""
    factors = data.space.factors(index)
    code = gaussian_code(factors, data.space.sizes, seed=config["score"]["seed"])
    turned = lambda angle: code @ givens(code.shape[1], angle).T
    arrays = {
        "angles": np.asarray(config["angles"]),
        "clouds": np.stack([turned(a)[:CLOUD, :2] for a in config["angles"]]),
        "values": factors[:CLOUD, 0],
        "factor": np.asarray(data.space.names[0]),
    }
    write_arrays(folder / "impossibility.npz", arrays)

    def measure(angle: float) -> tuple[Row, dict[str, Any]]:
        row, ran = _scores(turned(angle), factors, data, config["score"])
        return row | _named("marginals", marginals(turned(angle))), ran

    return measure


def _vae(run: Run, data: Dataset, index: np.ndarray, config: dict) -> Measure:
    """The posterior means of a trained VAE, and its bound."""
    vae, factors = trained(run, data, index), data.space.factors(index)

    def measure(angle: float) -> tuple[Row, dict[str, Any]]:
        matrix = givens(vae.means.shape[1], angle)
        row, ran = _scores(vae.means @ matrix.T, factors, data, config["score"])
        elbo = rotated_elbo(vae, matrix, seed=config["score"]["seed"])
        return row | _named("likelihood", elbo), ran

    return measure


def _scores(
    codes: np.ndarray, factors: np.ndarray, data: Dataset, score: dict
) -> tuple[Row, dict[str, Any]]:
    """The scores of codes and the linear probe's; and how they were computed."""
    results = score_details(
        codes,
        factors,
        score["metrics"],
        Settings(score["seed"], score["backend"]),
        num_train=score["num_train"],
        num_test=score["num_test"],
        factor_names=data.space.names,
    )
    probe = linear_probe(codes, factors, data.space.sizes, score["num_train"])
    ran = {metric: dict(result.ran) for metric, result in results.items()}
    return flatten(results) | {"probe/accuracy": probe}, ran


def _named(group: str, values: Row) -> Row:
    return {f"{group}/{name}": value for name, value in values.items()}
