"""Every quantity of a regret against brute force over all sets of groups."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from disentangle.affinity import Affinity, GroupTable, group_tasks
from disentangle.affinity.group_table import MeasuredGroup
from disentangle.errors import UserError
from disentangle.oracle import TaskTable, random_choice
from disentangle.oracle.baselines import baselines, size_alone, truth_of
from disentangle.oracle.choice import choose
from disentangle.oracle.estimate import scores_of
from disentangle.oracle.regret import Judge, area, regret
from disentangle.oracle.seeds import halves, interval

NAMES = tuple("abcde")


def all_groups(n):
    return np.array([[m >> t & 1 for t in range(n)] for m in range(1, 2**n)], bool)


def made(n, seeds=1, seed=0, keep=None, validation=False, signal=0.0):
    rng = np.random.default_rng([n, seeds, seed])
    groups = all_groups(n)
    if keep is not None:
        rows = np.sort(rng.permutation(len(groups))[:keep])
        groups = groups[[*rows, len(groups) - 1] if 2**n - 2 not in rows else rows]
    size = (seeds, *groups.shape)
    lasting = signal * rng.normal(size=groups.shape)
    draw = lambda: np.where(groups, lasting + rng.normal(size=size), np.nan)
    return TaskTable(
        NAMES[:n],
        groups,
        tuple(range(seeds)),
        draw(),
        draw() if validation else None,
    )


def sets(table, budget, sizes=None):
    """All sets of at most `budget` rows that hold every task."""
    number = len(table.groups)
    for count in range(1, budget + 1):
        for rows in itertools.combinations(range(number), count):
            held = table.groups[list(rows)]
            if sizes is not None and sorted(held.sum(1)) != sorted(sizes):
                continue
            if held.any(axis=0).all():
                yield rows


def served(table, rows, numbers, best=min):
    """For each task its row by the smallest or largest number, plain Python."""
    return [
        best((row for row in rows if table.groups[row, t]), key=lambda r: numbers[r, t])
        for t in range(len(table.tasks))
    ]


def cost(loss, serves):
    return sum(loss[row, t] for t, row in enumerate(serves)) / len(serves)


def by_lot(table, rows, loss):
    """Each task served by one of the chosen groups that hold it, each as likely."""
    total = 0
    for t in range(len(table.tasks)):
        offers = [loss[row, t] for row in rows if table.groups[row, t]]
        total += sum(offers) / len(offers)
    return total / len(table.tasks)


@pytest.mark.parametrize(("n", "keep"), [(3, None), (4, None), (4, 7)])
@pytest.mark.parametrize("budget", [1, 2, 3])
def test_it_equals_brute_force(n, keep, budget):
    table = made(n, seeds=3, seed=budget, keep=keep)
    scores = np.random.default_rng(budget).normal(size=table.groups.shape)
    found = regret(table, scores, budget)
    mean = table.loss.mean(axis=0)
    feasible = list(sets(table, budget))
    said = max(
        feasible, key=lambda rows: cost(scores, served(table, rows, scores, max))
    )
    serves = served(table, said, scores, max)
    loss = cost(mean, serves)
    best = min(cost(mean, served(table, rows, mean)) for rows in feasible)
    chance = np.mean([by_lot(table, rows, mean) for rows in feasible])
    names = [table.names[row] for row in sorted(set(serves))]
    assert sorted("+".join(g) for g in found.groups) == sorted(names)
    chosen = {t: "+".join(found.groups[i]) for t, i in found.serves.items()}
    assert chosen == {
        t: table.names[r] for t, r in zip(table.tasks, serves, strict=True)
    }
    assert found.loss == pytest.approx(loss)
    assert found.best == pytest.approx(best)
    assert found.regret == pytest.approx(loss - best)
    assert found.random == pytest.approx(chance)
    assert found.candidates == len(table.groups)
    if len(feasible) > 1:
        expected = (loss - best) / (chance - best)
        assert found.normalised_regret == pytest.approx(expected)
    sizes = table.sizes[sorted(set(serves))]
    alike = sets(table, len(sizes), sizes)
    matched = np.mean([by_lot(table, rows, mean) for rows in alike])
    assert found.size_matched == pytest.approx(matched)
    first = min(feasible, key=lambda rows: cost(mean, served(table, rows, mean)))
    by_seed = [
        cost(one, serves) - cost(one, served(table, first, mean)) for one in table.loss
    ]
    assert found.seeds == pytest.approx(by_seed)
    reach = stats.t.ppf(0.975, 2) * stats.sem(by_seed)
    bounds = (np.mean(by_seed) - reach, np.mean(by_seed) + reach)
    assert found.interval == pytest.approx(bounds)
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("serving", ["validation", "truth"])
def test_serving_by_validation_or_truth_equals_brute_force(serving):
    table = made(3, seeds=2, seed=5, validation=True)
    scores = np.random.default_rng(1).normal(size=table.groups.shape)
    found = regret(table, scores, 2, serving=serving)
    feasible = list(sets(table, 2))
    said = max(
        feasible, key=lambda rows: cost(scores, served(table, rows, scores, max))
    )
    mean = table.loss.mean(axis=0)
    orders = table.validation if serving == "validation" else [mean, mean]

    def paid(rows):
        pairs = zip(table.loss, orders, strict=True)
        return np.mean([cost(loss, served(table, rows, by)) for loss, by in pairs])

    assert found.loss == pytest.approx(paid(said))
    assert found.random == pytest.approx(np.mean([paid(rows) for rows in feasible]))
    sizes = [len(group) for group in found.groups]
    alike = list(sets(table, len(sizes), sizes))
    assert found.size_matched == pytest.approx(np.mean([paid(rows) for rows in alike]))


@pytest.mark.parametrize("budget", [1, 2, 3, 5])
@pytest.mark.parametrize("lots", [True, False])
def test_chance_is_exact(budget, lots):
    """Each probability is the fraction that counting gives, to the last bit."""
    table = made(4, keep=9, seed=budget)
    order = None if lots else np.where(table.groups, table.loss[0], 0)
    drawn = random_choice.within(table.groups, budget)
    found = random_choice.shares(table.groups, drawn, order)
    feasible = list(sets(table, budget))
    for t in range(4):
        for row in range(len(table.groups)):
            total = Fraction(0)
            for rows in feasible:
                offers = [r for r in rows if table.groups[r, t]]
                first = lots or min(offers, key=lambda r: table.loss[0, r, t]) == row
                if row in offers and first:
                    total += Fraction(1, len(offers) if lots else 1)
            assert found[row, t] == float(total / len(feasible))


def test_chance_on_a_large_table_sums_to_one_and_has_no_rounding():
    groups = all_groups(7)
    found = random_choice.shares(groups, random_choice.within(groups, 7))
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-12)
    order = np.arange(len(groups))[:, None] * np.ones(7)
    first = random_choice.shares(groups, random_choice.within(groups, 7), order)
    np.testing.assert_allclose(first.sum(axis=0), 1, atol=1e-12)
    assert (found >= 0).all() and (first >= 0).all()
    sizes = random_choice.of_sizes(groups, np.array([1, 1]))
    assert random_choice.shares(groups, sizes) is None  # two tasks of seven
    wide = np.eye(13, dtype=bool)
    assert random_choice.shares(wide, random_choice.within(wide, 13)) is None


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_cross_fitting_equals_brute_force(seeds):
    table = made(3, seeds=seeds, seed=1, signal=1.0)
    judge = Judge(table)
    feasible = list(sets(table, 2))

    def crossed(half, rest):
        fit, judged = (table.loss[list(p)].mean(axis=0) for p in (half, rest))
        best = min(feasible, key=lambda rows: cost(fit, served(table, rows, fit)))
        return cost(judged, served(table, best, fit))

    places = range(seeds)
    losses = []
    for half in itertools.combinations(places, seeds // 2):
        rest = tuple(i for i in places if i not in half)
        losses += [(crossed(half, rest), len(rest)), (crossed(rest, half), len(half))]
    # Every split is there twice of an even number, so the weights are those of seeds.
    weight = sum(w for _, w in losses)
    expected = sum(loss * w for loss, w in losses) / weight
    assert judge.cross_best(2) == pytest.approx(expected)
    assert baselines(judge, 2)["truth of half the seeds"].loss == judge.cross_best(2)
    same = judge.regret(truth_of, 2)
    assert same.loss == pytest.approx(expected)
    assert same.cross_regret == pytest.approx(0)
    assert same.regret >= 0
    fixed = judge.regret(size_alone(table), 2)
    assert fixed.cross_regret == pytest.approx(fixed.loss - expected)
    if fixed.random > expected:
        share = fixed.cross_regret / (fixed.random - expected)
        assert fixed.cross_normalised == pytest.approx(share)
    else:
        assert fixed.cross_normalised is None


def test_splits_are_halves_both_ways_and_always_the_same():
    assert halves(1) == []
    assert halves(2) == [([0], [1]), ([1], [0])]
    assert len(halves(4)) == 6
    assert len(halves(5)) == 20
    for seeds in (5, 9, 12):
        assert halves(seeds) == halves(seeds)
        judged = [place for _, rest in halves(seeds) for place in rest]
        assert set(judged) == set(range(seeds))
        for fit, rest in halves(seeds):
            assert sorted(fit + rest) == list(range(seeds))
            assert abs(len(fit) - len(rest)) == seeds % 2
            assert (rest, fit) in halves(seeds)
    assert interval(np.array([1.0])) is None


@pytest.mark.parametrize("mode", ["forbid", "stl_zero", "diagonal"])
@pytest.mark.parametrize("kind", ["normal", "whole"])
def test_an_affinity_chooses_what_the_group_command_chooses(mode, kind):
    for seed, n in ((0, 3), (1, 4)):
        rng = np.random.default_rng([seed, n])
        matrix = rng.normal(size=(n, n))
        if kind == "whole":  # ties
            matrix = rng.integers(-1, 2, (n, n)).astype(float)
        affinity = Affinity(matrix, NAMES[:n])
        table = made(n, seed=seed)
        expected = group_tasks(affinity, 2, singletons=mode)
        found = regret(table, affinity, 2, singletons=mode)
        assert tuple(map(tuple, found.groups)) == expected.groups
        assert found.serves == expected.assignment
        order = rng.permutation(n)
        mixed = Affinity(matrix[np.ix_(order, order)], tuple(NAMES[i] for i in order))
        assert regret(table, mixed, 2, singletons=mode) == found


def test_the_sum_of_affinities_is_the_mean_times_the_others():
    table = made(4)
    matrix = np.random.default_rng(0).normal(size=(4, 4))
    affinity = Affinity(matrix, NAMES[:4])
    mean, total = (scores_of(table, affinity, score=s) for s in ("mean", "sum"))
    others = np.maximum(table.sizes - 1, 1)[:, None]
    np.testing.assert_allclose(total, mean * others, rtol=1e-12)
    row = table.names.index("a+c+d")
    assert total[row, 2] == pytest.approx(matrix[0, 2] + matrix[3, 2])
    assert np.isnan(mean[table.sizes == 1]).all()


def test_groups_as_an_estimate():
    table = made(3)
    truth = [
        MeasuredGroup(
            tuple(name.split("+")),
            tuple(table.loss[0, row, table.groups[row]].tolist()),
        )
        for row, name in enumerate(table.names)
    ]
    exact = GroupTable(table.tasks, "min", tuple(truth))
    assert regret(table, exact, 2).regret == 0
    some = GroupTable(table.tasks, "min", tuple(truth[:4]) + tuple(truth[6:]))
    found = regret(table, some, 3)
    assert found.candidates == 5
    assert all("+".join(g) in [*table.names[:4], table.names[6]] for g in found.groups)
    turned = GroupTable(
        table.tasks,
        "max",
        tuple(MeasuredGroup(g.members, tuple(-s for s in g.scores)) for g in truth),
    )
    assert regret(table, turned, 2).groups == regret(table, exact, 2).groups


def test_baselines_are_the_plain_numbers():
    table = made(4, seeds=2)
    judge = Judge(table)
    given = judge.regret(size_alone(table), 2)
    rows = baselines(judge, 2, given)
    at = {name: row for row, name in enumerate(table.names)}
    assert rows["all together"].loss == pytest.approx(
        table.loss[:, at["a+b+c+d"]].mean()
    )
    assert rows["each alone"].loss == pytest.approx(
        np.mean([table.loss[:, at[t], i].mean() for i, t in enumerate("abcd")])
    )
    assert rows["each alone"].networks == 4
    assert rows["random"].loss == judge.random(2)
    assert rows["random"].normalised_regret == pytest.approx(1)
    assert rows["random of the same sizes"].loss == given.size_matched
    # The smallest two groups that hold four tasks hold two each, or one and three.
    assert rows["group size alone"].networks == 2
    alone = baselines(Judge(made(4, seeds=1)), 4)
    assert "truth of half the seeds" not in alone
    assert alone["group size alone"].loss == alone["each alone"].loss


def test_area_is_the_mean_over_budgets():
    table = made(4, seeds=2)
    found = [regret(table, size_alone(table), budget) for budget in (1, 2, 4)]
    mean = area(found)
    assert mean["regret"] == pytest.approx(np.mean([r.regret for r in found]))
    assert found[0].normalised_regret is None  # one set of one group: no chance
    rest = [r.normalised_regret for r in found[1:]]
    assert mean["normalised_regret"] == pytest.approx(np.mean(rest))
    assert area(found[:1])["normalised_regret"] is None


def test_what_cannot_be_judged_gets_a_sentence():
    table = made(3, seeds=1)
    good = np.zeros(table.groups.shape)
    eye = Affinity(np.eye(3), ("a", "b", "x"))
    for estimate, fields, says in (
        (eye, {}, "unknown task 'x'.*one of: a, b, c"),
        (Affinity(np.eye(2), ("a", "b")), {}, "says nothing about the task 'c'"),
        (good, {"serving": "truht"}, "Did you mean 'truth'"),
        (good, {"serving": "validation"}, "column 'validation'"),
        (good, {"score": "sum"}, "are for an affinity"),
        (Affinity(np.eye(3), NAMES[:3]), {"score": "man"}, "Did you mean 'mean'"),
        (np.zeros((2, 3)), {}, r"must be \(7, 3\), got \(2, 3\)"),
        (truth_of, {}, "takes two seeds"),
        (np.where(table.groups[:, :1], np.nan, good), {}, "has the task 'a'"),
        (np.where(table.sizes[:, None] > 1, np.nan, good), {}, "takes at least 3"),
    ):
        with pytest.raises(UserError, match=says):
            regret(table, estimate, 2, **fields)
    for budget in (0, 1.5, "2", math.nan):
        with pytest.raises(UserError, match="whole number of groups"):
            regret(table, good, budget)
    assert choose(table, good, 99).rows
