"""What benchmarks/fashion_claims.py counts, by hand."""

import numpy as np
import pytest

import disentangle as dt
from benchmarks.fashion_claims import MARKS, Job, crispness, marks_figure, sharpness


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


def test_a_figure_shows_every_mark_of_the_training(tmp_path):
    """Only once all are there; six categories, six colours of each mark, and gaps."""
    data = dt.load("fashion_sprites")
    job = Job(data, None, 9, 0, 0.5, tmp_path)
    job.place.mkdir()
    for share in (*MARKS, 1.0):
        assert marks_figure(job) is None
        np.save(job.grid_file(share), np.full((6, 6, 4, 4, 3), share))
    (axes,) = marks_figure(job).axes
    assert next(t.get_text() for t in axes.get_yticklabels()) == "tee"
    names = [t.get_text() for t in axes.get_xticklabels()]
    assert len(names) == 5 * 6 + 4
    assert [n for n in names if n] == ["5%", "10%", "20%", "40%", "100%"]
    assert names.index("100%") == 4 * 7
