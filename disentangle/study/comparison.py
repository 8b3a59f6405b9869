"""Many methods on one data set: trained, scored, and put beside published numbers.

Every method is a training run of its own (one program for its seeds), scored when
it is done. A killed study goes on where it stopped, in training as in scoring.

  config.json study.json      the whole study, and that it is one
  runs/<name>/                training run, see training/run.py
  runs/<name>/scores.json     its scores, see study/scores.py
  runs/<name>/facts.json      what it was told and spent, see study/facts.py
  scores.json                 the scores and the facts of all runs that are done
  stages.json                 what is done, and from what
  summary.json                seconds per run, versions
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError, unknown
from disentangle.fields import defaults, read
from disentangle.files import place, read_json
from disentangle.study.evaluate import load_data, score_run
from disentangle.study.facts import ComparedScores, Facts, describe
from disentangle.study.scores import MATRICES, Scores, keep_scores, scored_members
from disentangle.study.sections import Score, check_score, score_settings
from disentangle.study.stage_timer import Log, StageTimer
from disentangle.study.stages import (
    Stages,
    allow_changes,
    begin,
    data_source,
    run_source,
)
from disentangle.training.config import (
    check_fields,
    check_sections,
    default_config,
    plain,
    read_experiment,
)
from disentangle.training.loggers import chosen
from disentangle.training.older import policy
from disentangle.training.run import Run, fit, prepare
from disentangle.training.sections import Data
from disentangle.training.stages import How
from disentangle.training.workdir import check_workdir, owned

WRITTEN = (Scores.FILE, Facts.FILE, *MATRICES)  # beside a run that is scored
INTERVALS = ("log_every", "eval_every", "checkpoint_every")  # scores do not see them


def default_comparison(
    data: str, methods: Mapping[str, Mapping[str, Any]]
) -> ConfigDict:
    """The config of a study.

    Args:
      data: name in DATASETS.
      methods: name of a run -> fields of its method, among them "method", the name
        in METHODS, where it is not the run's own.

    Returns:
      ConfigDict: `data`, `score`, and `runs.<name>`, a training config each.
    """
    runs = ConfigDict()
    for name, fields in methods.items():
        config = default_config(data, fields.get("method", name))
        for field in fields:
            if field != "method":
                config.method[field] = fields[field]
        section = config.data
        with config.unlocked():
            del config["data"]
        runs[name] = config
    return ConfigDict(
        {
            "data": section,
            "score": defaults(Score) | {"metrics": ("all",)},
            "runs": runs,
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    config = plain(config)
    reference = plain(default_comparison("", {"vae": {}}))
    check_fields(config, reference)
    check_sections(config, reference, ("data", "score"))
    read(Data, config["data"], "data.")
    runs = config["runs"]
    if not isinstance(runs, Mapping) or not runs:
        raise UserError("the study has no runs")
    for name, run in runs.items():
        if not isinstance(run, Mapping):
            raise UserError(f"config field {'runs.' + name!r} must be a section")
    check_score(config["score"])
    for name in config["runs"]:
        read_experiment(training_config(config, name))
    return config


def training_config(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The training config of one run."""
    return {"data": config["data"]} | dict(config["runs"][name])


def run_comparison(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    only: Sequence[str] = (),
    loggers: str | Sequence[str] = (),
    data: Dataset | None = None,
    progress: bool = True,
    log: Log = bars.stage,
) -> Path:
    """Runs, or goes on with, a study in `workdir`.

    Args:
      config: see `default_comparison`.
      workdir: created if needed; one process at a time. A later call may bring more
        runs, more steps of a run, or another `score`; what is there is not done again.
      only: names of the runs to do now; () is all. The others can follow later.
      loggers: names in training/loggers, such as "tensorboard" (needs the extra):
        where numbers of every run go besides its metrics.jsonl, in its folder.
      data: the data set; None loads what the config names.
      progress: show progress bars.
      log: receives one line per stage.

    Returns:
      The workdir.

    Raises:
      UserError: on anything wrong, before any compute.
    """
    config = check(config)
    for name in only:
        if name not in config["runs"]:
            raise unknown("run of the study", name, config["runs"])
    how = How(loggers=chosen(loggers, workdir), progress=progress)
    with owned(place(workdir, "workdir")) as folder:
        whole_study = with_held_runs(folder, config)
        stages = Stages(folder)
        names = list(only) or list(config["runs"])
        if data is None:
            names = [name for name in names if not is_scored(stages, config, name)]
        if names:
            timer = StageTimer(folder, log)
            with timer("load the data"):
                data = load_data(config["data"]) if data is None else data
            for name in names:
                prepare(training_config(config, name), data)
            begin(folder, "compare", whole_study)
            for name in names:
                do_run(config, name, data, stages, timer, how)
                gather(whole_study, stages)
        else:
            begin(folder, "compare", whole_study)
            gather(whole_study, stages)
    return folder


def do_run(
    config: dict[str, Any],
    name: str,
    data: Dataset,
    stages: Stages,
    timer: StageTimer,
    how: How,
) -> None:
    """Trains a run and scores it, each unless it is done from the same."""
    home = stages.folder / "runs" / name
    with timer(f"train {name}"):
        section = training_config(config, name)
        run = fit(
            section, data, workdir=home, progress=how.progress, loggers=how.loggers
        )
    if is_scored(stages, config, name):
        return
    with timer(f"score {name}"):
        score(run, data, config["score"], name, progress=how.progress)
        with bars.waiting(f"describe {name}", shown=how.progress):
            describe(run, data).save(home)
        files = [f"runs/{name}/{file}" for file in WRITTEN]
        stages.keep(f"score {name}", source_of(stages, config, name), files)


def source_of(stages: Stages, config: dict[str, Any], name: str) -> list[Any]:
    """What the scores of a run depend on."""
    trained = run_source(stages.folder / "runs" / name)
    section = {k: v for k, v in config["runs"][name].items() if k not in INTERVALS}
    return [data_source(config["data"]), section, config["score"], trained]


def is_scored(stages: Stages, config: dict[str, Any], name: str) -> bool:
    """Whether a run is trained and its scores and facts are there."""
    return stages.is_done(f"score {name}", source_of(stages, config, name))


def with_held_runs(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The study's config with the runs that the workdir already holds.

    Raises:
      UserError: naming every field in which the data or a run differ from before and
        may not.
    """
    path = folder / "config.json"
    if not path.exists():
        return config
    held = read_json(path, dict[str, Any])
    if not isinstance(held.get("runs"), dict):
        raise UserError(f"{path} is not the config of a study")
    known = plain(default_comparison("", {"vae": {}}))
    allow_changes(folder, config, known, free=("score",), own=("runs",))
    for name in config["runs"]:
        checked = read_experiment(training_config(config, name)).config
        check_workdir(folder / "runs" / name, checked, policy(checked))
    return config | {"runs": held["runs"] | config["runs"]}


def score(
    run: Run, data: Dataset, section: Mapping[str, Any], name: str, *, progress: bool
) -> None:
    """Scores the run's living members and keeps them in its folder."""
    assert run.workdir is not None
    rows = (section["num_train"], section["num_test"])
    with bars.Progress(f"score {name}", unit="fit", shown=progress) as bar:

        def show(metric: str, done: int, total: int) -> None:
            bar.to(done, total, what=f"score {name}: {metric}")

        settings = dataclasses.replace(score_settings(section), progress=show)
        results = score_run(run, data, section["metrics"], settings, rows)
    members = scored_members(run, results)
    scored = [dataclasses.replace(member, representation=name) for member in members]
    keep_scores(run.workdir, scored, data.space.names)


def gather(config: dict[str, Any], stages: Stages) -> None:
    """scores.json of the study, from the files of its runs that are done."""
    whole = ComparedScores([])
    for name in config["runs"]:
        home = stages.folder / "runs" / name
        if is_scored(stages, config, name):
            found = Scores.held(home, "it is passed over")
            if found:
                whole.rows.extend(found.rows)
                whole.ran.update(found.ran)
                whole.facts[name] = Facts.load(home)
    whole.save(stages.folder)
