"""The trap of the rotated code, for scores that read information or correlation.

A Gaussian code that holds each factor alone is turned by the same small angle in
the plane of every two codes. Nothing is lost and its density stays the same, but no
code holds one factor any more.
"""

from itertools import combinations

import numpy as np
import pytest

from disentangle.metrics import score

ANGLES = (0, 5, 10, 20)
# At 20 degrees, as a share of what it is at 0. InfoMEC's shares of the largest fall
# late: at 20 degrees the code that held a factor alone still holds most of it.
FALL = {
    "mig/score": 0.4,
    "mig_sup/score": 0.4,
    "dcimig/score": 0.4,
    "jemmig/score": 0.5,
    "infomec/modularity": 0.8,
    "infomec/compactness": 0.8,
}


def turned(codes, degrees):
    """The Givens rotations of all pairs of codes, one after the other."""
    codes, angle = codes.copy(), np.deg2rad(degrees)
    for i, j in combinations(range(codes.shape[1]), 2):
        a, b = codes[:, i].copy(), codes[:, j].copy()
        codes[:, i] = np.cos(angle) * a - np.sin(angle) * b
        codes[:, j] = np.sin(angle) * a + np.cos(angle) * b
    return codes


@pytest.fixture(scope="module")
def found():
    codes = np.random.default_rng(0).normal(size=(1500, 5))
    factors = np.digitize(codes, [-0.84, -0.25, 0.25, 0.84])  # fifths
    names = ("mig", "mig_sup", "dcimig", "jemmig", "infomec", "mcc")
    return [
        score(turned(codes, angle), factors, names, num_train=1500, num_test=0)
        for angle in ANGLES
    ]


@pytest.mark.parametrize("key", FALL)
def test_the_score_falls_with_the_angle(found, key):
    values = [scores[key] for scores in found]
    assert values == sorted(values, reverse=True)
    assert values[-1] < FALL[key] * values[0]


def test_what_a_linear_probe_reads_stays(found):
    values = [scores["infomec/explicitness"] for scores in found]
    assert values == pytest.approx([values[0]] * len(ANGLES), abs=0.01)


@pytest.mark.parametrize("part", ["pearson", "spearman"])
def test_correlations_fall_as_the_cosines_of_the_turn(found, part):
    """corr(sum_i R_ij z_i, y_j) = R_jj corr(z_j, y_j) for independent unit z."""
    for scores, angle in zip(found, ANGLES, strict=True):
        cosine = np.mean(np.abs(np.diag(turned(np.eye(5), angle))))
        expected = cosine * found[0][f"mcc/{part}"]
        assert scores[f"mcc/{part}"] == pytest.approx(expected, abs=0.02)
