"""What is written is read back equal, and other people's tools can read it."""

import errno
import warnings
import zipfile

import h5py
import jax
import numpy as np
import pytest

from disentangle import data
from disentangle.data import dsprites, export, files, shapes3d
from disentangle.data import tfds as tfds_module
from disentangle.errors import UserError

DSPRITES_NAME = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64"


def rebuilt(module, stream, small: data.Dataset) -> data.Dataset:
    if module is dsprites:
        return dsprites.dataset(dsprites.pack(stream, small.space), small.space)
    return shapes3d.table(stream, small.space)


@pytest.mark.parametrize(
    ("module", "fixture", "kind", "name"),
    [
        (dsprites, "small_dsprites", "npz", f"{DSPRITES_NAME}.npz"),
        (dsprites, "small_dsprites", "hdf5", f"{DSPRITES_NAME}.hdf5"),
        pytest.param(
            *(shapes3d, "small_shapes3d", "h5", "3dshapes.h5"), marks=pytest.mark.slow
        ),
    ],
)
def test_files_round_trip(tmp_path, request, monkeypatch, module, fixture, kind, name):
    monkeypatch.setattr(export, "CHUNK", 40)  # two full chunks and a part
    small = request.getfixturevalue(fixture)
    path = export.export(small, tmp_path / "out", kind)
    assert path == tmp_path / "out" / name
    assert [p.name for p in path.parent.iterdir()] == [name]
    stream = files.read(path, module.LAYOUT, small.space)
    back = rebuilt(module, stream, small)
    assert jax.tree.structure(back) == jax.tree.structure(small)
    assert np.array_equal(back.arrays, small.arrays)


def test_dsprites_archive_has_the_published_fields(tmp_path, small_dsprites):
    path = export.export(small_dsprites, tmp_path, "npz")
    with np.load(path, allow_pickle=True) as file:
        archive = dict(file)
    assert set(archive) == {"imgs", "latents_classes", "latents_values", "metadata"}
    assert archive["imgs"].shape == (96, 64, 64) and archive["imgs"].dtype == np.uint8
    assert archive["latents_classes"][95].tolist() == [0, 1, 1, 2, 1, 3]
    assert archive["latents_values"][95] == pytest.approx(
        [1, 2, 0.6, 2 * 2 * np.pi / 39, 1 / 31, 3 / 31]
    )
    metadata = archive["metadata"][()]
    assert metadata["latents_sizes"].tolist() == [1, 2, 2, 3, 2, 4]
    assert metadata["latents_possible_values"]["shape"].tolist() == [1.0, 2.0]
    assert zipfile.ZipFile(path).testzip() is None


def test_shapes3d_file_has_the_published_fields(tmp_path, small_shapes3d):
    with h5py.File(export.export(small_shapes3d, tmp_path, "h5")) as file:
        assert set(file) == {"images", "labels"}
        assert file["images"].shape == (96, 64, 64, 3)
        assert file["labels"][95] == pytest.approx(
            [0.1, 0.1, 0.1, 0.75 + 0.5 / 7, 1, -30 + 2 * 60 / 14]
        )


def test_nothing_is_overwritten_and_wrong_formats_are_named(
    tmp_path, small_dsprites, small_shapes3d
):
    path = export.export(small_dsprites, tmp_path, "npz")
    before = path.read_bytes()
    with pytest.raises(UserError, match="exists; it is not overwritten"):
        export.export(small_dsprites, tmp_path, "npz")
    assert path.read_bytes() == before
    with pytest.raises(UserError, match="Did you mean 'npz'"):
        export.export(small_dsprites, tmp_path, "npy")
    with pytest.raises(
        UserError, match="not published as npz; choose from: tfds, hdf5"
    ):
        export.export(small_shapes3d, tmp_path, "npz")
    with pytest.raises(UserError, match="is a file, not a folder"):
        export.export(small_dsprites, path, "hdf5")


def full_disk_blocks(dataset: data.Dataset):
    yield np.zeros((40, 64, 64, 1), np.uint8)
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", ["npz", "hdf5"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, small_dsprites, monkeypatch, kind):
    monkeypatch.setattr(export, "_images", full_disk_blocks)
    with pytest.raises(UserError, match=r"cannot write .*No space left"):
        export.export(small_dsprites, tmp_path, kind)
    assert list(tmp_path.iterdir()) == []


def test_a_tfds_export_that_failed_can_be_repeated(
    tmp_path, small_dsprites, monkeypatch
):
    pytest.importorskip("tensorflow_datasets")
    with monkeypatch.context() as full_disk:
        full_disk.setattr(export, "_images", full_disk_blocks)
        with pytest.raises(UserError, match=r"cannot write .*No space left"):
            export.export(small_dsprites, tmp_path, "tfds")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    written = export.export(small_dsprites, tmp_path, "tfds")
    assert written == tmp_path / "dsprites" / "2.0.0"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, small_dsprites, small_shapes3d):
    """A tfds folder with both small sets, written by export."""
    pytest.importorskip("tensorflow_datasets")
    folder = tmp_path_factory.mktemp("tfds")
    for small in (small_dsprites, small_shapes3d):
        written = export.export(small, folder, "tfds")
        assert written == folder / small.name / "2.0.0"
    return folder


@pytest.mark.parametrize(
    ("module", "fixture"), [(dsprites, "small_dsprites"), (shapes3d, "small_shapes3d")]
)
def test_tfds_round_trip(prepared, request, monkeypatch, module, fixture):
    monkeypatch.setattr(tfds_module, "_CHUNK", 40)
    small = request.getfixturevalue(fixture)
    stream = tfds_module.read(small.name, prepared, small.space)
    back = rebuilt(module, stream, small)
    assert jax.tree.structure(back) == jax.tree.structure(small)
    assert np.array_equal(back.arrays, small.arrays)


def test_tfds_itself_reads_the_copy(prepared, small_dsprites):
    tfds = pytest.importorskip("tensorflow_datasets")
    source = tfds.data_source("dsprites", split="train", data_dir=prepared)
    assert len(source) == 96
    for example in source:
        factors = [example[f"label_{name}"] for name in small_dsprites.space.names]
        image = small_dsprites.images(small_dsprites.space.index(factors))
        assert np.array_equal(example["image"], image)
        assert example["value_shape"] == factors[0] + 1


def test_bad_tfds_copies_are_named(prepared, tmp_path, small_dsprites, monkeypatch):
    with pytest.raises(
        UserError, match="has 96 examples; the full data set has 737,280"
    ):
        data.load("dsprites", source="tfds", path=prepared)
    with pytest.raises(UserError, match="no prepared tfds copy of 'dsprites' in"):
        data.load("dsprites", source="tfds", path=tmp_path)
    with pytest.raises(UserError, match="exists; it is not overwritten"):
        export.export(small_dsprites, prepared, "tfds")
    with (
        pytest.raises(UserError, match="pip install"),
        monkeypatch.context() as without,
    ):
        without.setitem(__import__("sys").modules, "tensorflow_datasets", None)
        data.load("dsprites", source="tfds", path=prepared)


def test_png_is_read_by_pillow(small_dsprites, small_shapes3d):
    pillow = pytest.importorskip("PIL.Image")
    import io

    for small in (small_dsprites, small_shapes3d):
        image = np.asarray(small.images(17))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            decoded = np.asarray(pillow.open(io.BytesIO(tfds_module.png(image))))
        assert np.array_equal(decoded.reshape(image.shape), image)
