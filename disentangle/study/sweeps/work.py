"""One unit of work: its models trained, kept and scored, each step once."""

import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.errors import UserError
from disentangle.metrics import METRICS
from disentangle.metrics.base import Result
from disentangle.study.evaluate import score_run
from disentangle.study.sections import score_settings
from disentangle.study.stage_timer import PACKAGES
from disentangle.study.sweeps import table
from disentangle.study.sweeps.claims import Claims
from disentangle.study.sweeps.held import (
    LOSSES,
    Held,
    losses_file,
    scores_digest,
    scores_file,
    single_metrics,
)
from disentangle.study.sweeps.models import (
    keep_data_spec,
    keep_models,
    load_models,
    model_file,
)
from disentangle.study.sweeps.plan import Ledger, Model, experiment_of, today
from disentangle.study.sweeps.table import About, Row
from disentangle.training.batches import Job
from disentangle.training.devices import Lane
from disentangle.training.final import final_rows
from disentangle.training.run import prepare
from disentangle.training.stages import How, train_in_folders
from disentangle.training.trained import Run
from disentangle.versions import versions

TRAINING, CLAIMS = "training", "claims"  # folders of a study that is at work
LOGS = "logs"  # of what loggers write, a folder per unit


class Place(NamedTuple):
    """A study's workdir and what is wanted there.

    Attributes:
      folder: the workdir.
      ledger: its units.
      score: the section `score` of the config.
      progress: show bars.
      loggers: names in training/loggers, that training writes to besides.
    """

    folder: Path
    ledger: Ledger
    score: Mapping[str, Any]
    progress: bool = True
    loggers: tuple[str, ...] = ()


def do_unit(
    place: Place, unit: str, data: Dataset, claims: Claims, lane: Lane | None = None
) -> bool:
    """Does what a unit lacks; False where another process has it, or it was stopped.

    Args:
      place: the study.
      unit: id of the unit.
      data: its data set, on the device where the work is done.
      claims: of the study.
      lane: where it is done, beside others; None in this thread alone.
    """
    if not claims.take(unit):
        return False
    try:
        with float32():
            return _do(place, unit, data, lane)
    finally:
        claims.release(unit)


def _do(place: Place, unit: str, data: Dataset, lane: Lane | None) -> bool:
    held, folder = Held.of(place.folder, unit), place.folder
    own = place.ledger.units[unit]
    run = None
    if held.is_trained(unit, own):
        run = _kept(place, unit)
    if run is None:
        run = _train(place, unit, data, lane)
        if run is None:
            return False
    scores = scores_digest(place.score)
    ids = [model.id for model in own.models]
    lacks = held.lacking(unit, ids, scores, single_metrics(place.score))
    if lacks:
        rows = list(_score(place, unit, run, data, lacks))
        path = scores_file(folder, unit, scores, lacks)
        about = About(unit, scores, tuple(lacks), tuple(ids))
        table.write(path, rows, place.ledger.columns, about)
    return True


def _kept(place: Place, unit: str) -> Run | None:
    """The trained models; None, with a warning, where they are damaged."""
    try:
        return load_models(place.folder, place.ledger, unit)
    except UserError as error:
        warnings.warn(f"{error}; the models are trained again", stacklevel=2)
        model_file(place.folder, unit).unlink(missing_ok=True)
        return None


def _train(place: Place, unit: str, data: Dataset, lane: Lane | None) -> Run | None:
    """Trains a unit and keeps models and losses; None where it was told to stop."""
    own = place.ledger.units[unit]
    group = place.ledger.groups[own.group]
    began = time.monotonic()
    home = place.folder / TRAINING / unit
    experiment = experiment_of(group, own.models)
    _, method, split, test_index = prepare(experiment.config, data)
    job = Job(experiment, method, split, test_index)
    how = How(
        at_once=len(own.models),
        loggers=place.loggers,
        progress=place.progress and lane is None,
        lane=lane,
        logs=place.folder / LOGS / unit,
    )
    home.parent.mkdir(parents=True, exist_ok=True)
    run = train_in_folders([job], [data], how, home)
    if lane and lane.signals.number and run.step < experiment.config["steps"]:
        return None
    seconds = (time.monotonic() - began) / len(own.models)
    keep_data_spec(place.folder, group.data, data)
    keep_models(place.folder, unit, run)
    rows = list(_loss_rows(place, unit, run, data, seconds))
    about = About(unit, "", (LOSSES,), tuple(model.id for model in own.models))
    table.write(losses_file(place.folder, unit), rows, place.ledger.columns, about)
    shutil.rmtree(home, ignore_errors=True)
    return run


def model_row(place: Place, unit: str, model: Model, alive: bool) -> Row:
    """What all rows of a model have."""
    own = place.ledger.units[unit]
    group = place.ledger.groups[own.group]
    config = today(group)
    return {
        "data": group.data,
        "run": group.run,
        "method": config["method"]["name"],
        "strength_field": group.strength or None,
        "strength": model.values[group.strength.partition(".")[2]]
        if group.strength
        else None,
        "seed": model.seed,
        "steps": config["steps"],
        "batch_size": config["batch_size"],
        "train_size": config["data"]["train_size"],
        "optimizer": config["optimizer"]["name"],
        **table.field_values(config, model.values),
        "model": model.id,
        "alive": alive,
        "versions": versions_now(),
        "device": jax.local_devices()[0].device_kind,
        "unit": unit,
    }


def versions_now() -> str:
    """The versions of what computes, as a column has them."""
    return table.fitted(versions(PACKAGES), "string")


def _loss_rows(
    place: Place, unit: str, run: Run, data: Dataset, seconds: float
) -> Iterator[Row]:
    """The losses on the test images, a row per model and loss."""
    found = final_rows(run, data)
    own = place.ledger.units[unit]
    for model, name, alive in zip(own.models, run.members, run.alive, strict=True):
        common = model_row(place, unit, model, bool(alive)) | {"train_seconds": seconds}
        for part, value in found[name].items():
            if value is None or np.ndim(value) == 0:
                yield common | {
                    "metric": LOSSES,
                    "part": part,
                    "value": np.nan if value is None else float(value),
                }


def _score(
    place: Place, unit: str, run: Run, data: Dataset, metrics: Sequence[str]
) -> Iterator[Row]:
    """The scores of a unit's models, a row per model and part of a metric."""
    began, section = time.monotonic(), place.score
    rows = (section["num_train"], section["num_test"])
    try:
        with bars.waiting("score", shown=place.progress):
            found = score_run(run, data, metrics, score_settings(section), rows)
    except UserError as error:  # no metric can be had
        refused = {name: Result({}, why_not=str(error)) for name in metrics}
        found = [refused for _ in run.members]
    own = place.ledger.units[unit]
    seconds = {
        "train_seconds": train_seconds(place.folder, unit),
        "score_seconds": (time.monotonic() - began) / len(own.models),
    }
    for model, alive, results in zip(own.models, run.alive, found, strict=True):
        common = model_row(place, unit, model, bool(alive)) | seconds
        for name in metrics:
            yield from score_rows(common, name, results.get(name), section)


def score_rows(
    common: Row, name: str, result: Result | None, section: Mapping[str, Any]
) -> Iterator[Row]:
    """The rows of one metric of one model, one of NaN where it could not be had."""
    ran = result.metadata if result else {}
    row = common | {
        "metric": name,
        "protocol": ran.get("protocol", section["protocol"]),
        "backend": section["backend"],
        "num_train": ran.get("num_train", section["num_train"]),
        "num_test": ran.get("num_test", section["num_test"]),
        "score_seed": section["seed"],
    }
    if not common["alive"]:
        for part in METRICS[name].parts or ("",):
            yield row | {"part": part, "value": np.nan, "note": "the model diverged"}
    elif result is None or result.why_not:
        why = result.why_not if result else "it was not computed"
        yield row | {"part": "", "value": np.nan, "note": why}
    else:
        for part, value in result.values.items():
            yield row | {"part": part, "value": float(value)}


def train_seconds(folder: Path, unit: str) -> float | None:
    """What the table says that a model of a unit took to train."""
    path = losses_file(folder, unit)
    column = table.read_file(path)[1].column("train_seconds")
    return column[0].as_py() if len(column) else None
