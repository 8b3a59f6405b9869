"""Published files: small ones of the same schema, and every kind of wrong one."""

import dataclasses
import gzip
import hashlib
import warnings

import h5py
import jax
import numpy as np
import pytest

from disentangle import data
from disentangle.data import dsprites, files, shapes3d
from disentangle.errors import UserError

NPZ = dsprites.LAYOUT.names["npz"]
HDF5 = dsprites.LAYOUT.names["hdf5"]


@pytest.fixture(scope="module")
def images(small_dsprites) -> np.ndarray:
    return np.asarray(small_dsprites.images(np.arange(96)))[..., 0]


@pytest.fixture(scope="module")
def classes(small_dsprites) -> np.ndarray:
    factors = small_dsprites.space.factors(np.arange(96))
    return np.concatenate([np.zeros((96, 1), int), factors], axis=1)


@pytest.fixture
def write_npz(tmp_path, images, classes):
    """Writes a dSprites archive as published, with some fields changed."""

    def write(name: str = NPZ, **changes):
        metadata = np.array({"title": "anything"}, dtype=object)
        fields = {"imgs": images, "latents_classes": classes, "metadata": metadata}
        np.savez_compressed(tmp_path / name, **{**fields, **changes})
        return tmp_path / name

    return write


@pytest.fixture
def write_shapes3d(tmp_path, small_shapes3d):
    def write(**changes):
        space = small_shapes3d.space
        index = np.arange(space.size)
        fields = {
            "images": np.asarray(small_shapes3d.images(index)),
            "labels": space.values(space.factors(index)),
        }
        with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
            for key, value in {**fields, **changes}.items():
                file[key] = value
        return tmp_path / "3dshapes.h5"

    return write


def read_dsprites(path, small: data.Dataset) -> data.Dataset:
    stream = files.read(path, dsprites.LAYOUT, small.space)
    return dsprites.dataset(dsprites.pack(stream, small.space), small.space)


def same(one: data.Dataset, other: data.Dataset) -> bool:
    return jax.tree.structure(one) == jax.tree.structure(other) and np.array_equal(
        one.arrays, other.arrays
    )


@pytest.mark.slow
@pytest.mark.parametrize("rows", [96, 40, 7])
def test_dsprites_npz_is_the_rendered_data_set(
    write_npz, small_dsprites, monkeypatch, rows
):
    monkeypatch.setattr(files, "CHUNK", rows)
    assert same(read_dsprites(write_npz(), small_dsprites), small_dsprites)


@pytest.mark.parametrize("rows", [96, 40, 7])
def test_dsprites_hdf5_is_the_rendered_data_set(
    tmp_path, small_dsprites, images, classes, monkeypatch, rows
):
    monkeypatch.setattr(files, "CHUNK", rows)
    with h5py.File(tmp_path / HDF5, "w") as file:
        file.create_dataset("imgs", data=images, chunks=(10, 16, 64))
        file["latents/classes"] = classes
    assert same(read_dsprites(tmp_path / HDF5, small_dsprites), small_dsprites)


@pytest.mark.slow
def test_shapes3d_file_is_a_table_of_the_same_images(write_shapes3d, small_shapes3d):
    stream = files.read(write_shapes3d(), shapes3d.LAYOUT, small_shapes3d.space)
    assert same(shapes3d.table(stream, small_shapes3d.space), small_shapes3d)


@pytest.mark.slow
def test_shapes3d_table_draws_what_was_stored(small_shapes3d, shapes3d):
    index = np.array([[0, 5], [90, 95]])
    full = shapes3d.space.index(small_shapes3d.space.factors(index))
    assert np.array_equal(small_shapes3d.images(index), shapes3d.images(full))


def lfs(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")


def html(path):
    path.write_text("\n<!DOCTYPE html><html>404 not found</html>")


def gzipped(path):
    path.write_bytes(gzip.compress(path.read_bytes()))


def noise(path):
    path.write_bytes(bytes(range(7, 107)))


def cut(path):
    path.write_bytes(path.read_bytes()[:-500])


def damage_images(path):
    """Flips bytes of the compressed images, which come first in the archive."""
    content = bytearray(path.read_bytes())
    content[300:310] = b"\xff" * 10
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "cannot read .*No such file"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lfs, "Git LFS pointer.*git lfs pull"),
        (html, "an HTML page"),
        (gzipped, "a gzip archive"),
        (noise, "neither a NumPy archive"),
        (cut, "damaged or cut short"),
        (damage_images, "damaged or cut short"),
    ],
)
def test_a_file_that_is_no_data_set_is_named(write_npz, small_dsprites, spoil, message):
    path = write_npz()
    spoil(path)
    with pytest.raises(UserError, match=message):
        read_dsprites(path, small_dsprites)


@pytest.mark.slow
def test_a_cut_hdf5_is_named(write_shapes3d, small_shapes3d):
    path = write_shapes3d()
    path.write_bytes(path.read_bytes()[:-200_000])
    with pytest.raises(UserError, match=r"damaged or cut short.*267,573,662"):
        list(files.read(path, shapes3d.LAYOUT, small_shapes3d.space))


def test_a_renamed_file_is_named(write_npz, small_dsprites, tmp_path):
    path = write_npz()
    renamed = path.rename(tmp_path / "dsprites.h5")
    with pytest.raises(UserError, match=r"named \.h5 but its content is npz"):
        read_dsprites(renamed, small_dsprites)
    with pytest.raises(UserError, match="is a folder"):
        read_dsprites(tmp_path, small_dsprites)


def test_the_other_data_set_is_named(write_npz, write_shapes3d, tmp_path):
    with pytest.raises(UserError, match=r"is not dSprites.*looks like Shapes3D"):
        data.load("dsprites", path=write_shapes3d())
    with pytest.raises(UserError, match=r"is npz; Shapes3D is published as 3dshapes"):
        data.load("shapes3d", path=write_npz())
    with h5py.File(tmp_path / HDF5, "w") as file:
        file["imgs"] = np.zeros((2, 64, 64), np.uint8)
    with pytest.raises(UserError, match=r"is not Shapes3D.*looks like dSprites"):
        data.load("shapes3d", path=tmp_path / HDF5)


def test_load_insists_on_the_whole_set(write_npz, write_shapes3d):
    with pytest.raises(UserError, match=r"labels 96 images; dSprites has 737,280"):
        data.load("dsprites", path=write_npz())
    with pytest.raises(UserError, match=r"\(96, 64, 64, 3\), not uint8 \(480000, "):
        data.load("shapes3d", path=write_shapes3d())


def test_rows_in_another_order_are_refused(write_npz, small_dsprites, classes):
    swapped = classes.copy()
    swapped[[20, 21]] = swapped[[21, 20]]
    with pytest.raises(UserError, match=r"not in row-major .* row 20 holds image 21"):
        read_dsprites(write_npz(latents_classes=swapped), small_dsprites)


def test_wrong_fields_are_refused(write_npz, small_dsprites, images, classes):
    for change, message in [
        ({"imgs": images.astype(np.float32)}, "imgs is float32"),
        ({"imgs": images[:, :32]}, r"\(96, 32, 64\)"),
        ({"imgs": images * np.uint8(255)}, "pixels are 0 or 1, but one is 255"),
        ({"latents_classes": classes + 1}, "colour"),
        ({"latents_classes": classes * 2}, "outside"),
        ({"latents_classes": classes[:, 1:]}, "classes are"),
    ]:
        with pytest.raises(UserError, match=message):
            read_dsprites(write_npz(**change), small_dsprites)


def test_wrong_shapes3d_labels_are_refused(write_shapes3d, small_shapes3d):
    space = small_shapes3d.space
    good = space.values(space.factors(np.arange(space.size)))
    shifted, missing = good.copy(), good.copy()
    shifted[3, 0] += 0.05
    missing[4, 5] = np.nan
    for labels, message in [
        (shifted, "floor_hue are not the published values"),
        (missing, "orientation are not the published values"),
        (good[:, :5], "labels have shape"),
        (good[::-1], "not in row-major"),
    ]:
        with pytest.raises(UserError, match=message):
            list(files.read(write_shapes3d(labels=labels), shapes3d.LAYOUT, space))


def test_a_file_of_the_published_size_must_be_the_published_file(
    write_npz, small_dsprites
):
    path = write_npz()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    good = dataclasses.replace(dsprites.LAYOUT, sha256={size: digest})
    assert len(list(files.read(path, good, small_dsprites.space))) == 1
    bad = dataclasses.replace(dsprites.LAYOUT, sha256={size: "0" * 64})
    with pytest.raises(UserError, match="size of the published file but is damaged"):
        list(files.read(path, bad, small_dsprites.space))


def test_the_whole_sets_are_recognised_by_their_content(dsprites, shapes3d):
    """Right schema and order, wrong images: the public readers look at them too."""
    from disentangle.data import dsprites as module

    dark = ((slice(i, i + 8192), np.zeros((8192, 64, 64), np.uint8)) for i in (0, 8192))
    with pytest.raises(UserError, match="0 lit pixels; dSprites has 128,328,862"):
        module.pack(dark)
    assert np.array_equal(dsprites.space.sizes, module.SPACE.sizes)


def test_pickled_metadata_is_never_opened(write_npz, small_dsprites):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("metadata was unpickled",))

    path = write_npz(metadata=np.array(Bomb(), dtype=object))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(read_dsprites(path, small_dsprites), small_dsprites)
