"""RMIG and JEMMIG of the paper against sums of normal masses and planted codes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from disentangle.metrics import Settings, read_representation
from disentangle.metrics.jemmig import jemmig
from disentangle.metrics.quantised import bin_mass, quantised
from disentangle.metrics.rmig import rmig

PAPER = Settings(protocol="paper")
ROWS = 600
EDGES = np.linspace(-4, 4, 101)


def nats(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return -np.sum(p * np.log(p))


def masses(mean, sigma):
    """Mass of each bin by the normal distribution function; tails in the outer bins."""
    edges = EDGES.copy()
    edges[0], edges[-1] = -np.inf, np.inf
    return np.diff(norm.cdf(edges, mean, sigma))


def bits():
    return np.stack([np.arange(ROWS) % 2, np.arange(ROWS) // 2 % 2], axis=1)


@pytest.mark.parametrize("sigma", [0.01, 0.3, 2.0])
def test_bin_mass_is_that_of_the_normal_distribution(sigma):
    means = np.array([-7.0, -0.013, 0.0, 2.5, 9.0])
    found = bin_mass(means, np.full(5, 2 * np.log(sigma)))
    expected = [masses(mean, sigma) for mean in means]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    certain = bin_mass(means, None)
    narrow = bin_mass(means + 1e-6, np.full(5, -60.0))
    np.testing.assert_allclose(certain, narrow, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_scores_of_two_gaussians_by_hand(sigma):
    """One code is at -1 or 1 by the first bit, one by the second, one by neither."""
    codes = np.hstack([2.0 * bits() - 1.0, np.zeros((ROWS, 1))])
    # All rows train.
    table = read_representation(
        codes, bits(), num_train=ROWS, logvars=np.full(codes.shape, 2 * np.log(sigma))
    )
    low, high = masses(-1.0, sigma), masses(1.0, sigma)
    information = nats((low + high) / 2) - (nats(low) + nats(high)) / 2
    found = rmig(table, PAPER)
    assert found.values["raw"] == pytest.approx(information, abs=1e-9)
    assert found.values["score"] == pytest.approx(information / np.log(2), abs=1e-9)
    joint = nats(np.concatenate([low, high]) / 2)
    paper = jemmig(table, PAPER)
    raw = joint - information
    assert paper.values["raw"] == pytest.approx(raw, abs=1e-9)
    scaled = 1 - raw / (np.log(2) + np.log(100))
    assert paper.values["score"] == pytest.approx(scaled, abs=1e-9)
    assert paper.metadata["bins"] == 100


def test_wide_posteriors_have_the_authors_estimate():
    """They take densities at the middles of bins, over their sum."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (500, 1))
    means = labels - 1.5 + 0.3 * rng.normal(size=(500, 1))
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    density = norm.pdf(middles, means, 0.4)
    share = density / density.sum(axis=1, keepdims=True)
    both = np.stack([share[labels[:, 0] == v].sum(axis=0) for v in range(4)]) / 500
    expected = nats(both.sum(axis=0)) + nats(both.sum(axis=1)) - nats(both.ravel())
    spread = np.full((500, 1), 2 * np.log(0.4))
    table = read_representation(means, labels, num_train=500, logvars=spread)
    found = quantised(table, labels)
    assert found.information[0, 0] == pytest.approx(expected, abs=2e-3)
    assert found.entropy[0] == pytest.approx(nats(both.sum(axis=1)), abs=1e-12)


def test_means_that_vary_by_less_than_their_noise_say_nothing():
    codes = np.hstack([1e-3 * bits(), np.zeros((ROWS, 1))])
    wide = read_representation(codes, bits(), logvars=np.zeros(codes.shape))
    assert rmig(wide, PAPER).values["score"] < 1e-4
    apart = read_representation(1e3 * codes, bits())
    sure = rmig(apart, PAPER)
    assert sure.values["score"] == pytest.approx(1.0, abs=0.02)
    assert "codes taken as certain" in sure.metadata["note"]


def test_a_categorical_latent_has_its_values_as_bins():
    """Three probabilities are one code; its most probable value is the factor."""
    values = np.arange(ROWS) % 3
    codes = np.hstack([np.eye(3)[values] * 0.8 + 0.1, np.zeros((ROWS, 1))])
    table = read_representation(codes, values[:, None], num_train=ROWS)
    table = replace(table, categorical=((0, 1, 2),))
    found = rmig(table, PAPER)
    assert found.arrays["mutual_information"].shape == (2, 1)
    assert found.values["score"] == pytest.approx(1.0)
    # Three columns of it tell of each other: no gap is left.
    assert rmig(replace(table, categorical=()), PAPER).values["score"] < 0.3
    raw = jemmig(table, PAPER).values["raw"]
    assert raw == pytest.approx(0.0, abs=1e-9)  # H(z, y) = H(y) = I


def test_jemmig_without_posteriors_is_certain_and_says_so():
    table = read_representation(
        np.hstack([bits(), bits() * 0.0]), bits(), num_train=ROWS
    )
    paper = jemmig(table, PAPER)
    # Each code is its bit: H(z, y) = I(1), and the others know nothing of it.
    assert paper.values["score"] == pytest.approx(1.0, abs=1e-9)
    assert "codes taken as certain" in paper.metadata["note"]
    assert "note" not in jemmig(table, Settings()).metadata
