"""dSprites: every pixel of the set, and of every known published image."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.rendered import dsprites as renderer


@pytest.fixture(scope="module")
def packed(dsprites) -> np.ndarray:
    return np.asarray(dsprites.arrays)


def test_sha256_of_all_images(packed):
    assert packed.shape == (737_280, 512) and packed.dtype == np.uint8
    assert hashlib.sha256(packed.data).hexdigest() == (
        "3a228f4037ef3d42a42588e0e01f1078aa2df13cfa17584e88c95ed9fb5672da"
    )


def test_a_block_is_drawn_as_it_is_in_the_set(packed):
    assert np.array_equal(
        renderer.all_positions(2, 4, 17),
        packed.reshape(3, 6, 40, 32, 32, 512)[2, 4, 17],
    )


def test_lit_pixels_and_different_images(packed):
    lit = sum(int(np.bitwise_count(part).sum()) for part in np.split(packed, 8))
    assert lit == 128_328_864  # the published statistics: 128,328,862
    words = packed.view(np.uint64)
    assert len({hash(row.tobytes()) for row in words}) == 715_706


def test_every_real_image_is_reproduced(dsprites, reference):
    real = reference("dsprites_real.npz")
    index = dsprites.space.index(real["latents_classes"][:, 1:])
    drawn = np.asarray(dsprites.images(index))
    assert drawn.shape == (478, 64, 64, 1) and drawn.dtype == np.uint8
    assert np.array_equal(drawn[..., 0], real["images"])


def test_first_and_last_orientation_are_one_image(packed):
    by_orientation = packed.reshape(18, 40, 1024, 512)
    assert np.array_equal(by_orientation[:, 0], by_orientation[:, 39])
    assert not np.array_equal(by_orientation[:, 0], by_orientation[:, 38])


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_images_agree_with_the_symmetry(dsprites, shape):
    """The images nearest to orientation 0 are those of the nearest reduced angle."""
    factors = np.array([[shape, 5, k, 16, 16] for k in range(40)])
    images = np.asarray(dsprites.images(dsprites.space.index(factors)))
    differing = (images != images[0]).sum((1, 2, 3))
    angle = dsprites.space.angle("orientation", factors)
    distance = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    # 4 * 10 = 39 + 1 steps; 2 * 20 = 39 + 1; 1.
    nearest = {0: {10, 29}, 1: {19, 20}, 2: {1, 38}}[shape] | {0, 39}
    assert set(np.argsort(distance, kind="stable")[:4]) == nearest
    assert set(np.argsort(differing, kind="stable")[:4]) == nearest


def test_positions_move_right_and_down(dsprites):
    corners = [[0, 0, 0, 0, 0], [0, 0, 0, 31, 0], [0, 0, 0, 0, 31]]
    images = np.asarray(dsprites.images(dsprites.space.index(corners)))[..., 0]
    centres = [np.argwhere(p).mean(0) + 0.5 for p in images]  # row, column
    assert centres[0] == pytest.approx([16, 16], abs=0.6)
    assert centres[1] == pytest.approx([16, 48], abs=0.6)
    assert centres[2] == pytest.approx([48, 16], abs=0.6)


def test_unpacking_equals_numpy_under_jit_and_vmap(dsprites, packed):
    index = np.random.default_rng(0).integers(len(dsprites), size=(3, 5))
    expected = np.unpackbits(packed[index], axis=-1).reshape(3, 5, 64, 64, 1)
    assert np.array_equal(dsprites.images(index), expected)
    batched = jax.jit(jax.vmap(lambda d, i: d.images(i), in_axes=(None, 0)))
    assert np.array_equal(batched(dsprites, jnp.asarray(index)), expected)
    assert dsprites.images(7).shape == (64, 64, 1)
