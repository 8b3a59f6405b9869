"""Additions to the data: a folder with gaps, a stream, a method that sees two sets."""

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from recipes import film, tiles, two_domains

import disentangle as dt
from disentangle.data import DATASETS
from disentangle.data.samplers import Split, take, with_others
from disentangle.data.stream import Streamed
from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.training.config import default_config
from disentangle.training.run import fit
from disentangle.training.writers import read_metrics

SMALL = {"encoder": "dense", "decoder": "dense", "batch_size": 4, "progress": False}


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(DATASETS, "tiles", tiles.RECIPE)
    monkeypatch.setitem(DATASETS, "film", film.RECIPE)
    monkeypatch.setitem(METHODS, "two_domains", two_domains.RECIPE)


def equal(left, right):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture
def folder(tmp_path):
    """30 tiles of 20 x 28, every third without its size."""
    place = tmp_path / "tiles"
    place.mkdir()
    for i in range(30):
        colour = ("red", "green")[i % 2]
        image = np.zeros((20, 28, 3), np.uint8)
        image[: 4 + i // 2, :, i % 2] = 200
        size = "" if i % 3 == 0 else f"{i % 4}"
        Image.fromarray(image).save(place / f"{colour}-{size}-{i:02}.png")
    return place


@pytest.mark.slow
def test_a_folder_with_missing_labels(folder, tmp_path):
    data = dt.load("tiles", path=folder)
    assert data.space["colour"].words == ("green", "red")
    known = np.asarray(data.known(np.arange(30)))
    assert known[:, 0].all() and known[:, 1].sum() == 20
    batch = take(data, jax.numpy.arange(30))
    np.testing.assert_array_equal(batch["known"], known)
    assert int(batch["factors"].min()) == 0
    run = dt.train(
        "s2_beta_vae", data, steps=2, labels=10, workdir=tmp_path / "run", **SMALL
    )
    assert run.alive.all()
    table = dt.evaluate(tmp_path / "run", ["unsupervised"], progress=False)
    assert (table["num_train"][0], table["num_test"][0]) == (14, 6)  # 20 have both
    assert np.isfinite(table["value"]).all()


class Broken(film.Frames):
    """As Frames, until it has been asked a number of times."""

    def __init__(self, reads):
        self.reads = reads

    def read(self, index):
        self.reads -= 1
        if self.reads < 0:
            raise UserError("the film is torn")
        return super().read(index)


def settings():
    config = default_config("film", "beta_vae").to_dict()
    config["method"] |= {"encoder": "dense", "decoder": "dense"}
    intervals = {"log_every": 2, "eval_every": 4, "checkpoint_every": 3}
    return config | {"steps": 9, "batch_size": 4, "seeds": 2} | intervals


@pytest.mark.slow
def test_a_stream_has_the_batches_of_a_table_and_goes_on_after_a_fault(tmp_path):
    streamed = dt.load("film")
    assert streamed.is_streamed
    whole = fit(settings(), streamed, workdir=tmp_path / "whole", progress=False)
    images = np.asarray(streamed.images(np.arange(film.FRAMES)))
    table = fit(settings(), dt.from_arrays(images, stream=False), progress=False)
    assert equal(whole.params, table.params)
    draw = Streamed(Broken(13), film.SHAPE)
    torn = dataclasses.replace(streamed, draw=draw)
    with pytest.raises(UserError, match="the film is torn"):
        fit(settings(), torn, workdir=tmp_path / "torn", progress=False)
    again = fit(settings(), streamed, workdir=tmp_path / "torn", progress=False)
    assert equal(whole.params, again.params)
    assert read_metrics(tmp_path / "torn") == read_metrics(tmp_path / "whole")


@pytest.mark.slow
def test_a_streamed_run_that_is_killed_ends_with_the_same_bits(tmp_path):
    config = settings() | {"steps": 60}
    config["method"] |= {"encoder": "locatello", "decoder": "locatello"}
    whole = fit(config, dt.load("film"), progress=False)
    script = Path(film.__file__).with_name("train_film.py")
    run = [sys.executable, str(script), str(tmp_path / "run")]
    for _ in range(2):
        process = subprocess.Popen(run)
        before = newest(tmp_path / "run")
        while process.poll() is None and newest(tmp_path / "run") <= before:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < newest(tmp_path / "run") < 60
    assert subprocess.run(run, check=False).returncode == 0
    assert equal(dt.load_run(tmp_path / "run").params, whole.params)


def newest(workdir):
    names = [path.name for path in workdir.glob("checkpoints/*") if path.is_dir()]
    return max((int(name) for name in names if name.isdigit()), default=0)


@pytest.mark.slow
def test_a_method_sees_two_data_sets(tmp_path):
    first = dt.from_arrays(np.zeros((20, 12, 16), np.uint8) + 9)
    other = dt.from_arrays(np.full((30, 20, 8, 3), 200, np.uint8))
    with pytest.raises(UserError, match=r"further data sets .target.: put them beside"):
        dt.train("two_domains", first, steps=2, **SMALL)
    both = first.with_others({"target": other})
    index = jax.numpy.arange(5)
    batch = with_others(Split(both), index, jax.random.key(0))
    assert {k: v.shape for k, v in batch.items()} == {
        "images": (5, 12, 16, 1),
        "factors": (5, 0),
        "target/images": (5, 20, 8, 3),
        "target/factors": (5, 0),
    }
    run = dt.train("two_domains", both, steps=4, workdir=tmp_path / "run", **SMALL)
    loaded = dt.load_run(tmp_path / "run")
    assert equal(run.params, loaded.params)
    assert loaded.spec.others["target"].shape == (20, 8, 3)
    third = first.with_others({"target": dt.from_arrays(np.zeros((30, 20, 8, 3)))})
    with pytest.raises(UserError, match=r"other data .data sets beside it"):
        dt.train("two_domains", third, steps=4, workdir=tmp_path / "run", **SMALL)
