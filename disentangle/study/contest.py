"""The contest: every estimator of which tasks to group, judged by the shipped truths.

Nothing is trained. The tables of all groups (`oracle.shipped`) and what every estimator
said in the same regimes (`oracle.kept`) come with the package; what is fitted to a few
trained groups is fitted here, to those groups of the tables.

  config.json study.json   the whole job, and that it is one
  contest.json             how every estimator did in every regime
  contest.csv              the same, a row each
  stages.json              what is done, and from what
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from ml_collections import ConfigDict

from disentangle import progress as bars
from disentangle.errors import UserError, unknown
from disentangle.fields import defaults, read, settings, static
from disentangle.files import place, whole
from disentangle.oracle.contest import Bench, Judged, Mean, winner
from disentangle.oracle.estimates import DRAWS, from_groups
from disentangle.oracle.kept import kept
from disentangle.oracle.shipped import shipped, shipped_names
from disentangle.records import JsonRecord
from disentangle.study.stages import Stages, allow_changes, begin
from disentangle.training.config import check_fields, plain
from disentangle.training.workdir import owned

CSV = "contest.csv"


@settings
class Contest:
    """The fields of the contest."""

    tables: tuple[str, ...] = static(
        (), "shipped tables, DATA-REGIME each; () is all of them", distinct=True
    )
    budgets: tuple[int, ...] = static(
        (2, 3), "networks, each a contest of its own", least=1, most=4, distinct=True
    )
    trained: tuple[int, ...] = static(
        DRAWS, "groups that are trained at random for a fit", least=2, distinct=True
    )
    most: float = static(
        25.0,
        "trainings that the winner may cost; it is chosen on the regimes of one data "
        "set and then judged on those of the others",
        above=0.0,
    )


@dataclasses.dataclass(frozen=True)
class Results(JsonRecord):
    """contest.json.

    Attributes:
      budgets: of every row.
      rows: how each estimator did in each regime: the fields of `contest.Judged`.
      fixed: regime -> what needs no estimate -> (mean, low, high) of its loss.
      winners: data set -> the estimator with the smallest mean area on its regimes.
    """

    FILE: ClassVar[str] = "contest.json"
    budgets: list[int]
    rows: list[dict[str, Any]]
    fixed: dict[str, dict[str, list[float | None]]]
    winners: dict[str, str]

    def frame(self) -> pd.DataFrame:
        """A row per regime and estimator: means, and the ends of their intervals."""
        flat = []
        for row in self.rows:
            own: dict[str, Any] = {
                name: row[name] for name in ("data", "regime", "name", "family", "cost")
            }
            for part in ("area", "spearman", "auroc", "partner"):
                own |= _ends(part, row[part])
            for part in ("loss", "regret", "normalised"):
                for budget, value in row[part].items():
                    own |= _ends(f"{part} {budget}", value)
            flat.append(own)
        return pd.DataFrame(flat)


def _ends(name: str, value: Mapping[str, float | None]) -> dict[str, float]:
    number = lambda end: math.nan if value[end] is None else float(value[end] or 0.0)
    return {
        name: number("mean"),
        f"{name} low": number("low"),
        f"{name} high": number("high"),
    }


def default_contest(data: str = "") -> ConfigDict:
    """The config: on the tables of one data set, "" on those of all."""
    chosen = tuple(n for n in shipped_names() if n.split("-")[0] == data)
    return ConfigDict(defaults(Contest) | ({"tables": chosen} if data else {}))


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    config = plain(config)
    check_fields(config, defaults(Contest))
    read(Contest, config)
    for name in config["tables"]:
        if name not in shipped_names():
            raise unknown("table", name, shipped_names())
    if not config["budgets"]:
        raise UserError("budgets is an empty list and must have at least one item")
    return config


def run_contest(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    progress: bool = True,
) -> Path:
    """Judges every estimator in `workdir`, unless that is done.

    Args:
      config: see `default_contest`; all of it may change, and it is then held anew.
      workdir: created if needed; one process at a time.
      progress: show the bar.

    Returns:
      The workdir.

    Raises:
      UserError: on anything wrong in the config or the workdir, before any compute.
    """
    config = check(config)
    with owned(place(workdir, "workdir")) as folder:
        known = plain(default_contest())
        allow_changes(folder, config, known, free=tuple(known), own=())
        begin(folder, "contest", config)
        stages = Stages(folder)
        stages.once("contest", lambda: config, lambda: hold(config, folder, progress))
    return folder


def hold(config: Mapping[str, Any], folder: Path, progress: bool) -> list[str]:
    """contest.json and contest.csv."""
    names = config["tables"] or shipped_names()
    rows: list[Judged] = []
    fixed: dict[str, dict[str, list[float | None]]] = {}
    with bars.Progress("judge", unit="estimate", shown=progress) as bar:
        for place_, name in enumerate(names):
            table = shipped(name)
            bench = Bench(table, config["budgets"])
            most = [n for n in config["trained"] if n < len(table.groups)]
            given = [*bench.baselines(), *kept(name), *from_groups(table, draws=most)]
            total = len(rows) + len(given) * (len(names) - place_)
            for one in given:
                bar.to(len(rows), total, what=f"judge, {name}")
                rows.append(bench.judge(one))
            fixed[name] = {n: _three(mean) for n, mean in bench.fixed().items()}
    area = lambda row: row.area.mean
    winners = {}
    for data in dict.fromkeys(row.data for row in rows):
        own = [row for row in rows if row.data == data]
        winners[data] = winner(own, config["most"], area)
    held = [dataclasses.asdict(row) for row in rows]
    for row in held:
        for part in ("loss", "regret", "normalised"):
            row[part] = {str(budget): value for budget, value in row[part].items()}
    found = Results(list(config["budgets"]), held, fixed, winners)
    found.save(folder)
    with whole(folder / CSV) as file:
        found.frame().to_csv(file, index=False)
    return [Results.FILE, CSV]


def _three(mean: Mean) -> list[float | None]:
    return [mean.mean, mean.low, mean.high]
