"""Diffusion methods: codes, captions, rotations, guidance, frozen encoders, edits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.__main__ import main
from disentangle.data import DATASETS, fashion_captions, fashion_sprites, shapes3d
from disentangle.data.dataset import Recipe
from disentangle.errors import UserError
from disentangle.methods import METHODS, base
from disentangle.methods.captions import captions
from disentangle.methods.conditional_diffusion import Settings, told
from disentangle.methods.diffusion_model import rotation
from disentangle.methods.enc_diff import Settings as Learned
from disentangle.training.load import load_run

DENSE = {"denoiser": "dense", "width": 16, "times": 20, "draws": 3}


def built(toy, **fields):
    """(what is told, its parameters away from their start)."""
    found = told(Settings(**DENSE | fields), toy.space, (8, 8, 1))
    nets = found.made.nets
    keys = jax.random.split(jax.random.key(0), len(nets))
    params = {n: net.init(k) for (n, net), k in zip(nets.items(), keys, strict=True)}
    return found, params


@pytest.mark.slow
def test_guidance_goes_beyond_what_is_told_and_1_is_what_is_told(toy):
    factors = jnp.asarray(toy.space.factors(np.arange(5)))
    x, t = jnp.ones((5, 8, 8, 1)), jnp.int32(7)
    one, params = built(toy)
    code, ones = one.encode(factors), jnp.ones(5)
    params["condition"]["nothing"] += 0.5
    with_, without = (one.made.predict(params, code, k)(x, t) for k in (ones, 0 * ones))
    np.testing.assert_array_equal(one.made.guided(params, code)(x, t), with_)
    three, _ = built(toy, guidance=3.0)
    found = three.made.guided(params, code)(x, t)
    expected = np.float64(without) + 3 * (np.float64(with_) - np.float64(without))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - with_).max() > 1e-2


def test_a_rotation_keeps_lengths_and_mixes_every_number():
    turn = rotation(9, 4)
    np.testing.assert_allclose(turn @ turn.T, np.eye(9), atol=1e-12)
    np.testing.assert_array_equal(rotation(9, 4), turn)
    assert np.abs(turn - rotation(9, 5)).max() > 0.1 and (turn != 0).all()
    np.testing.assert_array_equal(rotation(3, 0), np.eye(3))


@pytest.mark.parametrize(
    "code", ["numbers", pytest.param("one_hot", marks=pytest.mark.slow)]
)
def test_told_as_one_vector_a_model_of_a_code_is_one_of_the_turned_code(toy, code):
    """W c = (W Q') (Q c): the same pictures, so one training gives both rows."""
    plain, params = built(toy, code=code)
    turned, _ = built(toy, code=code, rotation=2)
    factors = jnp.asarray(toy.space.factors(np.arange(0, 96, 7)))
    codes = [np.asarray(one.encode(factors)) for one in (plain, turned)]
    turn = np.float32(rotation(codes[0].shape[1], 2))
    np.testing.assert_allclose(codes[1], codes[0] @ turn.T, atol=1e-6)
    np.testing.assert_allclose(turned.nothing, turn @ plain.nothing, atol=1e-6)
    kernel = params["condition"]["Dense_0"]["kernel"]
    other = {"Dense_0": params["condition"]["Dense_0"] | {"kernel": turn @ kernel}}
    moved = params | {"condition": params["condition"] | other}
    first = plain.made.decode(params, jnp.asarray(codes[0]))
    again = turned.made.decode(moved, jnp.asarray(codes[1]))
    np.testing.assert_allclose(again, first, atol=1e-5)
    assert np.abs(first[0] - first[5]).max() > 1e-3


def test_captions_name_values_and_leave_out_what_is_missing(toy):
    space = shapes3d.SPACE
    said = captions(space.names, space)
    text = said.text(np.array([0, 1, 3, 2, 0, 7]))
    assert text == "red floor orange wall green small cube 7 orientation"
    assert said.length == len(text.split()) + 1  # "very small" is two words
    few = captions(("x", "shape"), toy.space)
    assert few.text(np.array([1, 2, 0, 3])) == "3 x 1 shape"
    known = jnp.asarray([[True, True, True, False]])
    numbers = few.encode(jnp.asarray([[1, 2, 0, 3]]), known)
    assert [few.vocabulary[int(i)] for i in numbers[0]] == ["", "", "1", "shape"]


def test_captions_of_fashion_sprites_are_its_sentences():
    space = fashion_sprites.SPACE
    said = captions(space.names, space)
    for image in (0, 123_456, space.size - 1):
        sentence = fashion_captions.captions()[image // 60]
        text = said.text(np.asarray(space.factors(np.array([image])))[0])
        assert text == sentence.replace(",", " ,")
    few = captions(("colour", "scene"), space)
    assert "colour" in few.vocabulary and few.names == ("colour", "scene")


REFUSED = [
    ("conditional_diffusion", {"guidance": 2.0, "drop": 0.0}, "set drop=0.1"),
    ("conditional_diffusion", {"code": "text", "rotation": 1}, "set rotation=0"),
    ("conditional_diffusion", {"condition": ("colour",)}, "colour"),
    ("enc_diff", {"rotation": 1}, "diffusion_on_codes"),
    ("enc_diff", {"draws": 1}, "draws=1 must be at least 2"),
    ("enc_diff", {"denoiser": "unit"}, "Did you mean 'unet'"),
]


@pytest.mark.parametrize(("name", "fields", "message"), REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(toy, name, fields, message):
    with pytest.raises(UserError, match=message) as caught:
        recipe = METHODS[name]
        recipe.build(recipe.settings(**fields), toy.space, toy.shape)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_encoder_of_another_run_stays_as_it_is_and_its_codes_are_scaled(
    toy, tmp_path
):
    """In two stages: a VAE, then the denoiser on its codes, turned and not."""
    small = {"encoder": "dense", "decoder": "dense", "latents": 4}
    source = dt.train("beta_vae", toy, steps=30, batch_size=16, progress=False, **small)
    fields = DENSE | {"source": "dense", "latents": 4, "draws": 2}
    run = dt.train(
        "diffusion_on_codes",
        toy,
        steps=3,
        batch_size=16,
        init_from=source,
        progress=False,
        workdir=tmp_path,
        **fields,
    )
    same = np.testing.assert_array_equal
    jax.tree.map(same, run.params["encoder"], source.params["encoder"])
    images = toy.images(np.arange(96))
    codes, raw = run.encode(images)[0], source.encode(images)[0]
    gaps = raw - raw.mean(0)
    assert np.abs(codes.mean(0)).max() < 0.2  # m and sigma are of 1,000 draws
    np.testing.assert_allclose(np.square(codes).mean(), 1.0, atol=0.1)
    ratio = (codes - codes.mean(0)) / gaps
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)  # one number scales all
    same(load_run(tmp_path).encode(images)[0], codes)
    turned = dt.train(
        "diffusion_on_codes",
        toy,
        steps=3,
        batch_size=16,
        init_from=source,
        progress=False,
        **fields | {"rotation": 3},
    )
    turn = rotation(4, 3)
    np.testing.assert_allclose(turned.encode(images)[0], codes @ turn.T, atol=1e-5)
    assert run.decode(codes).shape == (1, 96, 64, 64, 1)


def test_the_subspaces_of_an_adde_are_a_code_whose_columns_have_an_owner(toy):
    """The codes are the ADDE's but for a shift and a scale; turned they have none."""
    names = toy.space.names
    small = {"attributes": names, "encoder": "dense", "subspace": 3, "hidden": 8}
    source = dt.train(
        "adde",
        toy,
        steps=2,
        batch_size=16,
        progress=False,
        learns="attributes",
        **small,
    )
    fields = {"source": "dense", "latents": 3, "heads": 8, "attributes": names}
    frozen = METHODS["diffusion_on_codes"]
    method = frozen.build(
        frozen.settings(**DENSE, **fields, conditioning="attention"),
        toy.space,
        toy.shape,
    )
    assert method.whole == ("encoder", "heads")
    assert method.attributes == tuple(name for name in names for _ in range(3))
    tokens = method.nets["condition"].init(jax.random.key(0))
    assert tokens["nothing"].shape == (len(names), 32)
    params = base.init(method, key=jax.random.key(0))
    params |= {name: source.member(0)[name] for name in method.whole}
    images = np.float32(toy.images(np.arange(64))) / toy.max_value
    params["scale"] = {"mean": jnp.arange(3.0 * len(names)), "size": jnp.float32(2.0)}
    found = 2.0 * np.asarray(method.represent(params, images))
    found += np.arange(3.0 * len(names))
    np.testing.assert_allclose(found, source.encode(images)[0], atol=1e-4)
    turned = frozen.settings(**DENSE, **fields, rotation=1)
    assert frozen.build(turned, toy.space, toy.shape).attributes is None
    with pytest.raises(UserError, match="Did you mean"):
        wrong = frozen.settings(**DENSE, **fields | {"attributes": (names[0] + "s",)})
        frozen.build(wrong, toy.space, toy.shape)


def test_the_networks_of_a_learned_code_are_trained_and_averaged_together(toy):
    method = METHODS["enc_diff"].build(
        Learned(**DENSE, encoder="dense"), toy.space, toy.shape
    )
    assert method.players["diffusion"].moves == ("encoder", "denoiser", "condition")
    assert set(method.averages) == set(method.nets)
    frozen = METHODS["diffusion_on_codes"]
    method = frozen.build(
        frozen.settings(**DENSE, source="dense"), toy.space, toy.shape
    )
    assert set(method.nets) - set(method.averages) == {"encoder", "scale"}
    params = jax.eval_shape(lambda: base.init(method, key=jax.random.key(0)))
    assert params["scale"]["mean"].shape == (10,)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["enc_diff", "conditional_diffusion"])
def test_a_diffusion_model_has_its_page(toy, name, tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache: toy))
    fields = DENSE | ({"encoder": "dense", "latents": 4} if name == "enc_diff" else {})
    folder = tmp_path / name
    dt.train(name, toy, steps=4, batch_size=8, workdir=folder, progress=False, **fields)
    assert main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert ('<section id="traversals">' in page) == (name == "enc_diff")
