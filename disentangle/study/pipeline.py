"""The main job: affinity, groups, grouped networks, and every score.

Every stage leaves files in the workdir and is skipped when they are there, so
a killed job goes on where it stopped: training from its checkpoints, the rest
from the last finished stage. `report` reads the same files.

  config.json study.json            the whole job, and that it is one
  multitask/ networks/ vae/         training runs (see training/run.py); networks-2/
                                    and on for the groups of a later budget
  affinity.csv affinity.json        measured on the way of multitask/
  affinity_samples.npz              the same at every sampled step
  groups.json                       the exact best groups, with certificate
  losses.json                       test loss of every task in every network
  codes/<representation>-<seed>.npz their codes, as `score` reads them; their scores
                                    beside them, .json
  scores.json importance.npz        DCI, MIG, ... of all of them
  truth.json truth.parquet          with truth=True: losses of every group of tasks, and
                                    how far the chosen ones are from the best
  stages.json                       what is done, and from what
  panels.npz                        reconstructions and traversals of vae/
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from disentangle import progress as bars
from disentangle.affinity import samples
from disentangle.affinity.options import check_singletons
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError, unknown
from disentangle.fields import defaults, read
from disentangle.files import place, read_json, reading
from disentangle.methods.tasks import parse
from disentangle.oracle.train import every_group
from disentangle.study import representations, truth
from disentangle.study.affinity import (
    AFFINITIES,
    affinities,
    affinity_samples,
    observe_affinity,
    save_affinities,
)
from disentangle.study.evaluate import check_sample, load_data
from disentangle.study.groups import (
    Groups,
    choose_groups,
    grouping_source,
    measured_affinity,
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
from disentangle.training.older import policy
from disentangle.training.run import Run, fit, prepare
from disentangle.training.sections import Data
from disentangle.training.workdir import check_workdir, owned, refuse_other

# What a finished job may be given anew; what depends on it is done again.
FREE = (
    *("budget", "singletons", "singleton_value", "truth"),
    *("affinity.group_by", "score"),
)


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
            "score": defaults(Score),
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    config = {"singleton_value": None} | plain(config)
    reference = plain(default_pipeline(""))
    check_fields(config, reference)
    check_sections(config, reference, ("data", "affinity", "score"))
    read(Data, config["data"], "data.")
    read(Grouping, config)
    check_singletons(config["singletons"], config["singleton_value"], ("a", "b"))
    chosen = config["affinity"]
    read(AffinitySection, chosen, "affinity.")
    if chosen["group_by"] not in chosen["estimators"]:
        raise unknown("affinity.group_by", chosen["group_by"], chosen["estimators"])
    check_score(config["score"])
    for part in ("supervised", "unsupervised"):
        section = config[part]
        if not isinstance(section, Mapping):
            raise UserError(f"config field {part!r} must be a section")
        if not isinstance(section.get("method"), Mapping):
            raise UserError(f"config field '{part}.method' must be a section")
        experiment = read_experiment(training_config(config, part))
        if not experiment.config["eval_every"]:
            raise UserError(f"{part}.eval_every=0: the job needs test losses")
    return config


def training_config(config: Mapping[str, Any], part: str, **method: Any) -> dict:
    """The training config of a part, its method's fields replaced by `method`."""
    section = dict(config[part])
    section["method"] = section["method"] | method
    return {"data": config["data"]} | section


def run_pipeline(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    data: Dataset | None = None,
    progress: bool = True,
    log: Log = bars.stage,
) -> Path:
    """Runs, or goes on with, the main job in `workdir`.

    Args:
      config: see `default_pipeline`.
      workdir: created if needed; one process at a time. A job that is there goes on;
        the fields of FREE may change, and only what depends on them is done again.
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
        begin(folder, "pipeline", config)
        with timer("train one network on all tasks, measure affinity"):
            multitask = train_multitask(config, data, folder, progress)
        with timer("choose the groups"):
            groups = choose_groups(config, stages)
        with timer("train the grouped and the single-task networks"):
            networks = train_networks(config, groups, data, folder, progress)
        with timer(f"train the {config['unsupervised']['method']['name']}"):
            vae = fit(
                training_config(config, "unsupervised"),
                data,
                workdir=folder / "vae",
                progress=progress,
            )
        serving = representations.Serving(multitask, networks, vae, groups)
        with timer("encode and score"):
            finish(config, serving, data, stages, progress)
    return folder


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
        return [losses, Groups.FILE, AFFINITIES, "affinity.csv"]

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
    own, known = ("supervised", "unsupervised"), plain(default_pipeline(""))
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
    return [
        ("groups", [measured, chosen]),
        ("panels", vae),
        ("losses", losses),
        *([("truth", losses)] if config["truth"] else []),
        ("scores", [losses, vae, config["score"]]),
    ]


def measure(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    progress: bool = True,
) -> Path:
    """The first stage alone: trains all tasks together and measures affinity.

    `run_pipeline` on the same workdir and config goes on from there.
    """
    config = check(config)
    with owned(place(workdir, "workdir")) as folder:
        check_change(folder, config)
        data = load_data(config["data"])
        prepare(training_config(config, "supervised"), data)
        held = Begun.held(folder, "it is written anew")  # a pipeline stays one
        begin(folder, held.study if held else "affinity", config)
        train_multitask(config, data, folder, progress)
    return folder


def train_multitask(config: dict, data: Dataset, folder: Path, progress: bool) -> Run:
    """The all-together network; writes affinity.csv and affinity.json."""
    chosen = config["affinity"]
    run = fit(
        training_config(config, "supervised"),
        data,
        workdir=folder / "multitask",
        observers=observe_affinity(
            chosen["estimators"],
            every=chosen["every"],
            learning_rate=chosen["learning_rate"],
            steps=config["supervised"]["steps"],
        ),
        progress=progress,
    )
    measured = affinities(run)
    samples.save(folder / samples.FILE, affinity_samples(run, chosen["every"]))
    save_affinities(folder, measured)
    measured[chosen["group_by"]].to_csv(folder / "affinity.csv")
    return run


def train_networks(
    config: dict, groups: Groups, data: Dataset, folder: Path, progress: bool
) -> tuple[Run, ...]:
    """Single-task and grouped networks, as populations over task weights.

    Groups that come with a later budget are trained beside those that are there: in
    networks-2/, networks-3/, ...
    """
    names = measured_affinity(config, folder).tasks
    masks = [[name] for name in names]
    masks += [group for group in groups.groups if 1 < len(group) < len(names)]
    if config["truth"]:
        masks += [group for group in truth.groups_of(names) if group not in masks]
    missing = [[float(name in mask) for name in names] for mask in masks]
    runs: list[Run] = []
    spot, number = folder / "networks", 1
    while missing or (spot / "config.json").exists():
        weights = missing
        if (spot / "config.json").exists():
            with reading(spot / "config.json"):
                held = read_json(spot / "config.json", dict[str, Any])
                weights = list(held["method"]["weights"])
        if any(mask in missing for mask in weights):
            part = training_config(config, "supervised", weights=weights)
            runs.append(fit(part, data, workdir=spot, progress=progress))
        missing = [mask for mask in missing if mask not in weights]
        number += 1
        spot = folder / f"networks-{number}"
    return tuple(runs)
