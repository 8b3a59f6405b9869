"""Oracles of labelled images that are no grid."""

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.study import judges


@pytest.fixture
def one_dense_oracle(monkeypatch):
    """An oracle that is compiled in a second."""
    monkeypatch.setattr(judges, "ORACLES", {"dense": judges.Oracle("dense", 16, 3)})


def quadrants(count):
    """(images, (count,) int): a bright quadrant of 8 x 8 noisy pixels."""
    rng = np.random.default_rng(0)
    images, at = rng.integers(0, 60, (count, 8, 8)), rng.integers(0, 4, count)
    for image, place in zip(images, at, strict=True):
        i, j = 4 * (place // 2), 4 * (place % 2)
        image[i : i + 4, j : j + 4] += 190
    return images.astype(np.uint8), at


@pytest.mark.slow
def test_a_table_of_images_has_oracles(one_dense_oracle, tmp_path):
    images, at = quadrants(300)
    data = dt.from_arrays(images, at, ["place"])
    assert not data.space.is_grid
    found = judges.judges_of(data, steps=60, cache_dir=tmp_path, progress=False)
    assert found.accuracy[0] > 0.95  # chance is .25
    fresh = np.zeros((4, 8, 8, 1), np.float32)
    for place in range(4):
        i, j = 4 * (place // 2), 4 * (place % 2)
        fresh[place, i : i + 4, j : j + 4] = 0.9
    assert found.read(fresh)[0, :, 0].tolist() == [0, 1, 2, 3]


def test_images_without_labels_have_none(tmp_path):
    data = dt.from_arrays(quadrants(40)[0])
    with pytest.raises(UserError, match="an oracle needs labels, but these 40 images"):
        judges.judges_of(data, steps=2, cache_dir=tmp_path, progress=False)
    assert not list(tmp_path.iterdir())
