"""MUNIT: its domains, what its codes are of, what is edited, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import disentangle as dt
from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.samplers import Split, part
from disentangle.data.space import Factor, FactorSpace
from disentangle.editing.following import following
from disentangle.errors import UserError
from disentangle.methods import METHODS, base
from disentangle.methods.domains import by_factor, with_value
from disentangle.methods.munit_model import cells
from disentangle.study.translating import translated, translations_of
from disentangle.training.config import default_config, read_experiment
from disentangle.training.run import fit

SMALL = {"width": 4, "blocks": 1, "scales": 1, "styles": 3}


def built(shape=(16, 16, 1), space=None, shapes=None, **fields):
    config = default_config("toy", "munit").to_dict()
    config["method"] |= SMALL | fields
    experiment = read_experiment(config)
    more = () if shapes is None else (shapes,)
    return METHODS["munit"].build(experiment.settings, space, shape, *more)


@pytest.mark.slow
def test_batches_are_of_each_domain_and_of_all_its_images(toy):
    domains = by_factor(toy.space, "turn", (3, 1))
    assert domains.names == ("turn 3", "turn 1")
    index = jnp.zeros(400, jnp.int32)
    rows = jnp.asarray([0, 5, 20, 41, 44, 60, 92], jnp.int32)
    for subset in (None, rows):
        batch = domains.collate(Split(toy, subset), index, jax.random.key(0))
        first = np.asarray(batch["factors"])
        second = np.asarray(part(batch, "target")["factors"])
        assert (first[:, 2] == 3).all() and (second[:, 2] == 1).all()
        held = np.arange(96) if subset is None else np.asarray(rows)
        for found, value in ((first, 3), (second, 1)):
            own = held[toy.space.factors(held)[:, 2] == value]
            seen, counts = np.unique(toy.space.index(found), return_counts=True)
            np.testing.assert_array_equal(seen, own)
            # uniform: 400 draws of 24, or of 2 to 3, five standard deviations
            mean = 400 / len(own)
            assert np.abs(counts - mean).max() < 5 * mean**0.5


def test_unlabelled_images_are_in_no_domain():
    factors = np.array([[0], [1], [-1], [1], [0], [-1]])
    data = dt.from_arrays(np.zeros((6, 16, 16, 1), np.uint8), factors, ["kind"])
    found = with_value(Split(data), 0, 0, jax.random.key(0), 50)
    assert set(np.asarray(found).tolist()) == {0, 4}


def test_codes_of_content_are_means_over_parts():
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    found = np.asarray(cells(jnp.asarray(x))).reshape(2, 2, 2, 3)
    for i, j in np.ndindex(2, 2):
        own = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2))
        np.testing.assert_allclose(found[:, i, j], own, atol=1e-6)


@pytest.mark.slow
def test_an_edit_changes_the_domain_and_nothing_where_it_stays(toy):
    """Across, it is the other domain's decoder of the content and the style 0."""
    method = built(space=toy.space, domain="turn", values=(3, 1))
    params = base.init(method, key=jax.random.key(0))
    ways = method.translation
    x = jax.random.uniform(jax.random.key(1), (4, 16, 16, 1))
    factors = np.tile([0, 0, 3, 0], (4, 1))
    factors[2:, 2] = (1, 0)  # the second domain, and none
    wanted = factors.copy()
    wanted[:, 2] = (1, 2, 3, 1)
    found = method.edit(params, x, jnp.asarray(factors), jnp.asarray(wanted))
    codes = [np.array(encode(params, x)) for encode in ways.encode]
    plain = ways.decode[0](params, codes[0])
    for own in codes:
        own[:, -3:] = 0
    across = ways.decode[1](params, codes[0]), ways.decode[0](params, codes[1])
    near = lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5)
    near(found[0], across[0][0])
    near(found[1], plain[1])  # turn 2 is no domain
    near(found[2], across[1][2])
    near(found[3], across[0][3])
    assert np.abs(across[0][0] - plain[0]).max() > 1e-3


@pytest.mark.parametrize(
    ("shape", "fields", "message"),
    [
        ((16, 18, 1), {}, "multiples of 4, at least 16, not 16x18"),
        ((12, 16, 1), {}, "at least 16, not 12x16"),
        ((16, 16, 1), {"domain": "shap"}, "shap.*shape"),
        ((16, 16, 1), {"values": (0, 2)}, r"\(0, 2\).*'shape', each in 0 .. 1"),
        ((16, 16, 1), {"values": (1, 1)}, "1 is named twice"),
    ],
)
def test_what_cannot_be_is_one_sentence(toy, shape, fields, message):
    with pytest.raises(UserError, match=message):
        built(shape, toy.space, **fields)


def test_two_data_sets_are_two_domains_unless_a_factor_is_named(toy):
    other = {"target": (16, 16, 3)}
    method = built(space=toy.space, shapes=other)
    assert method.edit is None and method.translation.factor == ""
    assert built(space=toy.space, shapes=other, domain="x").translation.factor == "x"
    with pytest.raises(UserError, match="two sizes, 16x16 and 20x16"):
        built(space=toy.space, shapes={"target": (20, 16, 1)})


@pytest.mark.slow
def test_two_data_sets_train_and_are_shown(toy, tmp_path):
    first = dt.from_arrays(np.asarray(toy.arrays)[:, ::4, ::4] * 255)
    noise = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3))
    both = first.with_others({"target": dt.from_arrays(np.uint8(noise))})
    quick = {"steps": 2, "batch_size": 4, "progress": False}
    run = dt.train("munit", both, workdir=tmp_path / "run", **quick, **SMALL)
    again = dt.load_run(tmp_path / "run")
    same = lambda a, b: np.testing.assert_array_equal(a, b)
    same(ravel_pytree(run.params)[0], ravel_pytree(again.params)[0])
    found = translations_of(run, both)
    assert found.translations.shape == (2, 6, 6, 16, 16, 3)
    assert np.isfinite(found.translations).all()


SIGNS = FactorSpace(
    (
        Factor("shape", 2, "categorical", (0.0, 1.0)),
        Factor("colour", 4, "categorical", (0.0, 1.0, 2.0, 3.0)),
        Factor("place", 4, "categorical", (0.0, 1.0, 2.0, 3.0)),
    )
)


def signs():
    """32 images of 16x16: a white square or a cross, four grounds, four places."""
    images = np.zeros((32, 16, 16, 3), np.uint8)
    ground = [[200, 40, 40], [40, 180, 40], [40, 60, 220], [190, 180, 40]]
    cross = np.abs(np.subtract.outer(np.arange(6) // 2, np.arange(6) // 2)) == 1
    for i, (shape, colour, place) in enumerate(SIGNS.factors(np.arange(32))):
        images[i] = ground[colour]
        top, left = 1 + 8 * (place // 2), 1 + 8 * (place % 2)
        sign = np.where(cross, 255, 0) if shape else np.full((6, 6), 255)
        images[i, top : top + 6, left : left + 6] = sign[..., None]
    return Dataset(jnp.asarray(images), "signs", SIGNS, (16, 16, 3), 255, draw_rows)


@pytest.mark.slow
def test_signs_are_drawn_in_the_other_domain_with_the_colour_of_the_exemplar():
    """The shape is the domain: it is hit, the colour follows the style, and every place
    becomes one place, each another. Without pairs nothing says that it is the same: of
    this seed left and right change sides. By the nearest of all 32 images.
    """
    data = signs()
    config = default_config("toy", "munit").to_dict()
    config["method"] |= {"width": 8, "blocks": 1, "scales": 1, "styles": 4}
    config |= {"steps": 400, "batch_size": 8, "eval_every": 0}
    run = fit(config, data, progress=False)
    every = np.asarray(data.arrays, np.float32) / 255
    pairs = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    i, j = (part.ravel() for part in pairs)
    for source, target in ((0, 1), (1, 0)):
        own, other = 16 * source + i, 16 * target + j
        drawn = translated(run, every[own], every[other], source, target)
        gaps = np.square(drawn[:, None] - every[None]).sum((2, 3, 4))
        read = SIGNS.factors(gaps.argmin(1))
        found = following(SIGNS, read[None], SIGNS.factors(own), SIGNS.factors(other))
        hit = (read[:, 0] == target).mean()
        print(f"hit {hit:.2f}, style {found.second}, content {found.first}")
        places = np.zeros((4, 4))
        np.add.at(places, (SIGNS.factors(own)[:, 2], read[:, 2]), 1)
        assert hit > 0.9 and found.second[1] > 0.8
        assert (places.max(1) > 0.9 * places.sum(1)).all()
        assert sorted(places.argmax(1)) == [0, 1, 2, 3]


def test_training_images_without_a_domain_are_refused(toy):
    turns = np.asarray(toy.factors(np.arange(96)))[:, 2]
    domains = by_factor(toy.space, "turn", (0, 3))
    domains.suits(Split(toy))
    domains.suits(Split(toy, jnp.asarray(np.flatnonzero(turns != 1), jnp.int32)))
    with pytest.raises(UserError, match="is of the domain 'turn 3'"):
        domains.suits(Split(toy, jnp.asarray(np.flatnonzero(turns != 3), jnp.int32)))
