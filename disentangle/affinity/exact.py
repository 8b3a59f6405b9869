"""The best answer by the partition dynamic programme, and the rule for ties."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from disentangle.affinity import partition
from disentangle.affinity.runner_up import runner_up
from disentangle.affinity.scores import Penalty, Scores
from disentangle.affinity.to_grouping import Grouping, of_rows
from disentangle.errors import UserError

# Of the largest number that the best total is made of: totals that differ by less are
# ties. It is some hundred times the rounding error of a total, and blind to numbers
# that the best answer avoids (say -1e9, to keep two tasks apart).
TIE = 2.0**-42


def solve(
    tasks: tuple[str, ...],
    sense: str,
    scores: Scores,
    unit: Fraction,
    budget: int,
    progress: Callable[[int, int], None] | None,
) -> Grouping:
    """The best answer, its runner-up, and the tie rule where they are equal.

    Raises:
      UserError: no groups within the budget serve every task.
    """
    values = scores.values(Penalty())
    best = partition.levels(values, budget, _ticker(values, scores.n, budget, progress))
    top = partition.optimum(values, best, budget)
    if top == -np.inf:
        raise nothing_fits(budget * unit)
    sets = partition.trace(values, best, budget, slack=0.0)
    rows = [scores.best_row(one.served, one.cost, Penalty()) for one in sets]
    scales = [scores.scale(row, b.served) for row, b in zip(rows, sets, strict=True)]
    tie = max(TIE * max(scales), 5e-324) if max(scales) else 0.0
    second = runner_up(scores, values, best, budget, rows, enough=top - tie)
    if second >= top - tie:
        rows = tie_rule(scores, budget, tie or TIE)
        second = runner_up(scores, values, best, budget, rows, enough=top - tie)
    return of_rows(tasks, sense, scores, rows, unit, (top, second, tie))


def nothing_fits(budget: float | Fraction) -> UserError:
    """The error where no answer exists."""
    return UserError(
        f"no groups within the budget of {float(budget):g} and the limits serve every "
        "task; raise the budget, or loosen a limit"
    )


def tie_rule(scores: Scores, budget: int, tie: float) -> list[int]:
    """The groups that the tie rule chooses among answers equal up to rounding.

    A member costs one `tie`, a group more than all members can: too little to change
    which totals are best, enough to order those that are.
    """
    penalty = Penalty(group=tie * (scores.n**2 + 1), member=tie)
    values = scores.values(penalty)
    best = partition.levels(values, budget)
    sets = partition.trace(values, best, budget, slack=tie / 2)
    return [scores.best_row(one.served, one.cost, penalty) for one in sets]


def _ticker(
    values: partition.Values,
    n: int,
    budget: int,
    progress: Callable[[int, int], None] | None,
) -> partition.Tick:
    """Turns the additions just done into calls of progress(done, total)."""
    if progress is None:
        return lambda additions: None
    total, done = partition.work(n, tuple(sorted(values)), budget), 0

    def tick(additions: int) -> None:
        nonlocal done
        done += additions
        progress(done, total)

    return tick
