"""MIG-sup, JEMMIG and DCIMIG against hand counts and literal transcriptions."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from disentangle.errors import UserError
from disentangle.metrics import score_details

LOG2 = np.log(2)


def scores(codes, factors, name, **settings):
    found = score_details(codes, factors, name, num_train=len(codes), **settings)
    return found[name]


def cube(sizes):
    """Every combination of values once: the factors are exactly independent."""
    return np.stack([axis.ravel() for axis in np.indices(sizes)], axis=1)


def channel(rows, flips):
    """A fair bit, and the bit with exactly one in `flips` rows flipped."""
    bit = np.arange(rows) % 2
    return bit, bit ^ (np.arange(rows) // 2 % flips == 0)


def binary_entropy(p):
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


@pytest.fixture
def tangled():
    rng = np.random.default_rng(3)
    factors = np.stack([rng.integers(0, k, 900) for k in (3, 5, 7)], axis=1)
    return factors @ rng.normal(size=(3, 6)) + rng.normal(size=(900, 6)), factors


def literal(codes, factors, bins=20):
    """I (D, F), H of codes and factors, H of both, counted with scikit-learn."""
    cut = [np.digitize(c, np.histogram(c, bins)[1][:-1]) for c in codes.T]
    information = np.array([[mutual_info_score(c, y) for y in factors.T] for c in cut])
    entropies = np.array([mutual_info_score(y, y) for y in factors.T])
    joint = np.array(
        [[mutual_info_score(*2 * (100 * c + y,)) for y in factors.T] for c in cut]
    )
    return information, entropies, joint


def test_mig_sup_equals_the_literal_procedure(tangled):
    information, entropies, _ = literal(*tangled)
    gaps = []
    for row in information / entropies:
        a, b = sorted(row)[-2:]
        gaps.append(b - a)
    result = scores(*tangled, "mig_sup")
    np.testing.assert_allclose(result.per_code["score"], gaps, atol=1e-12)
    assert result.values["score"] == pytest.approx(np.mean(gaps), abs=1e-12)


def test_jemmig_equals_the_literal_procedure(tangled):
    information, entropies, joint = literal(*tangled)
    raw = []
    for j in range(3):
        order = np.argsort(information[:, j])
        best, second = order[-1], order[-2]
        raw.append(joint[best, j] - information[best, j] + information[second, j])
    result = scores(*tangled, "jemmig")
    normalised = 1 - np.array(raw) / (entropies + np.log(20))
    np.testing.assert_allclose(result.per_factor["raw"], raw, atol=1e-12)
    np.testing.assert_allclose(result.per_factor["score"], normalised, atol=1e-12)


def test_dcimig_equals_the_literal_procedure(tangled):
    information, entropies, _ = literal(*tangled)
    kept = np.zeros_like(information)
    for i, row in enumerate(information):
        kept[i, row.argmax()] = np.sort(row)[-1] - np.sort(row)[-2]
    expected = kept.max(axis=0).sum() / entropies.sum()
    assert scores(*tangled, "dcimig").values["score"] == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize("name", ["mig_sup", "jemmig", "dcimig"])
def test_golden_codes_equal_to_factors(name):
    factors = cube((2, 4, 5))
    assert scores(factors, factors, name).values["score"] == pytest.approx(1, abs=1e-12)


def test_binary_symmetric_channels():
    """Two independent bits, each through a channel that flips one in 8."""
    first, heard = channel(256, 8)
    second = np.arange(256) // 16 % 2
    information = LOG2 - binary_entropy(1 / 8)
    factors = np.stack([first, second], axis=1)
    codes = np.stack([heard, second], axis=1)
    sup = scores(codes, factors, "mig_sup")
    leak = mutual_info_score(heard, second)
    assert leak == pytest.approx(0, abs=1e-12)
    assert sup.per_code["score"] == pytest.approx((information / LOG2, 1.0))
    both = scores(codes, factors, "dcimig")
    assert both.values["score"] == pytest.approx((information + LOG2) / (2 * LOG2))
    raw = scores(codes, factors, "jemmig").per_factor["raw"]
    assert raw == pytest.approx((2 * binary_entropy(1 / 8), 0.0), abs=1e-12)


def test_a_code_of_two_factors_costs_modularity_not_compactness():
    factors = cube((4, 4))
    both = 4 * factors[:, 0] + factors[:, 1]
    codes = np.stack([both, np.arange(16) % 2], axis=1)
    assert scores(codes, factors, "mig_sup").per_code["score"][0] == pytest.approx(0)
    assert scores(codes, factors, "mig").values["score"] > 0.7


def test_a_second_copy_of_a_code_costs_jemmig_only():
    factors = cube((4, 5))
    codes = np.hstack([factors, factors])
    assert scores(codes, factors, "mig_sup").values["score"] == pytest.approx(1)
    assert scores(codes, factors, "dcimig").values["score"] == pytest.approx(1)
    raw = scores(codes, factors, "jemmig").per_factor["raw"]
    assert raw == pytest.approx((np.log(4), np.log(5)))


def test_a_code_finer_than_its_factor_costs_jemmig_only():
    """20 even values of which each factor value has four: H(z|y) = log 4."""
    factors = cube((5, 4, 3))
    codes = np.stack([factors[:, 0] * 4 + factors[:, 1], factors[:, 2]], axis=1)
    wanted = factors[:, [0, 2]]
    assert scores(codes, wanted, "mig_sup").values["score"] == pytest.approx(1)
    raw = scores(codes, wanted, "jemmig").per_factor["raw"]
    assert raw == pytest.approx((np.log(4), 0.0), abs=1e-12)


def test_dead_codes_by_the_rule_of_each():
    factors = cube((2, 4, 5))
    codes = np.hstack([factors, np.full((40, 2), 7.0), 0.01 * factors[:, :1]])
    sup = scores(codes, factors, "mig_sup")
    assert sup.arrays["active"].tolist() == [True] * 3 + [False] * 3
    assert sup.values["score"] == pytest.approx(1)
    assert sup.metadata["active_codes"] == 3
    assert scores(codes, factors, "dcimig").values["score"] == pytest.approx(1)
    dead = scores(np.ones((40, 2)), factors, "jemmig").per_factor["score"]
    expected = [np.log(20) / (np.log(k) + np.log(20)) for k in (2, 4, 5)]
    assert dead == pytest.approx(expected)


def test_one_factor_has_no_second():
    factor = np.arange(40)[:, None] % 4
    codes = np.hstack([factor, np.zeros_like(factor)])
    for name in ("mig_sup", "dcimig"):
        assert scores(codes, factor, name).values["score"] == pytest.approx(1)


def test_jemmig_of_one_code_is_refused():
    factors = np.arange(30)[:, None] % 3
    with pytest.raises(UserError, match="two best codes, but codes has one column"):
        scores(factors, factors, "jemmig")
