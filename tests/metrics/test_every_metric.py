"""What every metric in METRICS must do; a new one is covered by its line there."""

import json

import numpy as np
import pytest

from disentangle import metrics
from disentangle.errors import UserError
from disentangle.metrics import METRICS, Result, score, score_details

NOISE_FLOOR = 0.15
PARTS = [
    ("dci", "disentanglement"),
    ("dci", "completeness"),
    ("dci", "informativeness_test"),
    ("mig", "score"),
]
"""The parts that are 1 on codes = factors and low on noise."""


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, k, 360) for k in (3, 5, 4)], axis=1)


@pytest.fixture(scope="module")
def codes(factors):
    rng = np.random.default_rng(1)
    mixed = factors @ rng.normal(size=(3, 4))
    return mixed + 0.3 * rng.normal(size=mixed.shape)


def fast(codes, factors, name, **settings):
    return score_details(codes, factors, name, backend="fast", **settings)[name]


def test_every_metric_is_in_the_table_of_parts():
    assert {name for name, _ in PARTS} == set(METRICS)


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_top_on_the_factors_and_floor_on_noise(name, part, factors):
    noise = np.random.default_rng(2).normal(size=(360, 4))
    top = fast(np.hstack([factors, noise[:, :1]]), factors, name).parts[part]
    low = fast(noise, factors, name).parts[part]
    chance = np.mean(1 / np.array([3, 5, 4])) if "informativeness" in part else 0.0
    assert top > 0.9
    assert abs(low - chance) < NOISE_FLOOR


@pytest.mark.parametrize("name", METRICS)
def test_order_of_codes_and_of_factors_does_not_matter(name, codes, factors):
    plain = fast(codes, factors, name)
    moved = fast(codes[:, [2, 0, 3, 1]], factors[:, [1, 2, 0]], name)
    for part, value in plain.parts.items():
        # Ties between codes may fall the other way.
        assert moved.parts[part] == pytest.approx(value, abs=5e-3), part
    for part, values in plain.per_factor.items():
        expected = np.array(values)[[1, 2, 0]]
        np.testing.assert_allclose(moved.per_factor[part], expected, atol=1e-2)


@pytest.mark.parametrize("name", METRICS)
def test_positive_scale_and_shift_of_a_code_do_not_matter(name, codes, factors):
    plain = fast(codes, factors, name).parts
    # Powers of two and no shift: the same floats, so exactly the same scores.
    scaled = fast(codes * np.array([2.0, 0.25, 1024.0, 1.0]), factors, name).parts
    assert scaled == plain
    shifted = fast(3.7 * codes + 1.0, factors, name).parts
    assert shifted == pytest.approx(plain, abs=2e-2)


@pytest.mark.parametrize("name", METRICS)
def test_names_of_factor_values_do_not_matter(name, codes, factors):
    renamed = np.array([900, 7, 41, 0, 3])[factors]
    plain = fast(codes, factors, name).parts
    assert fast(codes, renamed, name).parts == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("backend", ["reference", "fast"])
@pytest.mark.parametrize("name", METRICS)
def test_constant_codes_have_a_finite_score(name, backend, codes, factors):
    dead = np.zeros_like(codes)
    one_alive = np.where(np.arange(4) == 1, codes, 2.5)
    for some in (dead, one_alive):
        result = score_details(some, factors, name, backend=backend)[name]
        for array in (*result.parts.values(), *result.arrays.values()):
            assert np.all(np.isfinite(array))
    nothing = score_details(dead, factors, name, backend=backend)[name].parts
    scores = [v for k, v in nothing.items() if "informativeness" not in k]
    assert scores == pytest.approx([0.0] * len(scores), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_result_is_complete_and_says_what_ran(name, codes, factors):
    result = fast(codes, factors, name, factor_names=["a", "b", "c"], seed=7)
    assert all(isinstance(value, float) for value in result.parts.values())
    assert all(len(values) == 3 for values in result.per_factor.values())
    assert result.per_factor
    ran = json.loads(json.dumps(result.ran))
    assert ran["definition"] and ran["estimator"]
    assert (ran["num_train"], ran["num_test"], ran["seed"]) == (240, 120, 7)
    assert ran["factor_names"] == ["a", "b", "c"]
    assert {"numpy", "scikit-learn", "python"} <= set(ran["versions"])


@pytest.mark.parametrize("name", METRICS)
def test_input_is_left_alone(name, codes, factors):
    before = codes.copy(), factors.copy()
    fast(codes, factors, name)
    np.testing.assert_array_equal(codes, before[0])
    np.testing.assert_array_equal(factors, before[1])


@pytest.mark.parametrize("name", METRICS)
def test_nan_is_refused(name, codes, factors):
    broken = codes.copy()
    broken[17, 2] = np.nan
    with pytest.raises(UserError, match=r"1 values that are NaN.*codes\[17, 2\]"):
        score(broken, factors, name)


def test_a_new_metric_is_a_function_and_a_line(monkeypatch, codes, factors):
    def spread(table, settings, *, axis=0):
        return Result({"mean": float(table.codes.std(axis=axis).mean())})

    monkeypatch.setitem(metrics.METRICS, "spread", spread)
    assert score(codes, factors, "spread") == {
        "spread/mean": pytest.approx(codes[:240].std(axis=0).mean())
    }
    assert "spread/mean" in score(codes, factors, "all", backend="fast")
