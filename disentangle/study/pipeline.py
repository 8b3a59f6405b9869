"""The main job: affinity, groups, grouped networks, and every score.

Every stage leaves files in the workdir and is skipped when they are there, so
a killed job goes on where it stopped: training from its checkpoints, the rest
from the last finished stage. `report` reads the same files.

The groups are chosen by an affinity (`affinity.group_by` one of ESTIMATORS), which is
measured on the way of one network, or by a few trained groups (one of FROM_GROUPS):
each task alone and all pairs are then trained before the choice, N + N (N - 1) / 2
networks per seed beside the one on all tasks.

  config.json study.json            the whole job, and that it is one
  multitask/ networks/ vae/         training runs (see training/run.py); networks-2/
                                    and on for groups that came later
  affinity.csv affinity.json        measured on the way of multitask/
  affinity_samples.npz              the same at every sampled step
  validation.parquet predicted.json by a few groups: the losses of these on images
                                    of neither training nor test, and what they say
                                    of every group, as `group` reads it
  groups.json                       the exact best groups, with certificate
  losses.json                       test loss of every task in every network
  adde/                             with edits=True: an ADDE for each group
  codes/<representation>-<seed>.npz their codes, as `score` reads them; their scores
                                    beside them, .json
  scores.json importance.npz        DCI, MIG, ... of all of them
  truth.json truth.parquet          with truth=True: losses of every group of tasks, and
                                    how far the chosen ones are from the best
  stages.json                       what is done, and from what
  panels.npz                        reconstructions and traversals of vae/
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from disentangle import progress as bars
from disentangle.affinity import FROM_GROUPS
from disentangle.affinity.options import check_singletons
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError, unknown
from disentangle.fields import defaults, read
from disentangle.files import place
from disentangle.methods.tasks import parse
from disentangle.oracle.train import every_group
from disentangle.study import addes, few_groups, representations, truth
from disentangle.study.affinity import AFFINITIES
from disentangle.study.evaluate import check_sample, load_data
from disentangle.study.groups import Groups, choose_groups, grouping_source
from disentangle.study.networks import (
    AFFINITY,
    Networks,
    train_multitask,
    train_networks,
    training_config,
)
from disentangle.study.sections import AffinitySection, Grouping, Score, check_score
from disentangle.study.stage_timer import Log, StageTimer
from disentangle.study.stages import (
    Begun,
    Stages,
    allow_changes,
    begin,
    crc,
    data_source,
)
from disentangle.study.visualize import Panels, Plane, write_panels
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
from disentangle.training.workdir import check_workdir, owned, refuse_other

# What a finished job may be given anew; what depends on it is done again.
FREE = (
    *("budget", "singletons", "singleton_value", "truth", "edits"),
    *("affinity.group_by", "score"),
)
NEWER = ("singleton_value", "edits", "adde")  # which configs of older versions lack


def default_pipeline(data: str, unsupervised: str = "beta_vae") -> ConfigDict:
    """The full-size job's config; experiments/pipeline.py has the small one."""
    supervised = default_config(data, "supervised")
    vae = default_config(data, unsupervised)
    section = supervised.data
    with supervised.unlocked(), vae.unlocked():
        del supervised["data"], vae["data"]
    return ConfigDict(
        {
            "data": section,
            **defaults(Grouping),
            "singleton_value": placeholder(float),  # a number, for singletons="value"
            "affinity": defaults(AffinitySection),
            "supervised": supervised,
            "unsupervised": vae,
            "adde": addes.default_section(data),
            "score": defaults(Score),
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    reference = plain(default_pipeline(""))
    config = {name: reference[name] for name in NEWER} | plain(config)
    check_fields(config, reference)
    check_sections(config, reference, ("data", "affinity", "score"))
    read(Data, config["data"], "data.")
    read(Grouping, config)
    check_singletons(config["singletons"], config["singleton_value"], ("a", "b"))
    chosen = config["affinity"]
    read(AffinitySection, chosen, "affinity.")
    there = (*chosen["estimators"], *FROM_GROUPS)
    if chosen["group_by"] not in there:
        raise unknown("affinity.group_by", chosen["group_by"], there)
    check_score(config["score"])
    for part in ("supervised", "unsupervised", "adde"):
        section = config[part]
        if not isinstance(section, Mapping):
            raise UserError(f"config field {part!r} must be a section")
        if not isinstance(section.get("method"), Mapping):
            raise UserError(f"config field '{part}.method' must be a section")
        if part == "adde":
            addes.check_section(config)
            continue
        experiment = read_experiment(training_config(config, part))
        if not experiment.config["eval_every"]:
            raise UserError(f"{part}.eval_every=0: the job needs test losses")
    return config


def run_pipeline(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    loggers: str | Sequence[str] = (),
    data: Dataset | None = None,
    progress: bool = True,
    log: Log = bars.stage,
) -> Path:
    """Runs, or goes on with, the main job in `workdir`.

    Args:
      config: see `default_pipeline`.
      workdir: created if needed; one process at a time. A job that is there goes on;
        the fields of FREE may change, and only what depends on them is done again.
      loggers: names in training/loggers, such as "tensorboard" (needs the extra):
        where numbers of every training go besides its metrics.jsonl, in its folder.
      data: the data set; None loads what the config names.
      progress: show progress bars.
      log: receives one line per stage and the tables.

    Returns:
      The workdir.

    Raises:
      UserError: on anything wrong in the config or the workdir, before any
        compute.
    """
    config = check(config)
    how = How(loggers=chosen(loggers, workdir), progress=progress)
    with owned(place(workdir, "workdir")) as folder:
        check_change(folder, config)
        stages = Stages(folder)
        if data is None and all(
            stages.is_done(*item) for item in stage_sources(config, folder)
        ):
            begin(folder, "pipeline", config)
            return folder
        timer = StageTimer(folder, log)
        with timer("load the data"):
            data = load_data(config["data"]) if data is None else data
        tasks = parse(data.space, tuple(config["supervised"]["method"]["tasks"]))
        if config["budget"] > len(tasks):
            raise UserError(
                f"budget={config['budget']} networks for {len(tasks)} tasks"
            )
        if config["truth"]:
            every_group(len(tasks))
        score = config["score"]
        rows = (score["num_train"], score["num_test"])
        check_sample(data, rows, seed=score["seed"])
        names = [task.name for task in tasks]
        check_singletons(config["singletons"], config["singleton_value"], names)
        for part in ("supervised", "unsupervised"):
            prepare(training_config(config, part), data)
        if config["edits"]:
            addes.check(config, names, data)
        few_groups.check_choice(config, names, data)
        begin(folder, "pipeline", config)
        serving = train(config, names, data, stages, timer, how)
        with timer("encode and score"):
            finish(config, serving, data, stages, progress)
    return folder


def train(
    config: dict[str, Any],
    tasks: Sequence[str],
    data: Dataset,
    stages: Stages,
    timer: StageTimer,
    how: How,
) -> representations.Serving:
    """Trains every network, choosing the groups on the way."""
    folder, few = stages.folder, tuple[Run, ...]()
    with timer("train one network on all tasks, measure affinity"):
        multitask = train_multitask(config, data, folder, how)
    if few_groups.chooses(config):
        which = "every group of tasks" if config["truth"] else "each task and all pairs"
        with timer(f"train {which}"):
            first = wanted(config, tasks, few_groups.pairs(tasks))
            few = train_networks(config, tasks, first, data, folder, how)
    with timer("choose the groups"):
        if few_groups.chooses(config):
            own = Networks(multitask, few)
            few_groups.write_validation(config, own, data, stages)
        groups = choose_groups(config, stages)
    with timer("train the grouped and the single-task networks"):
        all_of = wanted(config, tasks, groups.groups)
        networks = train_networks(config, tasks, all_of, data, folder, how, few)
    with timer(f"train the {config['unsupervised']['method']['name']}"):
        vae = fit(
            training_config(config, "unsupervised"),
            data,
            workdir=folder / "vae",
            progress=how.progress,
            loggers=how.loggers,
        )
    serving = representations.Serving(multitask, networks, vae, groups)
    if not config["edits"]:
        return serving
    with timer("train an ADDE for each group, each task and all together"):
        edited = addes.train_addes(config, tasks, groups.groups, data, folder, how)
    return serving._replace(addes=edited)


def wanted(
    config: Mapping[str, Any], tasks: Sequence[str], groups: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Each task alone, these groups, with truth=True all; but the one of all tasks."""
    every = truth.groups_of(tasks) if config["truth"] else []
    more = [list(group) for group in groups if 1 < len(group) < len(tasks)]
    return [*([task] for task in tasks), *more, *every]


def finish(
    config: dict[str, Any],
    serving: representations.Serving,
    data: Dataset,
    stages: Stages,
    progress: bool,
) -> None:
    """Images, losses and scores, each unless it is done from the same."""
    folder = stages.folder

    def panels() -> list[str]:
        with bars.waiting("write the panels", shown=progress):
            write_panels(serving.vae, data, folder / Panels.FILE)
        return [Panels.FILE, Plane.FILE]

    def losses() -> list[str]:
        with bars.waiting("write the losses", shown=progress):
            representations.write_losses(serving, data, folder)
        losses = representations.Losses.FILE
        return [losses, Groups.FILE, AFFINITIES, AFFINITY]

    def scores() -> list[str]:
        return representations.write_scores(config, serving, data, stages, progress)

    def judge() -> list[str]:
        with bars.waiting("judge the groups", shown=progress):
            return truth.write_truth(config, serving, data, folder)

    done = {"panels": panels, "losses": losses, "truth": judge, "scores": scores}
    if not config["truth"]:
        del done["truth"]
    for stage, work in done.items():
        source = lambda stage=stage: dict(stage_sources(config, folder))[stage]
        stages.once(stage, source, work)


def check_change(folder: Path, config: dict[str, Any]) -> None:
    """Raises UserError where a job of this config cannot go on in the folder."""
    refuse_other(folder)
    own, known = ("supervised", "unsupervised", "adde"), plain(default_pipeline(""))
    allow_changes(folder, config, known, free=FREE, own=own)
    for name, part in (("multitask", "supervised"), ("vae", "unsupervised")):
        checked = read_experiment(training_config(config, part)).config
        check_workdir(folder / name, checked, policy(checked))


def stage_sources(config: dict[str, Any], folder: Path) -> list[tuple[str, Any]]:
    """The stages that only read what was trained: name, and what each depends on."""
    trained = {
        path.parent.name: crc(path) for path in sorted(folder.glob("*/final.json"))
    }
    data = data_source(config["data"])
    vae = [data, config["unsupervised"], trained.get("vae")]
    measured, chosen = grouping_source(config, folder)
    losses = [data, config["supervised"], chosen]
    losses += [measured, crc(folder / Groups.FILE), trained]
    few = few_groups.chooses(config)
    if few:
        losses.append(crc(folder / AFFINITIES))  # which the truth judges too
    source = few_groups.validation_source
    return [
        *([("validation", source(config, folder))] if few else []),
        ("groups", [measured, chosen]),
        ("panels", vae),
        ("losses", losses),
        *([("truth", losses)] if config["truth"] else []),
        ("scores", [losses, vae, config["score"], *addes.source(config, folder)]),
    ]


def measure(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    loggers: str | Sequence[str] = (),
    progress: bool = True,
) -> Path:
    """The first stage alone: trains all tasks together and measures affinity.

    `run_pipeline` on the same workdir and config goes on from there.
    """
    config = check(config)
    how = How(loggers=chosen(loggers, workdir), progress=progress)
    with owned(place(workdir, "workdir")) as folder:
        check_change(folder, config)
        data = load_data(config["data"])
        prepare(training_config(config, "supervised"), data)
        held = Begun.held(folder, "it is written anew")  # a pipeline stays one
        begin(folder, held.study if held else "affinity", config)
        train_multitask(config, data, folder, how)
    return folder
