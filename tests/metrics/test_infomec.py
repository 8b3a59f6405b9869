"""InfoMEC against golden codes, hand counts and a literal transcription."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mutual_info_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from disentangle.metrics import Settings, score_details
from disentangle.metrics.infomec import concentration

MODULES = ("modularity", "compactness", "modularity_iqr", "compactness_iqr")


def infomec(codes, factors, **settings):
    chosen = Settings(**settings)
    return score_details(codes, factors, "infomec", chosen, num_train=len(codes))[
        "infomec"
    ]


def cube(sizes, copies=1):
    """Every combination of values: the factors are exactly independent."""
    grid = np.stack([axis.ravel() for axis in np.indices(sizes)], axis=1)
    return np.tile(grid, (copies, 1))


def literal(codes, factors, discrete, seed):
    """The definition step by step, all codes of one kind: NMI (F, D) and InfoE."""
    nmi = np.zeros((factors.shape[1], codes.shape[1]))
    for i, y in enumerate(factors.T):
        for j in range(codes.shape[1]):
            column = codes[:, [j]]
            if discrete:
                nmi[i, j] = mutual_info_score(y, column[:, 0])
            else:
                scaled = StandardScaler().fit_transform(column)
                nmi[i, j] = mutual_info_classif(
                    scaled,
                    y,
                    discrete_features=False,
                    n_neighbors=10,
                    random_state=seed,
                )[0]
        nmi[i] /= mutual_info_score(y, y)
    encoder = OneHotEncoder() if discrete else StandardScaler()
    encoded = encoder.fit_transform(codes)
    shares = []
    for y in factors.T:
        losses = []
        for x in (np.zeros(codes.shape), encoded):
            model = LogisticRegression(C=np.inf, class_weight="balanced")
            losses.append(log_loss(y, model.fit(x, y).predict_proba(x)))
        shares.append((losses[0] - losses[1]) / losses[0])
    return nmi, np.mean(shares)


def shares(nmi, axis):
    n = nmi.shape[axis]
    return (np.mean(nmi.max(axis) / nmi.sum(axis)) - 1 / n) / (1 - 1 / n)


@pytest.mark.parametrize("discrete", [False, True])
def test_equals_the_literal_procedure(discrete):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 500) for k in (3, 5)], axis=1)
    codes = factors @ rng.normal(size=(2, 4)) + 0.5 * rng.normal(size=(500, 4))
    codes[:, 3] *= 0.01  # out by both rules
    codes[:400, 2] *= 0.01  # out by quartiles only
    if discrete:
        codes = np.round(codes / codes.std(axis=0))
        codes[codes[:, 1] != -1.0, 1] = 0.0  # an interquartile range of 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        nmi, explicit = literal(codes, factors, discrete, seed=5)
    wide = np.ptp(codes, axis=0)
    low, high = np.quantile(codes, [0.25, 0.75], axis=0)
    rules = {
        "": wide > (0 if discrete else wide.max() / 20),
        "_iqr": high - low > (0.1 if discrete else (high - low).max() / 10),
    }
    assert rules[""].sum() != rules["_iqr"].sum()
    result = infomec(codes, factors, seed=5)
    assert result.metadata["discrete_codes"] == (4 if discrete else 0)
    np.testing.assert_allclose(
        result.arrays["normalised_information"], nmi.T, atol=1e-10
    )
    for rule, active in rules.items():
        kept = nmi[:, active]
        assert result.values[f"modularity{rule}"] == pytest.approx(shares(kept, 0))
        assert result.values[f"compactness{rule}"] == pytest.approx(shares(kept, 1))
    assert result.values["explicitness"] == pytest.approx(explicit, abs=1e-6)


def test_golden_perfect_codes_are_1_1_1():
    factors = cube((3, 4, 5), copies=5)
    discrete = infomec(factors, factors)
    assert discrete.values == pytest.approx(
        dict.fromkeys(discrete.values, 1.0), abs=1e-3
    )
    jitter = 1e-3 * np.random.default_rng(1).random(factors.shape)
    continuous = infomec(factors + jitter, factors)
    assert continuous.metadata["discrete_codes"] == 0
    for part in (*MODULES, "explicitness"):
        assert continuous.values[part] >= 0.95, part


def test_hand_counts_of_a_shared_and_a_doubled_code():
    """One code holds both bits, one holds the first bit again."""
    bits = cube((2, 2), copies=5)
    codes = np.stack([2 * bits[:, 0] + bits[:, 1], bits[:, 0]], axis=1)
    parts = infomec(codes, bits).values
    assert parts["modularity"] == pytest.approx((0 + 1) / 2)
    assert parts["compactness"] == pytest.approx((0 + 1) / 2)


@pytest.mark.parametrize("flips", [0.1, 0.3])
def test_explicitness_of_a_binary_channel_is_its_capacity_in_bits(flips):
    rows = 1000
    bit = np.arange(rows) % 2
    heard = bit ^ (np.arange(rows) // 2 % 500 < 500 * flips)
    codes = heard[:, None].astype(float)
    entropy = -flips * np.log2(flips) - (1 - flips) * np.log2(1 - flips)
    parts = infomec(codes, bit[:, None]).values
    assert parts["explicitness"] == pytest.approx(1 - entropy, abs=1e-4)


def test_rotation_keeps_explicitness_of_a_linear_code_only_where_it_is_linear():
    bits = cube((2, 2), copies=50) - 0.5
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    jitter = 0.05 * np.random.default_rng(2).normal(size=bits.shape)
    parts = infomec((bits + jitter) @ turn, (bits > 0).astype(int)).values
    assert parts["explicitness"] >= 0.95
    assert parts["modularity"] <= 0.1


def test_a_factor_on_a_circle_is_modular_and_explicit_but_not_compact():
    factors = cube((16, 4), copies=10)
    turn = 2 * np.pi * factors[:, 0] / 16
    codes = np.stack([np.cos(turn), np.sin(turn), factors[:, 1]], axis=1)
    codes += 0.01 * np.random.default_rng(6).normal(size=codes.shape)
    result = infomec(codes, factors)
    assert result.per_factor["compactness"][0] < 0.3
    assert result.per_factor["compactness"][1] > 0.95
    assert result.values["modularity"] > 0.95
    assert result.values["explicitness"] > 0.9


def test_exclusive_or_is_not_explicit():
    bits = cube((2, 2), copies=50)
    jitter = 0.05 * np.random.default_rng(3).normal(size=bits.shape)
    parts = infomec(bits + jitter, (bits[:, :1] ^ bits[:, 1:])).values
    assert abs(parts["explicitness"]) < 0.02


def test_mixed_kinds_and_what_would_divide_by_zero():
    factors = cube((2, 5), copies=20)
    noise = np.random.default_rng(4).normal(size=(200, 1))
    mixed = infomec(np.hstack([factors[:, :1], noise, 0 * noise]), factors)
    assert mixed.metadata["discrete_codes"] == 2
    assert mixed.arrays["active"].tolist() == [True, True, False]
    dead = infomec(np.ones((200, 3)), factors)
    assert dead.values == pytest.approx(dict.fromkeys(dead.values, 0.0), abs=1e-9)
    alone = infomec(factors[:, :1], factors[:, :1]).values
    assert alone == pytest.approx(dict.fromkeys(alone, 1.0), abs=1e-3)
    np.testing.assert_array_equal(concentration(np.zeros((2, 0))), [0.0, 0.0])


def test_threads_change_nothing_and_the_seed_only_the_noise_against_ties():
    rng = np.random.default_rng(5)
    factors = rng.integers(0, 4, (300, 2))
    codes = factors + rng.normal(size=factors.shape)
    one, two = (infomec(codes, factors, jobs=jobs).values for jobs in (1, 2))
    assert one == two
    assert infomec(codes, factors, seed=9).values == pytest.approx(one, abs=1e-3)
