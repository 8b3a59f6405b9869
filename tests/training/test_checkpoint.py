"""A checkpoint counts when it was read back; what is not whole is never believed."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.training import checkpoint
from disentangle.training.checkpoint import Checkpoints

HERE = str(Path(__file__).parent)
TREE = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "not a number": np.array([np.nan, -0.0, np.inf], np.float32),
    "alive": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
    "step": np.int32(7),
}


def same(found) -> bool:
    return all(
        np.asarray(found[name]).tobytes() == np.asarray(leaf).tobytes()
        and found[name].dtype == leaf.dtype
        for name, leaf in TREE.items()
    )


def restore(folder: Path, *, mend: bool = False):
    return Checkpoints(folder).restore(TREE, mend=mend)


NAMES = [
    "beta[1,4]",
    "[a-z]*?",
    "a*b",
    "what?",
    "with space",
    "übung λ 日本",
    "'single' \"double\"",
    "two\nlines",
    "back\\slash",
    "{a,b}",
    "%41#&;|<>$HOME`",
    "!~^()",
    os.fsdecode(b"not utf-8 \xff"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("inner", [True, False], ids=["workdir", "parent"])
def test_any_path_keeps_a_checkpoint(tmp_path, name, inner):
    """orbax globs [...], TensorStore reads a backslash as a folder."""
    folder = tmp_path / name / ("checkpoints" if inner else "below/checkpoints")
    Checkpoints(folder).save(3, TREE)
    step, found = restore(folder)
    assert step == 3
    assert same(found)
    assert {p.name for p in folder.iterdir()} == {"3", "3.files.json"}
    places = [p for p in tmp_path.rglob("*") if p.name == "_METADATA"]
    assert [p.is_relative_to(folder) for p in places] == [True]  # and nowhere else


def test_a_path_that_cannot_be_had_is_refused_before_anything(tmp_path, monkeypatch):
    def refuse(*words, **more):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(UserError, match="its path has a character other than"):
        Checkpoints(tmp_path / "a[1]")
    Checkpoints(tmp_path / "a 1")


def test_keys_and_big_tables_come_back(tmp_path):
    tree = {"key": jax.random.key(3), "x": jnp.ones((300, 300), jnp.bfloat16)}
    Checkpoints(tmp_path).save(0, tree)
    step, found = Checkpoints(tmp_path).restore(tree, mend=False)
    assert step == 0
    assert found["key"].dtype == tree["key"].dtype
    assert np.array_equal(
        jax.random.key_data(found["key"]), jax.random.key_data(tree["key"])
    )
    assert found["x"].dtype == jnp.bfloat16


def lose(leaves):
    del leaves["weights"]


def change(leaves):
    leaves["weights"] = leaves["weights"] + np.float32(1e-7)


def widen(leaves):
    leaves["weights"] = leaves["weights"].astype(np.float64)


def negate_zero(leaves):
    leaves["not a number"] = np.abs(leaves["not a number"])


@pytest.mark.parametrize("fault", [lose, change, widen, negate_zero])
def test_a_save_that_does_not_come_back_is_no_checkpoint(tmp_path, monkeypatch, fault):
    """The library returns without an error, but did not keep what it was given."""
    Checkpoints(tmp_path).save(1, TREE)
    real = checkpoint.ocp.save

    def forgetful(path, leaves):
        leaves = dict(leaves)
        fault(leaves)
        return real(path, leaves)

    monkeypatch.setattr(checkpoint.ocp, "save", forgetful)
    with pytest.raises(UserError, match=r"cannot save checkpoint .*2: \S+ .*"):
        Checkpoints(tmp_path).save(2, TREE)
    assert {p.name for p in tmp_path.iterdir()} == {"1", "1.files.json"}
    assert restore(tmp_path)[0] == 1


def test_a_save_that_fails_deep_inside_is_one_sentence(tmp_path, monkeypatch):
    def fails(path, leaves):
        raise RuntimeError("INTERNAL: write failed\nwith a long\ntraceback")

    monkeypatch.setattr(checkpoint.ocp, "save", fails)
    with pytest.raises(UserError, match=r"2: INTERNAL: write failed$"):
        Checkpoints(tmp_path).save(2, TREE)
    assert list(tmp_path.iterdir()) == []


LISTS = {
    "empty": b"",
    "no entries": b"{}",
    "one entry less": None,
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "names only": b'["a"]',
    "text for a sum": b'{"state/_METADATA": "1"}',
    "null for a sum": b'{"state/_METADATA": null}',
    "deep": b"[" * 200_000,
    "deep dict": b'{"a":' * 100_000,
    "huge": b'{"a": 1e400}',
    "digits": b'{"a": ' + b"9" * 5000 + b"}",
    "NaN": b'{"a": NaN}',
    "not UTF-8": b'{"\xff": 1}',
    "zeros": bytes(100),
}


@pytest.mark.parametrize("content", LISTS)
def test_no_damaged_list_vouches_for_a_checkpoint(tmp_path, content):
    for step in (1, 2):
        Checkpoints(tmp_path).save(step, TREE)
    path = tmp_path / "2.files.json"
    table = json.loads(path.read_text())
    table.pop("state/_METADATA")
    path.write_bytes(
        LISTS[content] if LISTS[content] is not None else json.dumps(table).encode()
    )
    with pytest.warns(
        UserWarning, match="checkpoint 2 .* going back to the one before, 1"
    ):
        assert restore(tmp_path)[0] == 1


def test_a_file_or_a_link_in_the_place_of_a_checkpoint(tmp_path):
    for step in (1, 2, 3):
        Checkpoints(tmp_path).save(step, TREE)
    checkpoint._remove(tmp_path / "3")
    (tmp_path / "3").write_text("not a folder")
    checkpoint._remove(tmp_path / "2")
    (tmp_path / "2").symlink_to(tmp_path / "2")
    with pytest.warns(UserWarning, match=r"checkpoint 3 .*; checkpoint 2 .*before, 1"):
        step, found = restore(tmp_path, mend=True)
    assert step == 1
    assert same(found)
    Checkpoints(tmp_path).save(3, TREE)
    assert {p.name.partition(".")[0] for p in tmp_path.iterdir()} == {"1", "3"}


def test_what_happens_is_said_when_all_are_damaged(tmp_path):
    for step in (1, 2):
        Checkpoints(tmp_path).save(step, TREE)
        (tmp_path / f"{step}.files.json").unlink()
    with pytest.raises(UserError, match=r"checkpoint 2 .*checkpoint 1 .*is no other"):
        restore(tmp_path)
    with pytest.warns(UserWarning, match="begins again at step 0") as said:
        assert restore(tmp_path, mend=True) is None
    assert len(said) == 1
    assert "before" not in str(said[0].message)


def test_the_owner_removes_what_killed_saves_left(tmp_path):
    Checkpoints(tmp_path).save(5, TREE)
    for name in (
        "saving-9",
        "saving-9.orbax-checkpoint-tmp",
        "3.orbax-checkpoint-tmp-1",
    ):
        (tmp_path / name / "state").mkdir(parents=True)
    for name in ("9.files.json", ".9.files.host-1-2.tmp.json", ".9.files.1.2.tmp.json"):
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (0, 0))
    for name in ("damaged-4", "damaged-5", "damaged-6"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").write_text("the user's own")
    before = {p.name for p in tmp_path.iterdir()}
    restore(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == before  # a reader moves nothing
    restore(tmp_path, mend=True)
    kept = {"5", "5.files.json", "damaged-6", "notes.txt"}
    assert {p.name for p in tmp_path.iterdir()} == kept
    Checkpoints(tmp_path).save(6, TREE)
    assert not (tmp_path / "damaged-6").exists()


SAVES = """
import sys
from pathlib import Path
from test_checkpoint import TREE, Checkpoints

for step in range(1, 25):
    Checkpoints(Path(sys.argv[1])).save(step, TREE)
"""


@pytest.mark.slow
def test_a_reader_during_saves_is_told_nothing(tmp_path):
    """Many saves of another process, and a reader that never hears of damage."""
    Checkpoints(tmp_path).save(0, TREE)
    here = os.environ | {"PYTHONPATH": os.pathsep.join([HERE, *sys.path])}
    words = [sys.executable, "-W", "ignore", "-c", SAVES, str(tmp_path)]
    owner = subprocess.Popen(words, env=here)
    while_saving, newest = 0, -1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while owner.poll() is None:
            step, found = restore(tmp_path)
            assert step >= newest
            assert same(found)
            while_saving, newest = while_saving + (step > 0), step
    assert owner.returncode == 0
    assert while_saving >= 3
    assert restore(tmp_path)[0] == 24


BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "pwd", "grp", "resource", "termios"):
            raise ImportError(name)

for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocked())
import numpy as np
import disentangle as dt
factors = np.random.default_rng(0).integers(0, 3, (300, 2))
print(dt.score(factors + 0.0, factors, ["mig"], num_train=300, num_test=0)["mig/score"])
matrix = np.array([[1.0, 2.0, -1.0], [2.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
print(dt.group_tasks(dt.Affinity(matrix, ("a", "b", "c"), "cosine"), budget=2).groups)
"""


@pytest.mark.slow
def test_scores_and_groups_need_no_module_of_unix():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BLOCKED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    score, groups = done.stdout.splitlines()
    assert float(score) > 0.99
    assert "a" in groups
