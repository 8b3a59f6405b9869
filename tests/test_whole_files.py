"""Files are written whole or not at all."""

import json

import numpy as np
import pytest

from disentangle import files
from disentangle.errors import UserError


def test_an_interrupted_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "a"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.whole(target) as temporary:
        temporary.write_text("half a ne")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_json_is_strict_and_written_whole(tmp_path):
    path = tmp_path / "out.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == files.read_json(path) == {"a": 1}
    with pytest.raises(UserError, match="cannot write"):
        files.write_json(tmp_path / "no folder" / "out.json", {})
    with pytest.raises(UserError, match="cannot write"):
        files.write_json(path / "below a file.json", {})
    with pytest.raises(UserError, match="cannot write"):
        files.write_json(tmp_path, {})
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_arrays_come_back(tmp_path):
    files.write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    with np.load(tmp_path / "a.npz") as found:
        np.testing.assert_array_equal(found["x"], np.arange(3))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
