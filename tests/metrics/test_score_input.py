"""The door of `score`: splits, defaults, and every mistake with its sentence."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

from disentangle import metrics
from disentangle.errors import UserError
from disentangle.metrics import (
    Settings,
    choose_metrics,
    read_codes,
    read_representation,
    score,
    score_details,
)
from disentangle.metrics.order import sorted_factor
from metrics.properties import SINGLE

RNG = np.random.default_rng(0)
FACTORS = np.stack([RNG.integers(0, k, 90) for k in (3, 4)], axis=1)
RANDOM = RNG.integers(0, 2, 90)
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
        (CODES, FACTORS * 0, "no factor to score: 'factor 0' is constant: it is 0"),
        (
            np.ma.masked_greater(CODES, 4.5),
            FACTORS,
            r"codes has \d+ masked values; the",
        ),
        (
            list(np.ma.masked_greater(CODES, 4.5)),
            FACTORS,
            r"codes has \d+ masked value",
        ),
        (CODES, np.ma.masked_equal(FACTORS, 3), r"factors has \d+ masked values; the"),
        (pd.DataFrame(CODES).astype("Float64").where(CODES < 4), FACTORS, "is <NA>"),
        (
            pd.DataFrame(CODES),
            pd.DataFrame(FACTORS)[::-1],
            "same rows in different orders",
        ),
        (CODES, FACTORS.astype(np.uint64) + 2**63, "is not an integer|must hold"),
        (CODES.astype(object) * 1j, FACTORS, r"codes\[0, 0\] is .*j"),
        (np.array([["a"] * 2] * 90, object), FACTORS, r"codes\[0, 0\] is 'a'"),
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


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_constant_factor_is_named_and_left_out(column):
    names = ["shape", "scale"]
    names.insert(column, "colour")
    whole = np.insert(FACTORS, column, 7, axis=1)
    with pytest.warns(UserWarning, match="'colour' is constant: it is 7 in all rows"):
        found = score(CODES, whole, "mig,sap,unsupervised", factor_names=names)
    assert found == score(CODES, FACTORS, "mig,sap,unsupervised")
    details = score_details(CODES, whole, "mig", factor_names=names)["mig"]
    assert details.metadata["factor_names"] == ["shape", "scale"]
    assert list(details.metadata["left_out"]) == ["colour"]


def test_a_factor_that_is_constant_in_the_training_rows_alone_says_shuffle():
    late = np.hstack([FACTORS, (np.arange(90) >= 60)[:, None]])
    with pytest.warns(UserWarning, match="varies only after them: shuffle"):
        found = score(CODES, late, "mig")
    assert found == score(CODES, FACTORS, "mig")
    early = np.hstack([FACTORS, np.where(np.arange(90) < 60, RANDOM, 0)[:, None]])
    assert "sap/score" in score(CODES, early, "sap")


def test_without_a_varying_factor_scores_that_need_none_go_on():
    with pytest.warns(UserWarning) as told:
        found = score(CODES, FACTORS * 0, "mig,unsupervised")
    assert {name.split("/")[0] for name in found} == {"unsupervised"}
    assert any("mig is left out: mig has no factor" in str(w.message) for w in told)


def test_rows_in_grid_order_are_noticed():
    grid = np.stack([axis.ravel() for axis in np.indices((3, 4, 10))], axis=1)
    rng = np.random.default_rng(0)
    for rows in (grid, grid[::-1], grid[:, [2, 0, 1]]):
        with pytest.warns(UserWarning, match="rows are not in random order.*shuffle"):
            score(rows + 0.1 * rng.normal(size=rows.shape), rows, "unsupervised")
    for seed in range(200):  # and random rows are not
        rng = np.random.default_rng(seed)
        size = int(rng.integers(5, 400))
        rows = rng.integers(0, [2, 3, 40], (size, 3))
        rare = (rng.random((size, 1)) < 0.05).astype(int)
        assert sorted_factor(np.hstack([rows, rare])) is None


def test_one_metric_that_cannot_be_had_costs_only_itself():
    one = CODES[:, :1]
    with pytest.warns(UserWarning, match="mig is left out: .* codes has one column"):
        found = score(one, FACTORS, "mig,modularity")
    assert list(found) == ["modularity/score"]
    with pytest.raises(UserError, match="codes has one column"):
        score(one, FACTORS, "mig")
    details = score_details(CODES, FACTORS, "sap,mig", num_train=90)
    assert "needs test rows" in details["sap"].why_not and not details["mig"].why_not
    with pytest.raises(UserError, match=r"sap needs test rows.*dci needs test rows"):
        score(CODES, FACTORS, "sap,dci", num_train=90)


def test_a_factor_with_a_value_per_row_costs_infomec_only():
    own = np.column_stack([np.arange(len(FACTORS)), FACTORS])
    with pytest.warns(UserWarning, match="each of the .* rows has its own value of"):
        found = score(CODES, own, "infomec,mig,modularity")
    assert set(found) == {"mig/score", "modularity/score"}
    with pytest.raises(UserError, match="infomec needs rows that share values"):
        score(CODES, own, "infomec")


def test_what_a_library_refuses_costs_its_metric_only(monkeypatch):
    def refused(self, codes, values):
        raise ValueError("Found array with\n0 sample(s)")

    monkeypatch.setattr(LinearSVC, "fit", refused)
    says = "sap is left out: scikit-learn's LinearSVC refuses these rows: Found array w"
    with pytest.warns(UserWarning, match=says):
        assert set(score(CODES, FACTORS, "sap,mig")) == {"mig/score"}


@pytest.mark.parametrize("fault", [ValueError, IndexError, ZeroDivisionError])
def test_a_fault_of_ours_is_no_reason(monkeypatch, fault):
    def broken(table, settings):
        raise fault("of our own code")

    monkeypatch.setitem(metrics.METRICS, "sap", metrics.Metric(broken))
    with pytest.raises(fault, match="of our own code"):
        score(CODES, FACTORS, "sap,mig")


def test_categorical_columns_are_checked_and_read_from_the_file(tmp_path):
    for wrong in ([[0, 2]], [[0], [0, 1]], [0, 1], "01", [[]], [[0.0, 1.0]]):
        with pytest.raises(UserError, match="categorical must be lists of columns"):
            score(CODES, FACTORS, "dci", categorical=wrong)
    wide = np.hstack([CODES, np.eye(3)[FACTORS[:, 0]]])
    labels = np.array([0, 0, 1, 1, 1])
    path = tmp_path / "codes.npz"
    np.savez(path, codes=wide, factors=FACTORS, categorical=labels)
    assert read_codes(path).categorical == ((2, 3, 4),)
    narrow = np.hstack([CODES, FACTORS[:, :1]])
    expected = score(narrow, FACTORS, "mig", categorical=[[2]])
    assert score(wide, FACTORS, "mig", categorical=[(2, 3, 4)]) == expected


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
    table = read_representation(codes, factors, num_train=num_train, num_test=num_test)
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
        (pd.DataFrame(codes), pd.DataFrame(FACTORS).astype("Int64")),
        (codes.astype(object), np.ma.array(FACTORS)),
    ]:
        assert score(codes_like, factors_like, "mig") == pytest.approx(expected)


def test_metrics_by_list_by_string_and_all():
    assert choose_metrics("mig, dci") == ("mig", "dci")
    assert choose_metrics(["mig", "mig"]) == ("mig",)
    assert choose_metrics("all") == SINGLE
    assert choose_metrics(["mig", "all"]) == SINGLE


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
    assert flat["mig/score"] == details["mig"].values["score"]
