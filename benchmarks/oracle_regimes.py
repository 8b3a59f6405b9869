"""In which regimes of Shapes3D does one task help another? A search, and its answer.

    .venv/bin/python -m benchmarks.oracle_regimes [--seeds=4] [--only=NAME,NAME]

Every candidate trains each task alone and with each other one (21 networks per seed, as
the oracle does), and prints the absolute gain of every task from every other one: the
test loss alone less the loss together, mean over seeds. A star is beyond 2.5 standard
errors. What comes of it stands in docs/oracle.md; the oracle's regimes of Shapes3D
(experiments/oracle.py) are the first, and those in which tasks help.
"""

import time

import jax.numpy as jnp
import numpy as np

from benchmarks.command import execute, flags_of, positive
from disentangle.data import load
from disentangle.oracle import train
from disentangle.oracle.examples import parts_of
from disentangle.oracle.regime import Held, Regime
from experiments.oracle import REGIMES

# floor, wall and object hue, scale, shape, orientation
CANDIDATES = REGIMES["shapes3d"] | {
    "one-shape": Regime(
        train_size=2000,
        labels=(2000, 2000, 2000, 2000, 200, 2000),
        latents=10,
        pixel_noise=0.3,
        batch_size=64,
        steps=800,
    ),
    "three-hundred": Regime(
        train_size=300, latents=16, pixel_noise=0.5, batch_size=32, steps=600
    ),
    "wrong-labels": Regime(
        train_size=2000,
        label_noise=(0.5,),
        latents=10,
        pixel_noise=0.3,
        batch_size=64,
        steps=800,
    ),
    "noisy": Regime(
        train_size=1000, latents=10, pixel_noise=1.0, batch_size=64, steps=800
    ),
}


def pairs(tasks: int) -> np.ndarray:
    """The groups of one and two tasks, (G, N) bool."""
    groups = train.every_group(tasks)
    return groups[groups.sum(1) <= 2]


def losses(regime: Regime, data, seeds: int, groups: np.ndarray) -> np.ndarray:
    """(S, G, N) test losses, NaN outside of the groups."""
    program, found = train.program_of(regime, data.space, data.shape[2]), []
    rows = jnp.asarray(groups)
    for seed in range(seeds):
        parts = parts_of(regime, Held(test_size=1000), data, seed)
        state = train.start(program, rows, seed, parts)
        for _ in range(regime.steps // regime.every):
            state = train.advance(program, state, rows, seed, parts, regime.every)
        found.append(np.where(groups, np.asarray(state.best.test), np.nan))
    return np.stack(found)


def main() -> None:
    """Prints the gains of every candidate."""
    parser = flags_of(__doc__)
    parser.add_argument("--seeds", type=positive, default=4)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--only", default=",".join(CANDIDATES))
    given = parser.parse_args()
    data = load(given.data)
    names = data.space.names
    groups = pairs(len(names))
    for name in given.only.split(","):
        began = time.monotonic()
        loss = losses(CANDIDATES[name], data, given.seeds, groups)
        seconds = time.monotonic() - began
        alone = np.stack([loss[:, row, t] for t, row in singles(groups)], 1)
        print(f"\n{name}: {CANDIDATES[name]}, {seconds:.0f} s")
        print("alone".rjust(14), *(f"{v:8.3f} " for v in alone.mean(0)))
        for source, word in enumerate(names):
            cells = [cell(loss, alone, groups, source, t) for t in range(len(names))]
            print(word.rjust(14), *cells, flush=True)


def singles(groups: np.ndarray):
    """(task, the row of its group of one)."""
    rows = np.flatnonzero(groups.sum(1) == 1)
    return sorted((int(groups[row].argmax()), int(row)) for row in rows)


def cell(loss, alone, groups, source: int, target: int) -> str:
    """The gain of a target from a source, with a star where it is clear."""
    if source == target:
        return "        –"
    both = groups[:, source] & groups[:, target] & (groups.sum(1) == 2)
    gain = alone[:, target] - loss[:, int(both.argmax()), target]
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return f"{gain.mean():+8.3f}{'*' if abs(gain.mean()) > 2.5 * error else ' '}"


if __name__ == "__main__":
    execute(main)
