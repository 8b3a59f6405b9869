"""The oracle: every group of tasks trained, so that any affinity can be judged.

A job has regimes by name; more of them, and more seeds, can come later. A seed of a
regime that is finished is never trained again; one that was stopped in the middle goes
on from where it was. `report` reads the same files.

  config.json study.json       the job: its regimes, and that it is one
  REGIME/seed-S.npz            what a seed left: losses, steps, the codes of all groups
  REGIME/partial-S.npz         a seed in the middle; gone when it is finished
  REGIME/scores-S.json         scores of the codes of every group
  REGIME/table.parquet         the table of the regime: `oracle.TaskTable`
  stages.json                  what is done, and from what
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.files import place, read_json
from disentangle.oracle import train
from disentangle.oracle.examples import check_data
from disentangle.oracle.table import TaskTable
from disentangle.study.evaluate import check_sample, load_data
from disentangle.study.oracle_config import (
    check,
    default_oracle,
    held_of,
    regime_of,
    scored_index,
    seeds_of,
    sources,
)
from disentangle.study.oracle_files import (
    PARTIAL,
    GroupScores,
    SeedResult,
    score_groups,
)
from disentangle.study.oracle_seed import train_seed
from disentangle.study.stages import Stages, allow_changes, begin
from disentangle.training.config import plain
from disentangle.training.workdir import owned

TABLE = "table.parquet"
# What a job that is there may be given anew.
FREE = ("regimes", "seed", "seeds", "score.metrics", "score.backend", "score.protocol")


def run_oracle(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    data: Dataset | None = None,
    progress: bool = True,
) -> Path:
    """Trains, or goes on with, all groups of all regimes in `workdir`.

    Args:
      config: see `default_oracle`.
      workdir: created if needed; one process at a time. The fields of FREE may change;
        regimes that are there stay as they are, and others come beside them.
      data: the data set; None loads what the config names.
      progress: show the bars, a step of all groups each.

    Returns:
      The workdir.

    Raises:
      UserError: on anything wrong in the config or the workdir, before any compute.
    """
    config = check(config)
    with owned(place(workdir, "workdir")) as folder:
        known = plain(default_oracle(""))
        allow_changes(folder, config, known, free=FREE, own=())
        config = beside_held(folder, config)
        stages = Stages(folder)
        if data is None and all(
            stages.is_done(stage, source) for stage, source in sources(config)
        ):
            begin(folder, "oracle", config)
            return folder
        data = load_data(config["data"]) if data is None else data
        names = {
            name: check_data(regime_of(config, name), held_of(config), data)
            for name in config["regimes"]
        }
        for tasks in names.values():
            train.every_group(len(tasks))
        score = config["score"]
        check_sample(data, (score["num_train"], score["num_test"]), seed=score["seed"])
        begin(folder, "oracle", config)
        train_regimes(config, stages, data, progress)
        for name, tasks in names.items():
            stage = f"{name}/table"
            source = dict(sources(config))[stage]
            if not stages.is_done(stage, source):
                written = write_table(config, folder, name, [t.name for t in tasks])
                stages.keep(stage, source, [written])
        score_regimes(config, stages, data, progress)
    return folder


def beside_held(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The config with the regimes that the workdir has besides its own.

    Raises:
      UserError: a regime of the workdir with other fields.
    """
    path = folder / "config.json"
    if not path.exists():
        return config
    before = check(read_json(path, dict[str, Any]))["regimes"]
    for name in before:
        if config["regimes"].get(name, before[name]) != before[name]:
            raise UserError(
                f"workdir {folder} holds the regime {name!r} with other fields: its "
                "networks were trained with those; give the new one another name, or "
                "take another --workdir"
            )
    return config | {"regimes": before | config["regimes"]}


def train_regimes(
    config: dict[str, Any], stages: Stages, data: Dataset, progress: bool
) -> None:
    """seed-S.npz of every regime and seed, each unless it is there."""
    pairs = [(name, seed) for name in config["regimes"] for seed in seeds_of(config)]
    steps = {name: regime_of(config, name).steps for name in config["regimes"]}
    total, known = sum(steps[name] for name, _ in pairs), dict(sources(config))
    with bars.Progress("train", total=total, unit="step", shown=progress) as bar:
        for name, seed in pairs:
            stage = f"{name}/seed-{seed}"
            if stages.is_done(stage, known[stage]):
                bar.advance(steps[name], before=True)
                continue
            bar.to(bar.done, what=f"train every group, {name}, seed {seed}")
            source = known[stage]
            (stages.folder / name).mkdir(exist_ok=True)
            train_seed(config, name, seed, stages.folder, data, bar)
            stages.keep(stage, source, [f"{name}/{SeedResult.name(seed)}"])
            (stages.folder / name / PARTIAL.format(seed)).unlink(missing_ok=True)


def write_table(
    config: dict[str, Any], folder: Path, name: str, tasks: list[str]
) -> str:
    """table.parquet of a regime, its seeds in one table; returns its name."""
    seeds = tuple(seeds_of(config))
    held = [SeedResult.load(folder / name, SeedResult.name(seed)) for seed in seeds]
    stack = lambda field: np.stack([np.asarray(vars(one)[field]) for one in held])
    TaskTable(
        tuple(tasks),
        np.asarray(held[0].groups, bool),
        seeds,
        stack("test"),
        stack("validation"),
        stack("steps"),
        data=config["data"]["name"],
        regime=name,
    ).save(folder / name / TABLE)
    return f"{name}/{TABLE}"


def score_regimes(
    config: dict[str, Any], stages: Stages, data: Dataset, progress: bool
) -> None:
    """scores-S.json of every regime and seed, each unless it is there."""
    known, score = dict(sources(config)), config["score"]
    pairs = [(name, seed) for name in config["regimes"] for seed in seeds_of(config)]
    todo = [
        (name, seed)
        for name, seed in pairs
        if not stages.is_done(f"{name}/scores-{seed}", known[f"{name}/scores-{seed}"])
    ]
    if not todo:
        return
    rows = scored_index(config, data)
    factors = np.asarray(data.factors(rows))
    loaded = {
        (name, seed): SeedResult.load(stages.folder / name, SeedResult.name(seed))
        for name, seed in todo
    }
    total = sum(len(held.groups) for held in loaded.values())
    with bars.Progress("score", total=total, unit="encoder", shown=progress) as bar:
        for name, seed in todo:
            bar.to(bar.done, what=f"score the encoders, {name}, seed {seed}")
            tasks = check_data(regime_of(config, name), held_of(config), data)
            columns = [task.columns[0] for task in tasks]
            found = score_groups(
                loaded[name, seed], factors, data.space.names, columns, score, bar
            )
            found.save(stages.folder / name, GroupScores.name(seed))
            stage, file = f"{name}/scores-{seed}", f"{name}/{GroupScores.name(seed)}"
            stages.keep(stage, known[stage], [file])
