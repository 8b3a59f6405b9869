"""Few-label accuracies against scikit-learn run by hand, and labels in common."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold

from disentangle.errors import UserError
from disentangle.metrics import Settings, read_representation
from disentangle.metrics.downstream import downstream
from disentangle.metrics.labels import matched
from disentangle.metrics.trees import BACKENDS

FAST = Settings(backend="fast")


def table_of(rows, sizes=(3, 5), noise=0.3, **split):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, rows) for k in sizes], axis=1)
    codes = factors @ rng.normal(size=(len(sizes), 4))
    return read_representation(
        codes + noise * rng.normal(size=codes.shape), factors, **split
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_accuracies_are_those_of_the_two_classifiers():
    table = table_of(900, num_train=600)
    found = downstream(table, FAST)
    for n in (10, 100):
        for j in range(2):
            x, y = table.codes[:n], table.factors[:n, j]
            test = table.test_codes, table.test_factors[:, j]
            linear = LogisticRegressionCV(Cs=10, cv=KFold(n_splits=5)).fit(x, y)
            expected = linear.score(*test)
            assert found.per_factor[f"logistic_{n}"][j] == pytest.approx(expected)
            trees = BACKENDS["fast"].fit(x, *matched_rows(table, n, j), 0)
            assert found.per_factor[f"trees_{n}"][j] == trees.test_accuracy
        each = found.per_factor[f"logistic_{n}"]
        assert found.values[f"logistic_{n}_mean"] == pytest.approx(np.mean(each))
        assert found.values[f"logistic_{n}_min"] == min(each)


def matched_rows(table, n, j):
    classes, test = matched(table.factors[:n, j], table.test_factors[:, j])
    return classes, table.test_codes, test


@pytest.mark.slow
def test_sizes_beyond_the_rows_are_left_out_and_said():
    found = downstream(table_of(900, num_train=600), FAST)
    assert found.metadata["labels"] == [10, 100]
    assert found.metadata["left_out"] == [1000, 10000]
    assert set(found.values) == {
        f"{name}_{n}_{what}"
        for name in ("logistic", "trees")
        for n in (10, 100)
        for what in ("mean", "min")
    }


@pytest.mark.slow
def test_efficiency_is_the_ratio_of_the_means():
    table = table_of(12_000, sizes=(3, 2), num_train=10_000, num_test=2000)
    parts = downstream(table, FAST, sizes=(100, 10_000)).values
    for name in ("logistic", "trees"):
        ratio = parts[f"{name}_100_mean"] / parts[f"{name}_10000_mean"]
        assert parts[f"{name}_efficiency_100"] == pytest.approx(ratio)
        assert f"{name}_efficiency_1000" not in parts
        assert 0.5 < ratio < 1.05


def test_labels_of_one_value_predict_it():
    factors = np.stack([np.arange(60) >= 20, np.arange(60) % 2], axis=1)
    codes = factors + 0.0
    found = downstream(
        read_representation(codes, factors, num_train=40), FAST, sizes=(10,)
    )
    assert found.per_factor["logistic_10"] == (0.0, 1.0)
    assert found.per_factor["trees_10"] == (0.0, 1.0)


@pytest.mark.slow
def test_threads_change_nothing():
    table = table_of(300)
    one, three = (
        downstream(table, Settings(backend="fast", jobs=jobs)).values for jobs in (1, 3)
    )
    assert one == three


def test_fewer_rows_than_labels_are_refused():
    few = read_representation(
        np.arange(4.0)[:, None], np.arange(4)[:, None] % 2, num_train=3
    )
    says = "downstream needs 10 training rows, and there are 3"
    with pytest.raises(UserError, match=says):
        downstream(few, Settings())


def test_test_rows_are_needed():
    with pytest.raises(UserError, match="downstream needs test rows"):
        downstream(table_of(60, num_train=60), FAST)


def test_matched_labels():
    classes, test = matched(np.array([7, 3, 7, 100]), np.array([3, 8, 100, 200, 0]))
    np.testing.assert_array_equal(classes, [1, 0, 1, 2])
    np.testing.assert_array_equal(test, [0, -1, 2, -1, -1])
