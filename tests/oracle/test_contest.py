"""The contest of estimates against planted truths and counts by hand."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.oracle.choice import choose
from disentangle.oracle.contest import (
    SIZE,
    TRUTH,
    Bench,
    Estimates,
    Judged,
    Mean,
    Sets,
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


def best_pair(table, loss):
    """(mean loss, i, j) of the best two groups, by looking at all of them."""
    return min(
        (np.nanmin(loss[[i, j]], axis=0).mean(), i, j)
        for i in range(15)
        for j in range(i, 15)
        if (table.groups[i] | table.groups[j]).all()
    )


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
        _, i, j = best_pair(table, table.loss[seed])
        pair = np.array([i, j])
        serves = pair[np.nanargmin(table.loss[seed][pair], axis=0)]
        loss = rest[serves, np.arange(4)].mean()
        by_hand.append(loss - best_pair(table, rest)[0])
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


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_looking_through_all_sets_finds_what_the_exact_solver_finds(budget):
    table, rng = planted(), np.random.default_rng(budget)
    sets = Sets.of(table, budget)
    for missing in (0, 4):
        scores = np.where(table.groups, rng.normal(size=(15, 4)), np.nan)
        scores[rng.permutation(14)[:missing]] = np.nan
        expected = choose(table, scores, budget).serves
        np.testing.assert_array_equal(sets.best(scores), expected)


def test_draws_are_averaged_within_each_seed():
    table = planted(noise=0.2)
    bench, rng = Bench(table, (2,)), np.random.default_rng(0)
    draws = -table.loss + 0.3 * rng.normal(size=(3, *table.loss.shape))
    seen = rng.random((3, 5, 15)) < 0.2
    one_by_one = [
        bench.judge(Estimates("e", "f", 1.0, scores, held))
        for scores, held in zip(draws, seen, strict=True)
    ]
    together = bench.judge(Estimates("e", "f", 1.0, draws, seen))
    for part in ("area", "spearman", "auroc", "partner"):
        means = [getattr(one, part).mean for one in one_by_one]
        assert getattr(together, part).mean == pytest.approx(np.mean(means))
