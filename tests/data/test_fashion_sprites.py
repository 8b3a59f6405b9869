"""FashionSprites: what is drawn, that every factor shows, and the labels beside it.

The quick tests draw 30 of the 360 garments into a table that is otherwise empty, and
always 30 pictures at once, so that one program is compiled.
"""

import hashlib
import importlib.util
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.commands.catalogue import catalogue
from disentangle.data import fashion_captions, fashion_labels, fashion_sprites
from disentangle.data.rendered import fashion_sprites as renderer
from disentangle.data.rendered import fashion_sprites_garments as garments
from disentangle.data.samplers import Split
from disentangle.training.config import default_config

SPACE = fashion_sprites.SPACE
# Of each category one garment, and four that differ from it in one of these.
BASE = (1, 1, 2)
AROUND = [BASE, (2, 1, 2), (1, 0, 2), (1, 2, 2), (1, 1, 3)]
BATCH = 30
# Fewest pixels, of 4,096, that change by more than 12 grey levels when one factor does.
FEWEST = dict(
    zip(SPACE.names, (330, 240, 90, 240, 50, 2650, 120, 70, 300), strict=True)
)


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    table = np.zeros(renderer.MAP_BYTES + renderer.MASK_BYTES, np.uint8)
    maps, masks = renderer.divided(table)
    for category, around in itertools.product(range(6), AROUND):
        first = 4 * np.ravel_multi_index((category, *around), renderer.SOLIDS)
        maps[first : first + 4], covered = renderer.geometry(category, *around)
        masks[first : first + 4] = np.packbits(covered.reshape(4, -1), axis=1)
    return table


@pytest.fixture(scope="module")
def some(table) -> dt.data.Dataset:
    return fashion_sprites.dataset(table)


def drawn_factors(count: int, around=tuple(AROUND)) -> np.ndarray:
    """Factors of different pictures whose garment is drawn, the same in every run."""
    numbers = np.random.default_rng(5)
    factors = numbers.integers(0, SPACE.sizes, (count, 9))
    chosen = np.array(around)[numbers.integers(0, len(around), count)]
    factors[:, [3, 4, 6]] = chosen
    return factors


def images(data, factors) -> np.ndarray:
    """Of a multiple of BATCH factors."""
    parts = SPACE.index(factors).reshape(-1, BATCH)
    return np.concatenate([np.asarray(data.images(part)) for part in parts])


def test_counts():
    assert SPACE.size == 518_400 == 8_640 * 60
    assert SPACE.sizes == (6, 8, 5, 4, 3, 3, 5, 3, 4)
    assert np.prod(renderer.SOLIDS) * len(renderer.PLACEMENTS) == renderer.GEOMETRIES
    assert (
        renderer.GEOMETRIES * renderer.MAPS * 4096 == renderer.MAP_BYTES == 70_778_880
    )
    assert len(AROUND) * 6 == 30


def test_it_is_a_data_set_like_any_other():
    assert dt.data.DATASETS["fashion_sprites"].space is SPACE
    assert "fashion_sprites 518,400 images: category 6, colour 8" in catalogue()
    config = default_config("fashion_sprites", "beta_vae")
    assert config.data.name == "fashion_sprites"
    with pytest.raises(dt.UserError, match="no source 'tfds'"):
        dt.load("fashion_sprites", source="tfds")


def test_the_picture_is_the_equation_in_plain_integers(some, table):
    """Written once more with Python's integers, map by map."""
    maps, _ = renderer.divided(table)
    factors = drawn_factors(BATCH)
    factors[:5, 2] = range(5)
    drawn = images(some, factors)
    for row, image in list(zip(factors.tolist(), drawn, strict=True))[:12]:
        category, colour, pattern, length, part, scene, rotation, light, place = row
        at = np.ravel_multi_index((category, length, part, rotation), renderer.SOLIDS)
        of = maps[4 * at + place].astype(object)
        o, a, p, t = of[light], of[3 + light], of[5 + max(pattern, 1)], of[10]
        t = of[11] if pattern == 4 else t
        behind = renderer.scenes()[scene].astype(object)
        for c in range(3):
            base, accent, trim = (
                int(ink[c]) for ink in fashion_sprites.PALETTE[colour]
            )
            accent = base if pattern == 0 else accent
            cloth = (base * (256 - p - t) + accent * p + trim * t + 128) // 256
            expected = (behind[..., c] * o + cloth * a + 128) // 256
            assert np.array_equal(expected.astype(int), image[..., c])


def test_numpy_and_jax_give_one_picture_under_jit_and_vmap(some):
    index = SPACE.index(drawn_factors(BATCH)).reshape(3, 10)
    arrays = jax.tree.map(np.asarray, some.arrays)
    expected = fashion_sprites.compose(arrays, index)
    assert isinstance(expected, np.ndarray) and expected.dtype == np.uint8
    assert np.array_equal(some.images(index), expected)
    batched = jax.jit(jax.vmap(lambda d, i: d.images(i), in_axes=(None, 0)))
    assert np.array_equal(batched(some, jnp.asarray(index)), expected)


def test_sha256_of_some_pictures(some):
    pictures = images(some, drawn_factors(300))
    assert hashlib.sha256(np.ascontiguousarray(pictures).data).hexdigest() == (
        "7711aeaf276c8aed5df667608c06ebebdc6b3f4adb2601faf4ef1dde5849d82a"
    )


def check_no_sum_leaves_16_bits(maps: np.ndarray) -> None:
    for light in range(3):
        assert np.add(maps[:, light], maps[:, 3 + light], dtype=np.uint16).max() <= 256
    for pattern in range(4):
        t = maps[:, 10 + pattern // 3]
        assert np.add(maps[:, 6 + pattern], t, dtype=np.uint16).max() <= 256


def test_no_sum_leaves_16_bits(table):
    check_no_sum_leaves_16_bits(renderer.divided(table)[0])


def fewest_changed(data, factors: np.ndarray, is_drawn) -> dict[str, int]:
    """Over pictures and all changes of one factor, by factor, the fewest pixels."""
    plain = images(data, factors).astype(np.int16)
    fewest = {}
    for column, name in enumerate(SPACE.names):
        least = []
        for value in range(SPACE.sizes[column]):
            other = factors.copy()
            other[:, column] = value
            fits = (other[:, column] != factors[:, column]) & is_drawn(other)
            other[~fits] = factors[~fits]
            moved = np.abs(images(data, other).astype(np.int16) - plain).max(-1) > 12
            least += moved.sum((1, 2))[fits].tolist()
        fewest[name] = min(least)
    return fewest


def test_every_factor_shows_in_some_pictures(some):
    drawn = {tuple(around) for around in AROUND}

    def is_drawn(factors: np.ndarray) -> np.ndarray:
        return np.array([tuple(row) in drawn for row in factors[:, [3, 4, 6]].tolist()])

    found = fewest_changed(some, drawn_factors(BATCH), is_drawn)
    for name, least in found.items():
        assert least >= FEWEST[name], name


def test_a_factor_moves_what_it_should_and_nothing_else(some):
    """Scenes leave the garment's inside as it is, colours leave the scene as it is."""
    factors = drawn_factors(BATCH)
    garment = np.asarray(fashion_labels.masks(some, factors))
    other = factors.copy()
    other[:, 5] = (factors[:, 5] + 1) % 3
    changed = (images(some, factors) != images(some, other)).any(-1)
    maps = np.asarray(some.arrays["maps"])
    rows = 12 * fashion_sprites.geometry(factors) + factors[:, 7]
    assert (
        not changed[maps[rows] == 0].any() and changed[maps[rows] > 128].mean() > 0.99
    )
    other = factors.copy()
    other[:, 1] = (factors[:, 1] + 3) % 8
    changed = (images(some, factors) != images(some, other)).any(-1)
    assert not changed[maps[rows + 3] == 0].any()
    assert changed[garment].mean() > 0.95


def test_masks_and_boxes(some):
    factors = drawn_factors(BATCH)
    found = np.asarray(fashion_labels.masks(some, factors))
    assert found.shape == (BATCH, 64, 64) and found.dtype == bool
    left, top, right, bottom = fashion_labels.boxes(some, factors).T
    for mask, *edges in zip(found, left, top, right, bottom, strict=True):
        v, u = np.nonzero(mask)
        assert edges == [u.min(), v.min(), u.max() + 1, v.max() + 1]
    assert left.min() >= 3 and top.min() >= 3 and max(right.max(), bottom.max()) <= 61
    area = found.sum((1, 2))
    assert area.min() >= 371 and area.max() <= 1_390
    one = np.asarray(fashion_labels.masks(some, factors.reshape(3, 10, 9)))
    assert np.array_equal(one.reshape(found.shape), found)


def edge_distance(mask: np.ndarray, point: np.ndarray) -> float:
    """Pixels from a point to the nearest side between the mask and the rest."""
    wide = np.pad(mask, 1)
    v, u = np.nonzero(wide[1:] != wide[:-1])
    across = np.hypot(np.clip(point[0] + 1, u, u + 1) - point[0] - 1, v - point[1])
    v, u = np.nonzero(wide[:, 1:] != wide[:, :-1])
    along = np.hypot(u - point[0], np.clip(point[1] + 1, v, v + 1) - point[1] - 1)
    return float(min(across.min(), along.min()))


def check_landmarks(data, factors: np.ndarray, count: int) -> None:
    places = fashion_labels.landmarks(factors)
    masks = np.asarray(fashion_labels.masks(data, factors))
    cases = list(zip(factors.tolist(), masks, places, strict=True))
    for row, mask, points in cases[:count]:
        has = {0: 4, 1: 4, 2: 3, 3: 2, 4: 2, 5: 2}[row[0]]
        known = ~np.isnan(points).any((1, 2))
        assert known.sum() == has and (points[known, 0, 0] < points[known, 1, 0]).all()
        for name, pair in zip(fashion_labels.LANDMARKS, points, strict=True):
            allowed = 3.5 if name == "waist" and row[0] == garments.SHIRT else 1.5
            for point in pair[~np.isnan(pair).any(1)]:
                assert edge_distance(mask, point) <= allowed


def test_landmarks_lie_on_the_edge_of_the_mask(some):
    """But for the waist of a shirt, on which its sleeves lie."""
    check_landmarks(some, drawn_factors(BATCH), 30)
    with pytest.raises(dt.UserError, match="outside"):
        fashion_labels.landmarks([[6, 0, 0, 0, 0, 0, 0, 0, 0]])


def test_captions_and_their_tokens(some):
    texts = fashion_captions.captions()
    assert len(set(texts)) == len(texts) == 8_640
    wanted = "a midi sky floral dress with a collar, in a studio"
    factors = drawn_factors(BATCH)
    factors[:2] = (2, 5, 4, 2, 2, 0, 4, 1, 3), (3, 6, 1, 3, 1, 2, 0, 0, 0)
    assert fashion_labels.captions(factors)[:2] == [
        wanted,
        "full-length navy striped trousers with pockets, by a brick wall",
    ]
    vocabulary = fashion_captions.vocabulary()
    batch = fashion_labels.with_captions(
        Split(some), jnp.asarray(SPACE.index(factors)), jax.random.key(0)
    )
    assert np.array_equal(np.rint(batch["images"] * 255), images(some, factors))
    said = [
        " ".join(vocabulary[i] for i in row if i) for row in batch["tokens"].tolist()
    ]
    assert said[0].replace(" ,", ",") == wanted
    tokens = fashion_captions.tokens()
    assert tokens.max() < len(vocabulary) <= 256
    assert len(np.unique(tokens, axis=0)) == 8_640
    ends = (tokens > 0).sum(1)
    assert all(row[:end].all() for row, end in zip(tokens, ends, strict=True))


def test_masks_stand_beside_the_images(some):
    factors = drawn_factors(BATCH)
    index = jnp.asarray(SPACE.index(factors))
    batch = fashion_labels.with_masks(Split(some), index, jax.random.key(0))
    assert np.array_equal(batch["masks"], fashion_labels.masks(some, factors))
    assert np.array_equal(batch["factors"], factors)


@pytest.mark.slow
def test_sha256_of_all_maps(fashion, table):
    maps, masks = (
        np.asarray(fashion.arrays["maps"]),
        np.asarray(fashion.arrays["masks"]),
    )
    check_no_sum_leaves_16_bits(maps.reshape(-1, 12, 64, 64))
    digest = hashlib.sha256(maps.data)
    digest.update(masks.data)
    assert (
        digest.hexdigest()
        == "e0ff3e997ad85c410022fca638e0008a8fef5f3c88a4c0bc17f8abf83e15428c"
    )
    areas = np.bitwise_count(masks).sum(1)
    assert (areas.min(), areas.max()) == (371, 1_390)


@pytest.mark.slow
def test_no_two_pictures_are_one(fashion):
    seen = set()
    for part in np.array_split(np.arange(len(fashion)), 540):
        pictures = np.asarray(fashion.images(part))
        seen |= {hashlib.blake2b(p.data, digest_size=8).digest() for p in pictures}
    assert len(seen) == len(fashion) == 518_400


@pytest.mark.slow
def test_every_factor_shows_everywhere(fashion):
    factors = np.random.default_rng(6).integers(0, SPACE.sizes, (990, 9))
    found = fewest_changed(fashion, factors, lambda other: np.ones(len(other), bool))
    for name, least in found.items():
        assert least >= FEWEST[name], name


@pytest.mark.slow
def test_landmarks_of_every_garment(fashion):
    solids = np.stack(np.unravel_index(np.arange(360), renderer.SOLIDS), -1)
    factors = np.zeros((360, 9), int)
    factors[:, [0, 3, 4, 6]] = solids
    factors[:, 8] = np.arange(360) % 4
    check_landmarks(fashion, factors, 360)


@pytest.mark.slow
def test_the_sheet_in_the_docs_is_what_is_drawn(fashion, tmp_path):
    image = pytest.importorskip("PIL.Image")
    docs = Path(__file__).resolve().parents[2] / "docs"
    spec = importlib.util.spec_from_file_location("sheet", docs / "fashion_sheet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.draw(fashion, tmp_path / "sheet.png")
    stored = np.asarray(image.open(docs / "fashion_sprites.png"))
    assert np.array_equal(np.asarray(image.open(drawn)), stored)


@pytest.mark.slow
def test_a_model_trains_on_it(some):
    networks = {"encoder": "dense", "decoder": "dense"}
    run = dt.train("beta_vae", some, steps=3, batch_size=30, **networks)
    codes = run.encode(some.images(SPACE.index(drawn_factors(BATCH))))
    assert codes.shape == (1, BATCH, 10) and np.isfinite(codes).all()
