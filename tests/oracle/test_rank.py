"""Ranks, signs and partners against SciPy and counts by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from disentangle.errors import UserError
from disentangle.oracle import TaskTable
from disentangle.oracle.rank import mid_ranks, ranks, spearman, unseen


def made(n=4, seeds=3, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.array([[m >> t & 1 for t in range(n)] for m in range(1, 2**n)], bool)
    loss = np.where(groups, rng.normal(size=(seeds, *groups.shape)), np.nan)
    return TaskTable(tuple("abcdef"[:n]), groups, tuple(range(seeds)), loss)


def by_scipy(table, scores, truth, sizes):
    found = []
    for t in range(len(table.tasks)):
        rows = table.groups[:, t] & np.isin(table.sizes, sizes)
        found.append(stats.spearmanr(scores[rows, t], truth[rows, t]).statistic)
    return np.mean(found)


def test_spearman_equals_scipy_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 4, (2, 9))
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
        np.testing.assert_allclose(mid_ranks(a), stats.rankdata(a) - 1)
    assert np.isnan(spearman(np.arange(3), np.ones(3)))
    assert spearman(np.ones(3), np.arange(3)) == 0


def test_ranks_equal_scipy_per_target():
    table = made()
    scores = np.random.default_rng(1).normal(size=table.groups.shape)
    found, truth = ranks(table, scores), -table.loss.mean(axis=0)
    assert found.spearman == pytest.approx(by_scipy(table, scores, truth, [2, 3, 4]))
    assert found.pairs == pytest.approx(by_scipy(table, scores, truth, [2]))
    assert found.larger == pytest.approx(by_scipy(table, scores, truth, [3, 4]))
    assert np.mean(list(found.targets.values())) == pytest.approx(found.spearman)
    ceilings = [
        by_scipy(
            table,
            -table.loss[s],
            -np.delete(table.loss, s, axis=0).mean(axis=0),
            [2, 3, 4],
        )
        for s in range(3)
    ]
    assert found.ceiling == pytest.approx(np.mean(ceilings))
    by_seed = [by_scipy(table, scores, -one, [2, 3, 4]) for one in table.loss]
    low, high = stats.t.interval(0.95, 2, np.mean(by_seed), stats.sem(by_seed))
    assert found.interval == pytest.approx((low, high))
    # An offset per target, which would rule a pooled correlation, changes nothing.
    moved = ranks(table, scores + 100 * np.arange(4)).spearman
    assert moved == pytest.approx(found.spearman)


def test_the_truth_ranks_all_and_its_opposite_none():
    table = made()
    truth = -table.loss.mean(axis=0)
    best, worst = ranks(table, truth), ranks(table, -truth)
    assert (best.spearman, best.auroc, best.partner) == (pytest.approx(1), 1, 1)
    assert (worst.spearman, worst.auroc, worst.partner) == (pytest.approx(-1), 0, 0)
    nothing = ranks(table, np.zeros(table.groups.shape))
    assert (nothing.spearman, nothing.auroc) == (0, 0.5)
    assert nothing.partner == pytest.approx(nothing.partner_chance) == 1 / 3


def test_the_sign_of_transfer_counts_pairs_of_groups():
    table = made(3, seeds=1, seed=4)
    scores = np.random.default_rng(2).integers(0, 3, table.groups.shape).astype(float)
    at = {name: row for row, name in enumerate(table.names)}
    found = []
    for t, task in enumerate("abc"):
        alone = table.loss[0, at[task], t]
        rows = [r for r in range(7) if table.groups[r, t] and table.sizes[r] > 1]
        helps = [r for r in rows if table.loss[0, r, t] < alone]
        hurts = [r for r in rows if table.loss[0, r, t] > alone]
        wins = [
            (scores[h, t] > scores[b, t]) + (scores[h, t] == scores[b, t]) / 2
            for h, b in itertools.product(helps, hurts)
        ]
        if wins:
            found.append(np.mean(wins))
    assert found
    assert ranks(table, scores).auroc == pytest.approx(np.mean(found))


def test_only_unseen_groups_count():
    table = made()
    truth = table.loss.mean(axis=0)
    seen = np.arange(len(table.groups)) % 3 == 0
    predicted = np.where(seen[:, None], 1e6, truth + 0.5)
    found = unseen(table, predicted, seen)
    assert found["rmse"] == pytest.approx(0.5)
    assert found["mae"] == pytest.approx(0.5)
    assert found["spearman"] == pytest.approx(1)
    assert found["groups"] == (~seen & (table.sizes > 1)).sum()
    means = np.full_like(truth, np.nan)
    among = ~seen & (table.sizes > 1)
    for t in range(4):
        means[:, t] = truth[among & table.groups[:, t], t].mean()
    assert unseen(table, means, seen)["r2"] == pytest.approx(0)
    with pytest.raises(UserError, match="every group was seen"):
        unseen(table, truth, seen | True)


def test_one_seed_and_no_groups_of_one_leave_things_out():
    table = made(3, seeds=1)
    several = TaskTable(
        table.tasks, table.groups[table.sizes > 1], (0,), table.loss[:, table.sizes > 1]
    )
    found = ranks(several, np.zeros(several.groups.shape))
    assert (found.ceiling, found.interval, found.auroc) == (None, None, None)
    assert found.spearman == 0
