"""Bins, mutual information, entropy and MIG against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from disentangle.errors import UserError
from disentangle.metrics import score_details
from disentangle.metrics.discretize import dense_labels, histogram_bins
from disentangle.metrics.mutual_information import entropy, mutual_information


def test_mutual_information_equals_scikit_learn():
    rng = np.random.default_rng(0)
    left = rng.integers(0, 6, (500, 4))
    right = np.stack([left[:, 0] // 2, rng.integers(0, 9, 500), left[:, 3]], axis=1)
    expected = [[mutual_info_score(a, b) for b in right.T] for a in left.T]
    np.testing.assert_allclose(mutual_information(left, right), expected, atol=1e-12)
    own = [mutual_info_score(b, b) for b in right.T]
    np.testing.assert_allclose(entropy(right), own, atol=1e-12)


def test_entropy_of_a_fair_coin_is_log_2():
    assert entropy(np.array([[0], [1], [1], [0]])) == pytest.approx([np.log(2)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_those_of_the_definition(dtype):
    codes = np.random.default_rng(1).normal(size=(400, 3)).astype(dtype)
    expected = [np.digitize(c, np.histogram(c, 20)[1][:-1]) - 1 for c in codes.T]
    np.testing.assert_array_equal(histogram_bins(codes, 20), np.stack(expected, axis=1))


def test_bins_of_a_constant_and_of_a_range_of_few_rounding_steps():
    constant = np.full(50, 3.5)
    narrow = np.float32(1.0) + np.arange(50).astype(np.float32) % 3 * np.float32(2e-7)
    assert set(histogram_bins(constant[:, None])[:, 0]) == {10}
    assert len(set(histogram_bins(narrow[:, None])[:, 0])) == 3


def test_dense_labels_keep_the_order():
    labels = np.array([[7, 0], [3, 0], [7, 5], [100, 9]])
    np.testing.assert_array_equal(
        dense_labels(labels), [[1, 0], [0, 0], [1, 1], [2, 2]]
    )


def test_mig_equals_the_literal_procedure():
    rng = np.random.default_rng(3)
    factors = np.stack([rng.integers(0, k, 900) for k in (3, 5, 7)], axis=1)
    codes = factors @ rng.normal(size=(3, 6)) + rng.normal(size=(900, 6))
    result = score_details(codes, factors, "mig", num_train=600)["mig"]
    expected = []
    for column in factors[:600].T:
        information = sorted(
            mutual_info_score(np.digitize(c, np.histogram(c, 20)[1][:-1]), column)
            for c in codes[:600].T
        )
        gap = information[-1] - information[-2]
        expected.append(gap / mutual_info_score(column, column))
    np.testing.assert_allclose(result.per_factor["score"], expected, atol=1e-12)
    assert result.values["score"] == pytest.approx(np.mean(expected), abs=1e-12)


def test_mig_golden_identity_and_duplicated_code():
    rng = np.random.default_rng(4)
    factors = rng.integers(0, 10, (2000, 4))
    identity = score_details(factors, factors, "mig")["mig"]
    assert identity.values["score"] >= 0.9
    twice = score_details(np.hstack([factors, factors]), factors, "mig")["mig"]
    assert twice.values["score"] == pytest.approx(0.0, abs=1e-12)


def test_mig_is_zero_for_a_circle_in_two_codes():
    angle = np.random.default_rng(5).integers(0, 16, 4000)
    turn = 2 * np.pi * angle / 16
    codes = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    assert score_details(codes, angle[:, None], "mig")["mig"].values["score"] < 0.05


def test_mig_of_one_code_is_refused():
    factors = np.arange(30)[:, None] % 3
    with pytest.raises(UserError, match="two best codes, but codes has one column"):
        score_details(factors, factors, "mig")
