"""Measures what every estimator says in the regimes of the shipped tables.

    python -m benchmarks.oracle_estimates --workdir=runs/estimates

For every seed of every shipped table the network on all tasks is trained once and
looked at (`oracle/measured.py`); a seed that is there is not measured again. Writes
DATA-REGIME.npz into the workdir, every sample whole, and says what a seed took.
`--only dsprites-bottleneck` measures some. `--keep` then writes the means over samples
into the package, where `oracle/kept.py` reads them.
"""

import time
from pathlib import Path

import disentangle as dt
from benchmarks.command import execute, flags_of
from disentangle.oracle import kept, measured, train
from disentangle.oracle.examples import parts_of
from disentangle.oracle.regime import Held
from disentangle.oracle.shipped import shipped, shipped_names
from experiments.oracle import REGIMES


def measure(name: str, folder: Path) -> None:
    """All seeds of one table that are not in the folder yet."""
    table, path = shipped(name), folder / f"{name}.npz"
    regime = REGIMES[table.data][table.regime]
    found = measured.load(path) if path.exists() else {}
    data = dt.load(table.data)
    program = train.program_of(regime, data.space, data.shape[2])
    for seed in table.seeds:
        if seed in found:
            continue
        start, spent = time.perf_counter(), time.process_time()
        parts = parts_of(regime, Held(), data, seed)
        found[seed] = measured.measure(program, parts, seed)
        measured.save(path, found)
        wall, cpu = time.perf_counter() - start, time.process_time() - spent
        print(f"{name}, seed {seed}: {wall:.0f} s, {cpu:.0f} s of CPU", flush=True)


def main() -> None:
    """Measures all tables."""
    parser = flags_of(__doc__)
    parser.add_argument("--workdir", type=Path, default=Path("runs/estimates"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    given.workdir.mkdir(parents=True, exist_ok=True)
    for name in given.only or shipped_names():
        measure(name, given.workdir)
        if given.keep:
            table = shipped(name)
            regime = REGIMES[table.data][table.regime]
            found = measured.load(given.workdir / f"{name}.npz")
            kept.keep(kept.place(name), regime, found)


if __name__ == "__main__":
    execute(main)
