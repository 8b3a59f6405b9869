"""What loggers are given comes back from their files."""

import io
import sys

import jax
import numpy as np
import pytest
from PIL import Image

import disentangle as dt
from disentangle.__main__ import main
from disentangle.errors import UserError
from disentangle.training.config import default_config, read_experiment
from disentangle.training.loggers import LOGGERS, chosen, hyperparameters
from disentangle.training.loggers.tensorboard import TensorBoardWriter
from disentangle.training.loggers.wandb import WandbWriter
from disentangle.training.pictures import sheet
from disentangle.training.run import fit
from disentangle.training.writers import read_metrics


def config(**more):
    """Two members, beta 1 and 4, on toy data."""
    found = default_config("toy", "beta_vae").to_dict()
    found["method"] |= {"encoder": "dense", "decoder": "dense", "beta": [1.0, 4.0]}
    intervals = {"log_every": 2, "eval_every": 0, "checkpoint_every": 4}
    return found | {"steps": 4, "batch_size": 4} | intervals | more


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_scalars_of_every_member_come_back(tmp_path):
    from tensorboard.util.tensor_util import make_ndarray

    writer = TensorBoardWriter(tmp_path)
    for step in (10, 20):
        rows = {
            f"seed={seed}": {"loss": np.float32(seed + step), "kl": np.zeros(3)}
            for seed in (0, 1)
        }
        writer.write_scalars(step, "train", rows)
    writer.flush()
    writer.close()
    for seed in (0, 1):
        found = events(tmp_path / f"seed={seed}")
        assert found.Tags()["tensors"] == ["train/loss"]  # vectors stay in the jsonl
        held = found.Tensors("train/loss")
        values = [(e.step, float(make_ndarray(e.tensor_proto))) for e in held]
        assert values == [(10, seed + 10.0), (20, seed + 20.0)]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_back_to_the_pixel(channels, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (6, 8, channels), np.uint8)
    writer = TensorBoardWriter(tmp_path)
    writer.write_images(7, "test", {"a": {"reconstruction": image}})
    writer.close()
    (found,) = events(tmp_path / "a").Images("test/reconstruction")
    assert (found.step, found.height, found.width) == (7, 6, 8)
    held = np.asarray(Image.open(io.BytesIO(found.encoded_image_string)))
    np.testing.assert_array_equal(held.reshape(image.shape), image)


@pytest.mark.slow
def test_a_run_with_loggers_is_the_run_without(toy, tmp_path):
    """The same bits; beside metrics.jsonl there are curves, images and hparams."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    plain = fit(config(), toy, workdir=tmp_path / "plain", progress=False)
    run = fit(
        config(), toy, workdir=tmp_path / "a", loggers=["tensorboard"], progress=False
    )
    jax.tree.map(np.testing.assert_array_equal, plain.params, run.params)
    assert read_metrics(tmp_path / "plain") == read_metrics(tmp_path / "a")
    for place, (member, beta) in enumerate(zip(run.members, (1.0, 4.0), strict=True)):
        found = events(tmp_path / "a" / "tensorboard" / member)
        assert [e.step for e in found.Tensors("train/kl")] == [2, 4]
        assert found.Tags()["images"] == ["test/reconstruction"]
        (image,) = found.Images("test/reconstruction")
        assert (image.step, image.height, image.width) == (4, 128, 8 * 64)
        shown = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
        # Above is the data: its first column decoded again is what stands below.
        first = (shown[:64, :64, None] > 127).astype(np.uint8)
        decoded = run.decode(run.encode(first[None]))[place, 0, ..., 0]
        assert np.abs(shown[64:, :64] - 255 * decoded).max() <= 0.5001
        (tag,) = found.summary_metadata.keys() & {"_hparams_/session_start_info"}
        content = found.summary_metadata[tag].plugin_data.content
        held = HParamsPluginData.FromString(content).session_start_info.hparams
        assert held["method.beta"].number_value == beta
        assert held["method.encoder"].string_value == "dense"


def test_hyperparameters_are_each_members_own():
    rows = hyperparameters(read_experiment(config(seeds=2)))
    assert list(rows) == [f"beta={b},seed={s}" for b in (1, 4) for s in (0, 1)]
    last = rows["beta=4,seed=1"]
    assert (last["method.beta"], last["seed"], last["steps"]) == (4.0, 1, 4)
    assert all(isinstance(value, int | float | str) for value in last.values())


def test_a_sheet_has_data_above_and_decodings_below():
    above, below = np.zeros((2, 3, 4, 1)), np.full((2, 3, 4, 1), 0.5)
    found = sheet(above, below)
    assert found.shape == (6, 8, 1) and found.dtype == np.uint8
    assert (found[:3] == 0).all() and (found[3:] == 128).all()


def test_wandb_offline_holds_all_of_it(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "of the tests")
    writer = WandbWriter(tmp_path, {"beta=4,seed=0": "0123456789abcdef"})
    writer.write_hyperparameters({"beta=4,seed=0": {"method.beta": 4.0}})
    for step in (2, 4):
        row = {"loss": np.float32(step / 8), "kl_by_latent": np.zeros(3)}
        writer.write_scalars(step, "train", {"beta=4,seed=0": row})
    image = np.zeros((4, 4, 1), np.uint8)
    writer.write_images(4, "test", {"beta=4,seed=0": {"reconstruction": image}})
    writer.close()
    (path,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    assert path.name.endswith("0123456789abcdef.wandb")
    assert list(path.parent.rglob("*.png"))
    data = path.read_bytes()
    for text in (b"of the tests", b"method.beta", b"train/loss", b"0.25", b"0.5"):
        assert text in data, text
    assert b"kl_by_latent" not in data
    assert wandb.run is None


def test_names_are_checked_before_any_compute(toy, tmp_path, monkeypatch):
    assert set(LOGGERS) == {"jsonl", "tensorboard", "wandb"}
    assert chosen("jsonl", tmp_path) == ("jsonl",)
    with pytest.raises(UserError, match=r"'tensorbord'\. Did you mean 'tensorboard'"):
        dt.train("vae", toy, loggers=["tensorbord"], workdir=tmp_path / "w")
    with pytest.raises(UserError, match="need a workdir"):
        dt.train("vae", toy, loggers="tensorboard")
    with pytest.raises(UserError, match="must be a list of names"):
        dt.train("vae", toy, loggers=3, workdir=tmp_path / "w")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[wandb\]'"):
        dt.train("vae", toy, loggers=["wandb"], workdir=tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_the_command_line_names_them(tmp_path, capsys):
    config = "--config=experiments/vae.py:dsprites,vae"
    words = ["train", config, f"--workdir={tmp_path}", "--loggers=tensorboard,wadb"]
    assert main(words) == 2
    assert "unknown logger 'wadb'. Did you mean 'wandb'" in capsys.readouterr().err
