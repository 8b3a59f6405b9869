"""Deterministic scores against transcriptions of their definitions, and by hand."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from disentangle.errors import UserError
from disentangle.metrics import Settings, read_representation, score_details
from disentangle.metrics.explicitness import explicitness, roc_area, standardised
from disentangle.metrics.irs import irs
from disentangle.metrics.modularity import modularity, pureness
from disentangle.metrics.sap import sap, threshold_accuracy
from disentangle.metrics.unsupervised import unsupervised
from metrics.literal import LITERAL


def table_of(kind, dtype, rows=1500, seed=0):
    """Factors and codes of a kind: what encoders make, and what breaks scores."""
    rng = np.random.default_rng(seed)
    sizes = {"many values": (40, 2, 25, 3, 7, 10)}.get(kind, (3, 6, 11, 4))
    factors = np.stack([rng.integers(0, k, rows) for k in sizes], axis=1)
    clean = factors / np.array(sizes)
    noise = rng.normal(size=(rows, 3))
    codes = {
        "mixed": np.hstack([clean @ rng.normal(size=(len(sizes), 6)), noise]),
        "many values": np.hstack([np.sin(6 * clean), 0.01 * noise, clean + 5]),
        "scaled": np.hstack([clean, noise]) * np.logspace(-2, 2, len(sizes) + 3),
        "integer": np.hstack(
            [factors, factors[:, :2] + factors[:, 2:4], noise.round()]
        ),
        "circle": np.hstack([np.sin(6.3 * clean), np.cos(6.3 * clean), noise**3]),
    }[kind]
    return codes.astype(dtype), factors


KINDS = ("mixed", "many values", "scaled", "integer", "circle")


QUICK = {("mixed", np.float32), ("scaled", np.float64), ("integer", np.float32)}
TABLES = [
    pytest.param(kind, dtype, marks=() if (kind, dtype) in QUICK else pytest.mark.slow)
    for kind in KINDS
    for dtype in (np.float32, np.float64)
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("kind", "dtype"), TABLES)
@pytest.mark.parametrize("name", LITERAL)
def test_scores_equal_their_definitions(name, kind, dtype):
    codes, factors = table_of(kind, dtype)
    found = score_details(codes, factors, name, num_train=1000, num_test=500)[name]
    expected = LITERAL[name](codes[:1000], factors[:1000], codes[1000:], factors[1000:])
    assert found.values == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", ["sap", "modularity", "irs"])
def test_dead_and_duplicated_codes_are_in_the_definition(name):
    codes, factors = table_of("mixed", np.float64)
    codes = np.hstack([codes, np.full((len(codes), 2), 0.1), codes[:, :2]])
    found = score_details(codes, factors, name, num_train=1000, num_test=500)[name]
    expected = LITERAL[name](codes[:1000], factors[:1000], codes[1000:], factors[1000:])
    assert found.values == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["explicitness", "unsupervised"])
def test_dead_codes_change_nothing_where_the_definition_divides_by_zero(name):
    codes, factors = table_of("mixed", np.float64)
    dead = np.hstack([codes, np.full((len(codes), 2), 0.1)])
    plain = score_details(codes, factors, name, num_train=1000)[name].values
    found = score_details(dead, factors, name, num_train=1000)[name].values
    if name == "unsupervised":  # a mean over 11 * 10 pairs, not 9 * 8
        found["mutual_information"] *= 110 / 72
    assert found == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("protocol", ["locatello", "paper"])
def test_threads_and_the_seed_change_nothing_here(jobs, protocol):
    codes, factors = table_of("mixed", np.float64, rows=400)
    one = score_details(codes, factors, list(LITERAL), Settings(0, protocol=protocol))
    other = score_details(
        codes, factors, list(LITERAL), Settings(5, protocol=protocol, jobs=jobs)
    )
    assert {n: r.values for n, r in one.items()} == {
        n: r.values for n, r in other.items()
    }


def best_by_enumeration(codes, values):
    """Balanced accuracy of every choice of cuts and names, the best."""
    kinds, distinct = np.unique(values), np.unique(codes)
    best = 0.0
    for count in range(min(len(kinds), len(distinct))):
        for cuts in itertools.combinations(distinct[1:], count):
            place = np.searchsorted(np.array(cuts), codes, side="right")
            for names in itertools.product(kinds, repeat=count + 1):
                guess = np.array(names)[place]
                best = max(best, balanced_accuracy_score(values, guess))
    return best


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_thresholds_are_the_best_of_all():
    rng = np.random.default_rng(0)
    for kinds in (2, 3):
        codes = rng.integers(0, 6, (15, 4)) + np.array([0.0, 0.5, 0.0, 1.0])
        values = rng.permutation(np.arange(15) % kinds)
        expected = [best_by_enumeration(column, values) for column in codes.T]
        np.testing.assert_allclose(threshold_accuracy(codes, values), expected)


def test_sap_paper_of_a_perfect_code_is_one_minus_chance():
    rng = np.random.default_rng(1)
    factors = rng.integers(0, 4, (9000, 2))
    table = read_representation(factors.astype(float), factors)
    found = sap(table, Settings(protocol="paper"))
    np.testing.assert_allclose(np.diag(found.arrays["predictability"]), 1.0)
    assert found.values["score"] == pytest.approx(0.75, abs=0.05)
    wide = read_representation(factors * [1.0, 1e6], factors)
    assert sap(wide, Settings(protocol="paper")).values == found.values


def test_sap_of_quantities_is_the_gap_of_squared_correlations():
    codes, factors = table_of("mixed", np.float64)
    codes[:, 0] = 3.0
    table = read_representation(codes, factors, num_train=1000, num_test=0)
    found = sap(table, Settings(), continuous_factors=True).arrays["predictability"]
    expected = np.corrcoef(codes[:1000, 1:].T, factors[:1000].T)[:8, 8:] ** 2
    np.testing.assert_allclose(found[1:], expected, atol=1e-12)
    assert np.all(found[0] == 0)


@pytest.mark.parametrize("protocol", ["locatello", "paper"])
def test_sap_of_duplicated_codes_is_zero(protocol):
    factors = np.random.default_rng(9).integers(0, 5, (900, 2))
    table = read_representation(np.hstack([factors, factors]) / 5, factors)
    assert sap(table, Settings(protocol=protocol)).values["score"] == 0.0


def test_sap_refuses_one_code_and_no_test_rows():
    factors = np.arange(30)[:, None] % 3
    with pytest.raises(UserError, match="codes has one column"):
        sap(read_representation(factors, factors), Settings())
    codes = np.hstack([factors, factors])
    with pytest.raises(UserError, match="sap needs test rows"):
        sap(read_representation(codes, factors, num_train=30), Settings())


def test_pureness_by_hand():
    information = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [2.0, 1.0, 1.0], [0] * 3])
    np.testing.assert_allclose(pureness(information), [1.0, 0.5, 0.75, 0.0])
    np.testing.assert_allclose(pureness(np.array([[0.3], [0.0]])), [1.0, 0.0])


def test_modularity_of_a_duplicated_code_stays_and_of_a_sum_falls():
    factors = np.random.default_rng(2).integers(0, 8, (3000, 2))
    both = np.hstack([factors, factors])
    table = read_representation(both, factors)
    assert modularity(table, Settings()).values["score"] > 0.99
    mixed = read_representation(factors @ [[1.0, 1.0], [1.0, -1.0]], factors)
    assert modularity(mixed, Settings()).values["score"] < 0.1


def test_roc_area_is_scikit_learns_and_drops_classes_it_cannot_judge():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 4, 200)
    scores = rng.integers(0, 9, (200, 4)) + (values[:, None] == np.arange(4))
    each = [roc_auc_score(values == k, scores[:, k]) for k in range(4)]
    assert roc_area(scores, np.arange(4), values) == pytest.approx(np.mean(each))
    few = values < 2
    each = [roc_auc_score(values[few] == k, scores[few, k]) for k in range(2)]
    kept = roc_area(scores[few], np.arange(4), values[few])
    assert kept == pytest.approx(np.mean(each))
    assert roc_area(scores[:1], np.arange(4), values[:1]) == 0.5


def test_explicitness_of_gaussian_classes_is_the_normal_integral():
    """Two unit Gaussians d apart: the area is Phi(d / sqrt 2)."""
    rng = np.random.default_rng(4)
    values = rng.integers(0, 2, 30_000)
    codes = rng.normal(size=(30_000, 2))
    codes[:, 0] += 1.5 * values
    table = read_representation(codes, values[:, None])
    for protocol in ("locatello", "paper"):
        parts = explicitness(table, Settings(protocol=protocol)).values
        assert parts["test"] == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=0.01)


def test_explicitness_needs_no_value_to_be_everywhere():
    rng = np.random.default_rng(5)
    factors = np.stack([np.arange(60) % 30, rng.integers(0, 2, 60)], axis=1)
    factors[40:45, 0] = 99  # seen in test only
    codes = factors + rng.normal(size=(60, 2))
    for protocol in ("locatello", "paper"):
        parts = explicitness(
            read_representation(codes, factors, num_train=40),
            Settings(protocol=protocol),
        ).values
        assert all(0 <= value <= 1 for value in parts.values())


def test_standardised_codes_and_constant_ones():
    codes = np.array([[1.0, 0.1, 1e-30], [3.0, 0.1, 3e-30]])
    train, test = standardised(codes, np.array([[5.0, 9.0, 5e-30]]))
    np.testing.assert_allclose(train, [[-1, 0, -1], [1, 0, 1]])
    np.testing.assert_allclose(test, [[3, 0, 3]])
    narrow = standardised(codes.astype(np.float32), codes.astype(np.float32))
    assert all(np.isfinite(part).all() and part.dtype == np.float32 for part in narrow)


def test_irs_by_hand():
    """Code 0 is factor 0 (reach 1, no deviation); code 1 turns on both: 1 - 1/2."""
    factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    codes = np.stack([2.0 * factors[:, 0], factors[:, 0] + factors[:, 1]], axis=1)
    table = read_representation(codes, factors, num_train=4)
    found = irs(table, Settings(protocol="paper"))
    np.testing.assert_allclose(found.arrays["robustness"], [[1, 0], [0.5, 0.5]])
    assert found.values["score"] == pytest.approx(0.75)
    assert found.per_code["score"] == pytest.approx((1.0, 0.5))


def test_irs_paper_does_not_bin_and_locatello_does():
    factors = np.random.default_rng(6).integers(0, 40, (4000, 2))
    table = read_representation(factors.astype(float), factors)
    assert irs(table, Settings(protocol="paper")).values["score"] == 1.0
    assert 0.9 < irs(table, Settings()).values["score"] < 1.0


def test_total_correlation_of_two_correlated_gaussians():
    """-log(1 - r^2) / 2, and its Wasserstein form by 2 x 2 eigenvalues."""
    rng = np.random.default_rng(7)
    pair = rng.normal(size=(3000, 2)) @ [[1.0, 0.6], [0.0, 0.8]]
    table = read_representation(pair, np.arange(3000)[:, None] % 2, num_train=3000)
    parts = unsupervised(table, Settings()).values
    r = np.corrcoef(pair.T)[0, 1]
    expected = -0.5 * np.log(1 - r**2)
    assert parts["gaussian_total_correlation"] == pytest.approx(expected, abs=1e-9)
    unit = read_representation(
        pair / pair.std(axis=0, ddof=1), table.factors, num_train=3000
    )
    parts = unsupervised(unit, Settings()).values
    expected = 4 - 2 * (np.sqrt(1 + r) + np.sqrt(1 - r))
    assert parts["wasserstein_correlation"] == pytest.approx(expected, abs=1e-9)
    norm_ = parts["wasserstein_correlation_norm"]
    assert norm_ == pytest.approx(expected / 2, abs=1e-9)


def test_a_duplicated_code_is_maximally_dependent_and_finite():
    codes = np.random.default_rng(8).normal(size=(2000, 2))
    twice = np.hstack([codes, codes])
    table = read_representation(twice, np.arange(2000)[:, None] % 2, num_train=2000)
    parts = unsupervised(table, Settings()).values
    assert 15 < parts["gaussian_total_correlation"] < 100
    expected = (4 - 2 * np.sqrt(2)) / 2  # eigenvalues 2, 0 of each pair
    assert parts["wasserstein_correlation_norm"] == pytest.approx(expected, abs=1e-3)


def test_one_code_depends_on_nothing():
    factors = np.arange(60)[:, None] % 3
    table = read_representation(factors + 0.5, factors, num_train=60)
    parts = unsupervised(table, Settings()).values
    assert list(parts.values()) == pytest.approx([0.0] * 4, abs=1e-12)
