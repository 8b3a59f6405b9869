"""STUDIES: the jobs of several stages. A new study is one file and one line here.

A row is read at every start of the program, so that what a study needs is read only
when it is used: `Study.load`. What stands in STUDIES has a command of its name, a line
in `list`, and a page for its workdirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from disentangle.report.blocks import Block

Config = Mapping[str, Any]
SHARED = {"data", "score"}  # sections of a config that tell no study from another


class Result(NamedTuple):
    """What came out of a job, for the top of its page; each part may be empty.

    Attributes:
      answer: a sentence or two, to be read in ten seconds.
      parts: what it rests on, each under its name.
      command: what would say more, run in the folder of the page.
    """

    answer: str = ""
    parts: Sequence[tuple[str, str]] = ()
    command: str = ""


@dataclass(frozen=True)
class Page:
    """What the page of a workdir shows that is not the same for all.

    Attributes:
      title: the heading, from the config.
      sections: anchor -> title and the blocks under it; [] where there is nothing to
        show. A damaged file is a UserError, which the page prints in its place.
      told: sentences on what was run, from the workdir and its config.
      result: what came out.
      figures: writes figures beside the page; returns their paths.
    """

    title: Callable[[Config], str]
    sections: Mapping[str, tuple[str, Callable[[Path], list[Block]]]]
    told: Callable[[Path, Config], list[str]] = lambda workdir, config: []
    result: Callable[[Path], Result] = lambda workdir: Result()
    figures: Callable[[Path], list[Path]] = lambda workdir: []


@dataclass(frozen=True)
class Job:
    """What a study does.

    Attributes:
      default: the config on a data set, by its name; "" gives the fields alone.
      check: the config as plain data; raises the UserError that `run` would raise.
      run: `run(config, workdir, **options)` does the job, or goes on with it: what is
        done is not done again. It writes config.json by `stages.begin`. Words that it
        returns are shown in place of the tables and the page.
      tables: what the terminal shows of a finished job.
      page: what its page shows.
    """

    default: Callable[[str], ConfigDict]
    check: Callable[[Config], dict[str, Any]]
    run: Callable[..., Any]
    tables: Callable[[Path], str]
    page: Page


class Option(NamedTuple):
    """A flag of a study's command.

    Attributes:
      help: what it is for.
      kind: "names", a list; "string", or "switch".
    """

    help: str
    kind: str = "names"


@dataclass(frozen=True)
class Study:
    """A row of STUDIES.

    Attributes:
      summary: the command in a line.
      example: its flags, such that they run.
      load: gives the Job; what it needs is imported there.
      options: flag -> Option; each is a keyword of `Job.run`.
    """

    summary: str
    example: str
    load: Callable[[], Job]
    options: Mapping[str, Option] = field(default_factory=dict)


LOGGED = {"loggers": Option("besides metrics.jsonl: tensorboard, wandb")}


def _pipeline() -> Job:
    from disentangle.report.pipeline import PIPELINE

    return PIPELINE


def _comparison() -> Job:
    from disentangle.report.comparison import COMPARISON

    return COMPARISON


def _affinity() -> Job:
    from disentangle.report.pipeline import AFFINITY

    return AFFINITY


def _impossibility() -> Job:
    from disentangle.report.impossibility import IMPOSSIBILITY

    return IMPOSSIBILITY


def _oracle() -> Job:
    from disentangle.report.oracle import ORACLE

    return ORACLE


def _contest() -> Job:
    from disentangle.report.contest import CONTEST

    return CONTEST


def _sweep() -> Job:
    from disentangle.report.sweep import SWEEP

    return SWEEP


STUDIES: dict[str, Study] = {
    "pipeline": Study(
        "the main job: affinity, groups, networks, scores, report",
        "--config=experiments/pipeline.py:dsprites,quick --workdir=runs/quickstart",
        _pipeline,
        LOGGED,
    ),
    "compare": Study(
        "a study: many methods trained, scored, put beside published numbers",
        "--config=experiments/comparison.py:dsprites,quick --workdir=runs/comparison",
        _comparison,
        {"only": Option("comma-separated runs to do now"), **LOGGED},
    ),
    "study": Study(
        "data sets x methods x strengths x seeds: thousands of models, one table",
        "--config=experiments/study.py:dsprites --config.methods=beta_vae,factor_vae "
        "--config.strengths=2 --config.seeds=2 --config.steps=6 --config.batch_size=4 "
        "--config.score.metrics=mig,sap --config.score.num_train=300 "
        "--config.score.num_test=150 --workdir=runs/study",
        _sweep,
        {
            "dry_run": Option("say what would be done, write nothing", "switch"),
            "shard": Option("i/n: only every n-th unit from the i-th on", "string"),
            "executor": Option("who does the units: serial, ray or slurm", "string"),
            "address": Option("of the executor's cluster", "string"),
            **LOGGED,
        },
    ),
    "affinity": Study(
        "the main job's first stage: measure inter-task affinity",
        "--config=experiments/pipeline.py:dsprites,quick --workdir=runs/quickstart",
        _affinity,
        LOGGED,
    ),
    "impossibility": Study(
        "the theorem as an experiment: latents rotated, scores destroyed",
        "--config=experiments/impossibility.py:dsprites --workdir=runs/impossibility",
        _impossibility,
    ),
    "oracle": Study(
        "the truth about task groups: every group trained, seed by seed",
        "--config=experiments/oracle.py:dsprites,bottleneck --workdir=runs/oracle",
        _oracle,
    ),
    "contest": Study(
        "every estimator of affinity judged by the shipped truths, without training",
        "--config=experiments/contest.py --workdir=runs/contest",
        _contest,
    ),
}


def study_of(workdir: Path, config: Config) -> str:
    """The name of the study that a workdir is of, "" for a training run.

    study.json names it. A workdir of before there was such a file is of the first
    study whose config has all sections that its config.json has.
    """
    from disentangle.study.stages import Begun

    named = Begun.held(workdir, "the study is known by its config")
    if named:
        return named.study if named.study in STUDIES else ""
    own = set(config) - SHARED
    for name, study in STUDIES.items():
        if own and own <= set(study.load().default("")):
            return name
    return ""
