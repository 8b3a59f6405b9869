"""The page and the terminal's table of a large study."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from disentangle.report import downstream, statistics
from disentangle.report.blocks import Block, plural
from disentangle.report.files import json_or_nothing
from disentangle.report.statistics_columns import columns_of
from disentangle.report.studies import Config, Job, Page, Result
from disentangle.study.sweeps import table
from disentangle.study.sweeps.config import check, default_sweep
from disentangle.study.sweeps.run import run_sweep
from disentangle.study.sweeps.wide import KEYS, models


def scored(workdir: Path) -> pd.DataFrame | None:
    """A row per model; None where nothing is trained yet."""
    if not table.results(workdir):
        return None
    config = json_or_nothing(workdir / "config.json")
    return models(workdir, config.get("score"))


def tables(workdir: Path) -> str:
    """What the terminal shows: the mean over seeds, a row per method and strength."""
    found = scored(workdir)
    if found is None:
        return "no model is trained yet"
    columns = columns_of(found).supervised
    words = f"{plural(len(found), 'model')}: {workdir / table.FOLDER}"
    if not columns:
        return words
    means = found.groupby(KEYS[:3], sort=False)[columns].mean()
    return f"{means.to_string(float_format='{:.3f}'.format)}\n{words}"


def section(draw: Callable[[pd.DataFrame], list[Block]]) -> Callable:
    """A section of the page from the models of a workdir."""

    def blocks(workdir: Path) -> list[Block]:
        """Nothing where no model is trained."""
        found = scored(workdir)
        return [] if found is None else draw(found)

    return blocks


def told(workdir: Path, config: Config) -> list[str]:
    """How many models there are."""
    del config
    found = scored(workdir)
    return [] if found is None else [statistics.counted(found)]


def result(workdir: Path) -> Result:
    """What stands at the top."""
    found = scored(workdir)
    return Result() if found is None else Result(statistics.headline(found))


def title(config: Config) -> str:
    """Such as "6 methods on dsprites and shapes3d"."""
    names = str(config["data"]["name"]).replace("+", " and ")
    return f"{plural(len(config['methods']), 'method')} on {names}"


SWEEP = Job(
    lambda data: default_sweep(data, {"vae": {}}),
    check,
    run_sweep,
    tables,
    Page(
        title,
        {
            k: (head, section(draw))
            for k, (head, draw) in (
                *statistics.SECTIONS.items(),
                ("downstream", downstream.SECTION),
            )
        },
        told,
        result,
    ),
)
