"""Shapes3D: fidelity to real images, and facts anybody can count."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.rendered import shapes3d as renderer
from disentangle.data.rendered import shapes3d_mesh as meshes
from disentangle.data.rendered import shapes3d_scene as scene


@pytest.mark.slow
def test_psnr_against_real_images(shapes3d, reference):
    real = reference("shapes3d_real.npz")
    drawn = np.asarray(shapes3d.images(shapes3d.space.index(real["factors"])))
    assert drawn.shape == (102, 64, 64, 3) and drawn.dtype == np.uint8
    error = (drawn.astype(float) - real["images"]) ** 2
    valid = real["valid"]
    mse = (error.mean(-1) * valid).sum((1, 2)) / valid.sum((1, 2))
    psnr = 10 * np.log10(255**2 / mse)
    assert psnr.mean() >= 45.8
    assert psnr.min() >= 42.5


@pytest.mark.slow
def test_mean_colour_and_spread(shapes3d):
    index = np.arange(0, len(shapes3d), 59)  # every geometry, many colourings
    sums, squares = np.zeros(3), np.zeros(3)
    for part in np.array_split(index, 4):
        images = np.asarray(shapes3d.images(part)) / np.float32(255)
        sums += images.mean((1, 2)).sum(0)
        squares += images.std((1, 2)).sum(0)
    # Published: mean (.502585, .578760, .603450), mean of std (.294, .344, .366).
    assert sums / len(index) == pytest.approx([0.5026, 0.5788, 0.6035], abs=3e-3)
    assert squares / len(index) == pytest.approx([0.2941, 0.3444, 0.3662], abs=3e-3)


def test_sky_is_constant_and_hues_colour_only_their_thing(shapes3d):
    space = shapes3d.space
    base = np.array([2, 4, 6, 7, 0, 7])
    images = [base, base, base, base]
    factors = np.array(images)
    factors[1, 0], factors[2, 1], factors[3, 2] = 7, 8, 9
    plain, floor, wall, thing = np.asarray(
        shapes3d.images(space.index(factors))
    ).astype(int)
    assert (plain[0, :] == (153, 226, 249)).all()
    changed = [np.abs(other - plain).max(-1) > 40 for other in (floor, wall, thing)]
    assert all(mask.any() for mask in changed)
    assert (changed[0] & changed[1]).sum() <= 64  # the line where they meet
    assert changed[0][60, 5] and not changed[0][:30].any()  # floor: bottom left
    assert changed[1][25, 5] and changed[2][32, 32]  # wall: left; object: centre


def test_hue_of_the_floor_is_its_hsv_hue(shapes3d):
    factors = np.array([[hue, 0, 0, 0, 0, 7] for hue in range(10)])
    pixels = np.asarray(shapes3d.images(shapes3d.space.index(factors)))[:, 62, 3] / 255
    hues = [colorsys.rgb_to_hsv(*pixel)[0] for pixel in pixels]
    # Bright channels are cut off at 255, which turns the hue a little.
    assert hues == pytest.approx([i / 10 for i in range(10)], abs=0.02)


def test_maps_of_some_geometries_drawn_anew(shapes3d):
    """Also catches a cache that is older than the renderer."""
    maps = np.asarray(shapes3d.arrays).reshape(renderer.SHAPE)
    tile = scene.texture_tile()
    for scale, shape, orientation in ((0, 0, 0), (7, 1, 9), (3, 2, 14), (5, 3, 4)):
        solid = meshes.solid(shape, 0.75 + 0.5 * scale / 7)
        room = scene.room(orientation, tile)
        drawn = renderer.geometry(solid, renderer.shadow_outline(solid), room)
        cached = maps[scale, shape, orientation] / renderer.UNIT
        assert np.abs(cached - drawn).max() <= 0.5 / renderer.UNIT + 1e-3


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        (0, 0.7**3),
        (1, np.pi * 0.375**2 * 0.75),
        (2, 4 / 3 * np.pi * 0.425**3),
        (3, np.pi * 0.325**2 * (0.65 + 4 / 3 * 0.325)),
    ],
)
def test_meshes_have_the_volume_of_their_solids(shape, volume):
    """Divergence theorem; a mesh inscribed in a round solid is a little smaller. The
    cylinder is drawn without its base, which contributes 0 in the plane z = 0."""
    solid = meshes.solid(shape, 1.0)
    corners = solid.points[solid.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = solid.normals[solid.triangles].mean(1)
    normal *= np.sign((normal * outward).sum(1))[:, None]
    measured = (corners.mean(1) * normal).sum() / 6
    assert measured <= volume * (1 + 1e-9)
    assert measured == pytest.approx(volume, rel=0.03)
    assert solid.points[:, 2].min() == pytest.approx(0.0, abs=1e-12)


def test_reduction_equals_pillow():
    image = pytest.importorskip("PIL.Image")
    samples = np.random.default_rng(0).uniform(0, 255, (192, 64)).astype(np.float32)
    expected = image.fromarray(samples).resize((64, 64), image.Resampling.LANCZOS)
    reduced = renderer._reduce(samples[None])[0]
    assert reduced == pytest.approx(np.asarray(expected), abs=0.01)


def test_composition_equals_float64_under_jit_and_vmap(shapes3d):
    index = np.random.default_rng(1).integers(len(shapes3d), size=(2, 4))
    maps = np.asarray(shapes3d.arrays).astype(np.float64) / renderer.UNIT
    batched = jax.jit(jax.vmap(lambda d, i: d.images(i), in_axes=(None, 0)))
    drawn = np.asarray(batched(shapes3d, jnp.asarray(index)))
    assert np.array_equal(drawn, shapes3d.images(index))
    for at in np.ndindex(index.shape):
        floor, wall, thing, *geometry = shapes3d.space.factors(index[at])
        m = maps[np.ravel_multi_index(geometry, (8, 4, 15))]
        for c, sky in enumerate((153, 226, 249)):
            level = [
                round(5 * colorsys.hsv_to_rgb(hue / 10, 1, 1)[c])
                for hue in (floor, wall, thing)
            ]
            value = sky / 256 * m[0]
            value += m[1 + level[0]] + m[7 + level[1]] + m[13 + level[2]]
            # The integer sum drops less than 1/64 level of sky before it rounds.
            assert np.abs(np.clip(value, 0, 255) - drawn[at][..., c]).max() <= 0.52
