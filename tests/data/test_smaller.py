"""Data sets made small: blocks of pixels averaged, everything else as it was."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.data.pooled import smaller
from disentangle.errors import UserError


@pytest.fixture(scope="module")
def images():
    """12x8 pictures in colour, in NumPy and as a data set."""
    rows = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), np.uint8)
    return rows, dt.from_arrays(rows, np.arange(6)[:, None], ["number"])


def test_images_are_the_means_of_their_blocks(images):
    rows, data = images
    small = smaller(data, 4)
    blocks = rows.astype(np.int64).reshape(6, 4, 3, 4, 3, 3).sum((2, 4))
    found = np.asarray(small.images(np.arange(6)))
    assert found.dtype == np.uint8
    assert np.array_equal(found, (2 * blocks + 9) // 18)  # a ninth, rounded
    even = np.asarray(smaller(data, 6).images(np.arange(6)))  # here halves are there
    sums = rows.astype(np.int64).reshape(6, 6, 2, 6, 2, 3).sum((2, 4))
    assert (sums % 4 == 2).any() and np.array_equal(even, (sums + 2) // 4)
    assert (small.shape, small.max_value) == ((4, 4, 3), 255)


def test_labels_stay_and_the_identity_does_not(images):
    _, data = images
    small = smaller(data, 4)
    assert small.space == data.space
    assert np.array_equal(small.factors(np.arange(6)), data.factors(np.arange(6)))
    assert len({small.digest, data.digest, smaller(data, 6).digest}) == 3
    assert smaller(data, 12) is data


def test_small_images_are_drawn_inside_programs(images):
    _, data = images
    small = smaller(data, 4)
    index = jnp.array([[0, 5], [3, 1]])
    inside = jax.jit(lambda data, index: data.images(index))(small, index)
    assert np.array_equal(inside, small.images(index))
    each = jax.vmap(small.images)(index)
    assert np.array_equal(each, inside)


def test_one_bit_images_become_grey():
    black = dt.from_arrays(np.zeros((2, 4, 4), np.uint8))
    rows = np.zeros((2, 4, 4, 1), np.uint8)
    rows[0, :2, :1] = 1
    binary = dataclasses.replace(black, max_value=1, arrays=jnp.asarray(rows))
    small = smaller(binary, 2)
    assert np.asarray(small.images(0))[..., 0].tolist() == [[128, 0], [0, 0]]


@pytest.mark.parametrize(
    ("size", "words"),
    [(5, "multiples"), (24, "multiples"), (-1, "size=-1"), (True, "size=True")],
)
def test_sizes_that_cannot_be_are_refused(images, tmp_path, size, words):
    rows, _ = images
    np.savez(tmp_path / "own.npz", images=rows)
    with pytest.raises(UserError, match=words):
        dt.load("own", path=tmp_path / "own.npz", size=size)


FEW = {"num_train": 60, "num_test": 30, "progress": False}


@pytest.mark.slow
def test_a_run_on_images_made_small_finds_them_again(toy, monkeypatch, tmp_path):
    """By `dt.load(size=)` alone, and from the workdir; other images are refused."""
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    settings = {"steps": 1, "batch_size": 4, "encoder": "dense", "decoder": "dense"}
    small = dt.load("toy", size=4)
    run = dt.train("vae", small, workdir=tmp_path / "run", progress=False, **settings)
    assert run.spec.shape[:2] == (4, 4) != toy.shape[:2]
    known = dt.evaluate(run, ["mig"], data=small, **FEW)["value"]
    for found in (run, tmp_path / "run"):
        np.testing.assert_array_equal(
            dt.evaluate(found, ["mig"], **FEW)["value"], known
        )
    with pytest.raises(UserError, match="the run takes images of"):
        dt.evaluate(run, ["mig"], data=toy, **FEW)
