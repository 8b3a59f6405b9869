"""Files are written whole or not at all."""

import errno
import json
import os
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


def test_what_killed_processes_left_goes_and_what_others_write_stays(tmp_path):
    """A file of a dead process of this host, of a living one, of another host."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = files._host()
    names = {
        f".a.{host}-{dead.pid}-1.tmp.npy": False,
        f".a.{host}-{os.getpid()}-1.tmp.npy": True,
        f".a.elsewhere-{dead.pid}-1.tmp.npy": True,
        ".a.123.456.tmp.npy": True,  # of an older version
        ".a.tmp": True,  # somebody else's
        "a.npy": True,
    }
    for name in names:
        (tmp_path / name).write_text("x")
    files.clear_leftovers(tmp_path, "other")
    assert {p.name for p in tmp_path.iterdir()} == set(names)
    files.clear_leftovers(tmp_path, "a")
    assert {p.name for p in tmp_path.iterdir()} == {
        n for n, stays in names.items() if stays
    }
    for name in names:
        if (tmp_path / name).exists():
            os.utime(tmp_path / name, (0, 0))
    files.clear_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {".a.tmp", "a.npy"}


def test_a_full_disk_names_the_file(tmp_path):
    """As the system says it from inside a library: an error without a file's name."""
    with (
        pytest.raises(OSError, match=r"a\.npy") as caught,
        files.whole(tmp_path / "a.npy"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "a.npy")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_as_written_does_not_replace(tmp_path, monkeypatch):
    files.write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    files.write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(files.np, "savez", lambda path, x: _other(path))
    with pytest.raises(UserError, match=r"cannot write .*a\.npz: it does not hold 'x'"):
        files.write_arrays(tmp_path / "a.npz", {"x": np.arange(4)})
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: path.touch())
    with pytest.raises(UserError, match=r"cannot write .*a\.txt: it does not hold"):
        files.write_text(tmp_path / "a.txt", "new")
    assert files.read_arrays(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]
    assert (tmp_path / "a.txt").read_text() == "old"


def _other(path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as array:
        np.lib.format.write_array(array, np.arange(4) + 1)


def test_arrays_of_every_kind_come_back(tmp_path):
    arrays = {
        "names": np.asarray(["a", "übung"]),
        "empty": np.zeros((0, 3)),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "scalar": np.asarray(3.5),
        "nan": np.array([np.nan, -0.0]),
        "mask": np.array([True, False]),
    }
    files.write_arrays(tmp_path / "a.npz", arrays)
    found = files.read_arrays(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].flags.writeable) == (array.dtype, True)
    with pytest.raises(UserError, match="Python objects"):
        files.write_arrays(tmp_path / "b.npz", {"x": np.array([{}], object)})
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
