"""MPI3D, Cars3D, SmallNORB: tiny files of the published layouts, read and refused."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image
from scipy import io

import disentangle as dt
from disentangle.__main__ import main
from disentangle.data import mpi3d, smallnorb
from disentangle.data.grids import categorical, ordinal
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError

# As MPI3D's, with few values: a file of the published sizes is 12.7 GB.
FEW = FactorSpace((categorical("object_color", 3), ordinal("vertical_axis", 5)))


@pytest.fixture
def arms(tmp_path, monkeypatch):
    """(N, 64, 64, 3) images, which stand in the file of the name."""
    monkeypatch.setattr(mpi3d, "SPACES", (FEW, mpi3d.COMPLEX))
    images = np.random.default_rng(0).integers(0, 256, (15, 64, 64, 3), np.uint8)
    np.savez(tmp_path / "mpi3d_real.npz", images=images)
    np.savez_compressed(tmp_path / "packed.npz", images=images)
    np.save(tmp_path / "images.npy", images)
    return images


def test_mpi3d_is_as_published():
    assert mpi3d.SIMPLE.sizes == (6, 6, 2, 3, 3, 40, 40)
    assert (mpi3d.SIMPLE.size, mpi3d.COMPLEX.size) == (1_036_800, 460_800)
    # The archive holds the images, an .npy header of 128 bytes, and 234 of its own.
    assert mpi3d.SIMPLE.size * 64 * 64 * 3 + 128 + 234 == mpi3d.BYTES


@pytest.mark.parametrize("source", ["file", "stream"])
@pytest.mark.parametrize("name", ["mpi3d_real.npz", "images.npy", "packed.npz"])
def test_mpi3d_from_its_file(arms, tmp_path, name, source):
    if (name, source) == ("packed.npz", "stream"):
        with pytest.raises(UserError, match=r"it is compressed.*unzip packed.npz"):
            dt.load("mpi3d", path=tmp_path / name, source=source)
        return
    data = dt.load("mpi3d", path=tmp_path / name, source=source)
    assert data.space == FEW and data.shape == (64, 64, 3) and data.max_value == 255
    assert data.is_streamed == (source == "stream")
    index = np.array([14, 0, 7, 7])
    np.testing.assert_array_equal(data.images(index), arms[index])
    np.testing.assert_array_equal(
        data.factors([0, 4, 5, 14]), [[0, 0], [0, 4], [1, 0], [2, 4]]
    )


def test_mpi3d_that_is_damaged_is_refused(arms, tmp_path, monkeypatch):
    path = tmp_path / "mpi3d_real.npz"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    cases = {
        "cut.npz": (whole[: len(whole) // 2], "not a zip file"),
        "flipped.npz": (bytes(flipped), "Bad CRC-32"),
        "cut.npy": ((tmp_path / "images.npy").read_bytes()[:-1], "cut short"),
    }
    for name, (data, says) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=f"{name}.*{says}"):
            dt.load("mpi3d", path=tmp_path / name)
    np.savez(tmp_path / "few.npz", images=arms[:14])
    for source in ("file", "stream"):
        with pytest.raises(
            UserError, match=r"not MPI3D: images are uint8 \(14, 64, 64"
        ):
            dt.load("mpi3d", path=tmp_path / "few.npz", source=source)
    np.savez(tmp_path / "other.npz", imgs=arms)
    with pytest.raises(UserError, match=r"no field 'images' \(its fields: imgs.npy\)"):
        dt.load("mpi3d", path=tmp_path / "other.npz")
    with pytest.raises(UserError, match=r"is a folder.*mpi3d_real.npz"):
        dt.load("mpi3d", path=tmp_path)
    monkeypatch.setattr(mpi3d, "BYTES", len(whole))
    with pytest.raises(UserError, match="size of a published file but is damaged"):
        dt.load("mpi3d", path=path)


@pytest.fixture(scope="module")
def cars(tmp_path_factory):
    """Two cars: every view has one colour, (car, azimuth, elevation)."""
    folder = tmp_path_factory.mktemp("analogy") / "data" / "cars"
    folder.mkdir(parents=True)
    for car in range(2):
        im = np.empty((128, 128, 3, 24, 4), np.uint8)
        im[..., 0, :, :] = 100 * (car + 1)
        im[..., 1, :, :] = 10 * np.arange(24)[:, None]
        im[..., 2, :, :] = 60 * np.arange(4)
        mask = np.ones((128, 128, 24, 4), np.uint8)
        io.savemat(folder / f"car_00{car}_mesh.mat", {"im": im, "mask": mask})
    (folder / "list.txt").write_text("car_001_mesh\ncar_000_mesh\n")
    return folder


def test_cars3d_from_its_folder(cars):
    data = dt.load("cars3d", path=cars.parents[1])  # where the archive was unpacked
    assert data.space.names == ("elevation", "azimuth", "object_type")
    assert data.space.sizes == (4, 24, 2) and data.shape == (64, 64, 3)
    factors = np.array([[0, 0, 0], [3, 23, 1], [2, 5, 0]])
    pixels = np.asarray(data.images(data.space.index(factors)))[:, 31, 17]
    # list.txt has the second file first: car 0 is that of colour 200.
    assert pixels.tolist() == [[200, 0, 0], [100, 230, 180], [200, 50, 120]]
    assert data.space["azimuth"].steps_per_turn == 24
    assert data.path == str(cars)


def test_cars3d_that_is_not_whole_is_refused(cars, tmp_path):
    with pytest.raises(UserError, match=r"no list.txt and no car_\.\.\._mesh"):
        dt.load("cars3d", path=tmp_path)
    (tmp_path / "list.txt").write_text("car_007_mesh\n")
    with pytest.raises(
        UserError, match=r"names .*car_007_mesh.mat, which is not there"
    ):
        dt.load("cars3d", path=tmp_path)
    for data, says in (
        ((cars / "car_000_mesh.mat").read_bytes()[:3000], "car_007_mesh.mat is no car"),
        (None, r"its im is uint8 \(2, 2\), not uint8 \(128, 128, 3, 24, 4\)"),
        (b"", "is no car of Cars3D"),
    ):
        if data is None:
            im = np.zeros((2, 2), np.uint8)
            io.savemat(tmp_path / "car_007_mesh.mat", {"im": im})
        else:
            (tmp_path / "car_007_mesh.mat").write_bytes(data)
        with pytest.raises(UserError, match=says):
            dt.load("cars3d", path=tmp_path)


MAGIC = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54}


def written(array):
    """A binary matrix as the SmallNORB page describes it."""
    lengths = [*array.shape, 1, 1][: max(3, array.ndim)]
    head = struct.pack("<ii", MAGIC[array.dtype.name], array.ndim)
    return head + struct.pack(f"<{len(lengths)}i", *lengths) + array.tobytes()


def toys(folder, parts, end=""):
    """Files of images whose grey says which they are; parts: (N, 5) labels each."""
    for stem, labels in zip(smallnorb.PARTS, parts, strict=True):
        labels = np.asarray(labels, np.int32)
        images = np.zeros((len(labels), 2, 96, 96), np.uint8)
        images[:, 0] = (50 * labels[:, 0] + labels[:, 4])[:, None, None]
        info = labels[:, 1:] * np.array([1, 1, 2, 1], np.int32)
        for kind, array in {"dat": images, "cat": labels[:, 0], "info": info}.items():
            data = written(np.ascontiguousarray(array))
            data = gzip.compress(data) if end else data
            (folder / f"{stem}-{kind}.mat{end}").write_bytes(data)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_smallnorb_from_its_files(tmp_path, end):
    train = [[4, 4, 8, 17, 5], [0, 6, 0, 0, 3]]
    toys(tmp_path, (train, [[2, 0, 1, 9, 1], [0, 1, 0, 0, 0]]), end)
    data = dt.load("smallnorb", path=tmp_path)
    assert data.space.names == smallnorb.SPACE.names and data.shape == (64, 64, 1)
    assert not data.space.is_grid  # four of the 48,600
    shown = np.asarray(data.images(np.arange(4)))
    assert shown.min((1, 2, 3)).tolist() == [0, 3, 101, 205]  # in the grid's order
    assert shown.max((1, 2, 3)).tolist() == [0, 3, 101, 205]


def test_all_of_smallnorb_is_a_grid(tmp_path, monkeypatch):
    monkeypatch.setattr(
        smallnorb,
        "SPACE",
        FactorSpace(
            (
                categorical("category", 2),
                categorical("instance", 2),
                ordinal("elevation", 2),
                ordinal("azimuth", 2),
                ordinal("lighting", 2),
            )
        ),
    )
    rows = np.array([*np.ndindex(2, 2, 2, 2, 2)])
    toys(tmp_path, (rows[rows[:, 1] == 1], rows[rows[:, 1] == 0]))
    data = dt.load("smallnorb", path=tmp_path)
    assert data.space is smallnorb.SPACE
    grey = np.asarray(data.images(np.arange(32)))[:, 9, 9, 0]
    assert grey.tolist() == (50 * rows[:, 0] + rows[:, 4]).tolist()


def test_smallnorb_is_as_published():
    assert smallnorb.SPACE.sizes == (5, 10, 9, 18, 6) and smallnorb.SPACE.size == 48_600
    image = np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8)
    small = Image.fromarray(image).resize((64, 64), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(smallnorb.smaller(image), small)


def test_smallnorb_that_is_damaged_is_refused(tmp_path):
    labels = [[4, 4, 8, 17, 5]]
    toys(tmp_path, (labels, labels))
    path = tmp_path / f"{smallnorb.PARTS[1]}-dat.mat"
    whole = path.read_bytes()
    for data, says in (
        (whole[:-1], "bytes are not those of"),
        (whole + b"x", "bytes are not those of"),
        (b"\0" * 64, "it starts with 0x0"),
        (b"", "is no whole binary matrix"),
        (whole[:4] + struct.pack("<i", -3) + whole[8:], "-3 axes"),
        (written(np.zeros((1, 2, 32, 32), np.uint8)), r"holds uint8 \(1, 2, 32, 32\)"),
        (bytes(348), "size of the published file but is damaged"),
    ):
        path.write_bytes(data)
        with pytest.raises(UserError, match=says):
            dt.load("smallnorb", path=tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=r"has no file .*testing-dat.mat or"):
        dt.load("smallnorb", path=tmp_path)
    toys(tmp_path, (labels, [[5, 0, 0, 0, 0]]))
    with pytest.raises(UserError, match=r"labels an image \[5, 0, 0, 0, 0\]"):
        dt.load("smallnorb", path=tmp_path)


@pytest.mark.parametrize("name", ["mpi3d", "cars3d", "smallnorb"])
def test_a_config_names_them_by_their_path(name, tmp_path, capsys):
    """What is wrong with the path is said, so that the door leads to the reader."""
    config = f"--config=experiments/vae.py:{name},beta_vae"
    words = [config, f"--config.data.path={tmp_path}", f"--workdir={tmp_path / 'w'}"]
    assert main(["train", *words]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "w").exists()
