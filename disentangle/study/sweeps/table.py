"""results/*.parquet: the table of a large study, a row per model, metric and part.

  pandas.read_parquet("runs/s/results")
  polars.read_parquet("runs/s/results/*.parquet")
  duckdb.sql("select * from 'runs/s/results/*.parquet'")

read it in a line: all files have the same columns, and each is written whole or not at
all. `read` does the same and names a damaged file. The columns:

  data              string   the data set
  run, method       string   the name in the config, and in METHODS
  strength_field    string   the field that the run's grid sweeps, if it is one
  strength          double   its value
  seed              int64
  steps, batch_size int64    updates of the model, images per update
  train_size        int64    0 is the whole grid
  optimizer         string
  <fields>          each     of the study's methods: `beta`, `latents`, ...; of its
                             optimisers: `learning_rate`, `optimizer_b1`, ...; null
                             where the run's method does not have it. A float is a
                             double, a whole number int64, true or false bool, a text,
                             or JSON of a list, string
  model             string   hash of all that decides what is trained
  alive             bool     false for a model that diverged, whose values are NaN
  metric, part      string   "dci", "disentanglement"; "training" are the losses on
                             the test images at the last step
  value             double   NaN where there is none
  note              string   why there is none
  protocol, backend string   of the score: the definition it was computed by, the trees
  num_train, num_test, score_seed  int64   images that were scored, seed of the scores
                             (the five are null for "training")
  versions          string   JSON: package -> version
  device            string   what it was computed on
  train_seconds     double   of the model: its unit's by its models
  score_seconds     double   of all scores of its file, per model; null for "training"
  unit              string   hash of the models that were trained together

Seconds are those of the process that did the work, and alone are not the same twice.
"""

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from disentangle.errors import UserError
from disentangle.fields import fields_of
from disentangle.fields.define import Field, item_type, single_type
from disentangle.files import read_bytes, reading, write_bytes
from disentangle.methods import METHODS
from disentangle.study.sweeps.config import Config, training_configs
from disentangle.training.optimizers import OPTIMIZERS

FOLDER = "results"
ABOUT = b"disentangle"  # in a file's metadata: which unit and scores it has
FIRST = {
    "data": "string",
    "run": "string",
    "method": "string",
    "strength_field": "string",
    "strength": "double",
    "seed": "int64",
    "steps": "int64",
    "batch_size": "int64",
    "train_size": "int64",
    "optimizer": "string",
}
LAST = {
    "model": "string",
    "alive": "bool",
    "metric": "string",
    "part": "string",
    "value": "double",
    "note": "string",
    "protocol": "string",
    "backend": "string",
    "num_train": "int64",
    "num_test": "int64",
    "score_seed": "int64",
    "versions": "string",
    "device": "string",
    "train_seconds": "double",
    "score_seconds": "double",
    "unit": "string",
}
FIXED = FIRST | LAST
JOIN = "\x1f"  # between texts, for their sum
SECONDS = ("train_seconds", "score_seconds")
TYPES = {float: "double", int: "int64", bool: "bool", str: "string"}
Row = dict[str, Any]


class About(NamedTuple):
    """What a file has.

    Attributes:
      unit: the unit, or what compares models of several.
      scores: digest of how they were computed; "" of the losses.
      metrics: the metrics that it has rows of.
      models: the ids of its models.
    """

    unit: str
    scores: str
    metrics: tuple[str, ...]
    models: tuple[str, ...]


def own_columns(config: Config) -> dict[str, str]:
    """Column -> type of the fields of a study's methods and optimisers."""
    found: dict[str, str] = {}
    for laid in training_configs(config):
        for column, (_, field) in _columns(laid.config).items():
            kind = _type(field)
            held = found.setdefault(column, kind)
            if held != kind:
                numbers = {held, kind} == {"int64", "double"}
                found[column] = "double" if numbers else "string"
    return found


def _columns(config: Config) -> dict[str, tuple[str, Field]]:
    """Column -> (section, field) of a training config."""
    kinds = {
        "method": METHODS[config["method"]["name"]].settings,
        "optimizer": OPTIMIZERS[config["optimizer"]["name"]],
    }
    found = {}
    for section, kind in kinds.items():
        for name, field in fields_of(kind).items():
            is_bare = section == "method" or name == "learning_rate"
            column = name if is_bare and name not in FIXED else f"{section}_{name}"
            found[column] = (section, field)
    return found


def _type(field: Field) -> str:
    if item_type(field) is not None:
        return "string"
    return TYPES.get(single_type(field)[0], "string")


def field_values(config: Config, values: Mapping[str, Any]) -> Row:
    """Column -> value of one model: its own of what can be swept, else the config's."""
    found = {}
    for column, (section, field) in _columns(config).items():
        name = field.name
        found[column] = values[name] if name in values else config[section][name]
    return found


def schema(columns: Mapping[str, str]) -> Any:
    """The columns of a file, in order: FIRST, those of the fields, LAST."""
    every = FIRST | dict(sorted(columns.items())) | LAST
    kinds = {"string": pyarrow.string(), "double": pyarrow.float64()}
    kinds |= {"int64": pyarrow.int64(), "bool": pyarrow.bool_()}
    return pyarrow.schema([(name, kinds[kind]) for name, kind in every.items()])


def write(
    path: Path, rows: Sequence[Row], columns: Mapping[str, str], about: About
) -> None:
    """Writes a file of the table, whole or not at all.

    Raises:
      UserError: the place cannot be written.
    """
    every = FIRST | dict(columns) | LAST
    cells = [{k: fitted(row.get(k), kind) for k, kind in every.items()} for row in rows]
    keep(path, pyarrow.Table.from_pylist(cells, schema(columns)), about)


def keep(path: Path, table: Any, about: About) -> None:
    """Writes an Arrow table with what it has; errors as `write`."""
    text = json.dumps(about._asdict() | {"crc": crc(table)}).encode()
    sink = io.BytesIO()
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({ABOUT: text}), sink, compression="zstd"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, sink.getvalue())


def fitted(value: Any, kind: str) -> Any:
    """A value as its column holds it: JSON where that is of strings."""
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else json.dumps(value)
    return float(value) if kind == "double" else value


def read_file(path: Path) -> tuple[About, Any]:
    """What one file has, and its Arrow table.

    Raises:
      UserError: naming the file, if it is cut short, damaged or none of a study.
    """
    data = read_bytes(path)
    with reading(path):
        table = pyarrow.parquet.ParquetFile(io.BytesIO(data)).read()
        held = (table.schema.metadata or {}).get(ABOUT)
        if held is None:
            raise UserError("it is no table of a study")
        told = json.loads(held)
        about = About(
            str(told["unit"]),
            str(told["scores"]),
            tuple(told["metrics"]),
            tuple(told["models"]),
        )
        if told["crc"] != crc(table):
            raise UserError("its values are not those that were written")
    return about, table


def crc(table: Any) -> int:
    """CRC-32 of the columns of an Arrow table: names, values, and which are null."""
    found = 0
    for name, column in zip(table.schema.names, table.columns, strict=True):
        parts = [name.encode(), np.asarray(column.is_null()).tobytes()]
        if pyarrow.types.is_string(column.type):
            parts += [JOIN.join(value or "" for value in column.to_pylist()).encode()]
        else:
            empty = False if pyarrow.types.is_boolean(column.type) else 0
            parts += [np.asarray(column.fill_null(empty)).tobytes()]
        for part in parts:
            found = zlib.crc32(part, found)
    return found


def results(folder: Path) -> list[Path]:
    """The files of a study's table."""
    return sorted((folder / FOLDER).glob("[!.]*.parquet"))


def read(workdir: str | Path) -> pd.DataFrame:
    """The table of a study, its columns as this module says.

    Rows are ordered by data set, run, setting, seed, metric and part, so that a study
    that was stopped, or done by several, gives the same table as an unbroken one.

    Raises:
      UserError: there is none, or a file of it is damaged: it is named.
    """
    folder = Path(workdir)
    tables = [read_file(path)[1] for path in results(folder)]
    if not tables:
        raise UserError(f"{folder} holds no results of a study")
    whole = pyarrow.concat_tables(tables, promote_options="permissive")
    order = ["data", "run", "strength", "seed", "model", "metric", "part"]
    order += ["protocol", "backend", "num_train", "num_test", "score_seed"]
    return whole.to_pandas().sort_values(order, kind="stable", ignore_index=True)


def same_columns(path: Path, columns: Mapping[str, str]) -> None:
    """Writes a file again with the columns that it lacks, empty; values stay."""
    about, table = read_file(path)
    wanted = schema(columns)
    if table.schema.names == wanted.names:
        return
    held = dict(zip(table.schema.names, table.columns, strict=True))
    found = [
        held[field.name].cast(field.type)
        if field.name in held
        else pyarrow.nulls(len(table), field.type)
        for field in wanted
    ]
    keep(path, pyarrow.Table.from_arrays(found, schema=wanted), about)
