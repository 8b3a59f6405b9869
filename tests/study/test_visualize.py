"""Panels against the run they show; pages of weights that were trained elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest

import disentangle as dt
from disentangle.__main__ import main
from disentangle.errors import UserError
from disentangle.report.panels import crossed_figure
from disentangle.study.code_survey import carried, survey
from disentangle.study.page_folder import page_folder
from disentangle.study.swaps import exchanged, swaps_of
from disentangle.study.visualize import (
    VALUES,
    active_units,
    refresh_images,
    write_panels,
)

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
QUICK = {"encoder": "narrow", "decoder": "dense", "progress": False, "batch_size": 8}


@pytest.fixture(scope="module")
def run(toy):
    return dt.train("vae", toy, steps=40, learning_rate=1e-3, **QUICK)


def read(path):
    with np.load(path) as stored:
        return dict(stored)


@pytest.mark.slow
def test_latents_are_sorted_by_the_kl_of_their_posteriors(run, toy, tmp_path):
    """A run without a log (no workdir): KL from means and log-variances, by hand."""
    found = write_panels(run, toy, tmp_path / "panels.npz")
    arrays = read(tmp_path / "panels.npz")
    mean, logvar = (
        x[0].astype(np.float64) for x in run.posterior(toy.images(found.images))
    )
    kl = (0.5 * (mean**2 + np.exp(logvar) - logvar - 1)).mean(0)
    order = np.argsort(-kl)
    np.testing.assert_allclose(arrays["kl"], kl[order], rtol=1e-6)
    names = [f"z{z + 1}" for z in order]
    assert [str(c).split(":")[0] for c in arrays["captions"]] == names
    first = run.encode(arrays["images"][:1])[0]
    for row, latent in enumerate(order[:3]):
        codes = np.repeat(first, len(VALUES), axis=0)
        codes[:, latent] = VALUES
        expected = run.decode(codes)[0]
        np.testing.assert_allclose(arrays["traversals"][row], expected, atol=1e-5)
    assert str(arrays["traversal_unit"]) == ""


@pytest.mark.slow
def test_codes_without_a_prior_move_in_their_own_deviations(toy, tmp_path):
    run = dt.train("autoencoder", toy, steps=3, latents=2, **QUICK)
    found = write_panels(run, toy, tmp_path / "panels.npz")
    arrays, codes = read(tmp_path / "panels.npz"), found.codes[0]
    assert str(arrays["traversal_unit"]) == "standard deviations"
    latent = int(np.argmax(codes.var(0)))  # the first row
    moved = np.repeat(run.encode(arrays["images"][:1])[0], len(VALUES), axis=0)
    moved[:, latent] = codes[:, latent].mean() + VALUES * codes[:, latent].std()
    expected = run.decode(moved)[0]
    np.testing.assert_allclose(arrays["traversals"][0], expected, atol=1e-4)


@pytest.mark.slow
def test_a_plane_is_decoded_where_its_axes_say(toy, tmp_path):
    run = dt.train("vae", toy, steps=3, latents=2, **QUICK)
    write_panels(run, toy, tmp_path / "panels.npz")
    arrays = read(tmp_path / "plane.npz")
    point = [[arrays["plane_x"][7], arrays["plane_y"][2]]]
    expected = run.decode(np.float32(point))[0, 0]
    np.testing.assert_allclose(arrays["plane_pictures"][2, 7], expected, atol=1e-5)
    codes = arrays["plane_codes"]
    assert arrays["plane_x"][0] == pytest.approx(
        np.quantile(codes[:, 0], 0.01), rel=0.2
    )
    index = toy.space.index(arrays["plane_labels"][:5])
    np.testing.assert_allclose(run.encode(toy.images(index))[0], codes[:5], atol=1e-5)


def test_a_part_of_every_code_is_put_into_every_other():
    codes = np.arange(6).reshape(2, 3)
    found = exchanged(codes, np.array([False, True, False]))
    assert found.tolist() == [[[0, 1, 2], [0, 4, 2]], [[3, 1, 5], [3, 4, 5]]]


@pytest.mark.slow
def test_swaps_are_of_a_part_that_is_a_factors(toy, tmp_path):
    fields = QUICK | {"decoder": "dense", "latents": 3}
    run = dt.train("cycle_vae", toy, steps=3, specified=2, **fields)
    swaps_of(run, toy).save(tmp_path)
    arrays = read(tmp_path / "swaps.npz")
    assert str(arrays["swap_part"]) == "shape"
    codes = run.encode(arrays["swap_images"])[0]
    mixed = np.concatenate([codes[4, :3], codes[1, 3:]])[None]
    np.testing.assert_allclose(
        arrays["swap_pictures"][4, 1], run.decode(mixed)[0, 0], atol=1e-5
    )
    images = arrays["swap_images"]
    figure = crossed_figure(images[:, None], images, arrays["swap_pictures"])
    assert len(figure.axes) == 1
    assert swaps_of(dt.train("vae", toy, steps=1, **QUICK), toy) is None


def test_active_units_by_hand():
    """Variances 0.04, 0.0096 and 1 of two values each, around any mean."""
    codes = np.array([[[5.2, 1.0, 3.0], [4.8, 1.196, 1.0]]])
    assert active_units(codes).tolist() == [2]


@pytest.mark.slow
def test_the_survey_knows_which_factor_a_code_holds(run, toy):
    found = survey(run, toy)
    assert found.share.shape == (10, 4)
    assert (found.share >= 0).all() and (found.share <= 1).all()
    assert found.kl is not None and found.kl.shape == (10,)


def test_a_name_needs_information_beyond_shuffled_factors_and_a_living_latent():
    """Five latents: alive, dead, alive and empty, empty of one factor, at the floor."""
    share = np.array([[0.5, 0.1], [0.5, 0.1], [0.01, 0.02], [0.02, 0.04], [0.02, 0.03]])
    floor = np.array([0.015, 0.05])
    kl = np.array([2.0, 0.05, 1.0, 1.0, 0.1])
    assert carried(share, floor, kl).tolist() == [0, -1, -1, 0, 0]
    assert carried(share, floor).tolist() == [0, 0, -1, 0, 0]
    assert carried(share, share.max(0)).tolist() == [-1] * 5


@pytest.mark.slow
def test_latents_of_a_collapsed_vae_have_no_names(toy, tmp_path):
    """Beta 1e4 leaves no KL: the means follow the images by a hair, and say nothing."""
    run = dt.train("beta_vae", toy, beta=1e4, steps=30, learning_rate=1e-3, **QUICK)
    found = write_panels(run, toy, tmp_path / "panels.npz")
    assert (found.kl < 0.1).all() and (found.share > found.shuffled).any()
    arrays = read(tmp_path / "panels.npz")
    assert sorted(map(str, arrays["captions"])) == sorted(f"z{i}" for i in range(1, 11))
    assert [str(name) for name in arrays["factors"]] == list(toy.space.names)
    np.testing.assert_array_equal(arrays["shuffled"], found.shuffled)


def test_results_of_weights_need_a_folder_and_those_of_a_run_do_not(run, tmp_path):
    with pytest.raises(UserError, match=r"--out=FOLDER is missing: peer\.npz is weig"):
        page_folder(run, Path("peer.npz"), None)
    with pytest.raises(UserError, match="keeps its own page"):
        refresh_images(tmp_path, tmp_path / "other")
    out = page_folder(run, Path("peer.npz"), tmp_path / "out")
    config = json.loads((out / "config.json").read_text())
    assert (
        config["weights"] == str(Path("peer.npz").absolute()) and "steps" not in config
    )
    with pytest.raises(UserError, match="another config"):
        page_folder(run, Path("other.npz"), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VAE", "betaH", "betaB"])
def test_a_peers_weights_get_a_page_and_scores(name, tmp_path, capsys):
    weights = SHARED / f"yanndubs_dsprites_{name}.npz"
    if not weights.exists():
        pytest.skip("needs ../shared/data")
    out = tmp_path / "page"
    words = ["evaluate", f"--workdir={weights}", f"--out={out}", "--metrics=mig"]
    assert main([*words, "--num_train=1000", "--num_test=100"]) == 0
    assert main(["report", str(weights), f"--out={out}"]) == 0
    page = (out / "report.html").read_text()
    for section in ("scores", "information", "reconstructions", "traversals", "units"):
        assert f'<section id="{section}">' in page
    arrays = read(out / "panels.npz")
    off = np.mean((arrays["images"] - arrays["reconstructions"]) ** 2)
    assert off < 0.02  # the peer was trained on the real images; these are rendered
    # That project's own log of its last epoch, on the real images.
    total, used = {"VAE": (25.40, 10), "betaH": (15.35, None), "betaB": (25.0, 4)}[name]
    assert arrays["kl"].sum() == pytest.approx(total, rel=0.05)
    assert used in (None, (arrays["kl"] > 0.1).sum())
    assert list(arrays["kl"]) == sorted(arrays["kl"], reverse=True)
