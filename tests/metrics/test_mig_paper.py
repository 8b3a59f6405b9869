"""MIG of Gaussian posteriors against integrals of their mixtures."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

from disentangle.metrics import Settings, score_details
from disentangle.metrics.posterior_information import mixture_entropy

PAPER = Settings(protocol="paper")
ROWS = 2000


def paper(codes, factors, logvars=None, settings=PAPER):
    return score_details(
        codes, factors, "mig", settings, num_train=len(codes), logvars=logvars
    )["mig"]


def integral(centres, sigma):
    """H of an even mixture of Gaussians of one width, by quadrature."""

    def integrand(z):
        q = np.mean(norm.pdf(z, centres, sigma))
        return -q * np.log(q) if q > 0 else 0.0

    edges = (min(centres) - 9 * sigma, max(centres) + 9 * sigma)
    return quad(integrand, *edges, limit=400, points=list(centres))[0]


def test_mixture_entropy_equals_the_integral():
    rng = np.random.default_rng(0)
    centres, sigma = np.array([-2.0, 0.5, 1.0]), 0.4
    draws = rng.choice(centres, 200_000) + sigma * rng.standard_normal(200_000)
    spread = np.full(3, 2 * np.log(sigma))
    # The standard deviation of -log q is about 0.8.
    assert mixture_entropy(draws, centres, spread) == pytest.approx(
        integral(centres, sigma), abs=0.008
    )


def test_mixture_entropy_equals_the_literal_sum_in_chunks(monkeypatch):
    rng = np.random.default_rng(1)
    draws, centre, spread = rng.normal(size=(3, 70))
    log_q = logsumexp(
        norm.logpdf(draws[:, None], centre, np.exp(spread / 2)), axis=1
    ) - np.log(70)
    monkeypatch.setattr("disentangle.metrics.posterior_information.CHUNK", 200)
    found = mixture_entropy(draws, centre, spread)
    assert found == pytest.approx(-log_q.mean(), abs=1e-12)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 2.0])
def test_mig_of_two_gaussians_equals_the_integral(sigma):
    """One code is at -1 or 1 by a bit, one holds another bit, two hold nothing."""
    bits = np.stack([np.arange(ROWS) % 2, np.arange(ROWS) // 2 % 2], axis=1)
    codes = np.hstack([2.0 * bits - 1.0, np.zeros((ROWS, 2))])
    logvars = np.full(codes.shape, 2 * np.log(sigma))
    information = (
        integral([-1.0, 1.0], sigma) - 0.5 * np.log(2 * np.pi * np.e) - (np.log(sigma))
    )
    result = paper(codes, bits, logvars)
    found = result.arrays["mutual_information"]
    np.testing.assert_allclose(np.diag(found[:2]), information, atol=0.02)
    np.testing.assert_allclose(found[2:], 0.0, atol=1e-9)
    assert result.values["score"] == pytest.approx(information / np.log(2), abs=0.03)
    assert result.metadata["samples"] == 10_000


def test_a_collapsed_code_says_nothing_however_its_means_vary():
    """The histogram is fooled by means that vary by less than the noise."""
    bit = np.arange(ROWS)[:, None] % 2
    codes = np.hstack([1e-3 * bit, np.zeros_like(bit)])
    flat = np.zeros(codes.shape)
    assert paper(codes, bit, flat).values["score"] < 0.01
    locatello = paper(codes, bit, flat, Settings())
    assert locatello.values["score"] == pytest.approx(1.0)


def test_copies_of_a_code_have_no_gap():
    bit = np.arange(ROWS)[:, None] % 2
    codes = np.hstack([bit, bit]).astype(float)
    assert paper(codes, bit, np.full(codes.shape, -3.0)).values["score"] < 1e-9


def test_without_log_variances_the_codes_are_certain_and_ran_says_so():
    rng = np.random.default_rng(2)
    factors = rng.integers(0, 4, (600, 2))
    codes = factors + rng.normal(size=factors.shape)
    certain = paper(codes, factors)
    assert certain.values == paper(codes, factors, settings=Settings()).values
    assert "no log-variances" in certain.metadata["note"]


def test_extreme_log_variances_and_any_number_of_threads():
    rng = np.random.default_rng(3)
    factors = rng.integers(0, 4, (300, 2))
    codes = factors + rng.normal(size=factors.shape)
    logvars = rng.choice([-1e29, -3.0, 0.0, 1e29], codes.shape)
    one = paper(codes, factors, logvars, Settings(protocol="paper", jobs=1))
    two = paper(codes, factors, logvars, Settings(protocol="paper", jobs=2))
    assert np.isfinite(one.values["score"])
    assert one.values == two.values
