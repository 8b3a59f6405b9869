"""An estimate judged by a table: regret at each budget, baselines beside it, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from disentangle.affinity.options import count_of
from disentangle.errors import UserError
from disentangle.oracle.baselines import Row, baselines
from disentangle.oracle.estimate import Estimate, scores_of
from disentangle.oracle.rank import Ranks, ranks
from disentangle.oracle.regret import Judge, Regret, area
from disentangle.oracle.table import TaskTable


@dataclass(frozen=True)
class Verdict:
    """All that a table says about an estimate.

    Attributes:
      regrets: one per budget.
      beside: per budget the rows of `baselines`.
      ranks: how it orders the groups; of an estimate made from the truth, all seeds'.
      tasks, groups, seeds, data, regime: of the table.
    """

    regrets: tuple[Regret, ...]
    beside: tuple[dict[str, Row], ...]
    ranks: Ranks
    tasks: tuple[str, ...]
    groups: int
    seeds: tuple[int, ...]
    data: str
    regime: str

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON.

        Of one budget its `Regret`, and `baselines`, `ranks` and `table` beside; of
        several `budgets`, a list of such, and `area`.
        """
        about = {
            "tasks": list(self.tasks),
            "groups": self.groups,
            "seeds": list(self.seeds),
            "data": self.data,
            "regime": self.regime,
        }
        rest = {"ranks": self.ranks.to_json(), "table": about}
        each = [
            {
                **found.to_json(),
                "baselines": {name: row.to_json() for name, row in rows.items()},
            }
            for found, rows in zip(self.regrets, self.beside, strict=True)
        ]
        if len(each) == 1:
            return {**each[0], **rest}
        return {"budgets": each, "area": area(self.regrets), **rest}


def judge(
    table: TaskTable,
    estimate: Estimate,
    budgets: Sequence[int],
    *,
    score: str = "mean",
    singletons: str = "forbid",
    singleton_value: float | None = None,
    serving: str = "estimate",
) -> Verdict:
    """Judges an estimate at every budget; arguments and errors as of `regret`."""
    bench = Judge(table, serving)
    budgets = [count_of(budget) for budget in budgets]
    if not budgets:
        raise UserError("there is no budget to judge the estimate at")
    scores = (
        estimate
        if callable(estimate)
        else scores_of(
            table,
            estimate,
            score=score,
            singletons=singletons,
            singleton_value=singleton_value,
        )
    )
    regrets = tuple(bench.regret(scores, budget) for budget in budgets)
    return Verdict(
        regrets,
        tuple(baselines(bench, found.budget, found) for found in regrets),
        ranks(table, scores(table) if callable(scores) else scores),
        table.tasks,
        len(table.groups),
        table.seeds,
        table.data,
        table.regime,
    )


def budgets_of(text: str) -> list[int]:
    """Budgets as the command line takes them: 2, or 1,2,3.

    Raises:
      UserError: one of them is not a whole number, or comes twice.
    """
    found = []
    for word in text.split(","):
        if not word.strip().isdecimal() or not int(word):
            raise UserError(
                f"the budget must be a whole number of groups, at least 1, or several "
                f"such as 1,2,3; got {text!r}"
            )
        found.append(int(word))
    if len(set(found)) < len(found):
        raise UserError(f"the budgets {text!r} name one twice")
    return found
