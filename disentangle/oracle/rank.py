"""How well an estimate ranks groups, signs of transfer and partners, per target task.

A rank correlation is taken for one target at a time, over the groups that hold it, and
then averaged over targets: pooled, the offsets between targets (93 % of the variance of
published affinities) would be all that it sees. (Fifty et al. 2021 compare decisions
only; Spearman's is Pearson's correlation of mid-ranks.)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.oracle.seeds import halves, interval
from disentangle.oracle.table import TaskTable


@dataclass(frozen=True)
class Ranks:
    """How an estimate orders what the table measured. None for what is not known.

    Attributes:
      spearman: mean over targets of Spearman's correlation over the groups of two or
        more that hold the target, in [-1, 1].
      targets: that correlation of each target.
      interval: 95 %, of the mean over seeds of the correlation with one seed's truth.
      pairs: `spearman` over groups of two only.
      larger: `spearman` over groups of three or more only.
      ceiling: `spearman` of one seed against the mean of the others, mean over seeds.
      halves: `spearman` of half of the seeds against the others, mean over splits.
      auroc: mean over targets with gains of both signs of the probability that a group
        that helps is scored above one that hurts, in [0, 1]; ties count half.
      partner: share of targets whose best partner the estimate names; of k equal
        first ones it counts 1/k.
      partner_chance: the same of a guess.
    """

    spearman: float | None
    targets: dict[str, float | None]
    interval: tuple[float, float] | None
    pairs: float | None
    larger: float | None
    ceiling: float | None
    halves: float | None
    auroc: float | None
    partner: float | None
    partner_chance: float | None

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON."""
        return asdict(self)


def ranks(table: TaskTable, scores: np.ndarray) -> Ranks:
    """How (G, N) scores, larger is better, order the groups of a table."""
    truth = -table.loss.mean(axis=0)
    several = table.sizes >= 2
    by_target = per_target(scores, truth, several)
    by_seed = [mean_of(per_target(scores, -one, several)) for one in table.loss]
    known = np.array([value for value in by_seed if value is not None])
    pairs = table.groups[table.sizes == 2].sum(axis=0)
    return Ranks(
        spearman=mean_of(by_target),
        targets=dict(zip(table.tasks, map(_plain, by_target), strict=True)),
        interval=interval(known),
        pairs=mean_of(per_target(scores, truth, table.sizes == 2)),
        larger=mean_of(per_target(scores, truth, table.sizes >= 3)),
        ceiling=_ceiling(table),
        halves=_halves(table),
        auroc=_auroc(table, scores),
        partner=_partner(table, scores),
        partner_chance=mean_of([1 / count for count in pairs if count > 1]),
    )


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two (k,) arrays, in [-1, 1].

    NaN if `other`, the truth, is constant or k < 2; 0 if only `one` is, which then
    ranks nothing.
    """
    a, b = mid_ranks(one), mid_ranks(other)
    a, b = a - a.mean(), b - b.mean()
    if len(one) < 2 or not b.any():
        return float("nan")
    if not a.any():
        return 0.0
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def mid_ranks(values: np.ndarray) -> np.ndarray:
    """(k,) ranks from 0, equal values sharing the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count + 1) / 2)[place])


def per_target(scores: np.ndarray, truth: np.ndarray, among: np.ndarray) -> list[float]:
    """Spearman's correlation of scores and truth for each of the N targets.

    Args:
      scores: (G, N), larger is better; NaN is left out.
      truth: (G, N), larger is better; NaN where the target is not in the group.
      among: (G,) bool, which groups count.

    Returns:
      N numbers; NaN where fewer than two groups count or their truth is the same.
    """
    found = []
    for said, true in zip(scores.T, truth.T, strict=True):
        rows = among & np.isfinite(said) & np.isfinite(true)
        found.append(spearman(said[rows], true[rows]) if rows.sum() > 1 else np.nan)
    return found


def mean_of(values: list[float]) -> float | None:
    """The mean of the numbers that are not NaN; None if all are."""
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else None


def unseen(
    table: TaskTable, predicted: np.ndarray, seen: np.ndarray
) -> dict[str, float | None]:
    """The error of a fitted estimate on groups that it was not fitted to.

    Args:
      table: the truth.
      predicted: (G, N) predicted LOSSES; NaN is left out.
      seen: (G,) bool, the groups whose losses the fit used; they do not count.

    Returns:
      rmse: root mean square error of the losses, of the cells of unseen groups of two
        or more; mae: the mean absolute one; r2: 1 - squared error over the spread
        around each target's mean; spearman: per target, averaged; groups: how many.

    Raises:
      UserError: every group was seen.
    """
    seen = np.asarray(seen, bool)
    among = ~seen & (table.sizes >= 2)
    if not among.any():
        raise UserError("every group was seen: there is none to judge the fit by")
    truth = table.loss.mean(axis=0)
    cells = among[:, None] & table.groups & np.isfinite(predicted)
    error = np.where(cells, predicted - truth, np.nan)[cells]
    centre = np.array(
        [truth[c, t].mean() if c.any() else np.nan for t, c in enumerate(cells.T)]
    )
    spread = float((np.where(cells, truth - centre, 0) ** 2).sum())
    return {
        "rmse": _plain(float(np.sqrt((error**2).mean()))) if len(error) else None,
        "mae": float(np.abs(error).mean()) if len(error) else None,
        "r2": 1 - float((error**2).sum()) / spread if spread else None,
        "spearman": mean_of(per_target(-predicted, -truth, among)),
        "groups": float(among.sum()),
    }


def _plain(value: float) -> float | None:
    return None if value != value else float(value)


def _ceiling(table: TaskTable) -> float | None:
    """One seed against the mean of the others."""
    if len(table.seeds) < 2:
        return None
    several = table.sizes >= 2
    found = []
    for place in range(len(table.seeds)):
        rest = np.delete(table.loss, place, axis=0).mean(axis=0)
        found.append(mean_of(per_target(-table.loss[place], -rest, several)))
    return mean_of([value for value in found if value is not None])


def _halves(table: TaskTable) -> float | None:
    """Half of the seeds against the others: what a noisy truth can reach."""
    several = table.sizes >= 2
    found = []
    for fit, rest in halves(len(table.seeds)):
        one, other = (-table.loss[places].mean(axis=0) for places in (fit, rest))
        found.append(mean_of(per_target(one, other, several)))
    return mean_of([value for value in found if value is not None])


def _auroc(table: TaskTable, scores: np.ndarray) -> float | None:
    try:
        gains = table.gains.mean(axis=0)
    except UserError:  # no networks of one task: nothing to be helped beyond
        return None
    several = (table.sizes >= 2)[:, None] & np.isfinite(scores) & table.groups
    found = []
    for said, gain, rows in zip(scores.T, gains.T, several.T, strict=True):
        helps, hurts = said[rows & (gain > 0)], said[rows & (gain < 0)]
        if len(helps) and len(hurts):
            above = (helps[:, None] > hurts).mean()
            found.append(float(above + (helps[:, None] == hurts).mean() / 2))
    return mean_of(found)


def _partner(table: TaskTable, scores: np.ndarray) -> float | None:
    found = []
    truth = -table.loss.mean(axis=0)
    for task in range(len(table.tasks)):
        rows = (table.sizes == 2) & table.groups[:, task] & np.isfinite(scores[:, task])
        if rows.sum() < 2:
            continue
        said, true = scores[rows, task], truth[rows, task]
        first = said == said.max()
        found.append(float(first[true.argmax()]) / first.sum())
    return mean_of(found)
