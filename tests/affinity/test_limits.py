"""Groupings under side conditions against brute force over all sets of groups."""

import itertools
import json
import math

import numpy as np
import pytest

from disentangle.affinity import Affinity, group_tasks, solve
from disentangle.affinity.columns import dual_bound, generate
from disentangle.affinity.group_table import GroupTable, MeasuredGroup
from disentangle.affinity.limits import Limits, limits_of
from disentangle.affinity.milp import Prices
from disentangle.affinity.pricing import Market
from disentangle.affinity.table_scores import TableScores
from disentangle.errors import UserError

NAMES = "abcdefghijklmnopqrstuvwxyz"
NEEDS = {"a": 1.0, "b": 2.5, "c": 0.5, "d": 1.5, "e": 1.0}
COSTS = {"a": 0.3, "b": 1.0, "c": 0.7, "d": 0.2, "e": 0.4}

# Limits, and what they say about a group, in plain words.
CASES = {
    "largest": ({"largest": 3}, lambda g: len(g) <= 3),
    "largest 1": ({"largest": 2}, lambda g: len(g) <= 2),
    "memory": (
        {"memory": 4.0, "needs": NEEDS},
        lambda g: sum(NEEDS[t] for t in g) <= 4.0,
    ),
    "together": (
        {"together": [["a", "c"]]},
        lambda g: ("a" in g) == ("c" in g),
    ),
    "together chain": (
        {"together": [["a", "c"], ["c", "d"]]},
        lambda g: len({"a", "c", "d"} & set(g)) in (0, 3),
    ),
    "apart": (
        {"apart": [["a", "b", "c"]]},
        lambda g: len({"a", "b", "c"} & set(g)) < 2,
    ),
    "all": (
        {"largest": 4, "together": [["d", "e"]], "apart": [["a", "b"]]},
        lambda g: len(g) <= 4 and ("d" in g) == ("e" in g) and not {"a", "b"} <= set(g),
    ),
}


def named(n, fields):
    """The fields, of the first n tasks only."""
    keep = NAMES[:n]
    cut = lambda rows: [[t for t in row if t in keep] for row in rows]
    found = dict(fields)
    for name in ("needs", "costs"):
        if name in found:
            found[name] = {t: v for t, v in found[name].items() if t in keep}
    for name in ("together", "apart"):
        found[name] = [row for row in cut(found.get(name, [])) if len(row) > 1]
    return found


def group_list(matrix, alone, allowed):
    """(members, {task: score}) of every allowed group, by its definition."""
    n, found = len(matrix), []
    for size in range(1, n + 1):
        for places in itertools.combinations(range(n), size):
            group = tuple(NAMES[t] for t in places)
            if not allowed(group) or (size == 1 and alone is None):
                continue
            score = lambda t, places=places: (
                alone
                if len(places) == 1
                else np.mean([matrix[i, t] for i in places if i != t])
            )
            found.append((group, {NAMES[t]: score(t) for t in places}))
    return found


def brute(tasks, groups, budget, cost, disjoint=False, worst=False):
    """The best value over all sets of groups, (worst, mean) or mean; None if none."""
    best = None
    for count in range(1, len(tasks) + 1):
        for chosen in itertools.combinations(groups, count):
            if sum(cost(g) for g, _ in chosen) > budget + 1e-12:
                continue
            held = [t for g, _ in chosen for t in g]
            if set(held) != set(tasks) or (disjoint and len(held) > len(tasks)):
                continue
            scores = [max(s[t] for _, s in chosen if t in s) for t in tasks]
            value = (min(scores), np.mean(scores)) if worst else (np.mean(scores),)
            best = value if best is None else max(best, value)
    return best


def price(found, matrix, alone):
    """The mean and the worst score of a grouping, from its groups alone."""
    scores = dict(group_list(matrix, alone, lambda g: True))
    offers = [max(scores[g][t] for g in found.groups if t in g) for t in found.tasks]
    return np.mean(offers), min(offers)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("disjoint", [False, True])
@pytest.mark.parametrize("worst", [False, True])
def test_limits_equal_brute_force(case, disjoint, worst):
    fields, allowed = CASES[case]
    for n, budget, alone in ((4, 3, None), (4, 2, 0.1), (5, 2, None)):
        n = 5 if case == "all" else n  # it names all five
        tasks = NAMES[:n]
        matrix = np.random.default_rng([n, budget, len(case)]).normal(size=(n, n))
        groups = group_list(matrix, alone, allowed)
        expected = brute(tasks, groups, budget, lambda g: 1, disjoint, worst)
        options = named(n, fields) | {
            "disjoint": disjoint,
            "objective": "worst" if worst else "mean",
            "singletons": "forbid" if alone is None else "value",
            "singleton_value": alone,
        }
        affinity = Affinity(matrix, tuple(tasks))
        if expected is None:
            with pytest.raises(UserError, match=r"loosen a limit|cannot pay|no group"):
                group_tasks(affinity, budget, **options)
            continue
        found = group_tasks(affinity, budget, **options)
        assert found.objective == pytest.approx(expected[0], abs=1e-12)
        assert (found.bound, found.gap) == (found.objective, 0.0)
        assert all(allowed(group) for group in found.groups)
        assert len(found.groups) <= budget
        mean, least = price(found, matrix, alone)
        assert mean == pytest.approx(expected[-1])
        if worst:
            assert least == pytest.approx(expected[0])
            assert found.goal == "worst"
        if disjoint:
            held = [task for group in found.groups for task in group]
            assert sorted(held) == sorted(tasks)
        json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("budget", [1.7, 2.6, 3.3, 4.0])
@pytest.mark.parametrize("disjoint", [False, True])
def test_costs_of_tasks_equal_brute_force(budget, disjoint):
    cost = lambda g: sum(COSTS[t] for t in g)
    for seed in range(2):
        n = 4
        matrix = np.random.default_rng(seed).normal(size=(n, n))
        groups = group_list(matrix, None, lambda g: True)
        expected = brute(NAMES[:n], groups, budget, cost, disjoint)
        options = named(n, {"costs": COSTS}) | {"disjoint": disjoint}
        affinity = Affinity(matrix, tuple(NAMES[:n]))
        if expected is None:
            with pytest.raises(UserError, match="loosen a limit"):
                group_tasks(affinity, budget, **options)
            continue
        found = group_tasks(affinity, budget, **options)
        assert found.objective == pytest.approx(expected[0], abs=1e-12)
        assert sum(found.costs) <= budget + 1e-9
        assert list(found.costs) == pytest.approx([cost(g) for g in found.groups])


def test_costs_of_many_digits_go_to_highs(monkeypatch):
    many = dict(zip(NAMES[:12], np.random.default_rng(0).random(12), strict=True))
    matrix = np.zeros((12, 12))
    table = TableScores.of_matrix(matrix, None, limits_of(NAMES[:12], costs=many))
    assert not solve.affordable(table, solve.units_of(table, 9.0))
    monkeypatch.setattr(solve, "MOST_WORK", 0)
    rng = np.random.default_rng(3)
    n, costs = 4, dict(zip(NAMES[:4], rng.random(4) + 0.5, strict=True))
    matrix = rng.normal(size=(n, n))
    cost = lambda g: sum(costs[t] for t in g)
    groups = group_list(matrix, None, lambda g: True)
    found = group_tasks(Affinity(matrix, tuple(NAMES[:n])), 5.3, costs=costs)
    assert found.method == solve.COLUMNS
    expected = brute(NAMES[:n], groups, 5.3, cost)
    assert found.objective == pytest.approx(expected[0])
    assert found.gap == pytest.approx(0, abs=1e-9)
    table = GroupTable(
        tuple(NAMES[:n]),
        "max",
        tuple(
            MeasuredGroup(g, tuple(map(float, s.values())), float(cost(g)))
            for g, s in groups
        ),
    )
    for fields in ({}, {"objective": "worst"}, {"disjoint": True}):
        held = group_tasks(table, 5.3, **fields)
        assert held.method == solve.PROGRAM
        worst = "objective" in fields
        expected = brute(NAMES[:n], groups, 5.3, cost, "disjoint" in fields, worst)
        assert held.objective == pytest.approx(expected[0])


@pytest.mark.parametrize("sense", ["min", "max"])
@pytest.mark.parametrize("case", ["largest", "together", "apart", "memory"])
def test_measured_groups_under_limits_equal_brute_force(sense, case):
    fields, allowed = CASES[case]
    rng = np.random.default_rng(len(case))
    n, sign = 4, 1 if sense == "max" else -1
    tasks = NAMES[:n]
    every = [
        tuple(tasks[t] for t in range(n) if mask >> t & 1) for mask in range(1, 2**n)
    ]
    scores = [
        {t: float(v) for t, v in zip(g, rng.normal(size=9), strict=False)}
        for g in every
    ]
    table = GroupTable(
        tuple(tasks),
        sense,
        tuple(
            MeasuredGroup(g, tuple(s.values()), 1.0)
            for g, s in zip(every, scores, strict=True)
        ),
    )
    plain = [
        (g, {t: sign * v for t, v in s.items()})
        for g, s in zip(every, scores, strict=True)
        if allowed(g)
    ]
    for disjoint, worst in itertools.product((False, True), repeat=2):
        goal = "worst" if worst else "mean"
        options = named(n, fields) | {"disjoint": disjoint, "objective": goal}
        found = group_tasks(table, 3, **options)
        expected = brute(tasks, plain, 3, lambda g: 1, disjoint, worst)
        assert found.objective == pytest.approx(sign * expected[0])
        assert all(allowed(g) for g in found.groups)


@pytest.mark.parametrize("n", [9, 10, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["normal", "whole", "families"])
def test_column_generation_equals_the_exact_core(n, kind):
    rng = np.random.default_rng(n)
    for budget in (2, 4):
        matrix = rng.normal(size=(n, n))
        if kind == "whole":
            matrix = rng.integers(-1, 2, (n, n)).astype(float)
        if kind == "families":
            matrix = families(n, 3, 0.5, seed=n)
        np.fill_diagonal(matrix, 0)
        tasks = tuple(NAMES[:n])
        exact = group_tasks(Affinity(matrix, tasks), budget)
        forbidden = np.full(n, -np.inf)
        found = generate(Market(matrix, forbidden, Limits(tasks)), budget)
        assert found.total / n == pytest.approx(exact.objective, abs=1e-9)
        assert found.bound == pytest.approx(found.total, abs=1e-9)


@pytest.mark.parametrize("n", [8, pytest.param(11, marks=pytest.mark.slow)])
@pytest.mark.parametrize("limited", [False, True])
def test_the_bound_by_programs_is_never_below_the_optimum(n, limited, monkeypatch):
    """As of many tasks: not every group is listed, so the bound is a relaxation's."""
    monkeypatch.setattr("disentangle.affinity.pricing.LISTED", 1)
    monkeypatch.setattr("disentangle.affinity.columns.LISTED", 1)
    tasks = tuple(NAMES[:n])
    fields = {"largest": 5, "apart": [["a", "b"]], "together": [["c", "d"]]}
    options = fields if limited else {}
    for seed, budget in ((0, 2), (1, 3)):
        matrix = np.random.default_rng([n, seed]).normal(size=(n, n))
        np.fill_diagonal(matrix, 0)
        budget += limited
        exact = group_tasks(Affinity(matrix, tasks), budget, **options)
        assert exact.method == "partition dynamic programme (exact)"
        market = Market(matrix, np.full(n, -np.inf), limits_of(tasks, **options))
        found = generate(market, budget)
        assert found.bound / n >= exact.objective - 1e-9
        assert found.total / n <= exact.objective + 1e-9
        assert found.total / n >= exact.objective - 0.05 * abs(exact.objective)


@pytest.mark.parametrize("disjoint", [False, True])
def test_the_dual_bound_holds_at_any_prices(disjoint, monkeypatch):
    n, tasks, rng = 7, tuple(NAMES[:7]), np.random.default_rng(0)
    for seed in range(3):
        matrix = np.random.default_rng(seed).normal(size=(n, n))
        np.fill_diagonal(matrix, 0)
        options = {"disjoint": disjoint, "apart": [["a", "b"]]}
        exact = group_tasks(Affinity(matrix, tasks), 3, **options).objective * n
        market = Market(matrix, np.full(n, -np.inf), limits_of(tasks, **options))
        prices = Prices(rng.normal(size=n), float(rng.random()))
        bounds = []
        for listed, hoped in ((20, 0.0), (1, 1e9), (1, -1e9)):
            monkeypatch.setattr("disentangle.affinity.pricing.LISTED", listed)
            bounds.append(dual_bound(market, prices, 3, hoped))
        every, searched, relaxed = bounds
        assert exact <= every + 1e-9
        assert searched == pytest.approx(every, abs=1e-6)
        assert relaxed >= every - 1e-6


def families(n, count, noise, seed=0):
    label = np.arange(n) % count
    matrix = np.where(label[:, None] == label, 1.0, -1.0)
    matrix = matrix + noise * np.random.default_rng(seed).normal(size=(n, n))
    np.fill_diagonal(matrix, 0)
    return matrix


@pytest.mark.slow
def test_planted_families_of_forty_tasks_are_found_and_certified():
    tasks = tuple(f"t{i}" for i in range(40))
    found = group_tasks(Affinity(families(40, 5, 0.3), tasks), 5)
    assert found.method == solve.COLUMNS
    planted = {tuple(tasks[i] for i in range(k, 40, 5)) for k in range(5)}
    assert set(found.groups) == planted
    assert found.gap <= 0.01 * found.objective
    again = group_tasks(Affinity(families(40, 5, 0.3), tasks), 5)
    assert again.to_json() == found.to_json()


def test_planted_families_without_noise_of_twenty_two_tasks():
    tasks = tuple(f"t{i}" for i in range(22))
    found = group_tasks(Affinity(families(22, 3, 0.0), tasks), 3)
    planted = {tuple(tasks[i] for i in range(k, 22, 3)) for k in range(3)}
    assert set(found.groups) == planted
    assert (found.objective, found.gap) == (1.0, 0.0)


def test_stability_works_under_limits():
    matrix = families(4, 2, 0.0)
    for fields in ({"largest": 2}, {"disjoint": True}, {"objective": "worst"}):
        sure = Affinity(matrix, tuple("abcd"), standard_error=np.full((4, 4), 1e-6))
        found = group_tasks(sure, 2, redraws=20, **fields)
        assert found.groups == (("a", "c"), ("b", "d"))
        assert found.stability.share == 1.0
        loose = Affinity(matrix, tuple("abcd"), standard_error=np.full((4, 4), 50.0))
        held = group_tasks(loose, 2, redraws=40, **fields).stability
        assert held.answers > 2
        if "largest" in fields:
            assert all(len(g) <= 2 for groups, _ in held.most for g in groups)
    many = Affinity(
        families(13, 3, 0.1),
        tuple(NAMES[:13]),
        standard_error=np.full((13, 13), 1e-6),
    )
    found = group_tasks(many, 3, largest=6)
    assert found.stability is None
    assert "redraws=" in found.unsure


def test_wrong_limits_get_a_sentence():
    three = Affinity(np.zeros((3, 3)), ("a", "b", "c"))
    for fields, says in (
        ({"largest": 0}, "largest=0 must be a number of tasks"),
        ({"largest": 1.5}, "largest=1.5"),
        ({"memory": 2}, "go together"),
        ({"needs": {"a": 1}}, "go together"),
        ({"memory": 2, "needs": {"a": 1, "b": 1}}, "no number for the task 'c'"),
        ({"memory": 2, "needs": {"a": 1, "b": 1, "d": 1}}, "unknown task in needs 'd'"),
        ({"memory": -1, "needs": {"a": 1, "b": 1, "c": 1}}, "memory=-1"),
        ({"memory": 2, "needs": {"a": 3, "b": 1, "c": 1}}, "can hold a"),
        ({"costs": {"a": math.nan, "b": 1, "c": 1}}, "costs of 'a' is nan"),
        ({"together": ["ab"]}, "together takes lists"),
        ({"together": [["a", "x"]]}, "unknown task in together 'x'"),
        ({"apart": [["a", "a"]]}, "names 'a' twice"),
        ({"apart": [["a"]]}, "two or more tasks"),
        (
            {"together": [["a", "b"], ["b", "c"]], "apart": [["a", "c"]]},
            "'a' and 'c' cannot be both together and apart",
        ),
        ({"together": [["a", "b"]], "largest": 1}, "can hold a, b"),
        ({"objective": "wrost"}, "Did you mean 'worst'"),
        ({"disjoint": 1}, "disjoint=1 must be True or False"),
        ({"apart": [["a", "b", "c"]]}, "loosen a limit"),
    ):
        with pytest.raises(UserError, match=says):
            group_tasks(three, 2, **fields)
    table = GroupTable(("a",), "max", (MeasuredGroup(("a",), (1.0,)),))
    with pytest.raises(UserError, match="measured groups have own"):
        group_tasks(table, 1, costs={"a": 1})
