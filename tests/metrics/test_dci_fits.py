"""DCI through its classifiers: known codes, both backends, threads."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from disentangle.errors import UserError
from disentangle.metrics import Settings, score, score_details
from disentangle.metrics.trees import BACKENDS

SIZES = (2, 4, 3)
# |reference - fast|, over the encoders below: as much as between two seeds.
PARITY = 0.01


def drawn_factors(rows, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, k, rows) for k in SIZES], axis=1)


def encoder(factors, mix, noise, seed=1):
    """Linear codes: one factor a code at mix 0, all in all at mix 1."""
    rng = np.random.default_rng(seed)
    spread = (factors - factors.mean(0)) / factors.std(0)
    weights = (1 - mix) * np.eye(3, 5) + mix * rng.normal(size=(3, 5))
    return spread @ weights + noise * rng.normal(size=(len(factors), 5))


@pytest.mark.parametrize("backend", BACKENDS)
def test_codes_that_are_the_factors_score_one(backend):
    factors = drawn_factors(400)
    codes = np.hstack([factors, np.random.default_rng(2).normal(size=(400, 2))])
    parts = score(codes, factors, "dci", backend=backend)
    assert min(parts.values()) > 0.99


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_scores_at_the_floor(backend):
    factors = drawn_factors(400)
    codes = np.random.default_rng(3).normal(size=(400, 5))
    parts = score(codes, factors, "dci", backend=backend)
    assert parts["dci/disentanglement"] < 0.1
    assert parts["dci/completeness"] < 0.1
    assert abs(parts["dci/informativeness_test"] - np.mean(1 / np.array(SIZES))) < 0.1


def test_reference_is_the_literal_procedure():
    factors = drawn_factors(300)
    codes = encoder(factors, 0.4, 0.3)
    result = score_details(
        codes, factors, "dci", Settings(seed=5, jobs=2), num_train=200
    )["dci"]
    for j in range(3):
        model = GradientBoostingClassifier(random_state=5)
        model.fit(codes[:200], factors[:200, j])
        np.testing.assert_allclose(
            result.arrays["importance"][:, j], model.feature_importances_, atol=1e-12
        )
        right = model.predict(codes[200:]) == factors[200:, j]
        assert result.per_factor["informativeness_test"][j] == np.mean(right)
    assert result.values["informativeness_test"] == pytest.approx(
        np.mean(result.per_factor["informativeness_test"])
    )


SLOW = [pytest.param(*x, marks=pytest.mark.slow) for x in ((0.0, 0.5), (1.0, 0.3))]


@pytest.mark.parametrize(("mix", "noise"), [(0.3, 0.2), *SLOW])
def test_fast_agrees_with_reference(mix, noise):
    factors = drawn_factors(400)
    codes = encoder(factors, mix, noise)
    reference = score(codes, factors, "dci")
    fast = score(codes, factors, "dci", backend="fast")
    for part, value in reference.items():
        assert fast[part] == pytest.approx(value, abs=PARITY), part


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_and_repeats_change_nothing(backend):
    factors = drawn_factors(200)
    codes = encoder(factors, 0.5, 0.3)
    runs = [
        score_details(
            codes, factors, "dci", Settings(seed=3, backend=backend, jobs=jobs)
        )["dci"]
        for jobs in (1, 3)
    ]
    np.testing.assert_array_equal(
        runs[0].arrays["importance"], runs[1].arrays["importance"]
    )
    assert runs[0].values == runs[1].values


@pytest.mark.slow
def test_a_rotated_code_collapses_though_a_linear_probe_does_not_notice():
    rng = np.random.default_rng(6)
    latent = rng.normal(size=(900, 4))
    factors = np.digitize(latent, [-0.7, 0.0, 0.7])
    turn = np.eye(4)
    for i in range(4):
        for j in range(i):
            givens = np.eye(4)
            angle = np.pi / 9
            givens[i, i] = givens[j, j] = np.cos(angle)
            givens[i, j], givens[j, i] = -np.sin(angle), np.sin(angle)
            turn = turn @ givens
    straight = score(latent, factors, "dci", backend="fast")
    rotated = score(latent @ turn, factors, "dci", backend="fast")
    assert straight["dci/disentanglement"] > 0.95
    assert rotated["dci/disentanglement"] < 0.5
    assert (
        rotated["dci/informativeness_test"] < straight["dci/informativeness_test"] - 0.1
    )
    probes = [
        LogisticRegression(C=100.0, max_iter=2000)
        .fit(codes[:600], factors[:600, 0])
        .score(codes[600:], factors[600:, 0])
        for codes in (latent, latent @ turn)
    ]
    assert probes[1] > probes[0] - 0.03


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_codes_share_the_importance(backend):
    factors = drawn_factors(300)
    details = score_details(
        np.hstack([factors] * 2), factors, "dci", Settings(backend=backend)
    )
    parts, importance = details["dci"].values, details["dci"].arrays["importance"]
    assert parts["disentanglement"] == pytest.approx(1.0, abs=1e-3)
    assert parts["completeness"] == pytest.approx(1 - np.log(2) / np.log(6), abs=0.05)
    assert np.all(importance.max(axis=0) < 0.75)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_test_value_unseen_in_training_counts_as_wrong(backend):
    column = np.concatenate([np.tile([0, 5], 40), np.tile([0, 3, 5, 9], 10)])
    parts = score(
        column[:, None].astype(float), column[:, None], "dci", num_train=80,
        backend=backend,
    )  # fmt: skip
    assert parts["dci/informativeness_train"] == 1.0
    assert parts["dci/informativeness_test"] == 0.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_few_rows_a_value_pass_without_a_warning(backend):
    values = np.arange(24)[:, None] % 9
    parts = score(values, values, "dci", num_train=15, backend=backend)
    assert parts["dci/informativeness_train"] == 1.0


def test_progress_hears_of_every_factor():
    heard = []
    score(
        drawn_factors(60), drawn_factors(60), "dci", backend="fast", jobs=2,
        progress=lambda *event: heard.append(event),
    )  # fmt: skip
    assert heard[0] == ("dci", 0, 1)  # it begins
    assert heard[1:] == [("dci", 1, 3), ("dci", 2, 3), ("dci", 3, 3)]


def test_dci_without_test_rows_is_refused():
    factors = drawn_factors(60)
    with pytest.raises(UserError, match="dci needs test rows, but all 60 rows"):
        score(factors, factors, "dci", num_train=60)
