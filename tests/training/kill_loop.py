"""Kills a command again and again; what it ends with has the bits of an unbroken run.

    python tests/training/kill_loop.py --seconds=600 --job=pipeline

kill -9 at random moments, in a step, in a save, while scoring, in the middle of a
start; now and then SIGTERM or Ctrl-C. Every next start has to go on. Runs for at least
so many seconds, in a new workdir each time the command came to its end, and prints how
many kills fell into each stage of the job.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from toy_program import (
    BEGUN,
    pipeline_words,
    study_words,
    theorem_words,
    train_words,
)

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
    "few groups": lambda folder: pipeline_words(
        "pipeline",
        folder,
        200,
        "--config.affinity.group_by=kernel",
        "--config.data.train_size=32",
    ),
    "affinity": lambda folder: pipeline_words("affinity", folder, 400),
    "compare": study_words,
    "impossibility": theorem_words,
}
EACH = 2  # kills in a stage of a workdir


class Kill(NamedTuple):
    """When a start is killed: `after` seconds from the moment `stage` is announced."""

    stage: str  # "" is the start of the process
    after: float


def start(words: list[str], log: Path) -> subprocess.Popen:
    """The command in a process of its own, which says all in a new `log`."""
    with open(log, "w") as said:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(PROGRAM), *words, "--noprogress"],
            env=os.environ | QUICK,
            stdout=said,
            stderr=said,
        )


def announced(log: Path) -> list[str]:
    """The stages that a start has come to so far, "" for its imports."""
    lines = log.read_text(errors="replace").splitlines()
    begun = ["begin"] if BEGUN in lines else []
    return ["", *begun, *(line[3:] for line in lines if line.startswith("== "))]


def wait_for(process: subprocess.Popen, kill: Kill, log: Path) -> None:
    """Returns at the moment of the kill, or when the process has ended."""
    while kill.stage not in announced(log) and process.poll() is None:
        time.sleep(0.01)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(kill.after)


def kill_once(
    words: list[str], log: Path, kill: Kill | None, number: int
) -> str | None:
    """One start, killed by the signal; the stage it was in, None where it ended well.

    Raises:
      AssertionError: it ended by itself in another way than well.
    """
    process, sent = start(words, log), False
    if kill:
        wait_for(process, kill, log)
    if kill and process.poll() is None:
        process.send_signal(number)
        sent = True
    code = process.wait(timeout=3600)
    assert code == 0 or (sent and code in CODES[number]), (
        f"{number}, {code}: {tail(log)}"
    )
    own = log.read_text(errors="replace").partition(BEGUN)[2]  # not the toy's imports
    assert "Traceback" not in own, tail(log)
    return announced(log)[-1] if code else None


def warm_stages(words: list[str], log: Path) -> list[Kill]:
    """Every stage of one unbroken start, and the seconds it took."""
    process, seen = start(words, log), [("", time.monotonic())]
    while process.poll() is None:
        for name in announced(log):
            if name not in dict(seen):
                seen.append((name, time.monotonic()))
        time.sleep(0.01)
    assert process.returncode == 0, tail(log)
    ends = [*(moment for _, moment in seen[1:]), time.monotonic()]
    return [Kill(n, end - at) for (n, at), end in zip(seen, ends, strict=True)]


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
    places = [*folder.rglob("checkpoints"), *folder.rglob("checkpoints/batch-*")]
    for place in sorted(places):
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


def hear_interrupts() -> None:
    """A shell's background job ignores SIGINT, and so would what it starts."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def loop(job: str, seconds: float, seed: int, folder: Path) -> Counter[str]:
    """Kills until `seconds` are over and the job has ended; the kills per stage.

    A first unbroken run compiles and gives the bits that are expected, a second one
    says how long each stage takes. Then every workdir is killed EACH times in each of
    its stages, at random moments, and comes to its end.

    Raises:
      AssertionError: a start did not go on, or the end has other bits.
    """
    hear_interrupts()
    moments, kills, log = random.Random(seed), Counter[str](), folder / "log"
    assert kill_once(JOBS[job](folder / "unbroken"), log, None, 0) is None
    expected = results(folder / "unbroken")
    stages = warm_stages(JOBS[job](folder / "warm"), log)
    compare(expected, folder / "warm", log)
    began, number = time.monotonic(), 0
    while number == 0 or time.monotonic() - began < seconds:
        number += 1
        place = folder / f"killed-{number}"
        todo: list[Kill | None] = [
            Kill(stage.stage, moments.uniform(0, stage.after))
            for stage in stages
            for _ in range(EACH)
        ]
        for kill in [*todo, None]:
            is_over = time.monotonic() - began > seconds and kills
            at = kill_once(
                JOBS[job](place),
                log,
                None if is_over else kill,
                moments.choice(SIGNALS),
            )
            if at is None:
                break
            kills[at] += 1
        compare(expected, place, log)
        shutil.rmtree(place)
        print(f"{job} {number}: {kills.total()} kills, the same bits", flush=True)
    return kills


def compare(expected: dict[str, bytes], place: Path, log: Path) -> None:
    """Raises AssertionError where a workdir does not hold what is expected."""
    found = results(place)
    names = expected.keys() | found.keys()
    differing = [name for name in names if expected.get(name) != found.get(name)]
    assert not differing, f"{differing}: {tail(log)}"
    assert not leftovers(place), leftovers(place)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--job", choices=JOBS, default="pipeline")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    with tempfile.TemporaryDirectory() as place:
        counted = loop(chosen.job, chosen.seconds, chosen.seed, Path(place))
    for stage, number in counted.items():
        print(f"{number:6} kills in {stage or 'imports'}")
