"""Kills a study at random moments, again and again; what it ends with is the same.

    python -m benchmarks.study_kills --kills=100

A study of twelve small models (dense networks, 96 images) is run once unbroken. Then it
is started, and killed by signal 9 at a random moment of the time that a run takes:
while libraries are read, in a step, in a save, while scoring, while a file of the table
is written. The next start goes on in the same workdir; one that comes to its end is
compared, and a new workdir begins, until there were so many kills. With --writers=2 two
processes work in one workdir, and each kill is of one of them.

Compared are the table but for its order and its seconds, and the parameters of every
model, bit for bit; and nothing may be left in claims/ and training/. About ten seconds
per kill on two idle cores.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd

from benchmarks.command import execute, flags_of, natural, positive
from disentangle.files import read_arrays
from disentangle.study.sweeps import table
from disentangle.study.sweeps.models import FOLDER as MODELS
from disentangle.study.sweeps.work import CLAIMS, TRAINING

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "tests" / "training" / "toy_program.py"
NETWORKS = ("encoder=dense", "decoder=dense")
METHODS = ("beta_vae", "dip_vae_i", "annealed_vae")
QUICK = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


def words(folder: Path, steps: int) -> list[str]:
    """The study of the toy data set as a command."""
    return [
        sys.executable,
        *("-W", "ignore", str(PROGRAM), "study", "--noprogress"),
        f"--config={ROOT}/experiments/study.py:toy",
        f"--workdir={folder}",
        f"--config.methods={','.join(METHODS)}",
        *("--config.strengths=2", "--config.seeds=2", "--config.batch_size=8"),
        f"--config.steps={steps}",
        f"--config.checkpoint_every={max(1, steps // 8)}",
        f"--config.log_every={max(1, steps // 4)}",
        "--config.score.metrics=mig,sap,udr",
        *("--config.score.num_train=300", "--config.score.num_test=150"),
        *(
            f"--config.runs.{method}.method.{network}"
            for method in METHODS
            for network in NETWORKS
        ),
    ]


def start(folder: Path, steps: int, log: Path) -> subprocess.Popen:
    """The study in a process of its own, which adds all it says to `log`."""
    with open(log, "a") as said:
        environment = os.environ | QUICK | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            words(folder, steps), env=environment, stdout=said, stderr=said
        )


def finish(process: subprocess.Popen, log: Path) -> None:
    """Waits for the end of a start, which must be a good one."""
    code = process.wait()
    assert code == 0, f"exit code {code}: {log.read_text()[-3000:]}"


def phase(folder: Path) -> str:
    """What a start has come to, as its workdir shows."""
    if not (folder / "plan.json").exists():
        return "before the plan"
    if any((folder / TRAINING).glob("*")):
        return "in training"
    if any((folder / CLAIMS).glob("[!.]*")):
        return "between, or scoring"
    return "before, or after the units"


def ended(folder: Path) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """The table without its seconds, and all parameters, of a study that is done."""
    found = table.read(folder).drop(columns=list(table.SECONDS))
    models = {
        f"{path.name}:{name}": array.tobytes()
        for path in sorted((folder / MODELS).glob("*.npz"))
        for name, array in read_arrays(path).items()
    }
    left = [*folder.glob(f"{CLAIMS}/*"), *folder.glob(f"{TRAINING}/*")]
    left += folder.rglob(".*.tmp*")
    assert not left, f"left behind: {left}"
    return found, models


def compare(expected: tuple, folder: Path) -> None:
    """Raises AssertionError where a study does not hold what is expected."""
    found = ended(folder)
    pd.testing.assert_frame_equal(found[0], expected[0], check_exact=True)
    assert found[1] == expected[1], "parameters differ"


def loop(
    kills: int, seed: int, folder: Path, steps: int = 2000, writers: int = 1
) -> Counter[str]:
    """Kills so many times, and compares every workdir that came to its end.

    Args:
      kills: how many, at least.
      seed: of the moments.
      folder: an empty one.
      steps: of each model.
      writers: processes in one workdir.

    Returns:
      How many kills fell into each phase.
    """
    moments, log = random.Random(seed), folder / "log"
    finish(start(folder / "unbroken", steps, log), log)  # compiles
    began = time.monotonic()
    finish(start(folder / "again", steps, log), log)
    longest = time.monotonic() - began
    expected = ended(folder / "unbroken")
    compare(expected, folder / "again")
    print(f"unbroken: {len(expected[0])} rows, {longest:.1f} s", flush=True)
    counted: Counter[str] = Counter()
    number = 0
    while counted.total() < kills:
        number += 1
        place, here = folder / f"killed-{number}", 0
        is_whole = False
        while counted.total() < kills and not is_whole:
            running = [start(place, steps, log) for _ in range(writers)]
            until = time.monotonic() + moments.uniform(0.0, longest)
            while time.monotonic() < until and running[0].poll() is None:
                time.sleep(0.01)
            if running[0].poll() is None:
                counted[phase(place)] += 1
                here += 1
                running.pop(0).kill()
                is_whole = bool(running)  # the other writer goes on to the end
            else:
                is_whole = True
            for process in running:
                finish(process, log)
        finish(start(place, steps, log), log)
        compare(expected, place)
        print(f"{number}: {here} kills, {counted.total()} in all: equal", flush=True)
        shutil.rmtree(place)
    return counted


def main() -> None:
    """Prints how many kills fell into each phase."""
    parser = flags_of(__doc__)
    parser.add_argument("--kills", type=positive, default=100)
    parser.add_argument("--writers", type=positive, default=1)
    parser.add_argument("--steps", type=positive, default=2000)
    parser.add_argument("--seed", type=natural, default=int(time.time()))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    with tempfile.TemporaryDirectory() as place:
        counted = loop(
            chosen.kills, chosen.seed, Path(place), chosen.steps, chosen.writers
        )
    for name, count in counted.items():
        print(f"{count:6} kills {name}")


if __name__ == "__main__":
    execute(main)
