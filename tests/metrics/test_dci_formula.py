"""D and C from an importance matrix, against golden cases and a literal loop."""

import math

import numpy as np
import pytest

from disentangle.metrics.importance import (
    completeness,
    concentration,
    disentanglement,
)

EYE = np.eye(5)
HALF = 1 - math.log(2) / math.log(10)


@pytest.mark.parametrize(
    ("importance", "expected_d", "expected_c"),
    [
        (np.diag([5.0] * 5), 1.0, 1.0),
        (np.zeros((5, 5)), 0.0, 0.0),
        (np.vstack([EYE, EYE]), 1.0, HALF),
        (np.hstack([EYE, EYE]), HALF, 1.0),
        (EYE[[0, 3]], 1.0, 1.0),
        (np.ones((4, 3)), 0.0, 0.0),
        (np.array([[0.7, 0.0], [0.3, 1.0]]), 1 - 1.3 / 2 * 0.77934984, 0.55935455),
    ],
    ids=["diagonal", "zero", "two codes", "two factors", "missing", "even", "by hand"],
)
def test_golden_cases(importance, expected_d, expected_c):
    # "by hand": row 2 is (3/13, 10/13), entropy 0.77934984 bits, weight 1.3 / 2;
    # column 1 is (0.7, 0.3), entropy 0.88129090 bits, weight 1 / 2.
    assert disentanglement(importance) == pytest.approx(expected_d, abs=1e-8)
    assert completeness(importance) == pytest.approx(expected_c, abs=1e-8)


def literal(importance):
    """metrics.md, one scalar at a time: D of R; C is D of the transpose."""
    codes, factors = importance.shape
    total = sum(float(r) for r in importance.ravel())
    score = 0.0
    for i in range(codes):
        p = [float(importance[i, j]) + 1e-11 for j in range(factors)]
        p = [value / sum(p) for value in p]
        entropy = -sum(value * math.log(value, factors) for value in p)
        score += sum(float(r) for r in importance[i]) / total * (1 - entropy)
    return score


@pytest.mark.parametrize("seed", range(5))
def test_random_matrices_against_a_scalar_loop(seed):
    rng = np.random.default_rng(seed)
    importance = rng.exponential(size=(7, 4)) ** 3
    importance[2] = 0.0
    importance[:, 1] = 0.0
    assert disentanglement(importance) == pytest.approx(literal(importance), abs=1e-12)
    assert completeness(importance) == pytest.approx(literal(importance.T), abs=1e-12)


def test_one_code_or_one_factor_has_nothing_to_spread():
    np.testing.assert_array_equal(concentration(np.array([[2.0], [0.0]])), [1.0, 0.0])
    assert disentanglement(np.array([[0.4], [0.6]])) == 1.0
    assert completeness(np.array([[0.4, 0.6]])) == 1.0


def test_dead_codes_raise_completeness_only():
    importance = np.array([[0.8, 0.1], [0.2, 0.9]])
    dead = np.vstack([importance, np.zeros((6, 2))])
    assert disentanglement(dead) == pytest.approx(disentanglement(importance), abs=1e-9)
    assert completeness(dead) > completeness(importance) + 0.2
