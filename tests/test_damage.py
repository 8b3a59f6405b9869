"""Every file that is read back, damaged in every way: one sentence, or one warning.

Each case is a file of a finished job and a damage, drawn by hypothesis. A few hundred
here, thousands with `-m slow`.
"""

import json
import os
import shutil
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.__main__ import main
from disentangle.data import cache
from disentangle.errors import UserError
from disentangle.files import read_json
from disentangle.report import files, runs, summary
from disentangle.report.studies import STUDIES, study_of
from disentangle.study.facts import ComparedScores
from disentangle.study.groups import Groups
from disentangle.study.impossibility import Clouds, Rotations
from disentangle.study.scores import Scores
from disentangle.study.stage_timer import StageTimer
from disentangle.study.stages import Begun
from disentangle.study.visualize import Panels, Plane, Units
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.data_spec import read_spec
from disentangle.training.writers import JsonlWriter, read_metrics

sys.path.insert(0, str(Path(__file__).parent / "report"))
from synthetic_workdir import write_pipeline

FEW = settings(max_examples=60)

OTHER = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"true",
    b"[[[[",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"1e400",
    b"-1e400",
    b"NaN",
    b"[NaN, Infinity]",
    b"9" * 5000,
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    bytes(1000),
    b"PK\x05\x06" + bytes(18),
    b"\x93NUMPY\x01\x00",
    b"{}\n{}\n",
    b'{"step": 1}\n',
    b'{"step": 1e400, "split": "train", "member": "a"}\n',
    b'{"step": -1, "split": "train", "member": "a"}\n',
    b'{"step": 3, "split": "train", "member": "seed=0", "loss": "high"}\n',
    b'{"step": 3, "split": 5, "member": "seed=0", "loss": 1}\n',
    b'{"rows": [], "ran": {}}',
    b'{"rows": [{}], "ran": {"a": 1}}',
    b'{"groups": [[]], "serves": {"a": 99999999999999999999}}',
    b'{"tasks": [], "networks": {}}',
    b'{"a": {"tasks": ["x"], "matrix": [[1e308]], "standard_error": 3, "samples": 1}}',
    b'{"seconds": {"a": "long"}, "versions": 3}',
]
PLACES = ("folder", "loop", "gone", "dangling")
# One word of JSON for another: another type, a number out of every range.
WORDS = [
    b"null", b"true", b"[]", b"{}", b'""', b"-1", b"1e308", b"1e400", b"NaN",
    b"9" * 400, b'"\xff"', b"[[1]]", b"0", b"99999999999",
]  # fmt: skip


@st.composite
def damages(draw):
    """A function of a path that damages the file there, with a name for messages."""
    kind = draw(
        st.sampled_from(["other", "place", "cut", "flip", "zero", "word", "double"])
    )
    where, more = draw(st.floats(0, 1)), draw(st.integers(0, 255))
    other, place = draw(st.sampled_from(OTHER)), draw(st.sampled_from(PLACES))
    word = draw(st.sampled_from(WORDS))

    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        at = min(int(where * len(data)), max(0, len(data) - 1))
        if kind == "place":
            path.unlink()
            if place == "folder":
                path.mkdir()
            elif place != "gone":
                path.symlink_to(path if place == "loop" else path.with_name("none"))
            return
        if kind == "other":
            data = bytearray(other)
        elif kind == "cut":
            data = data[:at]
        elif kind == "flip":
            data[at] ^= more or 1
        elif kind == "zero":
            data[at : at + 64] = bytes(len(data[at : at + 64]))
        elif kind == "double":
            data = data + data
        else:
            data = bytearray(replace_a_word(bytes(data), at, word))
        path.write_bytes(data)

    return f"{kind} {where:.2f} {more} {place} {word!r} {other[:20]!r}", damage


def replace_a_word(data: bytes, at: int, word: bytes) -> bytes:
    """The JSON value that begins at or after `at`, replaced."""
    start = (
        next((i for i in range(at, len(data)) if data[i : i + 1] in b" :[,"), at) + 1
    )
    end = next((i for i in range(start, len(data)) if data[i : i + 1] in b",]}"), start)
    return data[:start] + word + data[end:]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A finished job of made-up files, with its times and a checkpoint."""
    folder = write_pipeline(tmp_path_factory.mktemp("job") / "p", rows=6, size=8)
    for step in (1, 2):
        Checkpoints(folder / "checkpoints").save(step, TREE)
    writer = JsonlWriter(folder / "vae/metrics.jsonl", 10**6)
    writer.write_scalars(10**6, "train", {"seed=0": {"loss": 1.0, "kl": [1.0, np.nan]}})
    writer.flush()
    Begun("pipeline").save(folder)
    kept(folder)
    return folder


TREE = {"a": np.arange(12.0, dtype=np.float32), "step": np.int32(3)}
ARRAY = np.arange(600, dtype=np.int16).reshape(20, 30)


def kept(folder: Path) -> np.ndarray:
    """The table of the data cache, built or read."""
    build = lambda: ARRAY.copy()
    return cache.cached(
        "table", build, shape=(20, 30), dtype=np.dtype(np.int16), cache_dir=folder
    )


def read_the_table(folder: Path) -> None:
    assert np.array_equal(kept(folder), ARRAY)


def times(folder: Path) -> None:
    """A stage is timed; afterwards the file is whole, whatever it was."""
    with StageTimer(folder, lambda line: None)("a stage"):
        pass
    assert read_json(folder / "summary.json")["seconds"]["a stage"] >= 0


def resume(folder: Path) -> None:
    """Goes on with a log; afterwards every line of it is good."""
    path = folder / "vae/metrics.jsonl"
    JsonlWriter(path, 40).write_scalars(60, "train", {"seed=0": {"loss": 2.0}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = read_metrics(folder / "vae")
    assert rows[-1] == {"step": 60, "split": "train", "member": "seed=0", "loss": 2.0}
    assert all(row["step"] <= 40 for row in rows[:-1])


def restore(folder: Path) -> None:
    """Restores, and goes on; nothing but what was saved comes back."""
    checkpoints = Checkpoints(folder / "checkpoints")
    for mend in (False, True):
        try:
            found = checkpoints.restore(TREE, mend=mend)
        except UserError:
            assert not mend
            continue
        if found:
            assert found[0] in (1, 2)
            assert all(np.array_equal(found[1][k], TREE[k]) for k in TREE)
    checkpoints.save(3, TREE)
    assert checkpoints.restore(TREE, mend=False)[0] == 3


def title(folder: Path) -> None:
    """What the page says of the config, without drawing."""
    config = read_json(folder / "config.json", dict[str, object])
    with files.reading(folder / "config.json"):
        study = study_of(folder, config)
        page = STUDIES[study].load().page if study else runs.PAGE
        page.title(config)
        summary.what_ran(folder, config, page.told(folder, config))
        summary.command(config, folder, study)


def record(kind):
    """The door of a record: read for the page, and by the job that goes on."""
    return lambda folder: (kind.held(folder, "begun anew"), files.found(kind, folder))


# file -> who reads it; "checkpoints/2/*" is any file of the newest checkpoint
DOORS = {
    "config.json": title,
    "summary.json": times,
    "affinity.json": files.affinities,
    "groups.json": record(Groups),
    "study.json": record(Begun),
    "losses.json": files.task_losses,
    "scores.json": lambda folder: (
        Scores.held(folder, "it is passed over"),
        files.found(ComparedScores, folder),
        files.scores(folder),
    ),
    "units.json": lambda folder: (
        (units := files.found(Units, folder)) and files.swept(units)
    ),
    "impossibility.json": lambda folder: (
        Rotations.held(folder, "it is begun anew"),
        (found := files.found(Rotations, folder)) and found.by_code(),
    ),
    "importance.npz": files.importances,
    "information.npz": files.informations,
    "impossibility.npz": record(Clouds),
    "panels.npz": record(Panels),
    "plane.npz": record(Plane),
    "multitask/config.json": lambda folder: files.task_names(folder / "multitask"),
    "vae/data.json": lambda folder: read_spec(folder / "vae/data.json"),
    "vae/metrics.jsonl": lambda folder: (files.metrics(folder / "vae"), resume(folder)),
    "vae/metrics.sum.json": resume,
    "table.npy": read_the_table,
    "checkpoints/2.files.json": restore,
    "checkpoints/2/*": restore,
}
SENTENCE_EACH = 4  # warnings that a single damage may cause, at most


def try_door(job: Path, copies: Path, name: str, case) -> None:
    """Damages one file of a copy and reads it."""
    said, damage = case
    top = name.partition("/")[0]
    place = copies / "copy"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    if (job / top).is_dir():
        shutil.copytree(job / top, place / top)
    else:
        for path in job.iterdir():
            if path.is_file():
                os.link(path, place / path.name) if path.name != name else None
        shutil.copyfile(job / name, place / name)
    if name.endswith("*"):
        below = sorted(p for p in (place / name[:-2]).rglob("*") if p.is_file())
        damage(below[hash_of(said) % len(below)])
    else:
        damage(place / name)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            DOORS[name](place)
        except UserError as error:
            assert str(error).strip(), said
            assert "\n" not in str(error).strip(), said
    own = [w for w in heard if issubclass(w.category, UserWarning)]
    assert len(own) == len(heard) <= SENTENCE_EACH, (
        said,
        [str(w.message) for w in heard],
    )


def hash_of(text: str) -> int:
    return zlib.crc32(text.encode())


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_a_damaged_file_is_a_sentence_or_a_warning(job, tmp_path_factory, name):
    copies = tmp_path_factory.mktemp("few")

    @settings(FEW, max_examples=10 if "checkpoints" in name else 60)
    @given(damages())
    def check(case):
        try_door(job, copies, name, case)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_thousands_of_damages(job, tmp_path_factory, name):
    copies = tmp_path_factory.mktemp("many")

    @settings(FEW, max_examples=100 if "checkpoints" in name else 2000)
    @given(damages())
    def check(case):
        try_door(job, copies, name, case)

    check()


DRAWN = [name for name in DOORS if "checkpoints" not in name and name != "table.npy"]


@pytest.mark.slow
def test_a_page_of_damaged_files_is_drawn_or_refused(job, tmp_path_factory, capsys):
    """The whole command: exit code 0 with a page, or 2 with a sentence."""
    copies = tmp_path_factory.mktemp("pages") / "copy"

    @settings(FEW, max_examples=150)
    @given(st.sampled_from(DRAWN), damages())
    def check(name, case):
        shutil.rmtree(copies, ignore_errors=True)
        shutil.copytree(job, copies)
        case[1](copies / name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = main(["report", str(copies)])
        said = capsys.readouterr()
        assert code in (0, 2), (name, case[0])
        assert code == 0 or said.err.startswith("disentangle: "), (name, case[0])
        assert code == 2 or (copies / "report.html").stat().st_size > 1000

    check()


def test_the_damages_can_be_seen(job, tmp_path):
    """A door without its lock: JSON read by json itself falls to most damages."""
    fallen = set()

    @FEW
    @given(damages())
    def check(case):
        path = tmp_path / "groups.json"
        path.unlink(missing_ok=True) if not path.is_dir() else path.rmdir()
        shutil.copyfile(job / "groups.json", path)
        case[1](path)
        try:
            json.loads(path.read_text())["groups"][0][0]
        except Exception as error:
            fallen.add(type(error).__name__)

    check()
    assert len(fallen) >= 5, fallen
