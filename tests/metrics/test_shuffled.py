"""The shuffled floor against the closed form of the bias, and against planted codes."""

import numpy as np
import pytest

from disentangle.metrics.base import Representation, Settings
from disentangle.metrics.discretize import histogram_bins
from disentangle.metrics.mig import mig
from disentangle.metrics.mutual_information import mutual_information
from disentangle.metrics.shuffled import shuffled_floor, shuffled_information

SIZES = (3, 6, 40)
ROWS = 4000


def table(latents, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.stack([rng.integers(0, size, ROWS) for size in SIZES], axis=1)
    return rng.uniform(size=(ROWS, latents)), labels


@pytest.mark.parametrize("latents", [1, 10])
def test_the_mean_is_the_bias_of_the_plug_in_estimate(latents):
    """(A - 1)(B - 1) / 2N nats (Miller 1955), A = 20 bins, all of them filled."""
    codes, labels = table(latents)
    measured = shuffled_information(histogram_bins(codes), labels).mean(0)
    expected = np.array([19 * (size - 1) / (2 * ROWS) for size in SIZES])
    assert measured == pytest.approx(expected, rel=0.1)


def test_codes_that_hold_nothing_stay_below_and_others_above():
    codes, labels = table(200)
    bins = histogram_bins(codes)
    floor = shuffled_floor(bins[:, :10], labels)
    assert (mutual_information(bins, labels) <= floor).all()  # 600 pairs
    noise = np.random.default_rng(1).normal(0, 2, labels.shape)
    known = mutual_information(histogram_bins(labels + noise), labels)
    assert (np.diag(known)[1:] > 2 * floor[1:]).all()


def test_a_constant_code_has_no_floor_and_mig_tells_its_own():
    codes, labels = table(3)
    assert (shuffled_floor(np.zeros((ROWS, 2), int), labels) == 0).all()
    empty = np.zeros((0, 3)), np.zeros((0, 3), int)
    arrays = mig(
        Representation(codes, labels, *empty, ("a", "b", "c")), Settings()
    ).arrays
    floor = shuffled_floor(histogram_bins(codes), labels)
    np.testing.assert_array_equal(arrays["shuffled"], floor)
