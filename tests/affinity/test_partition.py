"""The dynamic programme and its tables against slow, plain Python."""

import itertools
import math

import numpy as np
import pytest

from disentangle.affinity import milp, partition, table_scores
from disentangle.affinity.group_table import GroupTable, MeasuredGroup
from disentangle.affinity.pair_scores import PairScores
from disentangle.affinity.scores import Penalty
from disentangle.errors import UserError


def slow_level(values, n, budget):
    """best_budget of every mask by recursion over all submasks, no tricks."""
    best = {0: 0.0}

    def solve(mask, left):
        if mask == 0:
            return 0.0
        totals = [
            values[cost][sub] + solve(mask ^ sub, left - cost)
            for cost in values
            if cost <= left
            for sub in range(1, mask + 1)
            if sub & mask == sub and sub & mask & -mask
        ]
        return max(totals, default=-math.inf)

    return [best.get(mask, solve(mask, budget)) for mask in range(2**n)]


@pytest.mark.parametrize("costs", [(1,), (1, 2), (2, 3)])
def test_levels_equal_plain_recursion(costs):
    n, budget = 5, 5
    rng = np.random.default_rng(len(costs))
    values = {cost: rng.normal(size=2**n) for cost in costs}
    for table in values.values():
        table[rng.random(2**n) < 0.2] = -np.inf
        table[0] = -np.inf
    best = partition.levels(values, budget)
    for left, table in best.items():
        slow = slow_level({c: values[c][::2] for c in costs}, n - 1, left)
        np.testing.assert_allclose(table, slow, atol=1e-12)
    optimum = partition.optimum(values, best, budget)
    assert optimum == pytest.approx(slow_level(values, n, budget)[-1])
    sets = partition.trace(values, best, budget, slack=0.0)
    assert sum(values[b.cost][b.served] for b in sets) == pytest.approx(optimum)
    assert sum(b.served for b in sets) == 2**n - 1
    assert sum(b.cost for b in sets) <= budget


def test_levels_with_high_tasks_equal_another_split(monkeypatch):
    values = {1: np.random.default_rng(0).normal(size=2**10)}
    values[1][0] = -np.inf
    done = []
    best = partition.levels(values, 4, done.append)
    assert sum(done) == partition.work(10, (1,), 4)
    for low in (1, 3, 5):
        monkeypatch.setattr(partition, "LOW_TASKS", low)
        again = partition.levels(values, 4)
        for left in best:
            np.testing.assert_allclose(again[left], best[left], atol=1e-12)


def test_lexicographic_is_the_order_of_sorted_tuples():
    masks = np.arange(2**6)
    tasks = [tuple(t for t in range(6) if mask >> t & 1) for mask in masks]
    ranks = partition.lexicographic(masks)
    by_rank = [tasks[i] for i in np.argsort(ranks)]
    assert by_rank == sorted(tasks)


def test_submasks_and_low_pairs():
    assert sorted(partition.submasks(0b1010).tolist()) == [0, 0b10, 0b1000, 0b1010]
    first, second, starts = partition.low_pairs(3)
    assert len(first) == 27
    assert not (first & second).any()
    for mask in range(8):
        end = starts[mask + 1] if mask < 7 else 27
        subs = first[starts[mask] : end]
        assert sorted(subs) == sorted(partition.submasks(mask).tolist())
        assert ((subs | second[starts[mask] : end]) == mask).all()


def test_needed_levels_are_what_can_be_left():
    assert partition.needed_levels((1,), 3) == [0, 1, 2, 3]
    assert partition.needed_levels((3, 5), 10) == [0, 1, 2, 4, 5, 7, 10]
    with pytest.raises(UserError, match="round the costs"):
        partition.needed_levels((7, 9, 11), 10**6)


def test_pair_values_equal_the_best_of_all_groups():
    n = 6
    matrix = np.random.default_rng(1).normal(size=(n, n))
    scores = PairScores(matrix, None)
    penalty = Penalty(group=0.3, member=0.2)
    table = scores.values(penalty)[1]
    assert table[0] == -np.inf
    rows = [mask for mask in range(2**n) if mask.bit_count() > 1]

    def total(row, served):
        return sum(scores.score(row)[t] for t in range(n) if served >> t & 1)

    for served in range(1, 2**n):
        able = [row for row in rows if row & served == served]
        best = max(total(row, served) - 0.3 - 0.2 * row.bit_count() for row in able)
        assert table[served] == pytest.approx(best)
        row = scores.best_row(served, 1, Penalty())
        assert total(row, served) == pytest.approx(max(total(r, served) for r in able))


@pytest.mark.parametrize("row", [0b000011, 0b010110, 0b111111])
@pytest.mark.parametrize("whole", [False, True])
def test_values_without_a_group_equal_those_of_all_others(row, whole):
    n = 6
    rng = np.random.default_rng(2)
    matrix = rng.integers(-1, 2, (n, n)) if whole else rng.normal(size=(n, n))
    scores = PairScores(matrix.astype(float), np.zeros(n))
    without = scores.without(scores.values(Penalty()), row)[1]
    for served in range(1, 2**n):
        totals = [
            sum(scores.score(g)[t] for t in range(n) if served >> t & 1)
            for g in range(1, 2**n)
            if g & served == served and g != row
        ]
        assert without[served] == pytest.approx(max(totals, default=-np.inf))


def test_table_values_and_costs():
    groups = [
        MeasuredGroup(("a", "b"), (1.0, 2.0), 0.5),
        MeasuredGroup(("a", "b", "c"), (1.5, 1.0, 0.0), 0.5),
        MeasuredGroup(("b", "c"), (3.0, 1.0), 0.75),
    ]
    scores = table_scores.TableScores.of_table(
        GroupTable(("a", "b", "c"), "max", tuple(groups))
    )
    assert scores.unit * 4 == 1
    assert scores.costs == [2, 2, 3]
    values = scores.values(Penalty())
    inf = np.inf
    np.testing.assert_array_equal(values[2], [-inf, 1.5, 2, 3, 0, 1.5, 1, 2.5])
    np.testing.assert_array_equal(values[3], [-inf, -inf, 3, -inf, 1, -inf, 4, -inf])
    without = scores.without(values, 0)
    np.testing.assert_array_equal(without[2], [-inf, 1.5, 1, 2.5, 0, 1.5, 1, 2.5])
    np.testing.assert_array_equal(without[3], values[3])
    assert scores.best_row(0b011, 2, Penalty()) == 0


def test_the_integer_program_and_the_cover():
    table = np.array([[1.0, 1.0, -np.inf], [-np.inf, 3.0, 3.0], [0.0, 0.0, 0.0]])
    assert milp.best_total(table, [1, 1, 1], 2) == (7.0, (0, 1))
    assert milp.best_total(table, [1, 1, 1], 1) == (0.0, (2,))
    with pytest.raises(UserError, match="within the budget of 1"):
        milp.best_total(table[:2], [1, 1], 1)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        masks = [*rng.integers(1, 32, size=7).tolist(), 31]
        costs = rng.integers(1, 9, size=8).tolist()
        subsets = itertools.product([0, 1], repeat=8)
        covers = [
            sum(c for c, x in zip(costs, xs, strict=True) if x)
            for xs in subsets
            if np.bitwise_or.reduce([m * x for m, x in zip(masks, xs, strict=True)])
            == 31
        ]
        assert milp.cheapest_cover(masks, costs, 5) == min(covers)
