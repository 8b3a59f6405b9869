"""Rotated latents against closed forms: what must stay, and what a score sees."""

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.study.rotation import (
    gaussian_code,
    givens,
    linear_probe,
    marginals,
    rotated_elbo,
    trained,
)


@pytest.fixture(scope="module")
def run(toy):
    return dt.train(
        "beta_vae", toy, steps=3, encoder="dense", decoder="dense", progress=False
    )


def test_two_axes_turn_as_in_the_textbook():
    third = np.pi / 3
    expected = [[np.cos(third), -np.sin(third)], [np.sin(third), np.cos(third)]]
    np.testing.assert_allclose(givens(2, 60), expected, atol=1e-15)


@pytest.mark.parametrize("degrees", [0, 5, 20, 200])
def test_it_is_a_rotation_of_every_pair(degrees):
    matrix = givens(5, degrees)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert (np.abs(matrix).min() > 1e-3) == (degrees != 0)  # every entry mixes


def test_the_gaussian_code_holds_each_factor_between_its_quantiles():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, (2, 4), (5000, 2))
    code = gaussian_code(factors, (2, 4), seed=1)
    assert ((code[:, 0] > 0) == (factors[:, 0] == 1)).all()
    # quartiles of N(0, 1)
    cut = np.digitize(code[:, 1], (-0.6744898, 0.0, 0.6744898))
    assert (cut == factors[:, 1]).all()
    found = marginals(code)
    assert found["ks"] < 1.3 * found["ks_critical"]
    assert found["mean"] < 0.05 and found["covariance"] < 0.08


def test_marginals_of_what_is_not_normal():
    """By hand: codes all 1, so the distance is Phi(1) = 0.8413 below the step."""
    found = marginals(np.ones((100, 1)))
    assert found["ks"] == pytest.approx(0.8413447, abs=1e-6)
    assert found["mean"] == 1 and found["covariance"] == 1
    assert found["log_density"] == pytest.approx(-0.5 - 0.9189385, abs=1e-6)
    assert found["ks_critical"] == pytest.approx(0.1358)


@pytest.mark.slow
def test_a_rotation_leaves_density_and_probe():
    rng = np.random.default_rng(2)
    factors = rng.integers(0, (3, 4, 8), (3000, 3))
    code = gaussian_code(factors, (3, 4, 8), seed=3)
    turned = code @ givens(3, 37).T
    still, moved = marginals(code), marginals(turned)
    assert moved["log_density"] == pytest.approx(still["log_density"], abs=1e-12)
    assert moved["ks"] < 1.3 * moved["ks_critical"]
    accuracy = linear_probe(code, factors, (3, 4, 8), 2000)
    assert accuracy > 0.8
    again = linear_probe(turned, factors, (3, 4, 8), 2000)
    assert again == pytest.approx(accuracy, abs=2e-3)
    noise = linear_probe(rng.normal(size=code.shape), factors, (3, 4, 8), 2000)
    assert noise < 0.45  # chance: (1/3 + 1/4 + 1/8) / 3 = 0.24


@pytest.mark.slow
def test_the_bound_of_a_turned_vae_is_the_same(run, toy):
    vae = trained(run, toy, np.arange(60))
    rows = [rotated_elbo(vae, givens(10, angle), seed=0) for angle in (0, 7, 45)]
    for row in rows[1:]:
        for name in ("reconstruction", "kl", "elbo", "aggregate_kl"):
            assert row[name] == pytest.approx(rows[0][name], rel=1e-5), name
    by_hand = np.square(vae.means) + np.exp(vae.logvars) - vae.logvars - 1
    assert rows[0]["kl"] == pytest.approx(0.5 * by_hand.sum(1).mean(), rel=1e-9)


@pytest.mark.slow
def test_a_diagonal_posterior_pays_for_the_rotation(run, toy):
    """By hand for two latents with variances 1 and 1/16 turned by 45 degrees.

    Both variances become 17/32; the loss is (2 log(17/32) - log(1/16)) / 2 nats.
    """
    vae = trained(run, toy, np.arange(4))
    logvars = np.zeros_like(vae.logvars)
    logvars[:, 1] = np.log(1 / 16)
    matrix = np.eye(10)
    matrix[:2, :2] = givens(2, 45)
    gap = rotated_elbo(vae._replace(logvars=logvars), matrix, seed=0)["diagonal_gap"]
    assert gap == pytest.approx(np.log(17 / 32) + np.log(4), abs=1e-12)


@pytest.mark.slow
def test_codes_without_a_posterior_are_refused(toy):
    run = dt.train(
        "autoencoder", toy, steps=1, encoder="dense", decoder="dense", progress=False
    )
    with pytest.raises(UserError, match="no Gaussian posterior"):
        trained(run, toy, np.arange(4))
