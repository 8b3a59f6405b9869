"""Files are written whole or not at all."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_two_threads_write_a_file_each(tmp_path):
    both_open = threading.Barrier(2)

    def write(text):
        with files.whole(tmp_path / "a") as beside:
            beside.write_text(text)
            both_open.wait(timeout=30)
            return beside.read_text()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(write, ("one", "other"))) == ["one", "other"]
    assert (tmp_path / "a").read_text() in ("one", "other")
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
