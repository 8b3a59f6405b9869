"""Retrieval as a score of disentanglement: what models retrieve against what DCI says.

Over all models that have both, one panel per pair: a dot per model, and Spearman's
correlation with its interval over seeds. Sections of comparisons and of large studies.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from disentangle.errors import UserError
from disentangle.report import files
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Text,
    plural,
)
from disentangle.report.scores import head_of, name_of
from disentangle.report.style import INK, MUTED, PALETTE, PAPER, new_figure, plotting
from disentangle.statistics import Interval, correlation
from disentangle.study.facts import ComparedScores

RETRIEVED = (
    *("edit_retrieval/exact", "edit_retrieval/kept", "similar_retrieval/conflict"),
    "set_completion/fitb_hard",
)
JUDGED = ("dci/disentanglement", "mig/score")
LEAST = 3  # models of which a rank correlation is a number


def models_of(workdir: Path) -> pd.DataFrame | None:
    """A row per model of a comparison, as `statistics.models` wants it; None of others.

    Raises:
      UserError: scores.json is damaged.
    """
    config = files.json_or_nothing(workdir / "config.json")
    found = files.found(ComparedScores, workdir) if "runs" in config else None
    if found is None:
        return None
    with files.reading(workdir / found.FILE):
        name = config["data"]["name"]
        rows = [{"data": name, "method": r["representation"]} | r for r in found.rows]
    table = pd.DataFrame(rows)
    if not len(table):
        return None
    place = table.groupby(["method", "seed"], sort=False).cumcount()
    return table.assign(strength=place.astype(float))  # models of a sweep, in order


def pairs_of(models: pd.DataFrame) -> list[tuple[str, str]]:
    """(retrieval score, disentanglement score) of which enough models have both."""
    there = [c for c in (*RETRIEVED, *JUDGED) if c in models]
    finite = {c: np.isfinite(models[c].to_numpy(float)) for c in there}
    return [
        (a, b)
        for a in RETRIEVED
        for b in JUDGED
        if a in finite and b in finite and (finite[a] & finite[b]).sum() >= LEAST
    ]


def correlations(models: pd.DataFrame) -> dict[tuple[str, str], Interval]:
    """(retrieval score, disentanglement score) -> Spearman's correlation over models.

    Args:
      models: a row per model: `data`, `method`, `strength`, `seed`, and scores as
        "<metric>/<part>".
    """
    return {pair: correlation(models, *pair) for pair in pairs_of(models)}


def downstream_figure(models: pd.DataFrame) -> Figure:
    """Every pair of scores, a dot per model, a colour per method.

    Raises:
      UserError: no pair of scores that three models have.
    """
    pairs = pairs_of(models)
    if not pairs:
        raise UserError(
            f"no {LEAST} models have both a retrieval score and DCI or MIG: score them "
            f"with {', '.join(c.partition('/')[0] for c in (RETRIEVED[0], *JUDGED))}"
        )
    rows = [a for a in RETRIEVED if any(a == pair[0] for pair in pairs)]
    columns = [b for b in JUDGED if any(b == pair[1] for pair in pairs)]
    found = correlations(models)
    methods = list(dict.fromkeys(models["method"]))
    with plotting():
        figure = new_figure(1.9 * len(rows) + 0.5, 2.35 * len(columns) + 0.6)
        axes: Any = figure.subplots(len(rows), len(columns), squeeze=False)
        for i, j in np.ndindex(axes.shape):
            pair, panel = (rows[i], columns[j]), axes[i, j]
            for k, method in enumerate(methods):
                own = models[models["method"] == method]
                panel.plot(
                    own[pair[1]],
                    own[pair[0]],
                    "o",
                    color=PALETTE[k % len(PALETTE)],
                    markeredgecolor=PAPER,
                    markersize=5,
                    label=str(method),
                )
            if pair in found:
                panel.set_title(f"ρ = {found[pair].value:.2f}", loc="left", color=INK)
            if j == 0:
                panel.set_ylabel(head_of(rows[i]), color=MUTED)
            if i == len(rows) - 1:
                panel.set_xlabel(head_of(columns[j]), color=MUTED)
        if 1 < len(methods) <= len(PALETTE):
            handles, labels = axes[0, 0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def downstream(models: pd.DataFrame) -> list[Block]:
    """The figure, and its correlations with intervals; [] of models without both."""
    blocks: list[Block] = []
    for data, own in models.groupby("data", sort=False):
        found = correlations(own)
        if not found:
            continue
        alt = f"{data}: retrieval scores against DCI and MIG; the table has rho."
        words = (
            f"{data}: {plural(len(own), 'model')}, a dot each; colours: methods. ρ: "
            "Spearman's correlation over models."
        )
        rows: list[list[Cell]] = [
            [name_of(a), name_of(b), *_cells(interval)]
            for (a, b), interval in found.items()
        ]
        figure = downstream_figure(own)
        caption = f"{data}: Spearman's correlation, and its 95 % interval over seeds."
        head = ["retrieval", "disentanglement", "ρ", "low", "high"]
        blocks.append(Row([Drawing.of(figure, f"downstream-{data}", alt, words)]))
        blocks.append(Table(caption, head, rows))
    if not blocks:
        return []
    says = (
        "If retrieval is what disentanglement is for, models that disentangle more "
        "retrieve better: ρ near 1. ρ near 0: the score says nothing of the task."
    )
    return [Text(says), *blocks]


def _cells(found: Interval) -> Sequence[Number]:
    return [Number(v, decimals=2) for v in (found.value, found.low, found.high)]


def compared(workdir: Path) -> list[Block]:
    """The section of a comparison's page."""
    models = models_of(workdir)
    return [] if models is None else downstream(models)


SECTION = ("Retrieval and disentanglement", downstream)  # of a large study's page
