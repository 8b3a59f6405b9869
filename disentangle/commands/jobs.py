"""Commands that train and study: they fill a workdir, and go on in it."""

from pathlib import Path

from disentangle.commands.base import config_of, show, workdir_of
from disentangle.commands.flags import Values
from disentangle.progress import waiting


def train(values: Values, words: list[str]) -> None:
    """Trains, or goes on training, what the config says."""
    from disentangle.study.evaluate import load_data
    from disentangle.training import older
    from disentangle.training.config import read_experiment
    from disentangle.training.run import fit
    from disentangle.training.workdir import check_workdir

    workdir = workdir_of(values)
    given = config_of(values, workdir)
    config = read_experiment(
        given if values["config"] else older.completed(given)
    ).config
    check_workdir(workdir, config, older.policy(config))
    run = fit(
        config,
        load_data(config["data"], workdir),
        workdir=workdir,
        tensorboard=values["tensorboard"],
    )
    living = int(run.alive.sum())
    show(f"{living} of {len(run.members)} models trained to step {run.step}: {workdir}")


def pipeline(values: Values, words: list[str]) -> None:
    """The main job, its tables and its page."""
    from disentangle.report.text import result_tables
    from disentangle.study.pipeline import run_pipeline

    workdir = workdir_of(values)
    config = config_of(values, workdir)
    run_pipeline(config, workdir)
    show(result_tables(workdir))
    _show_page(workdir)


def compare(values: Values, words: list[str]) -> None:
    """A study: every run of it trained and scored."""
    from disentangle.report.text import score_table
    from disentangle.study.comparison import run_comparison

    workdir = workdir_of(values)
    only = [name.strip() for name in (values["only"] or "").split(",") if name.strip()]
    config = config_of(values, workdir)
    run_comparison(config, workdir, only=only)
    show(score_table(workdir))
    _show_page(workdir)


def affinity(values: Values, words: list[str]) -> None:
    """The first stage of the main job alone."""
    from disentangle.report.text import affinity_table
    from disentangle.study.pipeline import measure

    workdir = workdir_of(values)
    measure(config_of(values, workdir), workdir, progress=True)
    show(affinity_table(workdir))
    show(f"wrote {workdir / 'affinity.csv'}")


def impossibility(values: Values, words: list[str]) -> None:
    """The theorem as an experiment, its table, figure and page."""
    from disentangle.report.impossibility import write_figures
    from disentangle.report.page import write_report
    from disentangle.report.text import rotation_table
    from disentangle.study.impossibility import run_impossibility

    workdir = workdir_of(values)
    config = config_of(values, workdir)
    run_impossibility(config, workdir)
    show(rotation_table(workdir))
    with waiting("draw the page"):
        written = (*write_figures(workdir), write_report(workdir))
    for path in written:
        show(f"wrote {path}")


def _show_page(workdir: Path) -> None:
    from disentangle.report.page import write_report

    with waiting("draw the page"):
        page = write_report(workdir)
    show(f"report: {page}")
