"""Tables and progress for the terminal, read from a job's files."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from disentangle.affinity import ESTIMATORS
from disentangle.data import DATASETS
from disentangle.files import read_json
from disentangle.methods import METHODS
from disentangle.metrics import METRICS, POPULATION_METRICS
from disentangle.progress import Progress


def affinity_table(workdir: Path) -> str:
    """affinity.json as text, each estimator with its orientation."""
    parts = []
    for name, table in read_json(workdir / "affinity.json").items():
        frame = pd.DataFrame(table["matrix"], table["tasks"], table["tasks"])
        parts.append(
            f"\n{name} affinity, {table['samples']} samples (row: the task that takes "
            f"the step, column: the task whose loss moves; > 0 helps)\n"
            + frame.to_string(float_format="{:+.4f}".format)
        )
    return "\n".join(parts)


def result_tables(workdir: Path) -> str:
    """Affinity, groups, test losses and scores of a finished job."""
    parts = [affinity_table(workdir), _groups(workdir), _losses(workdir)]
    return "\n".join([*parts, score_table(workdir)])


def _groups(workdir: Path) -> str:
    groups = read_json(workdir / "groups.json")
    title = f"\nbest groups for a budget of {groups['budget']} networks\n"
    return title + grouping_text(groups)


def grouping_text(groups: Mapping[str, Any]) -> str:
    """Groups, what they serve, and the certificate."""
    rows = []
    for i, members in enumerate(groups["groups"]):
        served = [task for task, group in groups["serves"].items() if group == i]
        rows.append(f"  {' + '.join(members)}  serves {', '.join(served)}")
    runner_up = groups["runner_up"]
    second = "none" if runner_up is None else f"{runner_up:.6g}"
    rows.append(
        f"  objective {groups['objective']:.6g} (mean over tasks), bound "
        f"{groups['bound']:.6g}, gap {groups['gap']:.2g}, runner-up {second}"
    )
    return "\n".join(rows)


def _losses(workdir: Path) -> str:
    table = read_json(workdir / "losses.json")
    means = {k: np.asarray(v).mean(0) for k, v in table["networks"].items()}
    frame = pd.DataFrame(means, index=table["tasks"])
    frame.loc["mean"] = frame.mean()
    title = "\ntest loss, mean over seeds (1 is the trivial predictor)\n"
    return title + frame.to_string(float_format="{:.4f}".format)


def score_table(workdir: Path) -> str:
    """scores.json as text: a row a score, a column a representation."""
    table = read_json(workdir / "scores.json")
    frame = pd.DataFrame(table["rows"])
    columns = [name for name in frame.columns if "/" in name]
    means = frame.groupby("representation", sort=False)[columns].mean()
    ran = next(iter(table["ran"].values()))
    rows = f"{ran['num_train']}/{ran['num_test']} train/test rows"
    title = f"\nscores, mean over seeds ({rows})\n"
    return title + means.T.to_string(float_format="{:.3f}".format)


def member_table(table: pd.DataFrame) -> str:
    """What `evaluate` returns, a row a score and a column a model."""
    wide = table.pivot(index="metric", columns="member", values="value")
    order = list(dict.fromkeys(table["metric"]))
    return wide.loc[order].to_string(float_format="{:.4f}".format)


def rotation_table(workdir: Path) -> str:
    """impossibility.csv as text, a column an angle."""
    frame = pd.read_csv(workdir / "impossibility.csv")
    parts = [
        f"\n{code}\n"
        + rows.drop(columns="code")
        .set_index("angle")
        .dropna(axis=1)
        .T.to_string(float_format="{:.4f}".format)
        for code, rows in frame.groupby("code", sort=False)
    ]
    return "\n".join(parts)


def catalogue() -> str:
    """What can be named in a config or a flag."""
    tables: dict[str, dict[str, Any]] = {
        "methods": {name: recipe.summary for name, recipe in METHODS.items()},
        "metrics": {name: _first_line(metric) for name, metric in METRICS.items()},
        "metrics of several models": {
            name: _first_line(metric) for name, metric in POPULATION_METRICS.items()
        },
        "data sets": {name: _sizes(recipe) for name, recipe in DATASETS.items()},
        "affinity estimators": {n: _first_line(e) for n, e in ESTIMATORS.items()},
    }
    lines = []
    for title, rows in tables.items():
        lines.append(f"{title}:")
        lines += [f"  {name:14} {text}" for name, text in rows.items()]
    return "\n".join(lines)


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _sizes(recipe: Any) -> str:
    pairs = zip(recipe.space.names, recipe.space.sizes, strict=True)
    factors = ", ".join(f"{name} {size}" for name, size in pairs)
    return f"{recipe.space.size:,} images: {factors}"


@contextlib.contextmanager
def work_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Progress with an ETA, fed as progress(done, total)."""
    with Progress(title, unit="fit") as bar:
        yield bar.to
