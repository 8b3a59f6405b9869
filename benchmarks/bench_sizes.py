"""What the trainings of experiments/bench.py cost, a row after the other.

    python -m benchmarks.bench_sizes --size=tiny
    python -m benchmarks.bench_sizes --data=fashion_sprites --rows=cpggan,stack_gan

Printed: steps, parameters, wall and CPU seconds of each row, compiling included, in one
process. Nothing is kept.
"""

import time

import jax

import disentangle as dt
from benchmarks.command import execute, flags_of
from benchmarks.edit_table import steps_of
from benchmarks.kept_lines import chosen
from disentangle.training.run import fit
from experiments.bench import ROWS, SIZES, training


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", default="tiny", choices=SIZES)
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; '' is all")
    given = parser.parse_args()
    rows, size = chosen(parser, given.rows, ROWS), SIZES[given.size]
    data = dt.load(given.data, size=size.pixels)
    print(f"{given.data}, {given.size}: steps, parameters, wall s, CPU s", flush=True)
    for row in rows:
        config = training(given.data, data.space.names, row, size).to_dict()
        config["data"]["size"] = 0  # they are that small already
        wall, cpu = time.monotonic(), time.process_time()
        run = fit(config, data, progress=False)
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        count = sum(x.size for x in jax.tree.leaves(run.params))
        print(
            f"{row:24s} {steps_of(config):7d} {count:10,d} {wall:6.0f} {cpu:6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    execute(main)
