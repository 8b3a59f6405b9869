"""Ctrl-C and SIGTERM: every long command ends within seconds, and says what remains."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import kill_loop
import numpy as np
import pytest
from toy_program import (
    BEGUN,
    pipeline_words,
    study_words,
    theorem_words,
    train_words,
)

from disentangle.files import LEFTOVER
from disentangle.metrics.base import Settings
from disentangle.metrics.parallel import in_threads
from disentangle.training import stopping
from disentangle.training.checkpoint import Checkpoints

CODES = {signal.SIGTERM: 143, signal.SIGINT: 1}
ROOT = Path(__file__).resolve().parents[2]
LONG = 10**7


@pytest.fixture(scope="module", autouse=True)
def hears_interrupts():
    kill_loop.hear_interrupts()


def begin(words: list[str], log: Path) -> subprocess.Popen:
    """The command in a process of its own."""
    with open(log, "w") as said:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(kill_loop.PROGRAM), *words],
            stdout=said,
            stderr=said,
        )


def codes(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    path = folder / "codes.npz"
    np.savez(
        path, codes=rng.normal(size=(15000, 40)), factors=rng.integers(0, 9, (15000, 9))
    )
    return path


def trained(folder: Path) -> list[str]:
    """`evaluate` of every model by every score, of a run that is trained first."""
    first = begin(train_words(folder / "w", 3), folder / "first")
    assert first.wait(timeout=240) == 0
    words = ["evaluate", f"--workdir={folder / 'w'}", "--metrics=all"]
    return [*words, "--backend=reference"]


def affinities(folder: Path) -> list[str]:
    """`group` of twenty tasks, which takes a minute."""
    names = [f"t{i}" for i in range(20)]
    values = np.random.default_rng(0).normal(size=(20, 20))
    rows = [",".join([n, *map(str, row)]) for n, row in zip(names, values, strict=True)]
    (folder / "a.csv").write_text("\n".join([",".join(["", *names]), *rows]))
    out = folder / "out.json"
    return ["group", str(folder / "a.csv"), "--budget=7", f"--json={out}"]


def page(folder: Path) -> list[str]:
    first = begin(train_words(folder / "w", 3), folder / "first")
    assert first.wait(timeout=240) == 0
    return ["report", str(folder / "w")]


def job(command: str, steps: int, *more: str):
    return lambda folder: pipeline_words(command, folder / "w", steps, *more)


class Long(NamedTuple):
    """A command that takes long.

    Attributes:
      words: from the test's folder.
      ready: what shows it at work: a file, or a line on its output; "" for some
        seconds after its start.
      remains: whether a checkpoint remains, from which the command says to go on.
    """

    words: Callable[[Path], list[str]]
    ready: str
    remains: bool


EVERY = "--config.supervised.checkpoint_every=500"
LONG_COMMANDS = {
    "train": Long(lambda f: train_words(f / "w", LONG), "w/checkpoints/1000", True),
    "pipeline": Long(job("pipeline", LONG, EVERY), "w/multitask/checkpoints/500", True),
    "pipeline, networks": Long(
        job("pipeline", 200), "== train the grouped and the single-task networks", True
    ),
    "pipeline, vae": Long(job("pipeline", 200), "== train the beta_vae", True),
    "pipeline, scores": Long(
        job("pipeline", 200, "--config.score.metrics=('all',)"),
        "== encode and score",
        True,
    ),
    "affinity": Long(job("affinity", LONG, EVERY), "w/multitask/checkpoints/500", True),
    "compare": Long(
        lambda f: study_words(f / "w", LONG), "w/runs/beta_vae/checkpoints/1000", True
    ),
    "compare, scores": Long(lambda f: study_words(f / "w"), "== score vae", True),
    "impossibility": Long(
        lambda f: theorem_words(f / "w", 2000), "w/impossibility.json", False
    ),
    "evaluate": Long(trained, "", False),
    "score": Long(
        lambda f: ["score", str(codes(f)), "--metrics=all", "--backend=reference"],
        "",
        False,
    ),
    "group": Long(affinities, "", False),
    "report": Long(page, "", False),
    "export": Long(
        lambda f: ["export", "shapes3d", "--format=hdf5", f"--out={f / 'out'}"],
        "",
        False,
    ),
}
LIBRARIES = ("numpy", "jax", "scipy", "flax", "orbax")
STATELESS = ("evaluate", "score", "group", "report", "export")
DRAWN = {"report": {"w/panels.npz", "w/units.json"}}  # whole, before the page is


def at_work(process: subprocess.Popen, ready: Path | str, log: Path) -> None:
    """Waits until the command is at work: a file is there, or a line is said."""
    end = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < end:
        said = log.read_text()
        if not ready and BEGUN in said:
            time.sleep(2)
            break
        if (isinstance(ready, Path) and ready.exists()) or (
            ready and str(ready) in said
        ):
            break
        time.sleep(0.02)
    assert time.monotonic() < end, f"no {ready}: {log.read_text()[-2000:]}"
    assert process.poll() is None, log.read_text()[-2000:]


ENDED = [(command, number) for command in LONG_COMMANDS for number in CODES]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "number"),
    [
        pytest.param(
            *case,
            marks=() if case == ("train", signal.SIGTERM) else pytest.mark.slow,
            id=f"{case[0]}-{signal.Signals(case[1]).name}",
        )
        for case in ENDED
    ],
)
def test_a_signal_ends_every_long_command(tmp_path, command, number):
    make, ready, remains = LONG_COMMANDS[command]
    log, words = tmp_path / "said", make(tmp_path)
    before = files_in(tmp_path)
    process = begin(words, log)
    try:
        at_work(
            process,
            ready if ready.startswith("==") else ready and tmp_path / ready,
            log,
        )
        sent = time.monotonic()
        process.send_signal(number)
        if command == "train":  # a scheduler that repeats itself
            time.sleep(0.05)
            process.send_signal(number)
        code = process.wait(timeout=60)
    finally:
        process.kill()
    said = log.read_text()
    assert code == CODES[number], said[-2000:]
    assert time.monotonic() - sent < (20 if remains else 15)
    assert "Traceback" not in said
    assert said.rstrip().splitlines()[-1].startswith("stopped")
    assert "goes on" not in said or remains
    if ready.endswith("000"):
        folder = (tmp_path / ready).parent
        newest = Checkpoints(folder).steps()[-1]
        assert f"step {newest:,} is saved in {folder}" in said
        assert "goes on from the last checkpoint" in said
        rows = [path for path in folder.iterdir() if path.name.startswith("saving")]
        assert not rows
    if command in STATELESS:  # the same command again begins from the same
        after = files_in(tmp_path)
        assert before.items() <= after.items()
        assert after.keys() - before.keys() - {log.name} <= DRAWN.get(command, set())


def files_in(folder: Path) -> dict[str, int]:
    """The files of a folder and their sizes; a lock is no file.

    Nor is an unfinished one of a killed process: the next that writes there removes it.
    """
    found = [
        p
        for p in folder.rglob("*")
        if p.is_file() and p.name != "lock" and not LEFTOVER.fullmatch(p.name)
    ]
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in found}


@pytest.mark.parametrize("number", CODES, ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "library", ["jaxlib", *(pytest.param(x, marks=pytest.mark.slow) for x in LIBRARIES)]
)
def test_a_signal_while_libraries_are_read_is_a_quiet_end(tmp_path, number, library):
    log = tmp_path / "said"
    words = ["train", "--config=experiments/vae.py:dsprites,vae"]
    with open(log, "w") as said:
        process = subprocess.Popen(
            [
                *(sys.executable, "-X", "importtime", "-m", "disentangle"),
                *(*words, f"--workdir={tmp_path / 'w'}"),
            ],
            stdout=said,
            stderr=said,
            cwd=ROOT,
        )
    try:
        at_work(process, f" {library}.", log)
        process.send_signal(number)
        code = process.wait(timeout=60)
    finally:
        process.kill()
    said = log.read_text()
    assert code == CODES[number], said[-2000:]
    assert "Traceback" not in said
    assert [line for line in said.splitlines() if "import time" not in line][-1:] == [
        "stopped"
    ]


@pytest.mark.slow
def test_before_there_is_a_checkpoint_none_is_promised(tmp_path):
    log = tmp_path / "said"
    process = begin(train_words(tmp_path / "w", LONG), log)
    try:
        at_work(process, tmp_path / "w/config.json", log)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 1
    finally:
        process.kill()
    said = log.read_text()
    kept = Checkpoints(tmp_path / "w/checkpoints").steps()
    assert ("goes on" in said) == bool(kept)


LIBRARY = """
import sys
sys.path.insert(0, {here!r})
import toy_program
import disentangle as dt

toy_program.register()
try:
    dt.train(
        "beta_vae", dt.load("toy"), steps=10**7, batch_size=8, encoder="dense",
        decoder="dense", workdir={workdir!r}, progress=False,
    )
finally:
    print("what the program does at its end", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", CODES, ids=["SIGTERM", "SIGINT"])
def test_a_program_that_trains_saves_as_well(tmp_path, number):
    workdir, log = tmp_path / "w", tmp_path / "said"
    code = LIBRARY.format(here=str(Path(__file__).parent), workdir=str(workdir))
    with open(log, "w") as said:
        words = [sys.executable, "-W", "ignore", "-c", code]
        process = subprocess.Popen(words, stdout=said, stderr=said)
    try:
        at_work(process, workdir / "checkpoints/1000", log)
        process.send_signal(number)
        ended = process.wait(timeout=60)
    finally:
        process.kill()
    said = log.read_text()
    assert ended == {signal.SIGTERM: 143, signal.SIGINT: -2}[number]
    assert "what the program does at its end" in said
    newest = Checkpoints(workdir / "checkpoints").steps()[-1]
    assert f"step {newest:,} is saved" in said
    assert not Checkpoints(workdir / "checkpoints")._load(newest).damage


def test_running_pieces_are_not_waited_for():
    """Two pieces that run for a minute, and an interrupt in between."""
    free, begun = threading.Event(), threading.Barrier(3)

    def work(item):
        begun.wait(30)
        free.wait(60)

    def interrupt():
        begun.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    sent = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            in_threads(work, range(50), Settings(jobs=2), "waiting")
        assert time.monotonic() - sent < 10
    finally:
        free.set()


def test_a_failing_piece_stops_the_rest_and_is_waited_for():
    begun, ended = [], []

    def work(item):
        begun.append(item)
        if item == 1:
            raise ValueError("piece 1")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="piece 1"):
        in_threads(work, range(1000), Settings(jobs=2), "failing")
    assert len(begun) < 20
    assert sorted([*ended, 1]) == sorted(begun)


def test_handlers_of_the_program_stay(monkeypatch):
    """A scheduler's own handler, and nohup's ignoring, are not replaced."""
    heard = []
    own = lambda number, frame: heard.append(number)
    held = (
        signal.signal(signal.SIGTERM, own),
        signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    try:
        with stopping.deferred() as signals:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is own
            assert signals.number == 0
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, held[0])
        signal.signal(signal.SIGHUP, held[1])


def test_the_first_signal_decides():
    with pytest.raises(KeyboardInterrupt), stopping.deferred() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.number == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stop_that_a_callback_swallows_leaves_no_traceback(capsys):
    """JAX's callback of the garbage collector may not raise; the hook is put back."""
    hook = sys.unraisablehook

    class Swallows:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    with stopping.watched() as watch:
        thing = Swallows()
        del thing
        assert watch.number == signal.SIGTERM
    assert sys.unraisablehook is hook
    assert capsys.readouterr().err == ""
