"""What every metric in METRICS must do; a new one is covered by its line there."""

import json

import numpy as np
import pytest

from disentangle import metrics
from disentangle.errors import UserError
from disentangle.metrics import (
    METRICS,
    Metric,
    Result,
    Settings,
    choose_metrics,
    score,
    score_details,
)
from disentangle.metrics.base import PROTOCOLS
from disentangle.metrics.protocols import used
from disentangle.metrics.score import flatten
from metrics.properties import PROPERTIES, SINGLE

ROWS = max(row.rows for row in PROPERTIES.values())
SIZES = (3, 5, 4)


@pytest.fixture(scope="module")
def all_factors():
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, k, ROWS) for k in SIZES], axis=1)


@pytest.fixture
def factors(all_factors, name):
    return all_factors[: PROPERTIES[name].rows]


@pytest.fixture
def codes(factors):
    rng = np.random.default_rng(1)
    mixed = factors @ rng.normal(size=(3, 4))
    return mixed + 0.3 * rng.normal(size=mixed.shape)


def fast(codes, factors, name, factor_names=None, **settings):
    return details(
        codes, factors, name, Settings(backend="fast", **settings), factor_names
    )


def details(codes, factors, name, settings, factor_names=None):
    """The Result, with log-variances where the metric needs them."""
    spread = PROPERTIES[name].logvars
    given = None if spread is None else np.full(codes.shape, spread)
    return score_details(
        codes, factors, name, settings, factor_names=factor_names, logvars=given
    )[name]


# Those that fit many estimators; in the quick run their own files hold them.
COSTLY = (
    *("downstream", "fairness", "compositional", "snc_nk"),
    *("dci", "dci_es", "dci_forest"),
)
QUICK = [
    pytest.param(name, marks=pytest.mark.slow if name in COSTLY else ())
    for name in SINGLE
]


def test_every_metric_has_its_row():
    assert set(PROPERTIES) == set(SINGLE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", QUICK)
def test_top_on_the_factors_and_floor_on_noise(name, protocol, factors):
    row = PROPERTIES[name]
    noise = np.random.default_rng(2).normal(size=(len(factors), 4))
    clean = np.hstack([factors, noise[:, :1]])
    top = fast(clean, factors, name, protocol=protocol).values
    low = fast(noise, factors, name, protocol=protocol).values
    tops, floors = row.top, row.floor
    if protocol == "paper" and row.paper:
        tops, floors = row.paper
    for part, least in tops.items():
        assert top[part] >= least, part
    for part, most in floors.items():
        bound = np.mean([1 / k for k in SIZES]) + 0.15 if most == "chance" else most
        assert low[part] <= bound, part


@pytest.mark.parametrize("name", QUICK)
def test_order_of_codes_and_of_factors_does_not_matter(name, codes, factors):
    drawn = PROPERTIES[name].sampling
    plain = fast(codes, factors, name)
    moved = fast(codes[:, [2, 0, 3, 1]], factors[:, [1, 2, 0]], name)
    for part, value in plain.values.items():
        # Ties between codes may fall the other way.
        assert moved.values[part] == pytest.approx(value, abs=max(5e-3, drawn)), part
    for part, values in plain.per_factor.items():
        expected = np.array(values)[[1, 2, 0]]
        atol = max(1e-2, drawn)
        np.testing.assert_allclose(moved.per_factor[part], expected, atol=atol)
    for part, values in plain.per_code.items():
        expected = np.array(values)[[2, 0, 3, 1]]
        atol = max(1e-2, drawn)
        np.testing.assert_allclose(moved.per_code[part], expected, atol=atol)


@pytest.mark.parametrize("name", QUICK)
def test_positive_scale_and_shift_of_a_code_do_not_matter(name, codes, factors):
    if not PROPERTIES[name].scale:
        pytest.skip("this metric depends on the scale of codes: see its docstring")
    plain = fast(codes, factors, name).values
    # Powers of two and no shift: the same floats, so exactly the same scores.
    scaled = fast(codes * np.array([2.0, 0.25, 1024.0, 1.0]), factors, name).values
    assert scaled == plain
    shifted = fast(3.7 * codes + 1.0, factors, name).values
    assert shifted == pytest.approx(plain, abs=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_names_of_factor_values_do_not_matter(name, codes, factors):
    if not PROPERTIES[name].names:
        pytest.skip("this metric bins the factors' values: see its docstring")
    renamed = np.array([900, 7, 41, 0, 3])[factors]
    plain = fast(codes, factors, name).values
    drawn = max(1e-9, PROPERTIES[name].sampling)
    assert fast(codes, renamed, name).values == pytest.approx(plain, abs=drawn)


@pytest.mark.parametrize("backend", ["reference", "fast"])
@pytest.mark.parametrize("name", QUICK)
def test_constant_codes_have_a_finite_score(name, backend, codes, factors):
    dead = np.zeros_like(codes)
    one_alive = np.where(np.arange(4) == 1, codes, 2.5)
    for some in (dead, one_alive):
        result = details(some, factors, name, Settings(backend=backend))
        for array in (*result.values.values(), *result.arrays.values()):
            assert np.all(np.isfinite(array))
    nothing = details(dead, factors, name, Settings(backend=backend)).values
    for part in PROPERTIES[name].dead:
        assert nothing[part] == pytest.approx(0.0, abs=1e-12), part


@pytest.mark.parametrize("name", QUICK)
def test_result_is_complete_and_says_what_ran(name, codes, factors):
    result = fast(codes, factors, name, factor_names=["a", "b", "c"], seed=7)
    assert all(isinstance(value, float) for value in result.values.values())
    assert all(len(values) == 3 for values in result.per_factor.values())
    assert all(len(values) == 4 for values in result.per_code.values())
    ran = json.loads(json.dumps(result.metadata))
    assert ran["definition"] and ran["estimator"]
    rows = len(factors)
    assert (ran["num_train"], ran["num_test"]) == (2 * rows // 3, rows // 3)
    assert ran["seed"] == 7
    assert ran["protocol"] == used(METRICS[name].protocols, "locatello")["protocol"]
    assert ran["factor_names"] == ["a", "b", "c"]
    assert {"numpy", "scikit-learn", "python"} <= set(ran["versions"])


@pytest.mark.parametrize("name", QUICK)
def test_input_is_left_alone(name, codes, factors):
    before = codes.copy(), factors.copy()
    fast(codes, factors, name)
    np.testing.assert_array_equal(codes, before[0])
    np.testing.assert_array_equal(factors, before[1])


@pytest.mark.parametrize("name", SINGLE)
def test_nan_is_refused(name, codes, factors):
    broken = codes.copy()
    broken[17, 2] = np.nan
    with pytest.raises(UserError, match=r"1 values that are NaN.*codes\[17, 2\]"):
        score(broken, factors, name)


@pytest.mark.parametrize("name", ["mig", "mig_sup", "dcimig"])
def test_bootstrap_intervals_hold_the_score_and_shrink_with_rows(name):
    rng = np.random.default_rng(3)
    factors = np.stack([rng.integers(0, k, 4000) for k in SIZES], axis=1)
    codes = factors + rng.normal(size=factors.shape)
    widths = []
    for rows in (400, 4000):
        result = fast(codes[:rows], factors[:rows], name, bootstrap=40)
        low, high = result.intervals["score"]
        assert low <= result.values["score"] <= high
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]
    flat = flatten({name: result})
    assert flat[f"{name}/score/low"] < flat[f"{name}/score/high"]


@pytest.mark.parametrize("name", QUICK)
def test_every_part_has_a_finite_interval_and_the_score_stays(name, codes, factors):
    # It takes groups of all values of a factor, of which 100 rows have too few.
    rows = slice(0, 1500 if name == "z_max_variance" else 150)
    plain = fast(codes[rows], factors[rows], name, seed=3)
    result = fast(codes[rows], factors[rows], name, seed=3, bootstrap=2)
    assert result.values == plain.values
    assert set(result.intervals) == set(plain.values)
    for part, (low, high) in result.intervals.items():
        assert np.isfinite([low, high]).all()
        assert low <= result.values[part] <= high, part
    assert result.metadata["bootstrap"] == 2


@pytest.mark.parametrize("name", ["mig"])
def test_a_new_metric_is_a_function_and_a_line(monkeypatch, name, codes, factors):
    def spread(table, settings, *, axis=0):
        return Result({"mean": float(table.codes.std(axis=axis).mean())})

    monkeypatch.setitem(metrics.METRICS, "spread", Metric(spread))
    assert score(codes, factors, "spread") == {
        "spread/mean": pytest.approx(codes[:240].std(axis=0).mean())
    }
    assert "spread" in choose_metrics("all")
