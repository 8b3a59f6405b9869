"""Commands that train and study: they fill a workdir, and go on in it."""

from typing import Any

from disentangle.commands.base import Command, config_of, show, workdir_of
from disentangle.commands.flags import CONFIG, WORKDIR, Flag, Values
from disentangle.progress import waiting
from disentangle.report.studies import STUDIES, Study


def train(values: Values, words: list[str]) -> None:
    """Trains, or goes on training, what the config says."""
    import jax

    from disentangle.study.sample import load_stages
    from disentangle.training import older
    from disentangle.training.config import read_experiment
    from disentangle.training.data_axis import join
    from disentangle.training.loggers import chosen
    from disentangle.training.run import fit
    from disentangle.training.workdir import check_workdir

    if values["join"]:
        join(values["join"])
    workdir, devices = workdir_of(values), values["devices"]
    asked = [*(values["loggers"] or ()), *["tensorboard"] * values["tensorboard"]]
    loggers = chosen(asked, workdir)
    given = config_of(values, workdir)
    config = read_experiment(
        given if values["config"] else older.completed(given)
    ).config
    follows = jax.process_index() > 0
    if not follows:
        check_workdir(workdir, config, older.policy(config))
    run = fit(
        config,
        load_stages(config, workdir),
        workdir=workdir,
        loggers=loggers,
        devices=devices,
    )
    if follows:
        return
    living = int(run.alive.sum())
    show(f"{living} of {len(run.members)} models trained to step {run.step}: {workdir}")


def command_of(name: str) -> Command:
    """The command of a study: it does the job, shows its tables, and draws its page."""
    study = STUDIES[name]

    def run(values: Values, words: list[str]) -> None:
        """Does the job, or what is left of it."""
        del words
        from disentangle.report.page import write_report

        workdir = workdir_of(values)
        config = config_of(values, workdir)
        job = study.load()
        said = job.run(config, workdir, **_options(study, values))
        if isinstance(said, str):
            show(said)
            return
        show(job.tables(workdir))
        with waiting("draw the page"):
            figures, page = job.page.figures(workdir), write_report(workdir)
        for path in figures:
            show(f"wrote {path}")
        show(f"report: {page}")

    own = [
        Flag(name, kind, False if kind == "switch" else None, help)
        for name, (help, kind) in study.options.items()
    ]
    return Command(run, study.summary, study.example, (CONFIG, WORKDIR, *own))


def _options(study: Study, values: Values) -> dict[str, Any]:
    """The keywords of a study's `run` that its flags give."""
    return {
        name: list(filter(None, values[name] or ()))
        if option.kind == "names"
        else values[name]
        for name, option in study.options.items()
    }
