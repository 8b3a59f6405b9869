"""The contest of estimates: its page, and its tables on the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from disentangle.oracle.contest import BASELINE, TRUTH, pareto
from disentangle.report import files
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Text,
    listed,
    plural,
)
from disentangle.report.studies import Config, Job, Page, Result
from disentangle.report.style import (
    MARKERS,
    MUTED,
    PALETTE,
    log_axis,
    new_figure,
    plotting,
)
from disentangle.study.contest import Results, check, default_contest, run_contest

SHOWN = 12  # estimators of a table that are not folded
CHEAP = 3.0  # trainings: what reads one training on all tasks costs less
COSTLESS = 0.5  # where what costs nothing stands on the logarithmic axis
AREA = (
    "The normalised regret, mean over the budgets: the loss of the chosen groups less "
    "that of the best, over that of a choice at random. 0 is the best, 1 is chance. "
    "Every estimate is made from one seed and judged by the networks of the others; "
    "the interval, 95 %, is over the seeds."
)


def means(found: Results) -> pd.DataFrame:
    """An estimator per row: its mean cost, area and rank over regimes, best first.

    Those that lack a regime, or a regret in it, are left out.
    """
    frame = found.frame()
    regimes = frame.groupby(["data", "regime"]).ngroups
    whole = frame.dropna(subset=["area"]).groupby("name")
    parts = ["cost", "area", "spearman", "auroc", "partner"]
    table = whole[parts].mean()
    table["family"] = whole["family"].first()
    return table[whole.size() == regimes].sort_values("area")


def headline(found: Results) -> str:
    """What wins, and what the estimates that train no groups are worth."""
    table = means(found)
    rest = table[table["family"] != BASELINE]
    if rest.empty:
        return ""
    best, cheap = rest.iloc[0], rest[rest["cost"] < CHEAP]
    said = (
        f"The lowest regret over all regimes has {best.name!r}: {best['area']:.2f} of "
        f"that of chance, for {best['cost']:.0f} trainings."
    )
    if not cheap.empty:
        said += (
            f" The best that trains no group, {cheap.index[0]!r}, has "
            f"{cheap['area'].iloc[0]:.2f}; the median of those is "
            f"{cheap['area'].median():.2f}, and their median rank correlation with the "
            f"truth {cheap['spearman'].median():.2f}."
        )
    if TRUTH in table.index:
        said += (
            f" One seed's networks for all groups, taken at their word, have "
            f"{table.loc[TRUTH, 'area']:.2f}."
        )
    return said


def carried(found: Results) -> str:
    """The winner on one data set's regimes, judged on those of the others."""
    frame, parts = found.frame(), []
    for data, name in found.winners.items():
        own = frame[(frame["name"] == name) & (frame["data"] == data)]
        rest = frame[(frame["name"] == name) & (frame["data"] != data)]
        if rest.empty:
            continue
        parts.append(
            f"Chosen on {data}: {name!r} ({own['area'].mean():.2f} there, "
            f"{own['cost'].mean():.0f} trainings); on {listed(_data(rest))} it has "
            f"{rest['area'].mean():.2f}."
        )
    return " ".join(parts)


def _data(frame: pd.DataFrame) -> list[str]:
    return sorted(set(frame["data"]))


def overall(workdir: Path) -> list[Block]:
    """Cost and regret of all estimators over all regimes, and the table of the best."""
    found = files.found(Results, workdir)
    if found is None:
        return []
    table = means(found)
    blocks: list[Block] = [Text(AREA)]
    said = carried(found)
    if said:
        blocks.append(Text(said))
    alt = "Cost and regret of every estimator; the numbers are in the table."
    caption = (
        "Mean over regimes; the line joins those that nothing beats in both. Grey: "
        "what needs no estimator."
    )
    drawing = Drawing.of(pareto_figure(table), "pareto", alt, caption)
    return [*blocks, Row([drawing]), *_tables(table, "All regimes: mean area")]


def _tables(table: pd.DataFrame, caption: str) -> list[Block]:
    header = ["estimator", "from", "cost", "regret", "rank", "sign", "partner"]
    rows = [_cells(str(name), row) for name, row in table.iterrows()]
    words = (
        f"{caption}; rank: Spearman's correlation with the truth per task over groups "
        "that were not trained for it; sign: area under ROC of the sign of transfer."
    )
    first = Table(f"The best {SHOWN}. {words}", header, rows[:SHOWN])
    rest = plural(len(rows), "estimator")
    return [first, Table(words, header, rows, folded=f"All {rest}")]


def _cells(name: str, row: Any) -> list[Cell]:
    return [
        name,
        str(row["family"]),
        Number(float(row["cost"]), decimals=1),
        *(
            Number(float(row[part]), decimals=2)
            for part in ("area", "spearman", "auroc", "partner")
        ),
    ]


def regimes(workdir: Path) -> list[Block]:
    """A table per regime, with intervals over seeds."""
    found = files.found(Results, workdir)
    if found is None:
        return []
    frame, blocks = found.frame(), list[Block]()
    for (data, regime), own in frame.groupby(["data", "regime"], sort=True):
        fixed = found.fixed.get(f"{data}-{regime}", {})
        said = ", ".join(
            f"{name} {value[0]:.3f}" for name, value in fixed.items() if value[0]
        )
        rows: list[list[Cell]] = []
        for _, row in own.dropna(subset=["area"]).sort_values("area").iterrows():
            ends = f"{row['area low']:.2f} to {row['area high']:.2f}"
            per = [Number(row[f"normalised {b}"], decimals=2) for b in found.budgets]
            rank = Number(row["spearman"], decimals=2)
            cost = Number(row["cost"], decimals=1)
            area = Number(row["area"], decimals=2)
            rows.append([str(row["name"]), cost, area, ends, *per, rank])
        budgets = [f"at {b}" for b in found.budgets]
        header = ["estimator", "cost", "regret", "95 %", *budgets, "rank"]
        caption = f"{data}, {regime}. Mean test losses: {said}."
        blocks += [
            Table(caption, header, rows[:SHOWN]),
            Table(caption, header, rows, folded=f"{data}, {regime}: all"),
        ]
    return blocks


def pareto_figure(table: pd.DataFrame) -> Figure:
    """Regret over cost, a mark per estimator; see `means`."""
    costs = np.maximum(table["cost"].to_numpy(float), COSTLESS)
    areas = table["area"].to_numpy(float)
    families = sorted(set(table["family"]) - {BASELINE})
    with plotting():
        figure = new_figure(height=3.6)
        axes = figure.subplots()
        for family in [*families, BASELINE]:
            own = (table["family"] == family).to_numpy()
            place = families.index(family) if family in families else 6
            style: dict[str, Any] = {"color": PALETTE[place], "linestyle": "none"}
            style["marker"] = MARKERS[place]
            axes.plot(costs[own], areas[own], markersize=5, label=family, **style)
        real = (table["family"] != BASELINE).to_numpy()
        front = pareto(costs[real].tolist(), areas[real].tolist())
        joined = costs[real][front], areas[real][front]
        axes.plot(*joined, color=MUTED, linewidth=1.0, zorder=0)
        axes.axhline(1.0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
        axes.set_xscale("log")
        log_axis(axes.xaxis)
        axes.set_xlabel("cost, in trainings on all tasks (logarithmic)")
        axes.set_ylabel("normalised regret (1: chance)")
        axes.set_ylim(bottom=min(0.0, float(areas.min())))
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def tables(workdir: Path) -> str:
    """The means over all regimes, on the terminal."""
    found = Results.load(workdir)
    table = means(found)[["family", "cost", "area", "spearman", "auroc"]]
    shown = table.head(2 * SHOWN).rename(columns={"area": "normalised regret"})
    lines = [headline(found), carried(found)]
    lines.append(shown.to_string(float_format="{:.2f}".format))
    return "\n\n".join(line for line in lines if line)


def told(workdir: Path, config: Config) -> list[str]:
    """What was judged."""
    del workdir
    budgets: Sequence[int] = config.get("budgets", ())
    names = config.get("tables") or ["all regimes"]
    return [f"Budgets: {listed([str(b) for b in budgets])}.", f"{listed(names)}."]


def result(workdir: Path) -> Result:
    """The headline."""
    found = files.found(Results, workdir)
    return Result(headline(found) if found else "")


CONTEST = Job(
    default_contest,
    check,
    run_contest,
    tables,
    Page(
        lambda config: "Which estimate of task affinity chooses the best groups",
        {
            "overall": ("All regimes", overall),
            "regimes": ("Each regime", regimes),
        },
        told,
        result,
    ),
)
