"""The exact grouping against brute force over all groupings, and against HiGHS."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest

from disentangle.affinity import Affinity, milp
from disentangle.affinity.group_table import GroupTable, MeasuredGroup
from disentangle.affinity.grouping import group_tasks
from disentangle.errors import UserError

NAMES = "abcdefghijklmnopqrstuvwxyz"


def affinity(matrix):
    return Affinity(np.asarray(matrix, float), tuple(NAMES[: len(matrix)]))


def group_scores(matrix, group, alone):
    """{task: score} of one group by its definition; exact for fractions."""
    if len(group) == 1:
        return None if alone is None else {group[0]: alone[group[0]]}
    return {
        t: sum(matrix[i][t] for i in group if i != t) / Fraction(len(group) - 1)
        for t in group
    }


def all_groups(matrix, alone=None):
    """Every group (sorted members, {task: score}, cost 1) there is."""
    n = len(matrix)
    exact = [[Fraction(float(v)) for v in row] for row in matrix]
    subsets = itertools.chain.from_iterable(
        itertools.combinations(range(n), size) for size in range(1, n + 1)
    )
    listed = [(group, group_scores(exact, group, alone), 1) for group in subsets]
    return [group for group in listed if group[1] is not None]


def brute_force(n, groups, budget):
    """All answers {frozenset of group numbers: total}, none with a redundant group.

    A group is redundant if the total is as high without it. Exact arithmetic.
    """

    def total(chosen):
        best = [
            max((groups[g][1][t] for g in chosen if t in groups[g][1]), default=None)
            for t in range(n)
        ]
        return None if None in best else sum(best)

    answers = {}
    cheapest = min(cost for *_, cost in groups)
    for size in range(1, min(n, int(budget / cheapest)) + 1):
        for chosen in itertools.combinations(range(len(groups)), size):
            if sum(groups[g][2] for g in chosen) > budget:
                continue
            value = total(chosen)
            if value is None:
                continue
            fewer = (total([h for h in chosen if h != g]) for g in chosen)
            if not any(other is not None and other >= value for other in fewer):
                answers[frozenset(chosen)] = value
    return answers


def expected(n, groups, budget):
    """Objective, runner-up and the groups that the first two tie rules allow."""
    answers = brute_force(n, groups, budget)
    best = max(answers.values())
    members = lambda chosen: sorted(groups[g][0] for g in chosen)
    size = lambda chosen: (len(chosen), sum(len(groups[g][0]) for g in chosen))
    equal = [chosen for chosen, value in answers.items() if value == best]
    first = min(size(chosen) for chosen in equal)
    allowed = [members(chosen) for chosen in equal if size(chosen) == first]
    others = sorted(answers.values(), reverse=True)[1:]
    runner_up = float(others[0]) / n if others else None
    return float(best) / n, runner_up, sorted(allowed)


def check(result, n, groups, budget):
    """The result is what brute force says; returns the allowed groups."""
    objective, runner_up, allowed = expected(n, groups, budget)
    sign = 1 if result.sense == "max" else -1
    assert result.objective == pytest.approx(sign * objective, abs=1e-12)
    assert (result.bound, result.gap) == (result.objective, 0.0)
    if runner_up is None:
        assert result.runner_up is None and result.margin is None
    else:
        assert result.runner_up == pytest.approx(sign * runner_up, abs=1e-12)
        assert result.margin == abs(result.objective - result.runner_up)
    mine = [tuple(NAMES.index(t) for t in group) for group in result.groups]
    assert mine in allowed
    assert mine == sorted(mine)
    table = {group: scores for group, scores, _ in groups}
    assert set(result.assignment.values()) == set(range(len(mine)))
    for task, place in result.assignment.items():
        t = NAMES.index(task)
        offers = [table[group].get(t, -math.inf) for group in mine]
        assert float(offers[place]) == pytest.approx(float(max(offers)), abs=1e-12)
    json.dumps(result.to_json(), allow_nan=False)
    return allowed


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("budget", [1, 2, 3, 9])
@pytest.mark.parametrize("kind", ["normal", "negative", "symmetric", "whole"])
def test_equals_brute_force(n, budget, kind):
    for seed in range(4):
        rng = np.random.default_rng([n, budget, seed])
        matrix = rng.normal(size=(n, n))
        if kind == "negative":
            matrix = -abs(matrix)
        if kind == "symmetric":
            matrix = matrix + matrix.T
        if kind == "whole":  # many ties, thirds among them
            matrix = rng.integers(-1, 3, size=(n, n))
        result = group_tasks(affinity(matrix), budget)
        check(result, n, all_groups(matrix), budget)


@pytest.mark.parametrize("budget", [1, 2, 3])
@pytest.mark.parametrize("kind", ["normal", "whole"])
def test_equals_brute_force_for_five_tasks(budget, kind):
    rng = np.random.default_rng(budget)
    draws = {"normal": rng.normal(size=(5, 5)), "whole": rng.integers(-1, 2, (5, 5))}
    matrix = draws[kind]
    check(group_tasks(affinity(matrix), budget), 5, all_groups(matrix), budget)


@pytest.mark.parametrize("mode", ["diagonal", "value", "stl_zero"])
def test_singletons_equal_brute_force(mode):
    for seed, n in itertools.product(range(4), (1, 2, 3, 4)):
        matrix = np.random.default_rng([seed, n]).normal(size=(n, n))
        value = 0.3 if mode == "value" else None
        alone = {
            "diagonal": [Fraction(float(matrix[t, t])) for t in range(n)],
            "value": [Fraction(0.3)] * n,
            "stl_zero": [Fraction(0)] * n,
        }[mode]
        result = group_tasks(
            affinity(matrix), 2, singletons=mode, singleton_value=value
        )
        check(result, n, all_groups(matrix, alone), 2)


def pair_table(matrix):
    """(G, n) float scores of every group of two or more, -inf outside, for HiGHS."""
    n = len(matrix)
    rows = []
    for mask in range(2**n):
        inside = [t for t in range(n) if mask >> t & 1]
        if len(inside) > 1:
            row = np.full(n, -np.inf)
            for t in inside:
                row[t] = np.mean([matrix[i, t] for i in inside if i != t])
            rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(
    ("n", "budget"), [(6, 2), (6, 4), (7, 3), (8, 2), (8, 5), (9, 2), (9, 3), (9, 4)]
)
def test_equals_the_integer_program(n, budget):
    matrix = np.random.default_rng([n, budget]).normal(size=(n, n))
    table = pair_table(matrix)
    total, rows = milp.best_total(table, np.ones(len(table)), budget)
    result = group_tasks(affinity(matrix), budget)
    assert result.objective == pytest.approx(total / n, abs=1e-9)
    chosen = {tuple(np.flatnonzero(np.isfinite(table[row]))) for row in rows}
    mine = {tuple(NAMES.index(t) for t in group) for group in result.groups}
    assert mine == chosen
    # Without one of the chosen groups HiGHS finds the runner-up.
    seconds = []
    for row in rows:
        fewer = np.delete(table, row, axis=0)
        seconds.append(milp.best_total(fewer, np.ones(len(fewer)), budget)[0])
    assert result.runner_up == pytest.approx(max(seconds) / n, abs=1e-9)


@pytest.mark.parametrize("n", [5, 8, 12])
def test_a_constant_per_target_changes_no_group(n):
    rng = np.random.default_rng(n)
    matrix = rng.normal(size=(n, n))
    offset = rng.normal(size=n)
    before = group_tasks(affinity(matrix), 3)
    after = group_tasks(affinity(matrix + offset[None, :]), 3)
    assert after.groups == before.groups
    assert after.assignment == before.assignment
    assert after.objective == pytest.approx(before.objective + offset.mean())
    assert after.margin == pytest.approx(before.margin)
    # ... and one per source does change them, so a transposed matrix would be seen.
    moved = group_tasks(affinity(matrix + 3 * offset[:, None]), 3)
    assert moved.groups != before.groups


@pytest.mark.parametrize("n", [4, 9, 11])
def test_the_order_of_tasks_does_not_matter(n):
    rng = np.random.default_rng(n)
    matrix, order = rng.normal(size=(n, n)), rng.permutation(n)
    plain = group_tasks(affinity(matrix), 3)
    tasks = tuple(NAMES[i] for i in order)
    mixed = group_tasks(Affinity(matrix[np.ix_(order, order)], tasks), 3)
    assert {frozenset(g) for g in mixed.groups} == {frozenset(g) for g in plain.groups}
    assert mixed.objective == pytest.approx(plain.objective)
    assert mixed.runner_up == pytest.approx(plain.runner_up)


def planted(sizes, inside=1.0, outside=-1.0, noise=0.0, seed=0):
    label = np.repeat(np.arange(len(sizes)), sizes)
    matrix = np.where(label[:, None] == label[None, :], inside, outside)
    return matrix + noise * np.random.default_rng(seed).normal(size=matrix.shape)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_planted_clusters_are_found(noise):
    sizes = (4, 3, 5, 2)
    result = group_tasks(affinity(planted(sizes, noise=noise)), 4)
    starts = np.cumsum([0, *sizes])
    clusters = [tuple(NAMES[a:b]) for a, b in itertools.pairwise(starts)]
    assert list(result.groups) == clusters
    if not noise:
        assert result.objective == 1.0


@pytest.mark.slow
def test_twenty_tasks():
    done = []
    matrix = planted((6, 4, 5, 5), noise=0.3)
    result = group_tasks(
        affinity(matrix), 4, progress=lambda now, total: done.append(now / total)
    )
    assert [len(group) for group in result.groups] == [6, 4, 5, 5]
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_ties_go_to_fewer_then_smaller_then_first():
    zero = group_tasks(affinity(np.zeros((5, 5))), 3)
    assert zero.groups == (tuple("abcde"),)
    assert zero.margin == 0.0
    # Two pairs of four: every pairing is as good, the first in task order is taken.
    pairs = group_tasks(affinity(1 - np.eye(4)), 2)
    assert pairs.groups == (tuple("abcd"),)
    matrix = np.array([[0, 1, 1, -9], [1, 0, -9, 1], [1, -9, 0, 1], [-9, 1, 1, 0]])
    assert group_tasks(affinity(matrix), 2).groups == (("a", "b"), ("c", "d"))
    # A group of all scores 1 for everyone; so do the pairs, but they are two groups.
    ring = group_tasks(affinity(np.ones((4, 4))), 4)
    assert ring.groups == (tuple("abcd"),)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_ties_are_settled_by_the_served_sets_in_task_order(seed):
    # Disjoint answers only (large negatives), so served sets are the groups.
    n = 6
    rng = np.random.default_rng(seed)
    matrix = np.where(rng.random((n, n)) < 0.5, -30, 1)
    matrix = np.minimum(matrix, matrix.T)
    groups = all_groups(matrix)
    try:
        result = group_tasks(affinity(matrix), 3)
    except UserError:
        pytest.fail("there is always an answer")
    allowed = check(result, n, groups, 3)
    disjoint = [a for a in allowed if sum(map(len, a)) == n]
    mine = [tuple(NAMES.index(t) for t in group) for group in result.groups]
    if disjoint:
        assert mine == min(disjoint)


def test_a_task_may_help_where_it_is_not_served():
    # c is the best helper of a and of b, which harm each other.
    matrix = np.array([[0, -5, 1], [-5, 0, 1], [3, 3, 0]])
    result = group_tasks(affinity(matrix), 2)
    assert result.groups == (("a", "c"), ("b", "c"))
    assert result.assignment == {"a": 0, "b": 1, "c": 0}
    assert result.objective == pytest.approx(7 / 3)


def test_huge_numbers_that_forbid_pairs_cost_no_accuracy():
    matrix = np.random.default_rng(0).normal(size=(8, 8))
    apart = matrix.copy()
    apart[0, 1] = apart[1, 0] = -1e12
    result = group_tasks(affinity(apart), 3)
    table = pair_table(matrix)
    together = np.isfinite(table[:, 0]) & np.isfinite(table[:, 1])
    kept = table[~together]
    total, _ = milp.best_total(kept, np.ones(len(kept)), 3)
    assert result.objective == pytest.approx(total / 8, abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_tiny_numbers_beside_a_huge_one_are_still_told_apart(n):
    for seed in range(6):
        matrix = 1e-9 * np.random.default_rng([n, seed]).integers(-2, 3, (n, n))
        matrix[0, 1] = -1e9
        alone = [Fraction(0)] * n
        result = group_tasks(affinity(matrix), 3, singletons="stl_zero")
        expect = expected(n, all_groups(matrix, alone), 3)
        assert result.objective == pytest.approx(expect[0], rel=1e-6, abs=1e-18)
        assert result.runner_up == pytest.approx(expect[1], rel=1e-6, abs=1e-18)


def random_table(rng, n, number, sense, costs):
    """A GroupTable and the same as the list that brute force takes."""
    subsets = [s for k in range(1, n + 1) for s in itertools.combinations(range(n), k)]
    picked = rng.permutation(len(subsets))[:number]
    chosen = [tuple(range(n))] + [subsets[i] for i in picked if len(subsets[i]) < n]
    listed, plain = [], []
    for group in chosen:
        scores = rng.integers(-8, 9, size=len(group)) / 4
        cost = Fraction(str(rng.choice(costs)))
        names = tuple(NAMES[t] for t in group)
        listed.append(MeasuredGroup(names, tuple(map(float, scores)), float(cost)))
        sign = 1 if sense == "max" else -1
        exact = {
            t: sign * Fraction(float(v)) for t, v in zip(group, scores, strict=True)
        }
        plain.append((group, exact, cost))
    return GroupTable(tuple(NAMES[:n]), sense, tuple(listed)), plain


@pytest.mark.parametrize("sense", ["min", "max"])
@pytest.mark.parametrize("costs", [[1.0], [0.5, 1.0], [0.3, 0.7, 1.1]])
def test_measured_groups_equal_brute_force(sense, costs):
    for seed, budget in itertools.product(range(5), (1.5, 2.0, 2.2)):
        rng = np.random.default_rng([seed, len(costs)])
        table, plain = random_table(rng, 4, 9, sense, costs)
        check(group_tasks(table, budget), 4, plain, Fraction(str(budget)))


def test_half_cost_networks_of_the_same_members():
    group = lambda members, cost, *scores: MeasuredGroup(tuple(members), scores, cost)
    table = GroupTable(
        ("a", "b"),
        "min",
        (
            group("ab", 1.0, 0.5, 0.5),
            group("a", 1.0, 0.2),
            group("a", 0.5, 0.3),
            group("b", 0.5, 0.6),
        ),
    )
    best = {budget: group_tasks(table, budget) for budget in (1, 1.5, 2)}
    assert best[1].objective == pytest.approx(0.45)  # two halves
    assert best[1].costs == (0.5, 0.5)
    assert best[1.5].objective == pytest.approx(0.4)
    assert best[1.5].costs in ((1.0, 0.5), (0.5, 1.0))
    assert best[2].objective == pytest.approx(0.35)  # b served beside an idle a
    assert best[1].runner_up == pytest.approx(0.5)
    assert best[1].sense == "min"


def test_costs_with_many_digits_are_exact():
    # Three times 0.1 is not 0.3 in binary; the budget must still pay for it.
    table = GroupTable(
        tuple("abc"), "max", tuple(MeasuredGroup((t,), (1.0,), 0.1) for t in "abc")
    )
    assert group_tasks(table, 0.3).objective == 1.0
    with pytest.raises(UserError, match=r"at least 0\.3"):
        group_tasks(table, 0.29)


BAD_BUDGETS = [0, -1, 1.5, float("nan"), float("inf"), "2", True, None]


@pytest.mark.parametrize("budget", BAD_BUDGETS)
def test_a_wrong_budget_gets_a_sentence(budget):
    with pytest.raises(UserError, match="budget must be a whole number"):
        group_tasks(affinity(np.zeros((3, 3))), budget)
    table = GroupTable(("a",), "max", (MeasuredGroup(("a",), (1.0,)),))
    if budget != 1.5:
        with pytest.raises(UserError, match="budget must be a number above 0"):
            group_tasks(table, budget)


def test_wrong_options_get_a_sentence():
    three = affinity(np.zeros((3, 3)))
    with pytest.raises(UserError, match="Did you mean 'diagonal'"):
        group_tasks(three, 2, singletons="diagnal")
    with pytest.raises(UserError, match="singleton_value is needed"):
        group_tasks(three, 2, singletons="value")
    with pytest.raises(UserError, match="singleton_value is needed"):
        group_tasks(three, 2, singleton_value=0.0)
    with pytest.raises(UserError, match="finite"):
        group_tasks(three, 2, singletons="value", singleton_value=math.nan)
    with pytest.raises(UserError, match="only task, 'a'"):
        group_tasks(affinity(np.zeros((1, 1))), 1)
    table = GroupTable(("a", "b"), "max", (MeasuredGroup(("a",), (1.0,)),))
    with pytest.raises(UserError, match="'b' is in no group"):
        group_tasks(table, 1)
    with pytest.raises(UserError, match="for an affinity matrix"):
        group_tasks(table, 1, singletons="diagonal")
    with pytest.raises(UserError, match=r"61 tasks are too many.*up to 60"):
        group_tasks(np.zeros((61, 61)), 4)
