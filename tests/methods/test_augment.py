"""Pictures as models draw them: blurred by hand, and half of them left alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.samplers import Split, alone
from disentangle.methods.augment import augmented, blurred, changed


def test_a_blur_is_the_gaussian_mean_by_hand():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(3, 8, 6, 2))
    sigma = np.array([0.7, 1.5, 1e-3])
    found = blurred(jnp.float32(images), jnp.float32(sigma))
    expected = np.empty_like(images)
    for i, s in enumerate(np.maximum(sigma, 0.05)):
        for row, column in np.ndindex(8, 6):
            gap = (np.arange(8) - row)[:, None] ** 2 + (np.arange(6) - column) ** 2
            weights = np.exp(-gap / (2 * s * s))
            weights /= weights.sum()
            expected[i, row, column] = np.tensordot(weights, images[i], 2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found[2], images[2], atol=1e-6)  # sharp: as it was


@pytest.mark.slow
def test_half_of_the_images_stay_as_they_are():
    images = jax.random.uniform(jax.random.key(0), (400, 8, 8, 1))
    found = changed(images, key=jax.random.key(1))
    same = np.asarray((found == images).all((1, 2, 3)))
    assert abs(same.mean() - 0.5) < 0.1
    assert found.min() >= 0 and found.max() <= 1
    gap = np.abs(found - images)[~same].mean()
    assert 0.02 < gap < 0.2


def test_a_batch_keeps_its_labels(toy):
    index = jnp.arange(8)
    plain = alone(Split(toy), index, jax.random.key(0))
    found = augmented(Split(toy), index, jax.random.key(0))
    np.testing.assert_array_equal(found["factors"], plain["factors"])
    assert found["images"].shape == plain["images"].shape
    assert (found["images"] != plain["images"]).any()
