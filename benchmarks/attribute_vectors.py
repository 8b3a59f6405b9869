"""Attribute vectors from few and many labels: EDIT against N labelled images.

    python -m benchmarks.attribute_vectors
    python -m benchmarks.attribute_vectors --rows=glow,beta_vae --seeds=3

A row is one of experiments/bench.py, trained as there (and found again in its
--out). Its code is then moved by the differences of class means of N images with
labels, z + m_v - m_y (the editor "directions"), N in --labels, and the edit bench asks
the same requests for each N. Training sees no label of a row that is told none: N is
all there is. Printed: EDIT, hit, pres and CF-PSNR, means over the attributes with half
of the 95 % interval over requests, with several seeds over them.
"""

from pathlib import Path

import numpy as np

import disentangle as dt
from benchmarks import edit_table
from benchmarks.command import execute, flags_of, natural, naturals, positive
from benchmarks.kept_lines import chosen, plus_minus
from disentangle.editing import Asking
from disentangle.study.editing import judge_edits
from disentangle.study.judges import STEPS, judges_of
from experiments.bench import ROWS

WAY = "directions"
SCORES = ("edit", "hit", "pres", "psnr")


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", type=natural, default=32, help="pixels; 0 is whole")
    parser.add_argument("--split", default="comp", help="'' asks of all pictures")
    parser.add_argument("--rows", default="glow", help="of experiments/bench.py")
    parser.add_argument(
        "--labels", type=naturals, default="50,500,5000", help="N, comma-separated"
    )
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the budgets")
    parser.add_argument("--requests", type=positive, default=300)
    parser.add_argument("--oracle-steps", type=positive, default=STEPS)
    parser.add_argument("--out", type=Path, default=Path("runs/edit_table"))
    given = parser.parse_args()
    names = chosen(parser, given.rows, ROWS)
    data = dt.load(given.data, size=given.size)
    judges = judges_of(data, steps=given.oracle_steps)
    judges.require(list(range(len(data.space.names))), data.space.names)
    for name in names:
        for count in given.labels:
            asking = Asking(given.requests, given.split, labels=count, gallery=count)
            asked = asking, given.oracle_steps, given.out
            found, spent = [], []
            for seed in range(given.seeds):
                budget = seed, given.scale
                job = edit_table.Job(data, given.split, given.size, *budget, *asked)
                path = job.folder(name).with_suffix(".seconds")
                with edit_table.counted(path):
                    run = edit_table.train(job, name)
                spent.append(edit_table.seconds_of(path))
                judged = judge_edits(
                    run,
                    data,
                    asking,
                    editors=(WAY,),
                    sources=("real",),
                    judges=judges,
                    references=False,
                )
                found.append(edit_table.ways_of(judged)[WAY])
            print(line(name, count, found, float(np.mean(spent))), flush=True)


def line(name: str, count: int, found: list[dict], seconds: float) -> str:
    """One row of the table: scores over the seeds, of one seed over its requests."""
    cells = []
    for score in SCORES:
        values = [one[score][0] for one in found]
        value, _, high = found[0][score]
        alone = None if high is None else high - value
        cells.append(f"{score} {plus_minus(values, alone)}")
    words = f"{name}, {count} labels, {len(found)} seeds, {seconds:.0f} cpu s"
    return f"{words:44s} {'  '.join(cells)}"


if __name__ == "__main__":
    execute(main)
