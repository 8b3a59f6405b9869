"""The contest of estimates against planted truths and counts by hand."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.oracle.contest import (
    SIZE,
    TRUTH,
    Bench,
    Estimates,
    Judged,
    Mean,
    pareto,
    winner,
)
from disentangle.oracle.table import TaskTable
from disentangle.oracle.train import every_group

TASKS = tuple("abcd")


def planted(noise=0.0, seeds=5):
    """a and b help each other, c and d too; across the pairs a partner costs."""
    groups = every_group(4)
    family = np.array([0, 0, 1, 1])
    loss = np.full((seeds, len(groups), 4), np.nan)
    rng = np.random.default_rng(0)
    for row, inside in enumerate(groups):
        for task in np.flatnonzero(inside):
            friends = (inside & (family == family[task])).sum() - 1
            strangers = (inside & (family != family[task])).sum()
            value = 1.0 - 0.3 * friends + 0.2 * strangers
            loss[:, row, task] = value + noise * rng.normal(size=seeds)
    return TaskTable(TASKS, groups, tuple(range(seeds)), loss, data="toy", regime="x")


def test_the_truth_has_no_regret_and_its_opposite_is_worse_than_chance():
    table = planted()
    bench = Bench(table, (1, 2, 3))
    right = bench.judge(Estimates("right", "given", 1.0, -table.loss))
    wrong = bench.judge(Estimates("wrong", "given", 1.0, table.loss))
    assert right.regret[2] == Mean(0.0, 0.0, 0.0)
    assert right.loss[2].mean == pytest.approx(0.7)  # (a, b) and (c, d)
    assert right.spearman.mean == pytest.approx(1.0)
    assert right.auroc.mean == right.partner.mean == 1.0
    assert right.normalised[1].mean is None  # one network: there is no choice
    assert right.area.mean == 0.0  # of the budgets that leave one
    assert wrong.normalised[2].mean > 1
    assert wrong.spearman.mean == pytest.approx(-1.0)


def test_an_estimate_is_judged_by_the_other_seeds():
    table = planted(noise=0.5)
    bench = Bench(table, (2,))
    own = bench.judge(Estimates("own", "given", 1.0, -table.loss))
    assert own.normalised[2].mean > 0  # what it fitted of its seed's noise
    leak = bench.judge(
        Estimates("all", "given", 1.0, -np.broadcast_to(table.loss.mean(0), (5, 15, 4)))
    )
    assert leak.normalised[2].mean < own.normalised[2].mean
    assert own.normalised[2].low < own.normalised[2].mean < own.normalised[2].high
    by_hand = []
    for seed in range(5):
        rest = np.delete(table.loss, seed, axis=0).mean(axis=0)
        best = {}
        for name, which in (("own", table.loss[seed]), ("rest", rest)):
            sets = [
                (np.nanmin(which[[i, j]], axis=0).mean(), i, j)
                for i in range(15)
                for j in range(i, 15)
                if (table.groups[i] | table.groups[j]).all()
            ]
            best[name] = min(sets)
        _, i, j = best["own"]
        pair = np.array([i, j])
        serves = pair[np.nanargmin(table.loss[seed][pair], axis=0)]
        loss = rest[serves, np.arange(4)].mean()
        by_hand.append(loss - best["rest"][0])
    assert own.regret[2].mean == pytest.approx(np.mean(by_hand))


def test_groups_that_were_trained_do_not_count_for_the_rank():
    table = planted()
    scores = -table.loss.copy()
    seen = np.zeros((5, 15), bool)
    seen[:, 4:] = True
    scores[:, 4:] *= -1  # wrong on what was seen alone
    found = Bench(table, (2,)).judge(Estimates("e", "given", 4.0, scores, seen))
    assert found.spearman.mean is None or found.spearman.mean == 1.0


def test_baselines_and_chance_stand_beside():
    bench = Bench(planted(noise=0.1), (2, 3))
    rows = {one.name: bench.judge(one) for one in bench.baselines()}
    assert set(rows) == {TRUTH, SIZE}
    assert rows[TRUTH].cost == 15
    assert rows[TRUTH].area.mean < rows[SIZE].area.mean
    fixed = bench.fixed()
    assert fixed["each alone"].mean == pytest.approx(1.0, abs=0.1)
    assert fixed["best, 2"].mean < fixed["random, 2"].mean
    assert fixed["all together"].mean == pytest.approx(1.1, abs=0.1)


def test_one_seed_cannot_judge():
    with pytest.raises(UserError, match="judged by the others"):
        Bench(planted(seeds=1), (2,))


def test_scores_of_another_shape_are_named():
    bench = Bench(planted(), (2,))
    with pytest.raises(UserError, match=r"'e' must be \(5, 15, 4\)"):
        bench.judge(Estimates("e", "given", 1.0, np.zeros((15, 4))))


def test_the_winner_is_the_best_within_the_cost_that_has_every_regime():
    row = lambda name, regime, cost, area: Judged(
        "d", regime, name, "per step", cost, area=Mean(area)
    )
    rows = [
        *(row("dear", regime, 9.0, 0.1) for regime in "xy"),
        *(row("good", regime, 2.0, 0.3) for regime in "xy"),
        *(row("poor", regime, 1.0, 0.6) for regime in "xy"),
        row("half", "x", 1.0, 0.0),
    ]
    area = lambda row: row.area.mean
    assert winner(rows, 10, area) == "dear"
    assert winner(rows, 3, area) == "good"
    assert winner(rows, 1, area) == "poor"
    with pytest.raises(UserError, match="costs at most"):
        winner(rows, 0.5, area)


def test_the_front_is_what_nothing_beats_in_both():
    assert pareto([1, 2, 2, 3, 4], [0.5, 0.6, 0.4, 0.4, 0.1]) == [0, 2, 4]
