"""One's own images: every door gives the same data set, every mistake a sentence."""

import gzip
import struct

import h5py
import numpy as np
import pytest
from PIL import Image

import disentangle as dt
from disentangle.data import celeba, own
from disentangle.errors import UserError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 20, 28), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (12, 20, 28, 3), dtype=np.uint8)
KIND = np.array(["cat", "dog", "", "cat", "eel", "dog"] * 2)
AGE = np.array([1.5, np.nan, 2.25, 8.0, 1.5, 2.25] * 2)


def write_folder(folder, images, lines=None):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    if lines is not None:
        (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def pixels(data):
    return np.asarray(data.images(np.arange(len(data))))


def test_arrays_grey_and_colour():
    grey = dt.from_arrays(GREY)
    assert (grey.shape, grey.max_value, grey.space.names) == ((20, 28, 1), 255, ())
    np.testing.assert_array_equal(pixels(grey)[..., 0], GREY)
    colour = dt.from_arrays(COLOUR.astype(np.int64))
    np.testing.assert_array_equal(pixels(colour), COLOUR)
    assert np.asarray(grey.factors(np.arange(3))).shape == (3, 0)
    assert grey.known(np.arange(3)) is None


def test_floats_are_kept_at_eight_bits_and_binary_ones_as_they_are():
    data = dt.from_arrays(GREY / 255)
    assert data.max_value == 255
    np.testing.assert_array_equal(pixels(data)[..., 0], GREY)
    for dtype in (bool, float, np.uint8):
        binary = dt.from_arrays((GREY > 99).astype(dtype))
        assert binary.max_value == 1
        np.testing.assert_array_equal(pixels(binary)[..., 0], GREY > 99)


def test_labels_are_words_whole_numbers_real_numbers_or_missing():
    columns = {"kind": KIND, "age": AGE, "count": np.array([7, 3, -1, 7, 3, 3] * 2)}
    table = np.stack([columns[name].astype(object) for name in columns], axis=1)
    data = dt.from_arrays(GREY, table, names=list(columns))
    kind, age, count = data.space.items
    assert (kind.kind, kind.words, kind.size) == (
        "categorical",
        ("cat", "dog", "eel"),
        3,
    )
    assert (age.kind, age.values) == ("real", (1.5, 2.25, 8.0))
    assert (count.kind, count.values) == ("categorical", (3.0, 7.0))
    # By hand: how often each value is there in twelve images.
    assert (kind.counts, age.counts, count.counts) == ((4, 4, 2), (4, 4, 2), (6, 4))
    index = np.arange(6)
    known = [[1, 1, 1], [1, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]]
    np.testing.assert_array_equal(data.known(index), np.array(known, bool))
    coded = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 2, 1], [2, 0, 0], [1, 1, 0]]
    np.testing.assert_array_equal(data.factors(index), coded)


def test_many_real_numbers_are_quantiles_known_by_their_mean():
    values = np.random.default_rng(0).normal(size=5000)
    data = dt.from_arrays(np.zeros((5000, 2, 2), np.uint8), values, names=["x"])
    (factor,) = data.space.items
    assert (factor.kind, factor.size) == ("real", 1024)
    kept = np.array(factor.values)[np.asarray(data.factors(np.arange(5000)))[:, 0]]
    inner = np.abs(values) < 2  # outside of it quantiles are wide
    assert np.abs(kept - values)[inner].max() < 0.05
    assert kept.mean() == pytest.approx(values.mean(), abs=1e-12)


def test_labels_that_are_a_full_grid_are_one():
    grid = np.stack(np.meshgrid([0, 1, 2], [5, 6], [0, 1], indexing="ij"), -1)
    rows = grid.reshape(-1, 3)
    data = dt.from_arrays(GREY, rows, names=["a", "b", "c"])
    assert data.space.is_grid and data.labels is None
    assert data.space.sizes == (3, 2, 2) and data.space["b"].values == (5.0, 6.0)
    order = np.random.default_rng(0).permutation(12)
    other = dt.from_arrays(GREY[order], rows[order], names=["a", "b", "c"])
    assert not other.space.is_grid
    np.testing.assert_array_equal(other.factors(np.arange(12)), data.factors(order))


def files_of(tmp_path, images, factors, names):
    arrays = {"images": images, "factors": factors, "names": np.array(names)}
    np.savez(tmp_path / "all.npz", **arrays)
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["images"], file["factors"] = images, factors
        file["names"] = names
    lines = [",".join(["file", *names])]
    for i, row in enumerate(factors):
        lines.append(
            ",".join([f"{i:02}.png", *("" if v == -1 else str(v) for v in row)])
        )
    write_folder(tmp_path / "a [folder] of mine", images, lines)
    return (
        tmp_path / "all.npz",
        tmp_path / "all.h5",
        tmp_path / "a [folder] of mine",
        tmp_path / "a [folder] of mine" / "labels.csv",
    )


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
def test_every_door_gives_the_same_data_set(tmp_path, images):
    factors = np.random.default_rng(1).integers(-1, 3, (12, 2))
    reference = dt.from_arrays(images, factors, names=["one", "two"])
    index = np.arange(12)
    for path in files_of(tmp_path, images, factors, ["one", "two"]):
        for source in ("", "stream"):
            if path.suffix == ".npz" and source:
                continue
            data = dt.load("own", path=path, source=source)
            assert data.space == reference.space and data.shape == reference.shape
            assert data.path in (
                str(path),
                str(path.parent),
            ) and data.is_streamed == bool(source)
            np.testing.assert_array_equal(pixels(data), pixels(reference))
            np.testing.assert_array_equal(data.factors(index), reference.factors(index))
            np.testing.assert_array_equal(data.known(index), reference.known(index))
            again = dt.load("own", path=path, source=source)
            assert again.digest == data.digest
    other = dt.load("own", path=tmp_path / "all.npz")
    changed = dt.from_arrays(images, np.where(factors == 2, 1, factors), ["one", "two"])
    assert other.digest == reference.digest != changed.digest


def test_a_folder_with_images_that_have_no_line(tmp_path):
    folder = write_folder(
        tmp_path / "f", GREY, ["file;colour", "03.png;red", "00.png;"]
    )
    (folder / "labels.csv").write_text(
        "file;colour\n03.png;red\n00.png;\n01.png;blue\n"
    )
    data = dt.from_folder(folder)
    np.testing.assert_array_equal(pixels(data)[:4, ..., 0], GREY[[3, 0, 1, 2]])
    known = data.known(np.arange(12))[:, 0]
    assert list(known) == [True, False, True] + [False] * 9
    assert data.space["colour"].words == ("blue", "red")
    unlabelled = dt.from_folder(folder, labels=None)
    assert unlabelled.space.names == () and len(unlabelled) == 12


def test_a_folder_of_grey_and_colour_images_is_colour(tmp_path):
    folder = write_folder(tmp_path, [GREY[0], COLOUR[0]])
    Image.fromarray(COLOUR[1]).save(folder / "z.JPEG", quality=95)
    found = pixels(dt.from_folder(folder))
    assert found.shape == (3, 20, 28, 3)
    np.testing.assert_array_equal(found[0], np.repeat(GREY[0][..., None], 3, -1))
    np.testing.assert_array_equal(found[1], COLOUR[0])


BAD_ARRAYS = {
    "negative": (GREY.astype(int) - 300, "pixels of -300 .*in 0 .. 255"),
    "large": (GREY.astype(int) * 3, "pixels of 7.. .*in 0 .. 255"),
    "nan": (np.where(GREY > 250, np.nan, 0.5), "NaN or infinite, the first in image 0"),
    "beyond one": (GREY.astype(float), "floats must be in .0, 1."),
    "channels first": (np.moveaxis(COLOUR, -1, 1), "channels come last.*transpose"),
    "opaque": (np.concatenate([COLOUR, COLOUR[..., :1]], -1), "4 channels.*opaque"),
    "one image": (COLOUR[0], "is it one image"),
    "flat": (GREY.reshape(12, -1), r"must be \(N, H, W\)"),
    "none": (GREY[:0], "images are empty"),
    "objects": (np.array([None, "x"], object).reshape(2, 1, 1), "array of objects"),
    "sizes": ([GREY[0], GREY[1][:5]], "different sizes, such as"),
    "words": (np.full((2, 4, 4), "x"), "not numbers"),
    "masked": (np.ma.masked_greater(GREY, 9), "masked"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_images_that_cannot_be_used_are_a_sentence(name):
    images, says = BAD_ARRAYS[name]
    with pytest.raises(UserError, match=says):
        dt.from_arrays(images)


ONES = np.ones((12, 2), int)
BAD_LABELS = {
    "rows": (np.ones((11, 2)), None, "factors have 11 rows, but there are 12 images"),
    "names": (ONES, ["a"], "names are 1 .* 2 columns"),
    "twice": (ONES, ["a", "a"], "two factors are named 'a'"),
    "no name": (ONES, ["a", " "], "a factor has no name"),
    "no factors": (None, ["a"], "no factors that they could name"),
    "all missing": (-ONES, ["a", "b"], "factor 'a' has no label at all"),
    "all nan": (ONES * np.nan, ["a", "b"], "factor 'a' has no label at all"),
    "negative": (ONES * -3, ["a", "b"], "factor 'a' has the label -3.*at least 0"),
    "infinite": (ONES + np.inf, ["a", "b"], "'a' has labels that are infinite"),
    "cube": (np.ones((12, 2, 2)), None, "shape .12, 2, 2."),
    "complex": (np.ones((12, 1), complex), ["a"], "complex128, not numbers or words"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_labels_that_cannot_be_used_are_a_sentence(name):
    factors, names, says = BAD_LABELS[name]
    with pytest.raises(UserError, match=says):
        dt.from_arrays(GREY, factors, names)


BAD_CSVS = {
    "missing file": (["f,a", "00.png,1", "0.png,2"], "row 3, names '0.png', .*did you"),
    "twice": (["f,a", "00.png,1", "00.png,2"], "names '00.png' twice, .* row 3"),
    "cells": (["f,a", "00.png,1,2"], "row 2, has 3 cells, but the header has 2"),
    "names": (["f,a,a", "00.png,1,2"], "two factors are named 'a'"),
    "header": (["f,a"], "no line after its header"),
    "empty": ([], "no line after its header"),
    "no label": (["f,a", "00.png,"], "factor 'a' has no label at all"),
    "quote": (["f,a", '00.png,"1'], "labels.csv cannot be read"),
}


@pytest.mark.parametrize("name", BAD_CSVS)
def test_a_csv_that_cannot_be_used_is_a_sentence(tmp_path, name):
    lines, says = BAD_CSVS[name]
    with pytest.raises(UserError, match=says):
        dt.from_folder(write_folder(tmp_path, GREY[:2], lines))


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"holds no image: files must end in .png"):
        dt.from_folder(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        dt.from_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="there is no such file"):
        write_folder(tmp_path / "b", GREY[:2])
        dt.from_folder(tmp_path / "b", labels="other.csv")
    write_folder(tmp_path / "c", [GREY[0], GREY[1][:7]])
    with pytest.raises(UserError, match=r"00.png is 20x28 and 01.png 7x28"):
        dt.from_folder(tmp_path / "c")
    broken = write_folder(tmp_path / "d", GREY[:2]) / "01.png"
    whole = broken.read_bytes()
    for cut in (0, 10, len(whole) // 2):
        broken.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"01.png cannot be read"):
            dt.from_folder(tmp_path / "d")


def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, pictures=GREY)
    with pytest.raises(UserError, match=r"no field 'images' .its fields: pictures"):
        dt.load("own", path=path)
    np.savez(path, images=GREY, factors=np.ones(3))
    with pytest.raises(UserError, match="factors have 3 rows"):
        dt.load("own", path=path)
    with pytest.raises(UserError, match="is read as a whole"):
        dt.load("own", path=path, source="stream")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"x.npz cannot be read"):
        dt.load("own", path=path)
    path.write_text("hello")
    with pytest.raises(UserError, match=r"not a folder of images, .npz or .h5"):
        dt.load("own", path=path)
    with pytest.raises(UserError, match="folder does not exist"):
        dt.load("own", path=tmp_path / "y.npz")
    with pytest.raises(UserError, match="needs path="):
        dt.load("own")


def idx(array):
    kind = 0x800 + array.ndim
    return struct.pack(f">{1 + array.ndim}I", kind, *array.shape) + array.tobytes()


def test_mnist_from_idx_gzipped_idx_and_npz(tmp_path):
    images = RNG.integers(0, 256, (7, 28, 28), dtype=np.uint8)
    digits = np.array([3, 9, 0, 3, 4, 9, 3], np.uint8)
    parts = {"train": slice(0, 5), "t10k": slice(5, 7)}
    for part, rows in parts.items():
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(images[rows]))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(idx(digits[rows]))
        )
    split = {"x_train": images[:5], "x_test": images[5:]}
    np.savez(tmp_path / "mnist.npz", **split, y_train=digits[:5], y_test=digits[5:])
    for path in (tmp_path, tmp_path / "mnist.npz"):
        data = dt.load("mnist", path=path)
        np.testing.assert_array_equal(pixels(data)[..., 0], images)
        digit = data.space["digit"]
        assert digit.values == (0.0, 3.0, 4.0, 9.0)
        found = np.array(digit.values)[np.asarray(data.factors(np.arange(7)))[:, 0]]
        np.testing.assert_array_equal(found, digits)
    fashion = dt.load("fashion_mnist", path=tmp_path)
    assert fashion.space["article"].words == (
        "ankle boot",
        "coat",
        "dress",
        "t-shirt",
    )
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(images[5:])[:-1])
    with pytest.raises(
        UserError, match="t10k-images-idx3-ubyte cannot be read: it is no"
    ):
        dt.load("mnist", path=tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(UserError, match="has no file t10k-images-idx3-ubyte"):
        dt.load("mnist", path=tmp_path)


@pytest.mark.parametrize("source", ["", "stream"])
def test_celeba_from_its_folder(tmp_path, source):
    faces = tmp_path / "img_align_celeba"
    faces.mkdir()
    names = [f"{i:06}.jpg" for i in range(1, 4)]
    for i, name in enumerate(names):
        photograph = np.zeros((218, 178, 3), np.uint8)
        photograph[20:198] = 80 * (i + 1)  # the middle square is all of one grey
        Image.fromarray(photograph).save(faces / name, quality=100)
    lines = [
        "3",
        "Bald Male",
        *(f"{n}  1 {-1 if i else 1}" for i, n in enumerate(names)),
    ]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    data = dt.load("celeba", path=tmp_path, source=source)
    assert data.shape == celeba.SHAPE == (64, 64, 3) and len(data) == 3
    found = pixels(data).astype(int)
    for i in range(3):
        assert np.abs(found[i] - 80 * (i + 1)).max() <= 3
    assert (data.space["Bald"].size, data.space["Male"].values) == (1, (0.0, 1.0))
    np.testing.assert_array_equal(
        np.asarray(data.factors(np.arange(3)))[:, 1], [1, 0, 0]
    )
    (faces / names[2]).unlink()
    with pytest.raises(UserError, match=r"names .*000003.jpg, which is not there"):
        dt.load("celeba", path=tmp_path)


def test_an_array_is_streamed_from_the_host():
    data = dt.from_arrays(COLOUR, stream=True)
    assert data.is_streamed and data.max_value == 255
    np.testing.assert_array_equal(pixels(data), COLOUR)
    with pytest.raises(UserError, match="streamed ones must be uint8"):
        dt.from_arrays(COLOUR / 255, stream=True)
    assert data.name == own.NAME
