"""Every estimator's scores of every group of a table, made from one seed each.

Three families: `per step`, from samples of the all-together training; `one model`, from
that trained network; `from groups`, from a few of the table's own groups, of which only
the validation losses of the seed are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from disentangle.affinity import FROM_GROUPS, Affinity
from disentangle.affinity.from_groups import calibration, trained
from disentangle.affinity.samples import STATISTICS
from disentangle.errors import UserError, unknown
from disentangle.oracle.contest import Estimates
from disentangle.oracle.estimate import SCORES, check_same, scores_of
from disentangle.oracle.measured import Measured, cost
from disentangle.oracle.regime import Regime
from disentangle.oracle.table import TaskTable

PER_STEP, ONE_MODEL, FITTED = "per step", "one model", "from groups"
DRAWS = (8, 12, 16)  # groups that are trained at random for a fit
SMOOTH, PAIRS = ("surrogate", "kernel"), "pairs and all"  # fitted to a design as well
FEW_PAIRS = ("pairs_mean", "pairs_sum")  # estimators that ask for all pairs


def per_step(
    table: TaskTable,
    regime: Regime,
    measured: Mapping[int, Measured],
    *,
    statistic: str = "mean",
    window: tuple[float, float] = (0.0, 1.0),
) -> list[Estimates]:
    """The estimates of single steps, as means and as sums over a group's members.

    In a group of its own a task has no other member: its sum is 0, its mean not there,
    so that means choose no group of one. Group lookahead scores groups itself.

    Args:
      table: whose groups are scored.
      regime: of the table.
      measured: of every seed of the table.
      statistic: of `affinity.samples.STATISTICS`, over the samples of a run.
      window: the share of the run that is used; what is not costs all the same.

    Raises:
      UserError: a seed that was not measured, other tasks, an unknown statistic.
    """
    if statistic not in STATISTICS:
        raise unknown("statistic", statistic, STATISTICS)
    seeds = [_of_seed(table, measured, seed).samples for seed in table.seeds]
    seeds = [samples.window(*window) for samples in seeds]
    compute, found = STATISTICS[statistic], []
    for name in seeds[0].values:
        each = np.stack([compute(one.values[name], one.losses) for one in seeds])
        price = cost(name, regime, next(iter(measured.values())))
        found += scored(table, seeds[0].tasks, name, each, price)
    return found


def scored(
    table: TaskTable,
    tasks: tuple[str, ...],
    name: str,
    values: np.ndarray,
    price: float,
) -> list[Estimates]:
    """The estimates of one estimator of steps, from its statistic in every seed.

    Args:
      table: whose groups are scored.
      tasks: of the values.
      name, price: of the estimator.
      values: (S, N, N), which gives means and sums over a group's members, or
        (S, 2^N - 1, N), which scores groups itself.
    """
    if values.shape[1] != len(tasks):
        scores = np.stack([in_table(table, one, tasks) for one in values])
        return [Estimates(name, PER_STEP, price, scores)]
    found = []
    for score in SCORES:
        summed = score == "sum"
        given = [
            scores_of(
                table,
                Affinity(one, tasks),
                score=score,
                singletons="value" if summed else "forbid",
                singleton_value=0.0 if summed else None,
            )
            for one in values
        ]
        found.append(Estimates(f"{name}, {score}", PER_STEP, price, np.stack(given)))
    return found


def one_model(
    table: TaskTable, regime: Regime, measured: Mapping[int, Measured]
) -> list[Estimates]:
    """The estimates of one trained model: predicted losses, turned round.

    Raises:
      UserError: a seed that was not measured, or other tasks.
    """
    seeds = [_of_seed(table, measured, seed) for seed in table.seeds]
    return [
        Estimates(
            name,
            ONE_MODEL,
            cost(name, regime, seeds[0]),
            np.stack(
                [-in_table(table, s.predicted[name], s.samples.tasks) for s in seeds]
            ),
        )
        for name in seeds[0].predicted
    ]


def from_groups(
    table: TaskTable,
    *,
    draws: Sequence[int] = DRAWS,
    calibrated: Sequence[Estimates] = (),
) -> list[Estimates]:
    """What a few trained groups of each seed say about the rest.

    A group costs one training, as the network on all tasks does. The groups drawn at
    random are other ones for every seed, and every task is in two of them or more.
    "pairs and all" are each task alone, every pair, and all together.

    Args:
      table: exhaustive; the validation losses are read, the test losses where it has
        none.
      draws: how many groups are drawn.
      calibrated: cheaper estimates that each draw calibrates.
    """
    losses = table.loss if table.validation is None else table.validation
    found = []
    for name, predict in FROM_GROUPS.items():
        if name in FEW_PAIRS:
            rows = trained.pairs(table.groups, alone=name == "pairs_sum")
            every = [rows for _ in table.seeds]
            scores = [-predict(table.groups, one, rows) for one in losses]
            found.append(_fitted(table, name, scores, every, 0.0))
            continue
        for count in draws:
            every = [drawn(table.groups, count, seed) for seed in table.seeds]
            scores = [
                -predict(table.groups, one, rows)
                for one, rows in zip(losses, every, strict=True)
            ]
            found.append(_fitted(table, f"{name}, {count}", scores, every, 0.0))
    designed = trained.pairs_and_all(table.groups)
    for name in SMOOTH:
        every = [designed for _ in table.seeds]
        scores = [-FROM_GROUPS[name](table.groups, one, designed) for one in losses]
        found.append(_fitted(table, f"{name}, {PAIRS}", scores, every, 0.0))
    for given in calibrated:
        for count in draws:
            every = [drawn(table.groups, count, seed) for seed in table.seeds]
            scores = [
                -calibration.predict(table.groups, one, rows, cheap)
                for one, rows, cheap in zip(losses, every, given.scores, strict=True)
            ]
            called = f"calibrated {given.name}, {count}"
            found.append(_fitted(table, called, scores, every, given.cost))
    return found


def drawn(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` rows at random, every task in two of them or more if they can be."""
    least = min(2, int(groups.sum(axis=0).min()))
    best = trained.drawn(groups, count, seed=seed)
    for attempt in range(100):
        rows = trained.drawn(groups, count, seed=seed + 1_000_003 * attempt)
        if groups[rows].sum(axis=0).min() >= least:
            return rows
    return best


def _fitted(
    table: TaskTable,
    name: str,
    scores: Sequence[np.ndarray],
    rows: Sequence[np.ndarray],
    before: float,
) -> Estimates:
    seen = np.zeros((len(table.seeds), len(table.groups)), bool)
    for own, trained_rows in zip(seen, rows, strict=True):
        own[trained_rows] = True
    price = before + float(np.mean([len(one) for one in rows]))
    return Estimates(name, FITTED, price, np.stack(scores), seen)


def _of_seed(table: TaskTable, measured: Mapping[int, Measured], seed: int) -> Measured:
    if seed not in measured:
        raise UserError(
            f"seed {seed} of {table.data} {table.regime} was not measured; there are "
            f"{sorted(measured)}"
        )
    check_same(table, measured[seed].samples.tasks)
    return measured[seed]


def in_table(table: TaskTable, by_mask: np.ndarray, tasks: Sequence[str]) -> np.ndarray:
    """(2^N - 1, N) by bit mask, as the (G, N) members of the table's groups."""
    order = [list(tasks).index(task) for task in table.tasks]
    masks = (table.groups.astype(int) << np.array(order)[None]).sum(axis=1)
    return np.where(table.groups, by_mask[masks - 1][:, order], np.nan)
