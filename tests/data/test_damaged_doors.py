"""Published files and peers' weights, damaged in every way: one sentence each time."""

import io
import struct
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.data import dsprites
from disentangle.data.dataset import Dataset
from disentangle.data.files import read
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError
from disentangle.nn.torch_weights import from_disvae
from disentangle.training import import_weights
from disentangle.training.import_weights import read_disvae
from disentangle.training.run import load_run

SPACE = FactorSpace(
    (
        Factor("a", 3, "categorical", (0.0, 1.0, 2.0)),
        Factor("b", 4, "ordinal", (0.0, 1.0, 2.0, 3.0)),
    )
)
MANY = settings(max_examples=150)


def images():
    return np.random.default_rng(0).integers(0, 2, (12, 64, 64), np.uint8)


def classes():
    factors = SPACE.factors(np.arange(12))
    return np.concatenate([np.zeros((12, 1), int), factors], axis=1)


def npz(**changes) -> bytes:
    out = io.BytesIO()
    fields = {"imgs": images(), "latents_classes": classes()} | changes
    np.savez_compressed(out, **fields)
    return out.getvalue()


def hdf5() -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.create_dataset("imgs", data=images(), chunks=(4, 16, 16), compression=1)
        file["latents/classes"] = classes()
    return out.getvalue()


def weights() -> dict[str, np.ndarray]:
    """Small numbers in the shapes of the peer's network, 3 latents."""
    square = (32, 32, 4, 4)
    shapes = {"encoder.conv1": (32, 1, 4, 4), "encoder.conv2": square}
    shapes |= {"encoder.conv3": square, "encoder.conv_64": square}
    shapes |= {"encoder.lin1": (256, 512), "encoder.lin2": (256, 256)}
    shapes |= {"encoder.mu_logvar_gen": (6, 256), "decoder.lin1": (256, 3)}
    shapes |= {"decoder.lin2": (256, 256), "decoder.lin3": (512, 256)}
    shapes |= {"decoder.convT_64": square, "decoder.convT1": square}
    shapes |= {"decoder.convT2": square, "decoder.convT3": (32, 1, 4, 4)}
    arrays = {}
    for name, shape in shapes.items():
        outputs = shape[1] if "convT" in name else shape[0]
        arrays[f"{name}.weight"] = np.full(shape, 0.01, np.float32)
        arrays[f"{name}.bias"] = np.zeros(outputs, np.float32)
    return arrays


def weights_file(**changes) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **(weights() | changes))
    return out.getvalue()


def read_published(path) -> Dataset:
    stream = read(path, dsprites.LAYOUT, SPACE)
    return dsprites.dataset(dsprites.pack(stream, SPACE), SPACE)


DOORS = {
    "d.npz": (npz(), read_published),
    "d.hdf5": (hdf5(), read_published),
    "w.npz": (weights_file(), read_disvae),
}


@st.composite
def damaged(draw, good: bytes) -> bytes:
    """The file cut, with bytes changed, zeroed, put in or taken out, or repeated."""
    data = bytearray(good)
    # Headers and directories are at the ends: half of the places are there.
    place = st.one_of(
        st.integers(0, 400),
        st.integers(max(len(data) - 3000, 0), len(data) - 1),
        st.integers(0, len(data) - 1),
    )
    kind = draw(st.sampled_from(["cut", "flip", "byte", "zero", "insert", "drop", "4"]))
    at = min(draw(place), len(data) - 1)
    length = draw(st.integers(1, 64))
    if kind == "cut":
        return bytes(data[:at])
    if kind == "flip":
        data[at] ^= 1 << draw(st.integers(0, 7))
    elif kind == "byte":
        data[at] = draw(st.integers(0, 255))
    elif kind == "zero":
        data[at : at + length] = bytes(min(length, len(data) - at))
    elif kind == "insert":
        data[at:at] = draw(st.binary(min_size=1, max_size=64))
    elif kind == "drop":
        del data[at : at + length]
    else:
        data[at : at + 4] = struct.pack("<I", draw(st.integers(0, 2**32 - 1)))
    return bytes(data)


@pytest.mark.parametrize("door", DOORS)
@MANY
@given(st.data())
def test_a_damaged_file_is_one_sentence_or_unharmed(door, tmp_path_factory, data):
    good, open_it = DOORS[door]
    path = tmp_path_factory.getbasetemp() / door
    path.write_bytes(data.draw(damaged(good)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            open_it(path)
        except UserError as error:
            assert 10 < len(str(error)) < 700


def claims(shape, order="False", dtype="|u1") -> bytes:
    """An .npy whose header claims a shape that its 10 bytes do not fill."""
    head = f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    size = struct.pack("<H", len(head))
    return b"\x93NUMPY\x01\x00" + size + head.encode() + bytes(10)


def with_member(good: bytes, name: str, content: bytes) -> bytes:
    """The archive with one member replaced."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return out.getvalue()


CLAIMS = {
    "huge": claims("(9000000000000, 3)"),
    "overflowing": claims(f"({2**62}, {2**62})"),
    "negative": claims("(-5, 3)"),
    "fortran": claims("(2, 5)", "True"),
    "no tuple": claims("'x'"),
    "objects": claims("(2,)", dtype="|O"),
    "wide strings": claims("(1,)", dtype="<U900000000"),
    "dates": claims("(1,)", dtype="<M8[s]"),
    "code": claims("(__import__('os'),)"),
    "deep": claims("(" * 3000),
    "nothing": b"",
    "zeros": bytes(2**20),
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize(
    ("door", "member"),
    [
        ("d.npz", "imgs.npy"),
        ("d.npz", "latents_classes.npy"),
        ("w.npz", "encoder.conv1.weight.npy"),
        ("w.npz", "decoder.lin1.bias.npy"),
    ],
)
def test_a_header_that_claims_too_much_is_one_sentence(tmp_path, door, member, claim):
    good, open_it = DOORS[door]
    (tmp_path / door).write_bytes(with_member(good, member, CLAIMS[claim]))
    with pytest.raises(UserError, match=door), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        open_it(tmp_path / door)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(import_weights, "MOST_BYTES", 2 * 10**6)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.writestr(f"a{i}.npy", bytes(10**6))
    (tmp_path / "w.npz").write_bytes(bomb.getvalue())
    with pytest.raises(UserError, match="arrays are 3,000,000 bytes"):
        load_run(tmp_path / "w.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder.conv1.weight": np.ones((32, 3, 4, 4), "f4")}, "convT3.weight has"),
        ({"encoder.lin2.weight": np.ones((128, 256), "f4")}, r"lin2.weight .128, 256"),
        ({"encoder.mu_logvar_gen.bias": np.ones(7, "f4")}, r"bias has shape .7,., not"),
        ({"decoder.lin1.weight": np.ones((256, 4), "f4")}, "mu_logvar_gen.weight"),
        ({"decoder.lin1.bias": np.full(256, np.nan, "f4")}, "other than finite floats"),
        ({"decoder.lin1.bias": np.ones(256, int)}, "other than finite floats"),
        ({"encoder.conv1.weight": np.float32(1)}, "no channels or latents"),
    ],
)
def test_weights_of_another_network_are_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message.replace("lin2.weight .", "lin2.*")):
        from_disvae(weights() | change)
    (tmp_path / "w.npz").write_bytes(weights_file(**change))
    with pytest.raises(UserError, match=r"w\.npz is not an \.npz of weights"):
        load_run(tmp_path / "w.npz")


def test_weights_for_colour_images_are_named(tmp_path):
    three = np.full((32, 3, 4, 4), 0.01, np.float32)
    both = {"encoder.conv1.weight": three, "decoder.convT3.weight": three}
    both["decoder.convT3.bias"] = np.zeros(3, np.float32)
    assert from_disvae(weights() | both)[0]["Conv_0"]["kernel"].shape == (4, 4, 3, 32)
    (tmp_path / "w.npz").write_bytes(weights_file(**both))
    with pytest.raises(UserError, match="takes images of 3 channels"):
        load_run(tmp_path / "w.npz")
