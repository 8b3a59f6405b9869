"""Scores that compare models: of each setting, all its seeds together.

They wait until every model of the setting is trained, whatever units those are in. With
more seeds they are computed again, and replace what there was: a model has one row.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.precision import float32
from disentangle.errors import UserError
from disentangle.metrics.base import Result
from disentangle.study.evaluate import score_run
from disentangle.study.sections import score_settings
from disentangle.study.stages import digest
from disentangle.study.sweeps import table
from disentangle.study.sweeps.claims import Claims
from disentangle.study.sweeps.held import Held, peer_metrics, scores_digest
from disentangle.study.sweeps.models import load_models
from disentangle.study.sweeps.plan import DIGITS, Ledger, Model
from disentangle.study.sweeps.shelf import Shelf
from disentangle.study.sweeps.table import About, Row
from disentangle.study.sweeps.work import (
    Place,
    model_row,
    score_rows,
    train_seconds,
)
from disentangle.training.members import Member
from disentangle.training.trained import Run

PREFIX = "peers-"


class Setting(NamedTuple):
    """All models of a study that differ in the seed alone.

    Attributes:
      name: "peers-" and a hash.
      models: (unit, model), by seed.
    """

    name: str
    models: tuple[tuple[str, Model], ...]


def settings_of(ledger: Ledger, units: Sequence[str]) -> list[Setting]:
    """Every setting that has a model in one of `units`, with its models in all."""
    found: dict[str, list[tuple[str, Model]]] = {}
    asked: dict[str, None] = {}
    for id, unit in ledger.units.items():
        for model in unit.models:
            name = digest([unit.group, json.dumps(model.values, sort_keys=True)])
            found.setdefault(name, []).append((id, model))
            if id in units:
                asked[name] = None
    by_seed = lambda pair: pair[1].seed
    return [
        Setting(PREFIX + name[:DIGITS], tuple(sorted(found[name], key=by_seed)))
        for name in asked
    ]


def lacking(place: Place, held: Held, setting: Setting) -> list[str]:
    """The metrics that compare models and that a setting is to have."""
    ids = [model.id for _, model in setting.models]
    scores = scores_digest(place.score)
    return held.lacking(setting.name, ids, scores, peer_metrics(place.score))


def can_compare(place: Place, held: Held, setting: Setting) -> bool:
    """Whether all models of a setting are trained."""
    units = {unit for unit, _ in setting.models}
    return all(held.is_trained(unit, place.ledger.units[unit]) for unit in units)


def compare(place: Place, setting: Setting, shelf: Shelf, claims: Claims) -> None:
    """Computes what a setting lacks, unless another process is at it."""
    if not claims.take(setting.name):
        return
    try:
        held = Held.of(place.folder, setting.name)
        if lacking(place, held, setting):
            with float32():
                _compare(place, setting, shelf)
    finally:
        claims.release(setting.name)


def _compare(place: Place, setting: Setting, shelf: Shelf) -> None:
    metrics, scores = peer_metrics(place.score), scores_digest(place.score)
    rows = list(_rows(place, setting, shelf, metrics))
    ids = tuple(model.id for _, model in setting.models)
    path = place.folder / table.FOLDER / f"{setting.name}-{scores[:8]}.parquet"
    about = About(setting.name, scores, metrics, ids)
    table.write(path, rows, place.ledger.columns, about)


def _rows(
    place: Place, setting: Setting, shelf: Shelf, metrics: Sequence[str]
) -> Iterator[Row]:
    """A row per model and part of a metric."""
    section, run = place.score, joined(place, setting)
    counts = (section["num_train"], section["num_test"])
    try:
        data = shelf.get(run.config["data"])
        found = score_run(run, data, metrics, score_settings(section), counts)
    except UserError as error:  # one model, or codes that are no Gaussians
        refused = {name: Result({}, why_not=str(error)) for name in metrics}
        found = [refused for _ in run.members]
    pairs = zip(setting.models, run.alive, found, strict=True)
    for (unit, model), alive, results in pairs:
        common = model_row(place, unit, model, bool(alive))
        common |= {"train_seconds": train_seconds(place.folder, unit)}
        for name in metrics:
            yield from score_rows(common, name, results.get(name), section)


def joined(place: Place, setting: Setting) -> Run:
    """The models of a setting as one Run, by seed."""
    held = {
        unit: load_models(place.folder, place.ledger, unit)
        for unit in dict.fromkeys(unit for unit, _ in setting.models)
    }
    parts, alive = [], []
    for unit, model in setting.models:
        run = held[unit]
        at = [own.id for own in place.ledger.units[unit].models].index(model.id)
        parts.append(jax.tree.map(lambda x, at=at: x[at], run.params))
        alive.append(run.alive[at])
    population = tuple(
        Member(model.member, {}, model.seed, "", dict(model.values))
        for _, model in setting.models
    )
    first = next(iter(held.values()))
    return dataclasses.replace(
        first,
        population=population,
        params=jax.tree.map(lambda *xs: jnp.stack(xs), *parts),
        alive=np.array(alive),
    )
