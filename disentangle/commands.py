"""What each command does: the API called, and its result printed.

A command is a function of its flags' values and its words, and one line in
COMMANDS. Imports are inside, so that a command waits only for what it uses.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from disentangle.errors import UserError
from disentangle.flags import CONFIG, JSON, PROGRESS, WORKDIR, Flag, Values, scoring


class Command(NamedTuple):
    """A row of the table below."""

    run: Callable[[Values, list[str]], None]
    summary: str
    example: str
    flags: tuple[Flag, ...] = ()
    words: tuple[str, ...] = ()


def train(values: Values, words: list[str]) -> None:
    """Trains, or goes on training, what the config says."""
    from disentangle.study.evaluate import load_data
    from disentangle.training.config import plan
    from disentangle.training.run import fit
    from disentangle.training.workdir import check_workdir

    workdir = _workdir(values)
    config = plan(_config(values, workdir)).config
    check_workdir(workdir, config)
    run = fit(
        config,
        load_data(config["data"]),
        workdir=workdir,
        progress=values["progress"],
        tensorboard=values["tensorboard"],
    )
    living = int(run.alive.sum())
    print(
        f"{living} of {len(run.members)} models trained to step {run.step}: {workdir}"
    )


def evaluate(values: Values, words: list[str]) -> None:
    """Scores every model of a run."""
    from disentangle.metrics.score import choose_metrics
    from disentangle.study.evaluate import evaluate
    from disentangle.training.run import load_run
    from disentangle.training.workdir import write_json

    choose_metrics(values["metrics"], alone="")  # what the run can have it says itself
    out = _output(values["json"])
    table = evaluate(
        load_run(_workdir(values)),
        values["metrics"],
        num_train=values["num_train"],
        num_test=values["num_test"],
        seed=values["seed"],
        backend=values["backend"],
        protocol=values["protocol"],
        bootstrap=values["bootstrap"],
    )
    print(table.pivot(index="member", columns="metric", values="value").to_string())
    if out:
        write_json(out, table.to_dict("records"))


def pipeline(values: Values, words: list[str]) -> None:
    """The main job, its tables and its page."""
    from disentangle.report.page import write_report
    from disentangle.report.text import result_tables
    from disentangle.study.pipeline import run_pipeline

    workdir = _workdir(values)
    config = _config(values, workdir)
    run_pipeline(config, workdir, progress=values["progress"])
    print(result_tables(workdir))
    print(f"report: {write_report(workdir)}")


def compare(values: Values, words: list[str]) -> None:
    """A study: every run of it trained and scored."""
    from disentangle.report.page import write_report
    from disentangle.report.text import score_table
    from disentangle.study.comparison import run_comparison

    workdir = _workdir(values)
    only = [name.strip() for name in (values["only"] or "").split(",") if name.strip()]
    config = _config(values, workdir)
    run_comparison(config, workdir, only=only, progress=values["progress"])
    print(score_table(workdir))
    print(f"report: {write_report(workdir)}")


def affinity(values: Values, words: list[str]) -> None:
    """The first stage of the main job alone."""
    from disentangle.report.text import affinity_table
    from disentangle.study.pipeline import measure

    workdir = _workdir(values)
    measure(_config(values, workdir), workdir, progress=values["progress"])
    print(affinity_table(workdir))
    print(f"wrote {workdir / 'affinity.csv'}")


def score(values: Values, words: list[str]) -> None:
    """Scores a file of codes and factors."""
    from disentangle.metrics.codes import read_codes
    from disentangle.metrics.score import choose_metrics, score
    from disentangle.report.text import work_bar
    from disentangle.training.workdir import write_json

    choose_metrics(values["metrics"])
    out = _output(values["json"])
    codes, factors, names, logvars = read_codes(words[0])
    with work_bar("score") as bar:
        scores = score(
            codes,
            factors,
            values["metrics"],
            num_train=values["num_train"],
            num_test=values["num_test"],
            seed=values["seed"],
            backend=values["backend"],
            protocol=values["protocol"],
            bootstrap=values["bootstrap"],
            factor_names=names,
            logvars=logvars,
            progress=lambda metric, done, total: bar(done, total),
        )
    for name, value in scores.items():
        print(f"{name:44} {value:.4f}")
    if out:
        write_json(out, scores)


def group(values: Values, words: list[str]) -> None:
    """Chooses the best groups from a file of affinities or measured scores."""
    from disentangle.affinity import group_tasks, read_group_input
    from disentangle.report.text import grouping_text, work_bar
    from disentangle.training.workdir import write_json

    if values["budget"] is None:
        raise UserError("--budget=NUMBER is missing")
    out = _output(values["json"])
    scores = read_group_input(words[0], rows=values["rows"])
    with work_bar("grouping") as progress:
        grouping = group_tasks(
            scores,
            values["budget"],
            singletons=values["singletons"],
            singleton_value=values["singleton_value"],
            progress=progress,
        )
    print(grouping_text(grouping.to_json()))
    if out:
        write_json(out, grouping.to_json())


def impossibility(values: Values, words: list[str]) -> None:
    """The theorem as an experiment, its table, figure and page."""
    from disentangle.report.impossibility import write_figures
    from disentangle.report.page import write_report
    from disentangle.report.text import rotation_table
    from disentangle.study.impossibility import run_impossibility

    workdir = _workdir(values)
    config = _config(values, workdir)
    run_impossibility(config, workdir, progress=values["progress"])
    print(rotation_table(workdir))
    for path in (*write_figures(workdir), write_report(workdir)):
        print(f"wrote {path}")


def export(values: Values, words: list[str]) -> None:
    """Writes a rendered data set for other people's code."""
    from disentangle.data import load
    from disentangle.data.export import export as write

    print(write(load(words[0]), Path(values["out"]), values["format"]))


def report(values: Values, words: list[str]) -> None:
    """Draws the page of a finished run or job."""
    from disentangle.report.page import write_report
    from disentangle.study.panels import refresh_panels

    workdir = Path(words[0])
    refresh_panels(workdir)
    print(write_report(workdir))


def listing(values: Values, words: list[str]) -> None:
    """Prints what exists."""
    from disentangle.report.text import catalogue

    print(catalogue())


def _workdir(values: Values) -> Path:
    if not values["workdir"]:
        raise UserError("--workdir=FOLDER is missing")
    return Path(values["workdir"])


def _config(values: Values, workdir: Path) -> Any:
    """The given config, or the one the workdir was started with."""
    if values["config"] is not None:
        return values["config"]
    from disentangle.training.workdir import read_json

    if workdir.is_file():
        raise UserError(f"workdir {workdir} is a file, not a folder")
    if not (workdir / "config.json").exists():
        raise UserError(f"--config is missing and {workdir} holds no run to go on with")
    return read_json(workdir / "config.json")


def _output(path: str | None) -> Path | None:
    """The file to write, checked before anything is computed."""
    if path is None:
        return None
    out = Path(path)
    if out.is_dir():
        raise UserError(f"--json={path} is a folder")
    if not out.parent.is_dir():
        raise UserError(f"--json={path}: there is no folder {out.parent}")
    return out


COMMANDS: dict[str, Command] = {
    "train": Command(
        train,
        "train a method or a sweep; the same command goes on after a stop",
        "--config=experiments/vae.py:dsprites,beta_vae --config.method.beta=4 "
        "--workdir=runs/a",
        (
            CONFIG,
            WORKDIR,
            PROGRESS,
            Flag("tensorboard", "switch", False, "also write TensorBoard summaries"),
        ),
    ),
    "evaluate": Command(
        evaluate,
        "score every model of a run",
        "--workdir=runs/a --metrics=dci,mig",
        (WORKDIR, *scoring(10_000, 5_000)),
    ),
    "pipeline": Command(
        pipeline,
        "the main job: affinity, groups, networks, scores, report",
        "--config=experiments/pipeline.py:dsprites,quick --workdir=runs/quickstart",
        (CONFIG, WORKDIR, PROGRESS),
    ),
    "compare": Command(
        compare,
        "a study: many methods trained, scored, put beside published numbers",
        "--config=experiments/comparison.py:dsprites,quick --workdir=runs/comparison",
        (
            CONFIG,
            WORKDIR,
            Flag("only", "string", None, "comma-separated runs to do now"),
            PROGRESS,
        ),
    ),
    "affinity": Command(
        affinity,
        "the main job's first stage: measure inter-task affinity",
        "--config=experiments/pipeline.py:dsprites,quick --workdir=runs/quickstart",
        (CONFIG, WORKDIR, PROGRESS),
    ),
    "group": Command(
        group,
        "the best groups of tasks, exactly, from affinity.csv or measured scores",
        "affinity.csv --budget=2 --json=out.json",
        (
            Flag("budget", "number", None, "networks, or cost units, to spend"),
            Flag("rows", "string", "source", "what a CSV row is: source or target"),
            Flag(
                "singletons",
                "string",
                "forbid",
                "groups of one task: forbid, diagonal, value or stl_zero",
            ),
            Flag("singleton_value", "number", None, "score for --singletons=value"),
            JSON,
        ),
        ("AFFINITY.csv",),
    ),
    "impossibility": Command(
        impossibility,
        "the theorem as an experiment: latents rotated, scores destroyed",
        "--config=experiments/impossibility.py:dsprites --workdir=runs/impossibility",
        (CONFIG, WORKDIR, PROGRESS),
    ),
    "score": Command(
        score,
        "score a file of codes (N, D) and factors (N, F)",
        "codes.npz --metrics=dci,mig --json=out.json",
        scoring(None, None),
        ("CODES.npz",),
    ),
    "export": Command(
        export,
        "write a rendered data set as published files or as a tfds data set",
        "dsprites --format=npz --out=exported",
        (
            Flag("format", "string", "npz", "npz, hdf5, h5 or tfds"),
            Flag("out", "string", "exported", "folder to write into"),
        ),
        ("DATASET",),
    ),
    "report": Command(
        report, "draw the page of a run or job", "runs/quickstart", (), ("WORKDIR",)
    ),
    "list": Command(listing, "methods, metrics, data sets, estimators", ""),
}
