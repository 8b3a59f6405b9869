"""Puts the tables of finished oracle jobs into the package.

    .venv/bin/python -m benchmarks.oracle_tables runs/oracle-dsprites [WORKDIR ...]

Of every regime DATA-REGIME.parquet, its table, and DATA-REGIME.npz, the scores of the
codes of all groups as float32, both read by `disentangle.oracle.shipped`.
"""

from pathlib import Path

import numpy as np

from benchmarks.command import execute, flags_of
from disentangle.files import read_json, write_arrays
from disentangle.oracle.shipped import GROUPS, folder, shipped
from disentangle.report.oracle import scores_of, tables


def main() -> None:
    """Copies what stands in each workdir of the command line."""
    parser = flags_of(__doc__)
    parser.add_argument("workdirs", nargs="+", type=Path, help="of the oracle")
    for workdir in parser.parse_args().workdirs:
        data = read_json(workdir / "config.json")["data"]["name"]
        for regime, table in tables(workdir).items():
            name = f"{data}-{regime}"
            table.save(folder() / f"{name}.parquet")
            held = shipped(name)  # in the order that it is read in
            scores = scores_of(workdir, regime, held)
            arrays = {key: v.astype(np.float32) for key, v in scores.items()}
            path = folder() / f"{name}.npz"
            write_arrays(path, arrays | {GROUPS: np.array(held.names)})
            print(f"{name}: {len(held.seeds)} seeds, {len(scores)} scores")


if __name__ == "__main__":
    execute(main)
