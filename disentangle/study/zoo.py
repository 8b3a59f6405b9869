"""A zoo: of every data set and run of a large study its best and its median model.

Each is one `.safetensors` file with its config, its scores and how these were computed,
and a model card in Markdown beside it; zoo.json lists them. `build_zoo` makes all of it
from a study's workdir, so that it need not be kept anywhere else.

    <zoo>/zoo.json
    <zoo>/<data>/<run>/best.safetensors, best.md, median.safetensors, median.md
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from disentangle.data import cache
from disentangle.errors import UserError, unknown
from disentangle.export import Facts, facts_of, model_bytes, read_model
from disentangle.export.weights import SUFFIX
from disentangle.files import place, write_bytes, write_text
from disentangle.metrics import METRICS
from disentangle.records import JsonRecord
from disentangle.study.sweeps import table
from disentangle.study.sweeps.held import LOSSES
from disentangle.study.sweeps.models import load_models
from disentangle.study.sweeps.plan import Ledger
from disentangle.study.zoo_card import Standing, card
from disentangle.training.trained import Run

PREFERRED = ("dci.disentanglement", "mig.score")  # what models are ranked by
KINDS = ("best", "median")
PROTOCOL = ["protocol", "backend", "num_train", "num_test", "score_seed"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One model of a zoo.

    Attributes:
      name: "data/run/kind", by which `load_model` finds it.
      file: of its weights, within the zoo.
      by: "metric.part" that it was chosen by.
      value: what it reaches there.
      model: its id in the study.
      bytes: size of the file.
    """

    name: str
    file: str
    by: str
    value: float
    model: str
    bytes: int


@dataclasses.dataclass(frozen=True)
class Zoo(JsonRecord):
    """zoo.json.

    Attributes:
      entries: the models.
    """

    FILE: ClassVar[str] = "zoo.json"
    entries: tuple[Entry, ...]


def default_zoo() -> Path:
    """Where a zoo is, if nothing else is said: in the project's cache."""
    return cache.folder() / "zoo"


def load_model(name: str | Path, *, zoo: str | Path | None = None) -> Run:
    """A trained model by its name in a zoo, or from its `.safetensors` file.

    Args:
      name: "data/run/best" or "data/run/median", such as "dsprites/beta_vae/best"; or
        the path of a file that `export --format=safetensors` or `zoo` wrote.
      zoo: folder of the zoo; None is that of the project's cache.

    Returns:
      A Run of one model, as `load_run` gives, without a workdir: it encodes, decodes
      and samples.

    Raises:
      UserError: there is no such model or file, or it is damaged.
    """
    if str(name).endswith(SUFFIX):
        return read_model(name)
    folder = default_zoo() if zoo is None else place(zoo, "zoo")
    if not (folder / Zoo.FILE).exists():
        raise UserError(
            f"{str(name)[:80]!r} is no {SUFFIX} file, and there is no zoo at {folder}: "
            "`disentangle zoo --workdir=STUDY` makes one"
        )
    entries = {entry.name: entry for entry in Zoo.load(folder).entries}
    if name not in entries:
        raise unknown("model", str(name), entries)
    return read_model(folder / entries[str(name)].file)


def build_zoo(workdir: str | Path, out: Path, by: str = "") -> Zoo:
    """Writes the zoo of a large study.

    Of the living models of a run those with the highest value are best (the lowest, of
    a score that is better low); the median one is the lower of the two in the middle
    where their number is even. Models stand in a zoo that was there before until all of
    the new one is written; those of other data sets and runs stay.

    Args:
      workdir: of a study.
      out: folder of the zoo, made if missing.
      by: "metric.part", or a metric of one part, that models are ranked by; "" is the
        first of `PREFERRED` that the study has, else its first score.

    Raises:
      UserError: there is no study, it has no such score, or a file is damaged.
    """
    folder = place(workdir, "workdir")
    scores = scored(table.read(folder))
    ledger, chosen = Ledger.load(folder), criterion(scores, by)
    entries = {e.name: e for e in (Zoo.load(out).entries if is_zoo(out) else ())}
    for (data, run), rows in scores.groupby(["data", "run"], sort=True):
        for kind, model, standing in picked(rows, chosen):
            name = f"{data}/{run}/{kind}"
            trained, index = model_of(folder, ledger, model)
            found = _with_scores(facts_of(trained, index), rows, model)
            file = Path(str(data)) / str(run) / f"{kind}{SUFFIX}"
            weights = model_bytes(trained, index, found)
            cache.writable_folder((out / file).parent)
            write_bytes(out / file, weights)
            text = card(name, found, standing)
            write_text((out / file).with_suffix(".md"), text)
            value, size = standing.value, len(weights)
            entries[name] = Entry(
                name, file.as_posix(), ".".join(chosen), value, model, size
            )
    zoo = Zoo(tuple(entries[name] for name in sorted(entries)))
    zoo.save(cache.writable_folder(out))
    return zoo


def is_zoo(folder: Path) -> bool:
    """Whether there is a zoo."""
    return (folder / Zoo.FILE).exists()


def scored(rows: pd.DataFrame) -> pd.DataFrame:
    """The scores of living models, of the protocol that most rows have.

    Raises:
      UserError: there is none.
    """
    found = rows[(rows.metric != LOSSES) & rows.alive & np.isfinite(rows.value)]
    if found.empty:
        raise UserError("the study has no scores of a living model")
    settings = found[PROTOCOL].astype(str).agg("|".join, axis=1)
    return found[settings == settings.value_counts().index[0]]


def criterion(scores: pd.DataFrame, by: str) -> tuple[str, str]:
    """(metric, part) that models are ranked by; errors as `build_zoo`."""
    pairs = scores[["metric", "part"]].drop_duplicates().itertuples(index=False)
    there = [f"{metric}.{part}" for metric, part in pairs]
    if not by:
        by = next((name for name in PREFERRED if name in there), there[0])
    own = [name for name in there if name.partition(".")[0] == by]
    name = own[0] if len(own) == 1 else by
    if name not in there:
        raise unknown("score of the study", by, there)
    metric, _, part = name.partition(".")
    return metric, part


def picked(
    rows: pd.DataFrame, chosen: tuple[str, str]
) -> list[tuple[str, str, Standing]]:
    """(kind, id of the model, how it stands) of a run; [] without such a score."""
    metric, part = chosen
    own = rows[(rows.metric == metric) & (rows.part == part)]
    if own.empty:
        return []
    words = METRICS[metric].parts.get(part) if metric in METRICS else None
    is_low = words is not None and words.better == "lower"
    ranked = own.sort_values(["value", "model"], ascending=not is_low)
    ids, values = ranked.model.tolist(), ranked.value.tolist()
    places = {"best": len(ids) - 1, "median": (len(ids) - 1) // 2}
    name = f"{metric}.{part}"
    found = []
    for kind in KINDS:
        at = places[kind]
        standing = Standing(name, values[at], kind, len(ids), values[0], values[-1])
        found.append((kind, ids[at], standing))
    return found


def model_of(folder: Path, ledger: Ledger, model: str) -> tuple[Run, int]:
    """The Run that a model was trained in, and its place; errors as `load_models`."""
    unit = ledger.models.get(model)
    if unit is None:
        raise UserError(f"{folder / Ledger.FILE} does not know the model {model}")
    ids = [one.id for one in ledger.units[unit].models]
    return load_models(folder, ledger, unit), ids.index(model)


def _with_scores(facts: Facts, rows: pd.DataFrame, model: str) -> Facts:
    """The facts with all scores of the model, and how they were computed."""
    own = rows[rows.model == model].sort_values(["metric", "part"])
    values = {f"{row.metric}.{row.part}": row.value for row in own.itertuples()}
    told: dict[str, Any] = json.loads(own.iloc[0][PROTOCOL].to_json())
    # A column of whole numbers, some of them missing, comes back as floats.
    first = {k: int(v) if isinstance(v, float) else v for k, v in told.items()}
    versions = json.loads(own.iloc[0]["versions"])
    return dataclasses.replace(
        facts, scores=values, protocol=first | {"versions": versions}
    )
