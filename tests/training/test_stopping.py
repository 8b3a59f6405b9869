"""Ctrl-C and SIGTERM: every long command ends within seconds, and says what remains."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import kill_loop
import numpy as np
import pytest
from toy_program import BEGUN, pipeline_words, train_words

from disentangle.metrics.base import Settings
from disentangle.metrics.parallel import in_threads
from disentangle.training import stopping
from disentangle.training.checkpoint import Checkpoints

CODES = {signal.SIGTERM: 143, signal.SIGINT: 1}
ROOT = Path(__file__).resolve().parents[2]
LONG = 10**7


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


def study(folder: Path) -> list[str]:
    config = folder / "study.py"
    config.write_text(
        "from disentangle.study.comparison import default_comparison\n"
        "def get_config():\n"
        "    config = default_comparison('toy', {'beta_vae': {'encoder': 'dense', "
        "'decoder': 'dense'}})\n"
        f"    config.runs.beta_vae.steps = {LONG}\n"
        "    return config\n"
    )
    return ["compare", f"--config={config}", f"--workdir={folder / 'w'}"]


def theorem(folder: Path) -> list[str]:
    angles = ",".join(str(angle / 100) for angle in range(1, 2000))
    config = f"--config={ROOT}/experiments/impossibility.py:toy"
    words = ["impossibility", config, f"--config.angles=({angles})"]
    return [*words, f"--workdir={folder / 'w'}", "--config.score.num_train=3000"]


def trained(folder: Path) -> list[str]:
    """`evaluate` of every model by every score, of a run that is trained first."""
    first = begin(train_words(folder / "w", 3), folder / "first")
    assert first.wait(timeout=240) == 0
    words = ["evaluate", f"--workdir={folder / 'w'}", "--metrics=all"]
    return [*words, "--backend=reference"]


# command -> its words, the file that shows it at work (None: some seconds after its
# start), whether a checkpoint remains
LONG_COMMANDS = {
    "train": (lambda f: train_words(f / "w", LONG), "w/checkpoints/1000", True),
    "pipeline": (
        lambda f: pipeline_words(
            "pipeline", f / "w", LONG, "--config.supervised.checkpoint_every=500"
        ),
        "w/multitask/checkpoints/500",
        True,
    ),
    "affinity": (
        lambda f: pipeline_words(
            "affinity", f / "w", LONG, "--config.supervised.checkpoint_every=500"
        ),
        "w/multitask/checkpoints/500",
        True,
    ),
    "compare": (study, "w/runs/beta_vae/checkpoints/1000", True),
    "impossibility": (theorem, "w/impossibility.json", False),
    "evaluate": (trained, None, False),
    "score": (
        lambda f: ["score", str(codes(f)), "--metrics=all", "--backend=reference"],
        None,
        False,
    ),
    "export": (
        lambda f: ["export", "shapes3d", "--format=hdf5", f"--out={f / 'out'}"],
        None,
        False,
    ),
}


def at_work(process: subprocess.Popen, ready: Path | None, log: Path) -> None:
    """Waits until the command is at work."""
    end = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < end:
        if ready is None and BEGUN in log.read_text():
            time.sleep(5)
            break
        if ready is not None and ready.exists():
            break
        time.sleep(0.02)
    assert process.poll() is None, log.read_text()[-2000:]


@pytest.mark.parametrize("number", CODES, ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "command",
    [
        "train",
        *(
            pytest.param(c, marks=pytest.mark.slow)
            for c in LONG_COMMANDS
            if c != "train"
        ),
    ],
)
def test_a_signal_ends_every_long_command(tmp_path, command, number):
    make, ready, remains = LONG_COMMANDS[command]
    log = tmp_path / "said"
    process = begin(make(tmp_path), log)
    try:
        at_work(process, ready and tmp_path / ready, log)
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
    assert ("goes on from the last checkpoint" in said) == remains
    if remains:
        folder = (tmp_path / ready).parent
        newest = Checkpoints(folder).steps()[-1]
        assert f"step {newest:,} is saved in {folder}" in said
        rows = [path for path in folder.iterdir() if path.name.startswith("saving")]
        assert not rows


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
