"""What a Run takes and says: pixels in range, chunks, short words, dead members."""

import dataclasses
import shutil
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError
from disentangle.training import encode

DENSE = {"encoder": "dense", "decoder": "dense", "progress": False, "batch_size": 8}


@pytest.fixture(scope="module")
def run(toy, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("kept") / "run"
    return dt.train("vae", toy, steps=2, seeds=2, latents=3, workdir=workdir, **DENSE)


def grey(toy):
    """The same images in 0..255."""
    return dataclasses.replace(toy, arrays=toy.arrays * jnp.uint8(255), max_value=255)


@pytest.mark.slow
def test_images_of_any_host_and_type_give_the_same_codes(run, toy):
    raw = np.asarray(toy.images(np.arange(7)))
    codes = run.encode(raw)
    assert codes.shape == (2, 7, 3)
    assert codes.dtype == np.float32
    for same in (
        jnp.asarray(raw),
        raw.astype(np.float32),
        raw.astype(np.float64),
        raw.astype(np.float16),
        np.ma.masked_array(raw, mask=False),
        raw.tolist() and list(raw),
    ):
        np.testing.assert_array_equal(run.encode(same), codes)


def odd(images):
    """(images, what is said) of what is no image of the run."""
    float_ = images.astype(np.float32)
    holes = float_.copy()
    holes[0, 0, 0, 0] = np.nan
    endless = float_.copy()
    endless[0, 0, 0, 0] = -np.inf
    return [
        (images * np.uint8(255), r"pixels of 255 \(uint8\), the run takes uint8 in 0"),
        (float_ * 255, r"pixels of 255 \(float32\).*or float in \[0, 1\]"),
        (float_ * 255.0 / 127.5 - 1, r"pixels of -1 \(float32\)"),
        (holes, "NaN or infinite"),
        (endless, "NaN or infinite"),
        (images.astype(bool), "images are bool"),
        (images.astype(np.int64), "images are int64"),
        (images.astype(object), "of objects"),
        (images.astype(complex), "images are complex128"),
        (np.ma.masked_array(images, mask=images == 1), "masked values"),
        (images[..., 0], "have shape"),
        (images[:, :32], "have shape"),
        ([images[0], images[0, :3]], "are no array"),
        ("image", "have shape|objects"),
        (None, "of objects"),
    ]


@pytest.mark.parametrize("which", range(15))
@pytest.mark.parametrize("call", ["encode", "posterior"])
def test_what_is_no_image_of_the_run_is_one_sentence(run, toy, which, call):
    images, message = odd(np.asarray(toy.images(np.arange(4))))[which]
    asked = {"encode": run.encode, "posterior": run.posterior}[call]
    with pytest.raises(UserError, match=message):
        asked(images)
    if type(images) is np.ndarray and images.dtype in (np.uint8, np.float32):
        with pytest.raises(UserError, match=message):
            asked(jnp.asarray(images))


def test_no_images_give_no_codes(run):
    none = np.zeros((0, 64, 64, 1), np.uint8)
    assert run.encode(none).shape == (2, 0, 3)
    assert [part.shape for part in run.posterior(none)] == [(2, 0, 3)] * 2
    assert run.decode(np.zeros((0, 3))).shape == (2, 0, 64, 64, 1)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((4, 2)), r"codes have shape \(4, 2\), the run takes \(B, 3\)"),
        (np.zeros((3, 4, 3)), r"or \(2, B, 3\)"),
        (np.zeros(3), "have shape"),
        (np.full((4, 3), np.nan), "NaN or infinite"),
        (np.full((4, 3), "x"), "codes are <U1"),
        ({"a": 1}, "of objects"),
    ],
)
def test_codes_of_another_kind_are_one_sentence(run, codes, message):
    with pytest.raises(UserError, match=message):
        run.decode(codes)


def test_chunks_give_the_codes_of_the_whole(run, toy, monkeypatch):
    images = np.asarray(toy.images(np.arange(50)))
    whole, back = run.encode(images), run.decode(np.zeros((5, 3)))
    monkeypatch.setattr(encode, "BATCH", 16)
    monkeypatch.setattr(encode, "DECODE_BATCH", 2)
    for again in (images, jnp.asarray(images)):
        np.testing.assert_allclose(run.encode(again), whole, atol=1e-6)
    own = np.random.default_rng(0).normal(size=(2, 5, 3))
    np.testing.assert_allclose(run.decode(np.zeros((5, 3))), back, atol=1e-6)
    parts = [run.decode(np.stack([c, c]))[i] for i, c in enumerate(own)]
    np.testing.assert_allclose(run.decode(own), np.stack(parts), atol=1e-6)


def test_encoding_copies_a_batch_and_not_its_input(run):
    images = np.zeros((6000, 64, 64, 1), np.float64)  # 197 MB
    run.encode(images[:500])  # compiled
    tracemalloc.start()
    run.encode(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # a batch is 8 MB in float64


def test_repr_is_short_and_says_what_it_is(run, toy):
    text = repr(run)
    assert len(text) <= 300
    for part in ("vae", "2 models", "seed=0, seed=1", "2 alive", "step 2", "/run"):
        assert part in text
    long = dataclasses.replace(run.population[0], label="x" * 500)
    many = dataclasses.replace(
        run, population=(long,) * 99, workdir=run.workdir / ("y" * 400)
    )
    assert len(repr(many)) <= 300
    assert str(run) == text


def test_a_path_is_taken_for_the_run_it_holds(run, toy, monkeypatch):
    few = {"num_train": 60, "num_test": 20, "data": toy}
    table = dt.evaluate(run.workdir, ["mig"], **few)
    assert table.value.tolist() == dt.evaluate(run, ["mig"], **few).value.tolist()
    monkeypatch.setenv("HOME", str(run.workdir.parent))
    assert dt.load_run("~/run").step == 2
    with pytest.raises(UserError, match="run is a dict"):
        dt.evaluate({}, ["mig"])
    for wrong in (None, 3, "", ["a"]):
        with pytest.raises(UserError, match="path of a run"):
            dt.load_run(wrong)
    for strange in ("a\0b", "~nobody_of_that_name/x", "z" * 5000):
        with pytest.raises(UserError, match="cannot be used"):
            dt.load_run(strange)


@pytest.mark.parametrize("index", ["x", 1.0, None, 2, -3])
def test_a_model_that_is_not_there_is_named(run, index):
    says = "there are 0 to 1|its place .0 to 1.|model 'x'. .one of: seed=0, seed=1"
    with pytest.raises(UserError, match=says):
        run.member(index)


def test_a_run_evaluated_on_other_data_says_so(run, toy):
    with pytest.raises(UserError, match=r"pixels 0..1, those of toy are .* 0..255"):
        dt.evaluate(run, ["mig"], data=grey(toy))
    with pytest.warns(UserWarning, match="other data .name: toy -> other"):
        dt.evaluate(
            run,
            ["mig"],
            data=dataclasses.replace(toy, name="other"),
            num_train=60,
            num_test=20,
        )
    with pytest.raises(UserError, match=r"unknown data set 'dsprite'.*'dsprites'"):
        dt.evaluate(run, ["mig"], data="dsprite")


def test_the_folder_of_a_job_names_its_runs(run, tmp_path):
    shutil.copytree(run.workdir, tmp_path / "vae")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"folder of a job.*take one of .*/vae$"):
        dt.load_run(tmp_path)
    assert dt.load_run(tmp_path / "vae").step == 2


@pytest.mark.slow
def test_home_is_expanded_where_a_run_is_kept(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    kept = dt.train("vae", toy, steps=1, workdir="~/runs/a", **DENSE)
    assert kept.workdir == tmp_path / "runs/a"
    assert (tmp_path / "runs/a/config.json").exists()


def test_arguments_that_are_swapped_or_of_another_type_are_said(toy):
    with pytest.raises(UserError, match=r"method comes first.*train\('vae', toy"):
        dt.train(toy, "vae")
    with pytest.raises(UserError, match="data is a int"):
        dt.train("vae", 3)
    with pytest.raises(UserError, match=r"unknown method \['vae'\]"):
        dt.train(["vae"], toy)
    with pytest.raises(UserError, match="Did you mean 'dsprites'"):
        dt.train("vae", "dsprite")
    with pytest.raises(UserError, match=r"unknown optimizer {'name': 'adam'}"):
        dt.train("vae", toy, optimizer={"name": "adam"})
    with pytest.raises(UserError, match="workdir 5 must be the path"):
        dt.train("vae", toy, workdir=5, steps=1, **DENSE)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1e30, 1e19])
def test_parameters_that_leave_the_floats_are_dead_and_as_before(toy, rate):
    """One step: the gradient is finite, the parameters are not; also the last step."""
    dead = dt.train("vae", toy, steps=1, learning_rate=[1e-3, rate], **DENSE)
    assert dead.alive.tolist() == [True, False]
    for start, end in zip(
        jax.tree.leaves(dead.member(0)), jax.tree.leaves(dead.member(1)), strict=True
    ):
        assert np.abs(end).max() < 2
        assert np.abs(np.asarray(start) - end).max() <= 2e-3
    assert np.isfinite(dead.encode(toy.images(np.arange(4)))).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"arrays": jnp.full((96, 64, 64, 1), 255, jnp.uint8)},
            "up to 255, above",
        ),
        ({"arrays": jnp.zeros((96, 64, 64, 1))}, "are float32 .*, not uint8"),
        ({"arrays": jnp.zeros((95, 64, 64, 1), jnp.uint8)}, r"not uint8 \(96, 64"),
        ({"shape": (64, 64)}, "must be .height, width, channels"),
        ({"max_value": 0}, "max_value=0 must be"),
        ({"max_value": True}, "max_value=True must be"),
        ({"max_value": 256}, "max_value=256 must be"),
        ({"space": (2, 3)}, "must be a FactorSpace"),
        ({"name": 3}, "name 3 must be a string"),
        ({"draw": "rows"}, "must be a function"),
    ],
)
def test_a_data_set_whose_fields_do_not_go_together_is_named(toy, change, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(toy, **change)


def test_images_drawn_out_of_range_are_refused_before_training(toy):
    def bright(table, index):
        return draw_rows(table, index) * jnp.uint8(7)

    with pytest.raises(UserError, match="draws pixels of 7, above its max_value=1"):
        dt.train("vae", dataclasses.replace(toy, draw=bright), steps=1, **DENSE)


def with_constant() -> Dataset:
    """24 noise images whose middle factor has one value."""
    values = lambda n: tuple(map(float, range(n)))
    space = FactorSpace(
        (
            Factor("first", 4, "ordinal", values(4)),
            Factor("still", 1, "categorical", (0.0,)),
            Factor("last", 6, "categorical", values(6)),
        )
    )
    pixels = np.random.default_rng(0).integers(0, 2, (24, 16, 16, 1), np.uint8)
    return Dataset(jnp.asarray(pixels), "still", space, (16, 16, 1), 1, draw_rows)


def test_a_constant_factor_is_named_before_compute():
    data = with_constant()
    still = "factor 'still' has one value, 0, .* these vary: first, last"
    for method, fields in {
        "supervised": {},
        "s2_beta_vae": {},
        "conditional_vae": {"condition": ["still"]},
        "ml_vae": {"shared": ["still"]},
    }.items():
        with pytest.raises(UserError, match=still):
            quiet = {k: v for k, v in DENSE.items() if k != "decoder"}
            dt.train(method, data, steps=1, **(quiet | fields))
    with pytest.raises(UserError, match=still):
        dt.measure_affinity(data, steps=1, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["vae", "ada_gvae"])
def test_a_constant_factor_does_not_stop_methods_without_labels(method):
    run = dt.train(method, with_constant(), steps=3, **DENSE)
    assert run.alive.all()
    assert np.isfinite(run.encode(with_constant().images(np.arange(24)))).all()
