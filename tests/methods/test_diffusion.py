"""Diffusion methods: codes, captions, rotations, guidance, frozen encoders, edits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from benchmarks.rotated_codes import swapped
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


def averaged(toy, side):
    """The toy set, averaged down."""
    parts = np.asarray(toy.arrays).reshape(96, side, 64 // side, side, 64 // side, 1)
    small = jnp.asarray((255 * parts.mean((2, 4))).round().astype(np.uint8))
    return dataclasses.replace(toy, arrays=small, shape=(side, side, 1), max_value=255)


@pytest.fixture(scope="module")
def bars(toy):
    return averaged(toy, 16)


def read(images, bars):
    """The factors of the nearest of all images, (n, 4)."""
    real = np.asarray(bars.images(np.arange(96)), np.float64).reshape(1, 96, -1) / 255
    gaps = np.square(np.asarray(images).reshape(len(images), 1, -1) - real).sum(2)
    return bars.space.factors(gaps.argmin(1))


def psnr(images, truth):
    return -10 * np.log10(np.square(np.float64(images) - truth).mean())


FIELDS = {"batch_size": 32, "width": 16, "draws": 10, "progress": False}
TOLD = [
    {"conditioning": "film"},
    {"conditioning": "attention"},
    {"conditioning": "attention", "code": "text"},
]


@pytest.mark.slow
@pytest.mark.parametrize("fields", TOLD, ids=("film", "attention", "text"))
def test_a_conditional_model_draws_what_it_is_told_and_edits_it(bars, fields):
    run = dt.train("conditional_diffusion", bars, steps=700, **FIELDS | fields)
    rng = np.random.default_rng(0)
    wanted = bars.space.factors(rng.integers(0, 96, 200))
    images = run.generate(wanted, seed=1)[0]
    truth = np.float64(bars.images(bars.space.index(wanted))) / 255
    right = (read(images, bars) == wanted).mean(0)
    print(fields, right, psnr(images, truth))
    assert right.min() > 0.8 and psnr(images, truth) > 18
    real = bars.images(bars.space.index(wanted))
    kept = run.edit(real, wanted, wanted)[0]
    assert psnr(kept, truth) > psnr(images, truth) + 2  # the noise says the rest
    other = np.array(wanted)
    other[:, 3] = (other[:, 3] + 1) % 4
    edited = read(run.edit(real, wanted, other)[0], bars)
    print(psnr(kept, truth), (edited == other).mean(0))
    assert (edited == other).mean(0).min() > 0.7
    assert run.sample(5).shape == (1, 5, 16, 16, 1)


@pytest.mark.slow
@pytest.mark.parametrize("conditioning", ["attention", "film"])
def test_a_learned_code_says_what_the_picture_is(bars, conditioning):
    """Drawn with its code a picture is nearer than with another's, or the mean one."""
    fields = FIELDS | {"conditioning": conditioning, "latents": 6, "encoder": "mlp"}
    run = dt.train("enc_diff", bars, steps=700, **fields)
    real = np.float64(bars.images(np.arange(96))) / 255
    codes = run.encode(bars.images(np.arange(96)))[0]
    own = run.decode(codes)[0]
    print(conditioning, psnr(own, real), psnr(real.mean(0), real))
    assert psnr(own, real) > psnr(real.mean(0), real) + 4
    assert psnr(own, real) > psnr(own[::-1], real) + 4
    assert (read(own, bars) == bars.space.factors(np.arange(96))).mean() > 0.7
    same = np.testing.assert_array_equal
    same(run.decode(codes[:3])[0], own[:3])  # one noise for all, every time
    images = bars.images(np.arange(96))
    kept = run.redraw(images, codes)[0]
    print(psnr(kept, real))
    assert psnr(kept, real) > psnr(own, real)  # what no code says is kept
    floats = np.asarray(images, np.float32) / 255
    np.testing.assert_allclose(run.redraw(floats, codes)[0], kept, atol=1e-4)
    with pytest.raises(UserError, match="95 codes are for 96 images"):
        run.redraw(images, codes[:95])


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


def swap_scores(run, member, bars, turn):
    """(share of pictures drawn with their own code that are read as they are, share of
    block swaps that are exact), by the codes of true factors; `turn`, or None, is what
    the code is turned by where it is swapped, and back."""
    config = dict(run.config["method"])
    config.pop("name")
    found = told(Settings(**config), bars.space, bars.shape)
    params = jax.tree.map(lambda leaf: leaf[member], run.params)
    decode = jax.jit(found.made.decode)
    rng = np.random.default_rng(1)
    own, other = (bars.space.factors(rng.integers(0, 96, 200)) for _ in "12")
    codes = [np.asarray(found.encode(jnp.asarray(f, jnp.int32))) for f in (own, other)]
    around = np.eye(codes[0].shape[1]) if turn is None else turn
    kept = (read(decode(params, jnp.asarray(codes[0])), bars) == own).all(1).mean()
    exact = []
    for j in range(4):
        target = np.array(own)
        target[:, j] = other[:, j]
        turned = [code @ around.T for code in codes]
        mixed = np.float32(swapped(*turned, found.blocks, j) @ around)
        pictures = read(decode(params, jnp.asarray(mixed)), bars)
        asked = own[:, j] != other[:, j]
        exact.append((pictures == target).all(1)[asked].mean())
    return kept, np.mean(exact)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conditioning", "code"), [("film", "one_hot"), ("attention", "numbers")]
)
def test_block_swaps_collapse_for_a_turned_code_with_the_same_information(
    toy, conditioning, code
):
    """Three seeds. Told as one vector, one training gives both rows; with a token per
    number another model is trained on the turned code."""
    bars = averaged(toy, 8)
    fields = FIELDS | {"conditioning": conditioning, "code": code, "steps": 1500}
    turn = rotation(sum(bars.space.sizes) if code == "one_hot" else 4, 1)
    found = []
    for seed in range(3):
        run = dt.train("conditional_diffusion", bars, seed=seed, **fields)
        plain = swap_scores(run, 0, bars, None)
        if conditioning == "film":
            turned = swap_scores(run, 0, bars, turn)
        else:
            told_turned = fields | {"rotation": 1}
            run = dt.train("conditional_diffusion", bars, seed=seed, **told_turned)
            turned = swap_scores(run, 0, bars, None)
        found.append([*plain, *turned])
    mean, spread = np.mean(found, 0), np.std(found, 0, ddof=1)
    print(f"{conditioning} {code}: kept, exact; turned: kept, exact {mean} +- {spread}")
    kept, exact, same, few = mean
    assert kept > 0.9 and exact > 0.9
    assert same > 0.8  # the information is there
    assert few < exact - 0.4


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
