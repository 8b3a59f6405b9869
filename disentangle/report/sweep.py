"""The page and the terminal's table of a large study."""

from pathlib import Path

import pandas as pd

from disentangle.report.blocks import Block, Cell, Table, Text, over_seeds, plural
from disentangle.report.studies import Config, Job, Page
from disentangle.study.sweeps import table
from disentangle.study.sweeps.config import check, default_sweep
from disentangle.study.sweeps.held import LOSSES
from disentangle.study.sweeps.run import run_sweep

DECIMALS = 3


def scored(workdir: Path) -> pd.DataFrame:
    """The scores, without the losses; empty where there are none yet."""
    if not table.results(workdir):
        return pd.DataFrame()
    found = table.read(workdir)
    return found[(found["metric"] != LOSSES) & found["value"].notna()]


def means(workdir: Path) -> pd.DataFrame:
    """The mean over seeds of every score, a row per data set, run and strength."""
    found = scored(workdir)
    if found.empty:
        return found
    named = found.assign(score=found["metric"] + "/" + found["part"].fillna(""))
    return named.pivot_table(
        index=["data", "run", "strength"],
        columns="score",
        values="value",
        dropna=False,
        observed=True,
        sort=False,
    ).dropna(how="all")


def tables(workdir: Path) -> str:
    """What the terminal shows."""
    if not table.results(workdir):
        return "no model is trained yet"
    found = table.read(workdir)
    models, rows = found["model"].nunique(), len(found)
    words = f"{plural(models, 'model')}, {rows:,} rows: {workdir / table.FOLDER}"
    shown = means(workdir)
    if shown.empty:
        return words
    return f"{shown.to_string(float_format='{:.3f}'.format)}\n{words}"


def section(workdir: Path) -> list[Block]:
    """Every score by run and strength, mean and deviation over seeds."""
    found = scored(workdir)
    if found.empty:
        return []
    words = (
        "Mean over seeds with its standard deviation, of models that did not diverge."
    )
    blocks: list[Block] = [Text(words)]
    for (metric, part), rows in found.groupby(["metric", "part"], dropna=False):
        cells: list[list[Cell]] = [
            [str(data), str(run), f"{strength:g}", over_seeds(own["value"], DECIMALS)]
            for (data, run, strength), own in rows.groupby(
                ["data", "run", "strength"], dropna=False, sort=False
            )
        ]
        caption = f"{metric}/{part}"
        blocks.append(Table(caption, ["data", "run", "strength", "score"], cells))
    return blocks


def told(workdir: Path, config: Config) -> list[str]:
    """How many models there are."""
    del config
    found = table.read(workdir) if table.results(workdir) else None
    models = 0 if found is None else found["model"].nunique()
    return [f"{plural(models, 'model')} in the table."]


def title(config: Config) -> str:
    """Such as "6 methods on dsprites and shapes3d"."""
    names = str(config["data"]["name"]).replace("+", " and ")
    return f"{plural(len(config['methods']), 'method')} on {names}"


SWEEP = Job(
    lambda data: default_sweep(data, {"vae": {}}),
    check,
    run_sweep,
    tables,
    Page(title, {"models": ("Scores by method and strength", section)}, told),
)
