"""UDR against a literal transcription, golden populations and hand counts."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler

from disentangle.errors import UserError
from disentangle.metrics import Population, Settings, choose_metrics, score
from disentangle.metrics.udr import gaussian_kl, relative_strength, udr

SETTINGS = Settings(jobs=2)


def turned(codes, angle):
    """The first two codes turned in their plane."""
    out = codes.copy()
    cos, sin = np.cos(angle), np.sin(angle)
    out[:, 0] = cos * codes[:, 0] - sin * codes[:, 1]
    out[:, 1] = sin * codes[:, 0] + cos * codes[:, 1]
    return out


@pytest.fixture
def latents():
    """A grid of 1000 points: exactly uncorrelated."""
    grid = np.stack([axis.ravel() for axis in np.indices((10, 10, 10))], axis=1)
    return np.random.default_rng(0).permutation(grid - 4.5)


def rank(a, b):
    return spearmanr(a, b)[0] if a.any() and b.any() else 0.0


def literal(codes, kl, estimator, threshold=0.01):
    """Pair by pair as in the definition, dead codes as zeros and then cut out."""
    models, pairs = len(codes), np.zeros((len(codes), len(codes)))
    scaled = []
    for z, k in zip(codes, kl, strict=True):
        scaled.append(StandardScaler().fit_transform(z[:1000]) * (k > 0.01))
    for i in range(models):
        for j in range(models):
            if i == j:
                continue
            x, y = scaled[i], scaled[j]
            if estimator == "lasso":
                r = np.abs(Lasso(alpha=0.1).fit(x, y).coef_).T
            else:
                r = [[rank(a, b) for b in y.T] for a in x.T]
                r = np.abs(np.array(r))
            r = r[kl[i] > threshold][:, kl[j] > threshold]
            sides = [
                np.mean(np.nan_to_num(r.max(axis) ** 2 / r.sum(axis)))
                for axis in (0, 1)
            ]
            pairs[i, j] = np.mean(sides)
    scores = [np.median(np.delete(pairs[:, j], j)) for j in range(models)]
    return np.array(scores), pairs


@pytest.mark.parametrize("estimator", ["lasso", "spearman"])
def test_equals_the_literal_procedure(latents, estimator):
    rng = np.random.default_rng(1)
    codes = np.stack([latents @ rng.normal(size=(3, 4)) for _ in range(4)])
    codes += 0.3 * rng.normal(size=codes.shape)
    kl = rng.uniform(0.5, 3.0, (4, 4))
    kl[1, 2] = kl[3, 0] = kl[3, 1] = 0.004
    scores, pairs = literal(codes, kl, estimator)
    found = udr(Population(codes, kl), SETTINGS, estimator=estimator)
    np.testing.assert_allclose(found.arrays["pairs"], pairs, atol=1e-8)
    np.testing.assert_allclose(found.values["score"], scores, atol=1e-8)


@pytest.mark.parametrize("estimator", ["lasso", "spearman"])
def test_same_up_to_order_and_sign_is_the_top_and_a_turned_model_ranks_last(
    latents, estimator
):
    good = [latents, -latents[:, [2, 0, 1]], latents[:, [1, 0, 2]] * [2.0, -1.0, 1.0]]
    codes = np.stack([*good, turned(latents, np.pi / 4)])
    found = udr(Population(codes, np.ones((4, 3))), SETTINGS, estimator=estimator)
    scores = found.values["score"]
    # The Lasso takes its penalty from a coefficient of 1.
    assert scores[:3] == pytest.approx(0.9 if estimator == "lasso" else 1.0)
    assert scores[3] < scores[:3].min() - 0.2


def test_dead_codes_do_not_count_though_their_means_are_noise(latents):
    noise = 1e-3 * np.random.default_rng(2).normal(size=(2, 1000, 2))
    codes = np.concatenate([np.stack([latents, -latents]), noise], axis=2)
    kl = np.array([[2.0, 2.0, 2.0, 1e-3, 0.0]] * 2)
    plain = udr(Population(codes[:, :, :3], kl[:, :3]), SETTINGS)
    found = udr(Population(codes, kl), SETTINGS)
    np.testing.assert_allclose(found.values["score"], plain.values["score"])
    assert found.arrays["informative"].sum() == 6


def test_models_without_a_code_or_with_constant_ones_score_0(latents):
    codes = np.stack([latents, latents, np.full_like(latents, 3.0)])
    kl = np.array([[1.0] * 3, [0.0] * 3, [1.0] * 3])
    found = udr(Population(codes, kl), SETTINGS)
    np.testing.assert_array_equal(found.values["score"], np.zeros(3))


def test_relative_strength_by_hand():
    assert relative_strength(np.eye(3)[[2, 0, 1]]) == 1.0
    assert relative_strength(np.ones((2, 2))) == 0.5
    both = np.array([[1.0, 0.25], [0.0, 0.5]])
    columns, rows = (1 + 1 / 3) / 2, (1 / 1.25 + 0.25 / 0.5) / 2
    assert relative_strength(both) == pytest.approx((columns + rows) / 2)
    assert relative_strength(np.zeros((2, 3))) == 0.0


def test_kl_of_gaussians():
    means = np.array([[[0.0, 2.0], [0.0, 0.0]]])
    logvars = np.log(np.array([[[1.0, 1.0], [1.0, 0.25]]]))
    wide = 0.5 * (0.25 - 1 + np.log(4))
    np.testing.assert_allclose(gaussian_kl(means, logvars), [[0.0, (2.0 + wide) / 2]])


def test_threads_change_nothing_and_what_it_refuses(latents):
    codes = np.stack([latents, turned(latents, 0.3), latents])
    population = Population(codes, np.ones((3, 3)))
    one, two = (udr(population, Settings(jobs=jobs)) for jobs in (1, 2))
    np.testing.assert_array_equal(one.values["score"], two.values["score"])
    with pytest.raises(UserError, match="there is one"):
        udr(Population(codes[:1], np.ones((1, 3))), SETTINGS)
    with pytest.raises(UserError, match="Did you mean 'lasso'"):
        udr(population, SETTINGS, estimator="laso")


def test_one_table_of_codes_cannot_have_it(latents):
    factors = np.arange(1000)[:, None] % 3
    with pytest.raises(UserError, match="udr compares several models, but this is one"):
        score(latents, factors, "mig,udr")
    assert "udr" not in choose_metrics("all")
    assert "udr" in choose_metrics("all", alone="")
