"""A refused job leaves no folder; a log that was changed is not believed in silence."""

import warnings

import pytest

from disentangle.errors import UserError
from disentangle.training.workdir import owned
from disentangle.training.writers import JsonlWriter, read_metrics


def refuse(workdir):
    with pytest.raises(UserError, match="refused"), owned(workdir):
        raise UserError("refused")


def test_a_refused_job_leaves_nothing(tmp_path):
    refuse(tmp_path / "new/inner/run")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    refuse(tmp_path / "mine")
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    assert list((tmp_path / "mine").iterdir()) == []
    (tmp_path / "mine/notes").write_text("kept")
    refuse(tmp_path / "mine")
    assert (tmp_path / "mine/notes").read_text() == "kept"


def test_a_held_workdir_is_refused_and_let_go(tmp_path):
    with owned(tmp_path / "run") as folder:
        (folder / "config.json").write_text("{}")
        with pytest.raises(UserError, match="in use by another process"), owned(folder):
            pass
    with owned(tmp_path / "run"):
        pass


@pytest.fixture
def log(tmp_path):
    writer = JsonlWriter(tmp_path / "metrics.jsonl", 0)
    for step in range(1, 11):
        writer.write_scalars(step, "train", {"seed=0": {"loss": 1.5, "kl": [1.0, 2.0]}})
    writer.flush()
    return tmp_path


def lines(log):
    return (log / "metrics.jsonl").read_bytes().splitlines(keepends=True)


# what is done to the lines -> how many rows remain, what is said
DAMAGES = {
    "a digit": (
        lambda rows: [*rows[:4], rows[4].replace(b"1.5", b"1.7"), *rows[5:]],
        10,
        "as it was",
    ),
    "a line less": (lambda rows: rows[:4] + rows[5:], 9, "as it was written"),
    "the end is cut": (lambda rows: rows[:7], 7, "as it was written"),
    "twice": (lambda rows: rows[:5] + rows[4:], 11, "as it was written"),
    "not UTF-8": (
        lambda rows: [*rows[:4], b"\xff" + rows[4][1:], *rows[5:]],
        9,
        "1 line left",
    ),
    "two lines": (lambda rows: [b"{}\n", b"[1]\n", *rows], 10, "2 lines left out"),
    "zeros": (lambda rows: [*rows[:4], bytes(40) + b"\n", *rows[5:]], 9, "1 line left"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_changed_log_is_one_warning_and_then_whole(log, name):
    damage, left, said = DAMAGES[name]
    (log / "metrics.jsonl").write_bytes(b"".join(damage(lines(log))))
    with pytest.warns(UserWarning, match=said) as heard:
        assert len(read_metrics(log)) == left
    assert len(heard) == 1
    assert "metrics.jsonl" in str(heard[0].message)
    with pytest.warns(UserWarning, match=said):
        JsonlWriter(log / "metrics.jsonl", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_metrics(log)) == left


def test_a_torn_end_and_a_log_of_an_older_version_are_no_damage(log):
    with open(log / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 11, "spl')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_metrics(log)) == 10
        (log / "metrics.sum.json").unlink()
        assert len(read_metrics(log)) == 10
        JsonlWriter(log / "metrics.jsonl", 6)
        assert [row["step"] for row in read_metrics(log)] == list(range(1, 7))
