"""The theorem as an experiment: nobody sees a rotation but the scores.

A perfect Gaussian code of the data set's factors is turned by growing angles, and
with `run` the latents of a trained VAE too. Every angle leaves a row; a stopped job
goes on with the first that is missing. `report` reads the same files.

  config.json         the whole job; study.json: that it is one
  impossibility.json  rows (a code and an angle each), and how scores were computed
  impossibility.csv   the rows
  stages.json         what is done, and from what
  impossibility.npz   `angles` (A,), `clouds` (A, n, 2): the first two latents of the
                      Gaussian code; `values` (n,) and `factor`: the first's factor
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from ml_collections import ConfigDict

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.fields import defaults, read
from disentangle.files import place, whole
from disentangle.metrics.score import flatten, score_details
from disentangle.records import ArrayRecord, JsonRecord
from disentangle.study.evaluate import check_sample, load_data
from disentangle.study.rotation import (
    gaussian_code,
    givens,
    linear_probe,
    marginals,
    rotated_elbo,
    trained,
)
from disentangle.study.sample import sample_index
from disentangle.study.sections import Rotation, Score, check_score, score_settings
from disentangle.study.stages import (
    Stages,
    allow_changes,
    begin,
    data_source,
    run_source,
)
from disentangle.training.config import check_fields, check_sections, plain
from disentangle.training.run import Run, load_run
from disentangle.training.sections import Source
from disentangle.training.workdir import owned

GAUSSIAN = "perfect Gaussian code"
CLOUD = 1500  # points drawn of a code
FREE = ("angles", "score")  # what a job that is there may be given anew
Row = dict[str, Any]
# angle -> what is measured at it, and how scores were computed
Measure = Callable[[float], tuple[Row, dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class Rotations(JsonRecord):
    """impossibility.json: what is measured of every code at every angle.

    Attributes:
      rows: "code", "angle" in degrees, and the measures by name.
      ran: metric -> how it was computed.

    Raises:
      UserError: a row without code or angle.
    """

    FILE: ClassVar[str] = "impossibility.json"
    rows: list[dict[str, int | float | str | None]]
    ran: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all({"code", "angle"} <= row.keys() for row in self.rows):
            raise UserError("it has a row without code or angle")

    def by_code(self) -> dict[str, list[Row]]:
        """code -> its rows, an angle each, ascending."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(str(row["code"]), []).append(row)
        angle = lambda row: float(row["angle"])
        return {code: sorted(rows, key=angle) for code, rows in found.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class Clouds(ArrayRecord):
    """impossibility.npz: the first two latents of the Gaussian code at every angle.

    Attributes:
      angles: (A,) degrees.
      clouds: (A, n, 2).
      values: (n,) of the factor that the first latent carries at 0 degrees.
      factor: its name.

    Raises:
      UserError: the shapes do not go together.
    """

    FILE: ClassVar[str] = "impossibility.npz"
    angles: np.ndarray
    clouds: np.ndarray
    values: np.ndarray
    factor: np.ndarray | str

    def __post_init__(self) -> None:
        if self.clouds.shape != (len(self.angles), len(self.values), 2):
            raise UserError(f"clouds have shape {self.clouds.shape}")


WRITTEN = (Rotations.FILE, "impossibility.csv", Clouds.FILE)


def default_impossibility(data: str) -> ConfigDict:
    """The config of the experiment on a data set's factors."""
    return ConfigDict(
        {
            "data": defaults(Source) | {"name": data},
            **defaults(Rotation),
            "score": defaults(Score),
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    config = plain(config)
    reference = plain(default_impossibility(""))
    check_fields(config, reference)
    check_sections(config, reference, ("data", "score"))
    read(Source, config["data"], "data.")
    read(Rotation, config)
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
      workdir: created if needed; one process at a time. The fields of FREE may
        change, and only what depends on them is done again.
      data: the data set; None loads what the config names.
      progress: show the bar, a step an angle.

    Returns:
      The workdir.

    Raises:
      UserError: on anything wrong in the config, in its `run`, or the workdir.
    """
    config = check(config)
    with owned(place(workdir, "workdir")) as folder:
        known = plain(default_impossibility(""))
        allow_changes(folder, config, known, free=FREE, own=())
        stages, source = Stages(folder), source_of(config)
        if data is None and stages.is_done("rotate", [source, config["angles"]]):
            begin(folder, "impossibility", config)
            return folder
        run = load_run(config["run"]) if config["run"] else None
        data = load_data(config["data"]) if data is None else data
        data.space.require_grid("the impossibility experiment")
        score = config["score"]
        rows = (score["num_train"], score["num_test"])
        check_sample(data, rows, seed=score["seed"])
        index = sample_index(data, sum(rows), seed=score["seed"])
        measures = {GAUSSIAN: _perfect(data, index, config, folder)}
        if run is not None:
            name = f"{run.config['method']['name']} in {Path(config['run']).name}"
            with bars.waiting("encode", shown=progress):
                measures[name] = _vae(run, data, index, config)
        begin(folder, "impossibility", config)
        if not stages.is_done("begin", source):  # other rows would be of another code
            (folder / Rotations.FILE).unlink(missing_ok=True)
            stages.keep("begin", source, [])
        measure_angles(folder, measures, config["angles"], progress)
        stages.keep("rotate", [source, config["angles"]], WRITTEN)
    return folder


def measure_angles(
    folder: Path, measures: dict[str, Measure], angles: list[float], progress: bool
) -> None:
    """impossibility.json and .csv: a row for each code and angle, in this order."""
    table = Rotations.held(folder, "it is begun anew") or Rotations([])
    held: dict[tuple[Any, Any], Row] = {}
    held |= {(row["code"], row["angle"]): row for row in table.rows}
    pairs = [(name, angle) for name in measures for angle in angles]
    todo = [pair for pair in pairs if pair not in held]
    ran = table.ran

    def kept() -> Rotations:
        found = Rotations([held[pair] for pair in pairs if pair in held], ran)
        found.save(folder)
        return found

    for name, angle in bars.over(
        todo, "rotate and score", unit="angle", shown=progress
    ):
        row, ran = measures[name](angle)
        held[name, angle] = {"code": name, "angle": angle} | row
        kept()
    with whole(folder / "impossibility.csv") as beside:  # maybe of fewer than before
        pd.DataFrame(kept().rows).to_csv(beside, index=False)


def source_of(config: dict[str, Any]) -> list[Any]:
    """What every row depends on, but for its angle."""
    run = config["run"] and run_source(place(config["run"], "path of a run"))
    return [data_source(config["data"]), config["run"], run, config["score"]]


def _perfect(data: Dataset, index: np.ndarray, config: dict, folder: Path) -> Measure:
    """The Gaussian code of the images `index`; writes impossibility.npz."""
    factors = data.space.factors(index)
    code = gaussian_code(factors, data.space.sizes, seed=config["score"]["seed"])
    turned = lambda angle: code @ givens(code.shape[1], angle).T
    Clouds(
        np.asarray(config["angles"]),
        np.stack([turned(a)[:CLOUD, :2] for a in config["angles"]]),
        factors[:CLOUD, 0],
        data.space.names[0],
    ).save(folder)

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
        score_settings(score),
        num_train=score["num_train"],
        num_test=score["num_test"],
        factor_names=data.space.names,
    )
    probe = linear_probe(codes, factors, data.space.sizes, score["num_train"])
    ran = {metric: dict(result.metadata) for metric, result in results.items()}
    return flatten(results) | {"probe/accuracy": probe}, ran


def _named(group: str, values: Row) -> Row:
    return {f"{group}/{name}": value for name, value in values.items()}
