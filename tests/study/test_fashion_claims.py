"""What benchmarks/fashion_claims.py counts, by hand."""

import numpy as np
import pytest

import disentangle as dt
from benchmarks.fashion_claims import crispness, sharpness


def test_a_picture_is_as_sharp_as_its_steps():
    """Stripes of 0 and 1: every step across is 1, none along."""
    stripes = np.tile([0.0, 1.0], (1, 4, 2))[..., None]
    assert sharpness(stripes) == 1.0
    assert sharpness(0.5 * stripes) == 0.25
    assert sharpness(np.ones((2, 4, 4, 3))) == 0.0


def test_real_images_are_as_crisp_as_themselves():
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    data, index = dt.from_arrays(images), np.arange(20)
    drawn = images[..., None] / 255.0
    assert crispness(drawn, data, index) == pytest.approx(1, abs=1e-5)
    assert crispness(0.5 * drawn, data, index) == pytest.approx(0.25, abs=1e-5)
