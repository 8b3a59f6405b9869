"""The stages of a job, each a run in a folder of its own; the last in the job's.

    runs/a/stage-1/      the first of three, an ordinary workdir
    runs/a/stage-2/      started with its parameters
    runs/a/              the last one, and what the job's name stands for

A job that goes on begins with the last stage that has started; what is before it is
not looked at, and may be gone.
"""

import contextlib
import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from disentangle.data.dataset import Dataset
from disentangle.data.stream import told
from disentangle.errors import UserError, unknown
from disentangle.fields import defaults
from disentangle.files import read_json
from disentangle.methods.base import init
from disentangle.training import older
from disentangle.training.batches import Job, train_batches
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import Experiment, read_experiment
from disentangle.training.data_axis import DEVICES, DataAxis, data_axis
from disentangle.training.data_spec import data_spec, keep_spec, refuse_other_data
from disentangle.training.devices import Lane
from disentangle.training.init_from import (
    Given,
    Origin,
    Start,
    given_by,
    matched,
    refuse_changed,
    refuse_other_number,
    shapes,
    tell,
    tell_unlearned,
)
from disentangle.training.kept import keep_data
from disentangle.training.load import load_run, origin_in, run_of
from disentangle.training.loggers import open_loggers
from disentangle.training.pictures import reconstructions
from disentangle.training.roster import FILE as ROSTER
from disentangle.training.roster import (
    checkpoint_folder,
    in_batches,
    keep_roster,
    read_roster,
    rows_of,
)
from disentangle.training.run_logs import SharedWriters
from disentangle.training.sections import Source
from disentangle.training.state import apart
from disentangle.training.trained import Run
from disentangle.training.width import members_at_once
from disentangle.training.workdir import check_workdir, owned, settle_config
from disentangle.training.writers import parameter_table


class How(NamedTuple):
    """What changes nothing of what is trained.

    With a `lane` all batches are trained there, one after the other. The loggers write
    into the run's folder, or where `logs` says. `devices` is a key of
    `data_axis.DEVICES`: "images" moves the last bits; with `follows` process 0 of those
    that are joined has that workdir.
    """

    at_once: int | None = None
    loggers: tuple[str, ...] = ()
    progress: bool = True
    lane: Lane | None = None
    logs: Path | None = None
    devices: str = "members"
    follows: Path | None = None


def stage_name(number: int) -> str:
    """The name of a stage before the last, 1 for the first."""
    return f"stage-{number}"


def stage_folder(workdir: Path, number: int, stages: int) -> Path:
    """Where stage 1 .. `stages` of a job is: the last in the workdir itself."""
    return workdir if number == stages else workdir / stage_name(number)


def data_per_stage(
    configs: Sequence[Mapping[str, Any]], data: Any
) -> Sequence[Dataset]:
    """The data set of every stage.

    Args:
      configs: of the stages.
      data: one for all, or a list of one per stage.

    Raises:
      UserError: there is one where the stages name several, or a list of another
        length.
    """
    if isinstance(data, Sequence) and not isinstance(data, str):
        if len(data) != len(configs):
            raise UserError(f"{len(data)} data sets for {len(configs)} stages")
        return data
    last = _source(configs[-1])
    for number, config in enumerate(configs, start=1):
        if _source(config) != last:
            raise UserError(
                f"stage {number} is on data {_source(config)}, the last one on "
                f"{last}: give a list of data sets, one per stage"
            )
    return [data] * len(configs)


def _source(config: Mapping[str, Any]) -> dict[str, Any]:
    """Where a stage's images come from; what else it says of them is a view."""
    section = config["data"]
    return {name: section.get(name) for name in defaults(Source)}


def check_links(jobs: Sequence[Job]) -> None:
    """Raises UserError where a stage cannot start with what the one before it trains.

    Nothing is computed.
    """
    for number, (earlier, later) in enumerate(itertools.pairwise(jobs), start=1):
        name = stage_name(number)
        counts = [len(job.experiment.members) for job in (earlier, later)]
        refuse_other_number(name, *counts)
        held, wanted = (shapes(job.experiment, job.method) for job in (earlier, later))
        matched(name, held, wanted, later.method.whole)


def check_folder(folder: Path, job: Job, data: Dataset) -> None:
    """Raises UserError unless the folder may hold this stage; writes nothing."""
    config = job.experiment.config
    check_workdir(folder, config, older.policy(config))
    refuse_other_data(folder, data_spec(data))


def keep_folder(folder: Path, job: Job, data: Dataset) -> None:
    """Writes what a stage is, before any is trained: its config, its data."""
    folder.mkdir(parents=True, exist_ok=True)
    config, path = job.experiment.config, folder / "config.json"
    if (folder / "checkpoints").exists() and not (folder / ROSTER).exists():
        held = read_experiment(older.completed(read_json(path))).population
        keep_roster(folder, None, held, lambda count: count)  # of an older version
    settle_config(folder, config, older.policy(config))
    keep_spec(folder, data_spec(data))
    keep_data(folder, data)


def is_begun(folder: Path, job: Job) -> bool:
    """Whether all models have checkpoints there, so that they need no parameters."""
    if not (folder / ROSTER).exists():
        return bool(Checkpoints(folder / "checkpoints").steps())
    population = job.experiment.population
    rows = rows_of(read_roster(folder, population), population)
    folders = [checkpoint_folder(folder, n) for n, own in enumerate(rows) if own]
    is_whole = sum(map(len, rows)) == len(population)
    return is_whole and all(Checkpoints(place).steps() for place in folders)


def origin_of(job: Job, folder: Path | None) -> Origin | None:
    """What new models of a stage begin with; None: there are none, or they are fresh.

    Raises:
      UserError: as `Start.origin`; or the source is no longer what other models of the
        folder began with.
    """
    if job.start is None or (folder and is_begun(folder, job)):
        return None
    origin = job.start.origin(job.experiment, job.method)
    if folder and (folder / "checkpoints").exists():
        refuse_changed(folder, Origin.held(folder, "it is written anew"), origin)
    return origin


def train_stage(job: Job, data: Dataset, how: How, folder: Path | None) -> Run:
    """Trains one stage, from where its folder has it.

    Args:
      job: what is trained.
      data: what on.
      how: see `How`.
      folder: of the stage, written by `keep_folder`; None keeps nothing.
    """
    experiment, method = job.experiment, job.method
    axis = axis_of(experiment, how)
    origin = origin_of(job, folder)
    if origin:
        tell(origin)
    elif job.start is None and not (folder and is_begun(folder, job)):
        tell_unlearned(method)
    asked = how.at_once or (len(experiment.population) if axis else None)
    chosen = lambda count: members_at_once(job, count, asked)
    members, writers = experiment.population, SharedWriters(())
    if folder is None:
        roster = in_batches(members, chosen(len(members)))
    else:
        held = read_roster(folder, members) if (folder / ROSTER).exists() else None
        roster = keep_roster(folder, held, members, chosen)
        if origin:
            origin.save(folder)
        elif job.start:
            origin = origin_in(folder)
        shapes, _ = apart(jax.eval_shape(lambda: init(method, key=jax.random.key(0))))
        (folder / "parameters.txt").write_text(parameter_table(shapes) + "\n")
        writers = open_loggers(folder, experiment, how.loggers, how.logs)
    try:
        with told([one.draw for one in (data, *data.others.values())]):
            final = train_batches(
                job,
                roster,
                workdir=folder or how.follows,
                writers=writers,
                progress=how.progress,
                lane=how.lane,
                axis=axis,
            )
        state, observed, spec = final.state, final.observed, data_spec(data)
        run = run_of(experiment, method, state, observed, spec, folder, origin)
        if how.loggers:
            images = reconstructions(run, data, job.test_index)
            writers.write_images(run.step, "test", images)
    finally:
        writers.close_all()
    return run


def axis_of(experiment: Experiment, how: How) -> DataAxis | None:
    """What the devices share a step's images over; None where they share members.

    Raises:
      UserError: as `data_axis`, or there is no such way.
    """
    if how.devices not in DEVICES:
        raise unknown("devices", how.devices, DEVICES)
    if how.devices == "members":
        return None
    config = experiment.config
    return data_axis(config["batch_size"], config["data"]["source"])


def train_in_memory(jobs: Sequence[Job], sets: Sequence[Dataset], how: How) -> Run:
    """Trains all stages; gives the last."""
    run = train_stage(jobs[0], sets[0], how, None)
    for number, (job, data) in enumerate(zip(jobs[1:], sets[1:], strict=True), 1):
        start = Start(stage_name(number), functools.partial(given_by, run))
        run = train_stage(job._replace(start=start), data, how, None)
    return run


def _kept(folder: Path) -> Given:
    """The models of the stage in a folder."""
    return given_by(load_run(folder))


def train_in_folders(
    jobs: Sequence[Job], sets: Sequence[Dataset], how: How, workdir: Path
) -> Run:
    """Trains all stages that a job's workdir does not have; gives the last.

    Raises:
      UserError: a folder holds something else, or the parameters that the first stage
        starts with cannot be had; nothing is written then.
    """
    folders = [stage_folder(workdir, n, len(jobs)) for n in range(1, len(jobs) + 1)]
    linked = [jobs[0]]
    for job, before in zip(jobs[1:], folders, strict=False):
        start = Start(before.name, functools.partial(_kept, before))
        linked.append(job._replace(start=start))
    stages = list(zip(linked, sets, folders, strict=True))
    for job, data, folder in reversed(stages):  # the job's own folder first
        check_folder(folder, job, data)
    begun = [at for at, stage in enumerate(stages) if is_begun(stage[2], stage[0])]
    todo = stages[max(begun, default=0) :]
    origin_of(todo[0][0], todo[0][2])
    for job, data, folder in todo:
        keep_folder(folder, job, data)
    for job, data, folder in todo:
        with contextlib.nullcontext() if folder == workdir else owned(folder):
            run = train_stage(job, data, how, folder)
    return run
