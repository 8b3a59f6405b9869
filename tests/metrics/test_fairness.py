"""Unfairness by hand and on planted codes."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics import Settings, score, score_details
from disentangle.metrics.fairness import unfairness

FAST = Settings(backend="fast")


def test_unfairness_by_hand():
    """All: (1/2, 1/2). At 0, three quarters of 8 rows say 0; at 1, a quarter of 8."""
    guesses = np.array([0] * 6 + [1] * 2 + [0] * 2 + [1] * 6)
    sensitive = np.repeat([0, 1], 8)
    assert unfairness(guesses, sensitive) == pytest.approx(0.25)
    # 4 rows say 0 and 12 say 1, all 4 at value 7: TV 3/4 there, 1/4 elsewhere.
    guesses, sensitive = np.repeat([0, 1], [4, 12]), np.repeat([7, 2], [4, 12])
    assert unfairness(guesses, sensitive) == pytest.approx((4 * 0.75 + 12 * 0.25) / 16)
    assert unfairness(guesses, np.zeros(16, int)) == 0.0


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, 2, 900), rng.integers(0, 3, 900)], axis=1)


def test_clean_codes_are_as_fair_as_chance(factors):
    found = score_details(factors.astype(float), factors, "fairness", FAST)["fairness"]
    parts = found.values
    # Predictions are the factors, so distances are those of independent samples.
    assert abs(parts["mean"] - parts["chance"]) < 0.04
    assert 0.0 < parts["chance"] < 0.06


def test_a_code_that_mistakes_the_sensitive_factor_is_unfair(factors):
    """The only code is y_0 where y_1 is 0, and 1 elsewhere: TV by hand."""
    target, sensitive = factors.T
    code = np.where(sensitive == 0, target, 1)[:, None].astype(float)
    found = score_details(code, factors, "fairness", FAST)["fairness"]
    # y^_0 is 0 in a sixth of all rows, in half of those with y_1 = 0.
    expected = (1 / 3) * (1 / 2 - 1 / 6) + (2 / 3) * (1 / 6)
    assert found.arrays["unfairness"][0, 1] == pytest.approx(expected, abs=0.06)
    assert found.arrays["chance"][0, 1] < 0.08
    np.testing.assert_array_equal(np.diag(found.arrays["unfairness"]), 0.0)
    worst = found.arrays["unfairness"].max(axis=1).mean()
    assert found.values["worst"] == pytest.approx(worst)
    assert found.per_factor["target"][0] == found.arrays["unfairness"][0, 1]
    assert found.per_factor["sensitive"][1] == found.arrays["unfairness"][0, 1]


def test_one_factor_has_no_sensitive_one(factors):
    with pytest.raises(UserError, match="factors has one column"):
        score(factors.astype(float), factors[:, :1], "fairness")
