"""A perfect Gaussian code turned in all planes: same density, same linear content.

Factors y with K values become z = Phi^-1((y + U) / K), U uniform in [0, 1): exactly
independent N(0, 1), one code a factor, each value an interval. A rotation keeps the
density and what a linear probe can read, but no code is a factor's any more.
Measured with the fast backend on 1,600 and 800 rows, seed 0:

  degrees    D     C    trees' test accuracy   explicitness   linear, 400 labels
     0     1.000 1.000        1.000               0.998             0.976
     5     0.686 0.686        0.891               0.998             0.977
    10     0.433 0.433        0.802               0.998             0.976
    20     0.192 0.194        0.722               0.998             0.976
"""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from disentangle.metrics import Settings, read_representation, score_details
from disentangle.metrics.downstream import downstream

SIZES = (3, 6, 8, 5, 4)
DEGREES = (0, 5, 10, 20)
SETTINGS = Settings(backend="fast")


def turned(codes, degrees):
    """`codes` after a Givens rotation by `degrees` in every pair of axes, in turn."""
    angle = np.deg2rad(degrees)
    plane = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    codes = codes.copy()
    for i, j in itertools.combinations(range(codes.shape[1]), 2):
        codes[:, [i, j]] = codes[:, [i, j]] @ plane
    return codes


def gaussian_code(rows):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, rows) for k in SIZES], axis=1)
    uniform = (factors + rng.random(factors.shape)) / np.array(SIZES)
    return norm.ppf(uniform), factors


@pytest.fixture(scope="module")
def scores():
    """degrees -> parts of DCI, explicitness, and few-label accuracy."""
    codes, factors = gaussian_code(2400)
    found = {}
    for degrees in DEGREES:
        moved = turned(codes, degrees)
        results = score_details(moved, factors, ["dci", "explicitness"], SETTINGS)
        labels = downstream(read_representation(moved, factors), SETTINGS, sizes=(400,))
        found[degrees] = results["dci"].values | {
            "explicitness": results["explicitness"].values["test"],
            "linear": labels.values["logistic_400_mean"],
        }
    return found


def test_rotation_keeps_the_density():
    codes, _ = gaussian_code(20_000)
    moved = turned(codes, 20)
    np.testing.assert_allclose(np.cov(moved.T), np.eye(5), atol=0.04)
    np.testing.assert_allclose(
        np.sum(moved**2, axis=1), np.sum(codes**2, axis=1), rtol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", ["disentanglement", "completeness"])
def test_dci_collapses(scores, part):
    values = [scores[degrees][part] for degrees in DEGREES]
    assert values[0] > 0.99
    assert values[1] < 0.8 and values[2] < 0.6 and values[3] < 0.35
    assert np.all(np.diff(values) < 0)


@pytest.mark.slow
def test_tree_based_informativeness_falls_with_it(scores):
    values = [scores[degrees]["informativeness_test"] for degrees in DEGREES]
    assert values[0] > 0.99
    assert values[3] < 0.8
    assert np.all(np.diff(values) < -0.05)


@pytest.mark.slow
def test_a_linear_probe_notices_nothing(scores):
    for degrees in DEGREES:
        assert scores[degrees]["explicitness"] > 0.99
        assert scores[degrees]["linear"] > 0.95
        straight = scores[0]["linear"]
        assert scores[degrees]["linear"] == pytest.approx(straight, abs=0.01)
