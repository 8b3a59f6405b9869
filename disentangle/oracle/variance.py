r"""How much of a gain is the group, and how much is the seed.

$$
G_{sg} = \mu + a_s + b_g + e_{sg}, \qquad F = \frac{S \sum_g b_g^2 / (K - 1)}
{\sum_{sg} e_{sg}^2 / ((K - 1)(S - 1))}
$$

for the K groups that hold a task and at least one more: two-way analysis of variance
without replication, seeds as blocks. The intraclass correlation of the mean of S seeds
is sigma_b^2 / (sigma_b^2 + sigma_e^2 / S) (Shrout and Fleiss 1979, ICC(3, k)), with
sigma_b^2 = (MS_b - MS_e) / S, at least 0; that is 1 - 1 / F, and 0 for F below 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from disentangle.errors import UserError
from disentangle.oracle.table import TaskTable


class Variance(NamedTuple):
    """Of one task's gains.

    Attributes:
      f: the mean square of groups over that of the rest, at least 0; infinite where
        seeds agree to the last digit.
      icc: of the mean over seeds, in [0, 1].
      group: sigma_b, the standard deviation of groups, in units of the loss.
      seed: sigma_e, of a single network about its group and its seed.
    """

    f: float
    icc: float
    group: float
    seed: float


def variance(gains: np.ndarray) -> Variance:
    """The analysis of gains (S, K): S seeds at least 2, K groups at least 2.

    Raises:
      UserError: fewer of one of them.
    """
    seeds, groups = gains.shape
    if seeds < 2 or groups < 2:
        raise UserError(
            f"an analysis of variance of {seeds} seeds and {groups} groups needs at "
            "least two of each"
        )
    of_group = gains.mean(0) - gains.mean()
    rest = gains - gains.mean(1)[:, None] - of_group[None]
    between = seeds * float(np.square(of_group).sum()) / (groups - 1)
    within = float(np.square(rest).sum()) / ((groups - 1) * (seeds - 1))
    spread = max((between - within) / seeds, 0.0)
    noise = within / seeds
    return Variance(
        f=between / within if within else float("inf"),
        icc=spread / (spread + noise) if spread else 0.0,
        group=float(np.sqrt(spread)),
        seed=float(np.sqrt(within)),
    )


def by_task(table: TaskTable) -> dict[str, Variance]:
    """Task -> the analysis of its gains in groups of two or more.

    Raises:
      UserError: one seed, or no network of a task alone.
    """
    gains, several = table.gains, table.sizes >= 2
    return {
        task: variance(gains[:, several & table.groups[:, t], t])
        for t, task in enumerate(table.tasks)
    }


def pair_gains(table: TaskTable) -> np.ndarray:
    """(S, N, N) [seed, source, target]: the gain of the target with the source.

    NaN on the diagonal, and where the pair was not trained.
    """
    n, gains = len(table.tasks), table.gains
    found = np.full((len(table.seeds), n, n), np.nan)
    for row in np.flatnonzero(table.sizes == 2):
        one, two = np.flatnonzero(table.groups[row])
        found[:, one, two] = gains[:, row, two]
        found[:, two, one] = gains[:, row, one]
    return found


def clear_cells(table: TaskTable, errors: float = 2.5) -> tuple[int, int, int]:
    """How many gains are clearly above 0, clearly below, and how many there are.

    A gain of a task in a group of two or more is clear where its mean over seeds is
    more than `errors` standard errors from 0.

    Raises:
      UserError: one seed.
    """
    if len(table.seeds) < 2:
        raise UserError("a standard error needs at least two seeds")
    cells = table.groups & (table.sizes >= 2)[:, None]
    gains = table.gains[:, cells]
    error = gains.std(0, ddof=1) / np.sqrt(len(gains))
    mean = gains.mean(0)
    return (
        int((mean > errors * error).sum()),
        int((mean < -errors * error).sum()),
        int(cells.sum()),
    )
