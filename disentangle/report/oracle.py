"""The oracle: its page, and its tables on the terminal."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from disentangle.errors import UserError
from disentangle.metrics import part_of
from disentangle.oracle.choice import loss_of, names_of
from disentangle.oracle.joint import Joint, OverSeeds, joint
from disentangle.oracle.rank import ranks
from disentangle.oracle.regret import best_of
from disentangle.oracle.table import TaskTable
from disentangle.oracle.variance import by_task, clear_cells, pair_gains
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
    over_seeds,
    plural,
)
from disentangle.report.oracle_figures import joint_figure, pairs_figure
from disentangle.report.studies import Config, Job, Page, Result
from disentangle.report.summary import data_name
from disentangle.study.oracle import TABLE, check, default_oracle, run_oracle
from disentangle.study.oracle_files import OWN, GroupScores, SeedResult

DECIMALS = 3
MOST_BUDGETS = 4
DRAWN = ("dci/disentanglement", "dci_lasso/disentanglement", "mig/score")
JUDGED = (
    *DRAWN,
    "sap/score",
    "modularity/score",
    *(f"{OWN}{key}" for key in DRAWN),
)
GAIN = (
    "A gain is the test loss of a task alone less its loss in the group, in units in "
    "which a prediction that knows nothing has the loss 1: above 0, the group helps."
)
JOINT = (
    "Every group of two or more tasks is one encoder. Correlations are Spearman's over "
    "the groups of a seed; mean over seeds, with its 95 % interval. Size goes with "
    "both, so that a correlation says something of disentanglement only where it is "
    "also there with the size held fixed, or among groups of one size. “Of its tasks” "
    "scores the factors of the group's own tasks only."
)


def tables(workdir: Path) -> dict[str, TaskTable]:
    """Regime -> its table, in the order of the config."""
    found = {}
    regimes = files.json_or_nothing(workdir / "config.json").get("regimes")
    for name in regimes if isinstance(regimes, dict) else ():
        path = workdir / str(name) / TABLE
        if path.exists():
            found[str(name)] = TaskTable.load(path)
    return found


def scores_of(workdir: Path, name: str, table: TaskTable) -> dict[str, np.ndarray]:
    """Column -> (S, G) scores of a regime in the order of its table's groups.

    {} where a seed has none yet.
    """
    rows: list[dict[str, np.ndarray]] = []
    for seed in table.seeds:
        path = workdir / name / GroupScores.name(seed)
        if not path.exists():
            return {}
        with files.reading(path):
            held = GroupScores.load(workdir / name, path.name)
            groups = SeedResult.load(workdir / name, SeedResult.name(seed)).groups
            rows.append({k: v[_places(table, groups)] for k, v in held.values.items()})
    shared = [key for key in rows[0] if all(key in row for row in rows)]
    return {key: np.stack([row[key] for row in rows]) for key in shared}


def _places(table: TaskTable, groups: np.ndarray) -> np.ndarray:
    """(G,) where the groups of a table stand in a seed's file."""
    at = {tuple(row): place for place, row in enumerate(groups.tolist())}
    return np.array([at[tuple(row)] for row in table.groups.tolist()])


def gains(workdir: Path) -> list[Block]:
    """Of each regime: the pairs as a matrix, and every task with its variance."""
    blocks: list[Block] = []
    for name, table in tables(workdir).items():
        with files.reading(workdir / name / TABLE):
            figure = pairs_figure(table)
            rows = task_rows(table)
        alt = f"Heat map of gains in pairs of tasks, regime {name}."
        caption = (
            f"Regime {name}: gain of the column's task when trained with the row's."
        )
        drawing = Drawing.of(
            figure, f"pairs-{name}", alt, f"{caption} {_seeds(table)}."
        )
        header = [
            "task",
            "alone",
            "all together",
            "best group",
            "its gain",
            "F",
            "ICC",
            "σ group",
            "σ seed",
        ]
        blocks += [Row([drawing]), Text(_clear(name, table))]
        blocks.append(Table(f"Regime {name}: test losses and gains.", header, rows))
    return [Text(GAIN), *blocks, Text(VARIANCE)] if blocks else []


VARIANCE = (
    "F and ICC: two-way analysis of variance of a task's gains over the groups that "
    "hold it, seeds as blocks; ICC is the share of the variance of the mean over seeds "
    "that is the group's. σ in units of the loss."
)


def task_rows(table: TaskTable) -> list[list[Cell]]:
    """A row per task: its losses, its best group, its variance."""
    together = int(table.sizes.argmax())
    found = by_task(table) if len(table.seeds) > 1 else {}
    rows: list[list[Cell]] = []
    for t, task in enumerate(table.tasks):
        gain = table.gains[:, :, t]
        best = int(np.nanargmax(np.where(table.groups[:, t], gain.mean(0), np.nan)))
        cells: list[Cell] = [
            task,
            over_seeds(table.alone[:, t], DECIMALS),
            over_seeds(table.loss[:, together, t], DECIMALS),
            table.names[best].replace("+", " + "),
            over_seeds(gain[:, best], DECIMALS),
        ]
        if task in found:
            one = found[task]
            cells += [Number(one.f, decimals=1), Number(one.icc, decimals=2)]
            cells += [Number(one.group), Number(one.seed)]
        else:
            cells += [Number(np.nan)] * 4
        rows.append(cells)
    return rows


def _clear(name: str, table: TaskTable) -> str:
    """How many gains are clear, and how well one seed ranks what others found."""
    if len(table.seeds) < 2:
        return f"Regime {name}: one seed, so that no gain has a standard error."
    up, down, cells = clear_cells(table)
    size = np.where(table.groups, table.sizes[:, None].astype(float), np.nan)
    ceiling = ranks(table, -size).ceiling
    return (
        f"Regime {name}: of {cells} gains (task and group) {up} are above 0 by more "
        f"than 2.5 standard errors and {down} below. One seed ranks groups as the "
        f"others do: {ceiling or np.nan:.2f} (Spearman, mean over tasks and seeds)."
    )


def _seeds(table: TaskTable) -> str:
    return f"Mean over {plural(len(table.seeds), 'seed')}, with its standard error"


def groups(workdir: Path) -> list[Block]:
    """Of each regime: the best groups for every budget, by the test losses."""
    blocks: list[Block] = []
    for name, table in tables(workdir).items():
        with files.reading(workdir / name / TABLE):
            rows = budget_rows(table)
        header = ["networks", "groups", "mean loss"]
        blocks.append(Table(f"Regime {name}: best groups by budget.", header, rows))
    words = (
        "Exact, by the mean test loss over seeds. The best is a little too good, as it "
        "is chosen on what it is judged by; `regret` judges on other seeds."
    )
    return [Text(words), *blocks] if blocks else []


def budget_rows(table: TaskTable) -> list[list[Cell]]:
    """A row per budget, then all tasks alone and all together."""
    rows: list[list[Cell]] = []
    for budget in range(1, min(MOST_BUDGETS, len(table.tasks)) + 1):
        chosen = best_of(table, budget)
        named = [" + ".join(group) for group in names_of(table, chosen.rows)]
        loss = over_seeds(loss_of(table, chosen.serves), DECIMALS)
        rows.append([str(budget), "; ".join(named), loss])
    alone = over_seeds(table.alone.mean(1), DECIMALS)
    rows.append([str(len(table.tasks)), "each task alone", alone])
    whole = np.flatnonzero(table.sizes == len(table.tasks))
    if whole.size:
        loss = over_seeds(table.loss[:, whole[0]].mean(1), DECIMALS)
        rows.append(["1", "all tasks together", loss])
    return rows


def joint_section(workdir: Path) -> list[Block]:
    """Of each regime: gains beside scores as a figure, and all correlations."""
    drawings: list[Drawing | Table] = []
    rows: list[list[Cell]] = []
    for name, table in tables(workdir).items():
        scores = scores_of(workdir, name, table)
        shown = {column_name(key): scores[key] for key in DRAWN if key in scores}
        if not shown:
            continue
        with files.reading(workdir / name / TABLE):
            figure = joint_figure(table, shown)
            rows += joint_rows(name, table, scores)
        alt = f"Scores of encoders against gains, regime {name}."
        caption = f"Regime {name}: a point per group, means over seeds."
        drawings.append(Drawing.of(figure, f"joint-{name}", alt, caption))
    if not rows:
        return []
    header = [
        "regime",
        "score",
        "mean",
        "with gain",
        "size held fixed",
        "of one size",
        "size with score",
        "size with gain",
    ]
    caption = "Rank correlation of scores and mean gains."
    return [Text(JOINT), Row(drawings), Table(caption, header, rows)]


def joint_rows(
    name: str, table: TaskTable, scores: Mapping[str, np.ndarray]
) -> list[list[Cell]]:
    """A row per score."""
    rows: list[list[Cell]] = []
    for key in (key for key in JUDGED if key in scores):
        found = joint(table, scores[key])
        rows.append(
            [name, column_name(key), Number(found.mean, decimals=2), *_cells(found)]
        )
    return rows


def _cells(found: Joint) -> list[Cell]:
    order = (
        found.raw,
        found.partial,
        found.matched,
        found.size_score,
        found.size_gain,
    )
    return [between(one) for one in order]


def between(value: OverSeeds) -> str:
    """Such as "0.31 [0.10, 0.52]"."""
    if not np.isfinite(value.mean):
        return "–"
    text = f"{value.mean:+.2f}"
    if np.isfinite(value.low):
        text += f" [{value.low:+.2f}, {value.high:+.2f}]"
    return text.replace("-", "−")


def column_name(key: str) -> str:
    """A score in words; of the group's own tasks, with that said."""
    own = key.startswith(OWN)
    part = part_of(key.removeprefix(OWN))
    metric = key.removeprefix(OWN).partition("/")[0]
    name = part.name if part else metric
    return f"{name} of its tasks" if own else name


def told(workdir: Path, config: Config) -> list[str]:
    """The regimes and their seeds."""
    del workdir
    names = list(config.get("regimes", {}))
    return [
        f"{plural(len(names), 'regime')} ({listed(names)}), "
        f"{plural(int(config.get('seeds', 0)), 'seed')} each.",
    ]


def result(workdir: Path) -> Result:
    """What the best two networks are worth beside one, and beside one per task."""
    sentences = []
    for name, table in tables(workdir).items():
        best = loss_of(table, best_of(table, min(2, len(table.tasks))).serves).mean()
        together = table.loss[:, int(table.sizes.argmax())]
        sentences.append(
            f"{name}: mean loss {np.nanmean(together):.3f} all together, {best:.3f} in "
            f"the best two networks, {table.alone.mean():.3f} alone."
        )
    return Result(" ".join(sentences))


def text(workdir: Path) -> str:
    """The pairs and the best groups of every regime, for the terminal."""
    parts = []
    for name, table in tables(workdir).items():
        frame = pd.DataFrame(pair_gains(table).mean(0), table.tasks, table.tasks)
        parts.append(
            f"\n{name}: gain of a task (column) when trained with another (row), mean "
            f"over {plural(len(table.seeds), 'seed')}\n"
            + frame.to_string(float_format="{:+.3f}".format, na_rep="")
        )
        rows = [
            [cell.text if isinstance(cell, Number) else cell for cell in row]
            for row in budget_rows(table)
        ]
        found = pd.DataFrame(rows, columns=["networks", "groups", "mean loss"])
        parts.append(found.to_string(index=False))
    if not parts:
        raise UserError(f"{workdir} holds no table of groups yet")
    return "\n".join(parts)


ORACLE = Job(
    default_oracle,
    check,
    run_oracle,
    text,
    Page(
        lambda config: f"Every group of tasks on {data_name(config)}",
        {
            "gains": ("What tasks gain from each other", gains),
            "best-groups": ("The best groups", groups),
            "joint": ("Gains and disentanglement", joint_section),
        },
        told,
        result,
    ),
)
