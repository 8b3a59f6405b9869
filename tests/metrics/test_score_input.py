"""The door of `score`: splits, defaults, and every mistake with its sentence."""

import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics import (
    METRICS,
    Settings,
    choose_metrics,
    code_table,
    score,
    score_details,
)

RNG = np.random.default_rng(0)
FACTORS = np.stack([RNG.integers(0, k, 90) for k in (3, 4)], axis=1)
CODES = FACTORS + RNG.normal(size=(90, 2))


def changed(array, row, column, value):
    copy = array.astype(float)
    copy[row, column] = value
    return copy


@pytest.mark.parametrize(
    ("codes", "factors", "says"),
    [
        (changed(CODES, 3, 1, np.inf), FACTORS, r"codes\[3, 1\] = inf"),
        (changed(CODES, 3, 1, 1e31), FACTORS, r"codes\[3, 1\] = 1e\+31 is too large"),
        (CODES[None], FACTORS, r"\(1, 90, 2\): score one model of a population"),
        (CODES[:, 0], FACTORS, r"codes must have the shape \(N, D\), but has \(90,\)"),
        (CODES, FACTORS[:, 0], r"factors must have the shape \(N, F\)"),
        (CODES[:80], FACTORS, "codes has 80 rows and factors has 90"),
        (CODES[:0], FACTORS[:0], r"codes is empty: its shape is \(0, 2\)"),
        (CODES[:, :0], FACTORS, r"codes is empty: its shape is \(90, 0\)"),
        (CODES.astype(str), FACTORS, "codes must hold real numbers"),
        (CODES + 1j, FACTORS, "codes must hold real numbers, but holds complex"),
        ([[1.0], [1.0, 2.0]], FACTORS, "codes is not an array"),
        (CODES, changed(FACTORS, 5, 0, 0.5), r"factors\[5, 0\] = 0.5 is not an int"),
        (CODES, changed(FACTORS, 5, 0, np.nan), r"factors\[5, 0\] = nan is not an int"),
        (CODES, FACTORS - 1, r"= -1 is negative"),
        (CODES, FACTORS * [1, 0], "'factor 1' is 0 in all 60 training rows: shuffle"),
    ],
)
def test_bad_arrays(codes, factors, says):
    with pytest.raises(UserError, match=says):
        score(codes, factors)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"metrics": ["dcii"]}, "unknown metric 'dcii'. Did you mean 'dci'"),
        ({"metrics": []}, "no metrics given: choose from dci, "),
        ({"metrics": ""}, "unknown metric ''"),
        ({"backend": "fats"}, "unknown backend 'fats'. Did you mean 'fast'"),
        ({"seed": -1}, "seed must be an integer from 0 to 4294967295, but is -1"),
        ({"bins": 1}, "bins must be an integer from 2 to 65536, but is 1"),
        ({"bins": 2.5}, "bins must be .* but is 2.5"),
        ({"jobs": -1}, "jobs must be .* but is -1"),
        ({"bootstrap": -1}, "bootstrap must be .* but is -1"),
        ({"bootstrap": 1}, "one resample has no spread.* at least 2"),
        ({"protocol": "papre"}, "Did you mean 'paper'"),
        ({"num_train": 0}, "num_train must be an integer >= 2, but is 0"),
        ({"num_train": 91}, "num_train=91 and num_test=0 do not fit the 90 rows"),
        ({"num_train": 60, "num_test": 31}, "num_test=31 do not fit the 90 rows"),
        ({"num_test": 90}, "num_train=0 and num_test=90 do not fit the 90 rows"),
        ({"num_test": -1}, "num_test must be an integer >= 0, but is -1"),
        ({"factor_names": ["a"]}, r"factor_names must be 2 different names"),
        ({"factor_names": ["a", "a"]}, r"factor_names must be 2 different names"),
    ],
)
def test_bad_settings(settings, says):
    with pytest.raises(UserError, match=says):
        score(CODES, FACTORS, **settings)


def test_the_constant_factor_is_called_by_its_name():
    with pytest.raises(UserError, match="'shape' is 1 in all"):
        score(CODES, FACTORS * [0, 1] + [1, 0], "mig", factor_names=["shape", "scale"])


@pytest.mark.parametrize(
    ("rows", "num_train", "num_test", "expected"),
    [
        (15_000, None, None, (10_000, 5_000)),
        (40_000, None, None, (10_000, 5_000)),
        (14_999, None, None, (10_000, 4_999)),
        (900, None, None, (600, 300)),
        (900, 500, None, (500, 400)),
        (900, None, 100, (800, 100)),
        (900, 900, None, (900, 0)),
        (40_000, 30_000, None, (30_000, 5_000)),
        (40_000, None, 7_000, (10_000, 7_000)),
    ],
)
def test_which_rows_train_and_which_test(rows, num_train, num_test, expected):
    codes = np.arange(rows, dtype=np.float64)[:, None]
    factors = np.arange(rows)[:, None] % 2
    table = code_table(codes, factors, num_train=num_train, num_test=num_test)
    train, test = expected
    np.testing.assert_array_equal(table.codes, codes[:train])
    np.testing.assert_array_equal(table.test_codes, codes[train : train + test])
    np.testing.assert_array_equal(table.test_factors, factors[train : train + test])


def test_arrays_of_many_kinds_give_the_same_score():
    codes = np.round(CODES * 8) / 8  # exact in bfloat16
    expected = score(codes, FACTORS, "mig")
    for codes_like, factors_like in [
        (codes.tolist(), FACTORS.tolist()),
        (jnp.asarray(codes, jnp.float32), jnp.asarray(FACTORS)),
        (jnp.asarray(codes, jnp.bfloat16), FACTORS.astype(np.float32)),
        (codes.astype(np.float16), FACTORS.astype(np.uint8)),
        (np.asfortranarray(codes), FACTORS),
    ]:
        assert score(codes_like, factors_like, "mig") == pytest.approx(expected)


def test_metrics_by_list_by_string_and_all():
    assert choose_metrics("mig, dci") == ("mig", "dci")
    assert choose_metrics(["mig", "mig"]) == ("mig",)
    assert choose_metrics("all") == tuple(METRICS)


def test_score_is_the_flat_form_of_the_details():
    flat = score(CODES, FACTORS, backend="fast")
    details = score_details(CODES, FACTORS, settings=Settings(backend="fast"))
    assert list(flat) == [
        "dci/disentanglement",
        "dci/completeness",
        "dci/informativeness_train",
        "dci/informativeness_test",
        "mig/score",
    ]
    assert flat["mig/score"] == details["mig"].parts["score"]
