"""Kills a command again and again; what it ends with has the bits of an unbroken run.

    python tests/training/kill_loop.py --seconds=600 --job=pipeline

kill -9 at random moments, in a step, in a save, while scoring, in the middle of a
start; now and then SIGTERM or Ctrl-C. Every next start has to go on. Runs for at least
so many seconds, in a new workdir each time the command came to its end.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from toy_program import pipeline_words, train_words

from disentangle.files import read_arrays
from disentangle.training.checkpoint import Checkpoints

PROGRAM = Path(__file__).with_name("toy_program.py")
SIGNALS = (
    signal.SIGKILL,
    signal.SIGKILL,
    signal.SIGKILL,
    signal.SIGTERM,
    signal.SIGINT,
)
CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {143, -15}, signal.SIGINT: {1, -2}}
# Small programs are kept too, so that a start is soon at work.
QUICK = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
JOBS = {
    "train": lambda folder: train_words(
        folder, 4000, "--config.checkpoint_every=200", "--config.log_every=40"
    ),
    "pipeline": lambda folder: pipeline_words("pipeline", folder, 200),
}


def start(words: list[str], log: Path) -> subprocess.Popen:
    """The command in a process of its own; what it says is added to `log`."""
    with open(log, "a") as said:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(PROGRAM), *words, "--noprogress"],
            env=os.environ | QUICK,
            stdout=said,
            stderr=said,
        )


def kill_once(words: list[str], log: Path, moments: random.Random, most: float) -> bool:
    """One start, killed within `most` seconds; whether it came to its end before.

    Raises:
      AssertionError: it ended by itself in another way than well.
    """
    process, sent = start(words, log), None
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moments.uniform(0, most))
    if process.poll() is None:
        sent = moments.choice(SIGNALS)
        process.send_signal(sent)
    code = process.wait(timeout=120)
    assert code == 0 or (sent and code in CODES[sent]), f"{sent}, {code}: {tail(log)}"
    return code == 0


def tail(log: Path) -> str:
    """The end of what was said."""
    return log.read_text()[-3000:]


def results(folder: Path) -> dict[str, bytes]:
    """Everything a workdir ends with, by file; times and locks apart."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".npz":
            arrays = read_arrays(path)
            found[name] = b"".join(k.encode() + a.tobytes() for k, a in arrays.items())
        elif path.name == "summary.json":
            found[name] = " ".join(json.loads(path.read_text())["seconds"]).encode()
        elif "checkpoints" not in path.parts and path.name not in (
            "lock",
            "report.html",
        ):
            found[name] = path.read_bytes()
    for place in sorted(folder.rglob("checkpoints")):
        checkpoints = Checkpoints(place)
        leaves = checkpoints._load(checkpoints.steps()[-1])
        assert not leaves.damage
        for name, leaf in leaves.leaves.items():
            key = f"{place.relative_to(folder).as_posix()}/{name}"
            found[key] = np.asarray(leaf).tobytes()
    return found


def leftovers(folder: Path) -> list[str]:
    """Files that no finished command should leave."""
    words = (".tmp", "saving-", "damaged-")
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    return [name for name in names if any(word in name for word in words)]


def loop(job: str, seconds: float, seed: int, folder: Path, most: float) -> int:
    """Kills until `seconds` are over and the job has ended; returns the kills.

    Raises:
      AssertionError: a start did not go on, or the end has other bits.
    """
    unbroken, moments, kills, began = folder / "unbroken", random.Random(seed), 0, 0.0
    words = JOBS[job](unbroken)
    began = time.monotonic()
    assert start(words, folder / "unbroken.log").wait() == 0, tail(
        folder / "unbroken.log"
    )
    longest = max(most, 1.3 * (time.monotonic() - began)) if most <= 0 else most
    expected, began, number = results(unbroken), time.monotonic(), 0
    while number == 0 or time.monotonic() - began < seconds:
        number += 1
        place, log = folder / f"killed-{number}", folder / f"killed-{number}.log"
        while not kill_once(JOBS[job](place), log, moments, longest):
            kills += 1
            if time.monotonic() - began > seconds:
                longest = 3600.0  # time is over: let it come to its end
        found = results(place)
        differing = [
            k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)
        ]
        assert not differing, f"{differing} after {kills} kills: {tail(log)}"
        assert not leftovers(place), leftovers(place)
        print(f"{job} {number}: {kills} kills, the same bits", flush=True)
    return kills


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--job", choices=JOBS, default="pipeline")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    with tempfile.TemporaryDirectory() as place:
        loop(chosen.job, chosen.seconds, chosen.seed, Path(place), 0.0)
