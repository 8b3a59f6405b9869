"""The cache survives damage, full disks and forbidden folders."""

import errno
import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest

from disentangle.data import cache

ARRAY = np.arange(6000, dtype=np.int16).reshape(100, 60)


class Builder:
    """Counts how often it had to build."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> np.ndarray:
        self.calls += 1
        return ARRAY.copy()


def get(folder: Path, build: Builder, **settings) -> np.ndarray:
    return cache.cached(
        "table-1", build, shape=(100, 60), dtype=np.int16, cache_dir=folder, **settings
    )


def test_built_once_then_read(tmp_path):
    build = Builder()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert np.array_equal(get(tmp_path / "new", build), ARRAY)
    assert build.calls == 1
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["table-1.npy"]
    assert np.array_equal(np.load(tmp_path / "new" / "table-1.npy"), ARRAY)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def cut_digest(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_array(path: Path) -> None:
    np.save(path, ARRAY[:50])


@pytest.mark.parametrize("damage", [flip_a_bit, cut, cut_digest, empty, other_array])
def test_a_damaged_file_is_reported_and_built_again(tmp_path, damage):
    build = Builder()
    get(tmp_path, build)
    damage(tmp_path / "table-1.npy")
    with pytest.warns(UserWarning, match="damaged .* building it again"):
        assert np.array_equal(get(tmp_path, build), ARRAY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        get(tmp_path, build)
    assert build.calls == 2


def test_a_known_sha256_is_enforced(tmp_path):
    digest = hashlib.sha256(ARRAY.tobytes()).hexdigest()
    build = Builder()
    get(tmp_path, build, sha256=digest)
    with (
        pytest.warns(UserWarning, match="sha256 does not match"),
        pytest.raises(RuntimeError, match="was built with sha256"),
    ):
        get(tmp_path, build, sha256="0" * 64)


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def save(file, array) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.np, "save", save)
    with pytest.warns(UserWarning, match="not cached: .* No space left"):
        assert np.array_equal(get(tmp_path, Builder()), ARRAY)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="not cached"):
        assert np.array_equal(get(tmp_path / "file" / "cache", Builder()), ARRAY)
    assert (tmp_path / "file").read_text() == "in the way"


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path / "env"))
    assert cache.folder(tmp_path / "argument") == tmp_path / "argument"
    assert cache.folder() == tmp_path / "env"
    monkeypatch.delenv("DISENTANGLE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.folder() == tmp_path / "home" / ".cache" / "disentangle"
