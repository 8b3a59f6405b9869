"""codes.npz: the round trip, and each way a file can be wrong."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics import read_codes

CODES = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
FACTORS = np.arange(400).reshape(200, 2)


def test_round_trip(tmp_path):
    np.savez(tmp_path / "a.npz", codes=CODES, factors=FACTORS)
    stored = read_codes(tmp_path / "a.npz")
    np.testing.assert_array_equal(stored.codes, CODES)
    np.testing.assert_array_equal(stored.factors, FACTORS)
    assert stored.codes.dtype == np.float32
    assert stored.factor_names is None


def test_names_and_other_arrays(tmp_path):
    np.savez_compressed(
        tmp_path / "a.npz", codes=CODES, factors=FACTORS, extra=1,
        factor_names=["shape", "scale"],
    )  # fmt: skip
    assert read_codes(str(tmp_path / "a.npz")).factor_names == ("shape", "scale")


def write_npy(path):
    with path.open("wb") as opened:
        np.save(opened, CODES)


def write_truncated(path):
    np.savez(path, codes=CODES, factors=FACTORS)
    path.write_bytes(path.read_bytes()[:-200])


def write_flipped(path):
    np.savez_compressed(path, codes=CODES, factors=FACTORS)
    content = bytearray(path.read_bytes())
    content[400] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("codes,factors\n"), "is not an npz file"),
        (write_npy, "is not an npz file"),
        (
            lambda path: np.savez(path, codes=CODES),
            "no array 'factors'; it holds codes",
        ),
        (lambda path: np.savez(path, a=CODES, b=CODES), "no array 'codes'; .* a, b"),
        (
            lambda path: np.savez(path, codes=np.array([{}, 1]), factors=FACTORS),
            "cannot be read .*Python objects",
        ),
        (write_truncated, "is truncated"),
        (write_flipped, "cannot be read .damaged"),
    ],
)
def test_wrong_files(tmp_path, write, says):
    write(tmp_path / "codes.npz")
    with pytest.raises(UserError, match=says):
        read_codes(tmp_path / "codes.npz")
