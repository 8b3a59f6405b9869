"""How sure a grouping is: closed forms, and planted affinities with known errors."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from disentangle.affinity import Affinity, group_tasks
from disentangle.errors import UserError

PLANTED = np.where(np.arange(4)[:, None] // 2 == np.arange(4) // 2, 1.0, -1.0)


def affinity(matrix, error, tasks="abcdefgh"):
    matrix = np.asarray(matrix, float)
    return Affinity(
        matrix,
        tuple(tasks[: len(matrix)]),
        standard_error=np.broadcast_to(np.asarray(error, float), matrix.shape),
    )


def normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


@pytest.mark.parametrize(("z", "error"), [(0.5, 1.0), (1.0, 0.8), (0.1, 2.0)])
def test_two_tasks_have_a_closed_form(z, error):
    """Together is best while both affinities are above 0, the score of one alone."""
    measured = affinity([[0, z], [2 * z, 0]], error)
    found = group_tasks(measured, 2, singletons="stl_zero", redraws=800)
    expected = normal_cdf(z / error) * normal_cdf(2 * z / error)
    bound = 4 * math.sqrt(expected * (1 - expected) / 800)
    assert found.groups == (("a", "b"),)
    assert found.stability.share == pytest.approx(expected, abs=bound)
    assert found.stability.redraws == 800


def test_a_symmetric_matrix_is_redrawn_in_pairs():
    """Both directions are one number: Phi(z / se), not its square."""
    found = group_tasks(
        affinity([[1, 0.5], [0.5, 1]], 1.0), 2, singletons="stl_zero", redraws=800
    )
    assert found.stability.share == pytest.approx(normal_cdf(0.5), abs=0.066)


def test_planted_groups_are_sure_with_small_and_unsure_with_large_errors():
    sure = group_tasks(affinity(PLANTED, 1e-6), 2).stability
    assert (sure.share, sure.answers, sure.clear, sure.cells) == (1.0, 1, 12, 12)
    same = np.equal.outer(np.arange(4) // 2, np.arange(4) // 2)
    np.testing.assert_array_equal(sure.together, same)
    unsure = group_tasks(affinity(PLANTED, 50.0), 2).stability
    assert unsure.share < 0.3
    assert unsure.answers > 10
    assert unsure.clear == 0
    assert sum(share for _, share in unsure.most) <= 1
    np.testing.assert_allclose(unsure.together, unsure.together.T)
    assert (np.diag(unsure.together) == 1).all()


def test_no_error_at_all_gives_the_same_tie_again():
    found = group_tasks(affinity(np.zeros((4, 4)), 0.0), 3)
    assert found.groups == (("a", "b", "c", "d"),)
    assert found.stability.share == 1.0
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.slow
def test_it_is_its_seed_and_says_why_it_is_not_known():
    measured = affinity(PLANTED, 2.0)
    one, two, other = (
        group_tasks(measured, 2, seed=seed).stability for seed in (0, 0, 1)
    )
    assert one.to_json() == two.to_json() != other.to_json()
    bare = group_tasks(Affinity(PLANTED, tuple("abcd")), 2)
    assert bare.stability is None
    assert "no standard errors" in bare.unsure
    assert bare.to_json()["stability"] is None
    big = affinity(
        np.random.default_rng(0).normal(size=(18, 18)), 1.0, "abcdefghijklmnopqr"
    )
    large = group_tasks(big, 4)
    assert large.stability is None
    assert "redraws=" in large.unsure
    for wrong in ({"redraws": -1}, {"redraws": 0.5}, {"seed": "a"}):
        with pytest.raises(UserError, match="whole number"):
            group_tasks(measured, 2, **wrong)


def test_the_objective_of_every_budget():
    matrix = np.random.default_rng(3).normal(size=(5, 5))
    measured = Affinity(matrix, tuple("abcde"))
    found = group_tasks(measured, 2)
    alone = [group_tasks(measured, budget).objective for budget in range(1, 6)]
    np.testing.assert_allclose(found.by_budget, alone, rtol=1e-12)


def test_save_keeps_standard_errors_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    measured = Affinity(
        rng.normal(size=(3, 3)), ("a", "b", "c"), "lookahead", rng.random((3, 3)), 7
    )
    measured.save(tmp_path / "a.json")
    again = Affinity.load(tmp_path / "a.json")
    np.testing.assert_array_equal(again.matrix, measured.matrix)
    np.testing.assert_array_equal(again.standard_error, measured.standard_error)
    assert (again.tasks, again.method, again.samples) == (
        ("a", "b", "c"),
        "lookahead",
        7,
    )
    counted = replace(measured, samples=np.int64(7))
    counted.save(tmp_path / "a.json")
    assert Affinity.load(tmp_path / "a.json").samples == 7
    for wrong in ({"samples": 7.0}, {"samples": -1}, {"method": 3}):
        with pytest.raises(UserError, match="of an affinity must be a"):
            replace(measured, **wrong)
    (tmp_path / "b.json").write_text('{"tasks": ["a"], "matrix": [[1, 2]]}')
    with pytest.raises(UserError, match=r"b\.json"):
        Affinity.load(tmp_path / "b.json")
