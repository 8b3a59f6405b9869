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

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.data.pooled import pooled
from disentangle.errors import UserError
from disentangle.fields import defaults, read
from disentangle.fields.check import short, whole_number
from disentangle.files import place, read_json
from disentangle.metrics import choose_metrics
from disentangle.oracle import train
from disentangle.oracle.examples import Parts, check_data, parts_of
from disentangle.oracle.regime import Held, Regime
from disentangle.oracle.table import TaskTable
from disentangle.study.evaluate import check_sample, load_data
from disentangle.study.oracle_files import (
    PARTIAL,
    GroupScores,
    SeedResult,
    read_partial,
    score_groups,
    write_partial,
)
from disentangle.study.sample import sample_index
from disentangle.study.sections import Score
from disentangle.study.stages import Stages, allow_changes, begin, data_source, digest
from disentangle.training import stopping
from disentangle.training.config import check_fields, check_sections, plain
from disentangle.training.sections import SEEDS, Source
from disentangle.training.workdir import owned

SAVE_SECONDS = 60.0  # of work that a kill may cost
TABLE = "table.parquet"
# What a job that is there may be given anew.
FREE = ("regimes", "seed", "seeds", "score.metrics", "score.backend", "score.protocol")
SCORED = {"metrics": ("dci", "mig", "modularity"), "num_train": 1000, "num_test": 500}


def default_oracle(
    data: str, regimes: Mapping[str, Regime] | None = None
) -> ConfigDict:
    """The config of the oracle on a data set.

    Args:
      data: its name.
      regimes: by their names; None is one with the defaults, called "default".
    """
    chosen = {"default": Regime()} if regimes is None else regimes
    fields = defaults(Regime)
    return ConfigDict(
        {
            "data": {"name": data, "path": "", "source": ""},
            "regimes": {
                name: {field: getattr(regime, field, None) for field in fields}
                for name, regime in chosen.items()
            },
            "held": defaults(Held),
            "seed": 0,
            "seeds": 5,
            "score": defaults(Score) | SCORED,
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    config = plain(config)
    reference = plain(default_oracle(""))
    check_fields(config, reference)
    check_sections(config, reference, ("data", "held", "score"))
    read(Source, config["data"], "data.")
    read(Held, config["held"], "held.")
    read(Score, config["score"], "score.")
    choose_metrics(config["score"]["metrics"])
    whole_number("seed", config["seed"], 0, SEEDS - 1)
    whole_number("seeds", config["seeds"], 1, SEEDS - config["seed"])
    if not isinstance(config["regimes"], Mapping) or not config["regimes"]:
        raise UserError(
            f"regimes={short(config['regimes'])} must be sections, a name each"
        )
    for name, section in config["regimes"].items():
        if not name.replace("-", "").replace("_", "").isalnum():
            raise UserError(
                f"the regime {name!r} names a folder: letters, digits, - and _ only"
            )
        if not isinstance(section, Mapping):
            raise UserError(f"config field 'regimes.{name}' must be a section")
        check_sections({name: section}, {name: defaults(Regime)}, (name,))
        read(Regime, section, f"regimes.{name}.")
    return config


def regime_of(config: Mapping[str, Any], name: str) -> Regime:
    """The settings of a regime of a checked config."""
    return read(Regime, config["regimes"][name])[0]


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


def held_of(config: Mapping[str, Any]) -> Held:
    """The settings `held` of a checked config."""
    return read(Held, config["held"])[0]


def seeds_of(config: Mapping[str, Any]) -> range:
    """The seeds of a checked config."""
    return range(config["seed"], config["seed"] + config["seeds"])


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


def sources(config: dict[str, Any]) -> list[tuple[str, Any]]:
    """Every stage of the job, and what each is computed from."""
    common = [data_source(config["data"]), config["held"]]
    score = config["score"]
    drawn = [score[field] for field in ("num_train", "num_test", "seed")]
    found: list[tuple[str, Any]] = []
    for name, regime in config["regimes"].items():
        for seed in seeds_of(config):
            source = [*common, regime, seed, drawn]
            found.append((f"{name}/seed-{seed}", source))
            found.append((f"{name}/scores-{seed}", [source, score]))
        found.append((f"{name}/table", [*common, regime, list(seeds_of(config))]))
    return found


def scored_index(config: dict[str, Any], data: Dataset) -> np.ndarray:
    """(M,) the images whose codes are kept and scored, the same for all networks."""
    score = config["score"]
    rows = score["num_train"] + score["num_test"]
    return sample_index(data, rows, seed=score["seed"])


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


def train_seed(
    config: dict[str, Any],
    name: str,
    seed: int,
    folder: Path,
    data: Dataset,
    bar: bars.Progress,
) -> None:
    """All groups of one seed; writes seed-S.npz."""
    regime = regime_of(config, name)
    program = train.program_of(regime, data.space, data.shape[2])
    parts = parts_of(regime, held_of(config), data, seed)
    groups = train.every_group(len(program.network.tasks))
    spot = folder / name / PARTIAL.format(seed)
    source = digest(dict(sources(config))[f"{name}/seed-{seed}"])
    state = trained(program, groups, seed, parts, (spot, source), bar)
    rows = scored_index(config, data)
    images = parts.standardised(pooled(data, rows, regime.pixels))
    codes = train.codes_of(program, state.best.shared, images)
    masked = lambda values: np.where(groups, np.asarray(values, np.float32), np.nan)
    SeedResult(
        groups,
        masked(state.best.validation),
        masked(state.best.test),
        masked(state.best.step),
        np.asarray(codes),
    ).save(folder / name, SeedResult.name(seed))


def trained(
    program: train.Program,
    groups: np.ndarray,
    seed: int,
    parts: Parts,
    kept: tuple[Path, str],
    bar: bars.Progress,
) -> train.State:
    """The state after all steps, from `kept` where a part of them is done.

    It is written there once per minute, and when a signal stops the work.

    Args:
      program, groups, seed, parts: see `train.start`.
      kept: the file of a seed in the middle, and what it must be of.
      bar: told of every step.
    """
    regime, rows = program.regime, jnp.asarray(groups)
    state = read_partial(*kept, program, rows)
    if state is None:
        state = train.start(program, rows, seed, parts)
    done, last = int(state.step), time.monotonic()
    bar.advance(done, before=True)
    with stopping.deferred() as signals:
        while done < regime.steps and not signals.number:
            state = train.advance(program, state, rows, seed, parts, regime.every)
            jax.block_until_ready(state)
            done += regime.every
            signals.unsaved = True
            bar.advance(regime.every)
            is_due = time.monotonic() - last > SAVE_SECONDS
            if done < regime.steps and (signals.number or is_due):
                write_partial(*kept, state)
                signals.unsaved, last = False, time.monotonic()
    return state


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
