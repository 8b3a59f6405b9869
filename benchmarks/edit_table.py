"""Every family of methods asked the same: change this attribute, keep the rest.

    python -m benchmarks.edit_table --data=shapes3d --size=32 --split=comp
    python -m benchmarks.edit_table --rows=conditional_vae,conditional_gan --seeds=3

A row is one training of experiments/bench.py, and the edit bench on it
(disentangle/editing): targets of --split are combinations that were never trained on.
Trainings have workdirs in --out, the numbers are kept in --results, a line per row and
seed: what was stopped goes on, and what is there is not done again. --scale
multiplies the budgets: with .3, which the table of README.md has, they are up to 700
CPU seconds at 32x32.

Printed: of every way to edit, what the method was told, its steps, CPU seconds and
parameters, the scores of the bench as means over the seeds (with half of the 95 %
interval over requests of one seed, or over several seeds), DCI
disentanglement where codes have at most 64 numbers, or where scores read principal
components of them (Glow); of generators the conditional
accuracy and the Frechet distance; the rows known in advance; and over the rows of
methods with a decoder Spearman's correlation of DCI and EDIT.
"""

import contextlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, natural, positive
from benchmarks.kept_lines import (
    by_setting,
    chosen,
    cpu_seconds,
    heading,
    held,
    keep,
    known,
    plus_minus,
    results_flag,
)
from disentangle.editing import REFERENCES, Asking
from disentangle.errors import UserError
from disentangle.statistics.ranks import spearman
from disentangle.study.editing import Edits, judge_edits
from disentangle.study.judges import STEPS, Judges, judges_of
from disentangle.training.run import Run, fit
from experiments.bench import ROWS, SIZES, training

SCORES = ("edit", "hit", "pres", "exact", "rec", "nn", "psnr", "frechet", "asked")
GENERATED = {
    "joint": "conditional_accuracy/joint",
    "accuracy": "conditional_accuracy/mean",
    "FD": "frechet/distance",
    "diversity": "class_diversity/ratio",
}
WIDEST = 64  # numbers of a code that trees are grown on
NARROW = {"num_train": 2_000, "num_test": 1_000}


class Job(NamedTuple):
    """One setting of the table."""

    data: Any
    split: str
    size: int
    seed: int
    scale: float
    asking: Asking
    oracle_steps: int
    out: Path

    @property
    def key(self) -> str:
        """What a result depends on, as a line says it."""
        asked, names = self.asking, ",".join(self.asking.attributes) or "all"
        return (
            f"{self.data.name} {self.size} px, split {self.split or 'none'}, budget x "
            f"{self.scale:g}, {asked.requests} requests of {names}, {asked.labels} "
            f"labels, gallery of {asked.gallery}, oracles of {self.oracle_steps} "
            f"steps, seed {self.seed}"
        )

    def folder(self, name: str) -> Path:
        """Where a row is trained."""
        split = self.split or "none"
        setting = f"{self.data.name}-{self.size}-{split}-x{self.scale:g}"
        return self.out / setting / f"{name}-{self.seed}"


@contextlib.contextmanager
def counted(path: Path) -> Iterator[None]:
    """Adds the CPU seconds of what is done in it to a file, also of what is stopped.

    Those of a process that was killed outright are not in it.
    """
    began = time.process_time()
    try:
        yield
    finally:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{seconds_of(path) + time.process_time() - began}")


def seconds_of(path: Path) -> float:
    """What `counted` wrote; 0 without a file."""
    return float(path.read_text()) if path.exists() else 0.0


def config_of(job: Job, name: str) -> dict[str, Any]:
    """The config of a row, all but its data set, which is at hand."""
    names = job.data.space.names
    size = SIZES["cpu"]._replace(pixels=job.data.shape[0])
    config = training(job.data.name, names, name, size, job.scale).to_dict()
    config["data"] |= {"path": job.data.path or "", "split": job.split, "size": 0}
    return config | {"seed": job.seed}


def steps_of(config: dict[str, Any]) -> int:
    """Of all stages together."""
    return sum(one["steps"] for one in config["stages"] or [config])


def train(job: Job, name: str) -> Run:
    """The run of a row."""
    return fit(config_of(job, name), job.data, workdir=job.folder(name))


def disentangled(job: Job, run: Run) -> float | None:
    """DCI disentanglement; None of codes that are too wide."""
    width = run.encode(job.data.images(np.arange(1))).shape[2]
    if (width > WIDEST and not run.method.components) or run.method.decode is None:
        return None
    found = dt.evaluate(
        run, "dci", data=job.data, backend="fast", progress=False, **NARROW
    )
    rows = found.set_index("metric")["value"]
    return float(rows["dci/disentanglement"])


def generated(job: Job, run: Run, judges: Judges) -> dict[str, float]:
    """Scores of the pictures that a run generates, as the first oracle reads them."""
    if run.method.generate is None:
        return {}
    wanted = list(dict.fromkeys(path.partition("/")[0] for path in GENERATED.values()))
    try:
        found = dt.evaluate(
            run,
            wanted,
            data=job.data,
            oracle=judges.each[0].run,
            progress=False,
            **NARROW,
        )
    except UserError as error:  # an oracle that reads an angle classifies none
        print(f"  {error}", flush=True)
        return {}
    rows = found.set_index("metric")["value"]
    return {
        name: float(rows[path])
        for name, path in GENERATED.items()
        if path in rows and np.isfinite(rows[path])
    }


def work(job: Job, name: str, judges: Judges, first: bool) -> dict[str, Any]:
    """Trains a row and judges it: a line of the results.

    Args:
      job: the setting.
      name: of the row.
      judges: the oracles.
      first: whether no other line of the setting has the rows known in advance.
    """
    spent = job.folder(name).with_suffix(".seconds")
    with counted(spent):
        run = train(job, name)
    judged = judge_edits(
        run,
        job.data,
        job.asking,
        judges=judges,
        folder=run.workdir,
        references=first,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        more = generated(job, run, judges)
        dci = disentangled(job, run)
    return {
        "key": job.key,
        "row": name,
        "supervision": run.supervision,
        "steps": steps_of(config_of(job, name)),
        "seconds": seconds_of(spent),
        "parameters": int(sum(x.size for x in jax.tree.leaves(run.params))),
        "dci": dci,
        "generated": more,
        "ways": ways_of(judged),
        "notes": [note for one in judged.told for note in one.notes],
    }


def ways_of(judged: Edits) -> dict[str, dict[str, list[float | None]]]:
    """way -> score -> [value, low, high], means over attributes."""
    return {
        one.way: {
            row.score: [row.value, row.low, row.high]
            for row in one.rows
            if not row.attribute
        }
        for one in judged.told
    }


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """A block per setting, a line per row and way."""
    for setting, own in by_setting(lines).items():
        yield f"\n{heading(setting, own)}"
        head = " ".join(f"{score:>14s}" for score in SCORES)
        yield f"  {'row, way':44s} {'told':>14s} {'steps':>6s} {'cpu s':>6s} {head}"
        for way in REFERENCES:
            asked = [line for line in own if way in line["ways"]]
            yield f"  {way:44s} {'':28s} {_cells(asked[:1], way)}"
        for name in dict.fromkeys(line["row"] for line in own):
            yield from _row(name, [line for line in own if line["row"] == name])
        yield from _correlation(own)


def _row(name: str, lines: list[dict[str, Any]]) -> Iterator[str]:
    """The ways of one row, and what else is known of it."""
    first, seconds = lines[0], cpu_seconds(lines)
    for way in first["ways"]:
        if way in REFERENCES:
            continue
        words = f"{name}, {way}"
        told = f"{first['supervision']:>14s} {first['steps']:6d} {seconds}"
        yield f"  {words:44s} {told} {_cells(lines, way)}"
    more = {"parameters": first["parameters"], "seeds": len(lines)}
    more |= {} if first["dci"] is None else {"DCI": _mean(lines, "dci")}
    for score in first["generated"]:
        more[score] = np.mean([line["generated"].get(score, np.nan) for line in lines])
    says = ", ".join(f"{k} {v:.3f}".rstrip("0").rstrip(".") for k, v in more.items())
    yield f"  {'':6s}{says}"


def _mean(lines: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([line[name] for line in lines if line[name] is not None]))


def _cells(lines: list[dict[str, Any]], way: str) -> str:
    """The scores of a way, each with half of its interval."""
    cells = []
    for score in SCORES:
        found = [line["ways"].get(way, {}).get(score) for line in lines]
        values = [part[0] for part in found if part and part[0] is not None]
        if not values:
            cells.append(f"{'-':>14s}")
            continue
        high = found[0][2] if found[0] else None
        alone = None if high is None else high - values[0]
        cells.append(f"{plus_minus(values, alone):>14s}")
    return " ".join(cells)


def _correlation(lines: list[dict[str, Any]]) -> Iterator[str]:
    """Spearman's correlation of DCI and EDIT over rows, means over their seeds."""
    for way in ("dimensions", "exchange", "directions"):
        found: dict[str, list[tuple[float, float]]] = {}
        for line in lines:
            if line["dci"] is not None and way in line["ways"]:
                pair = line["dci"], line["ways"][way]["edit"][0]
                found.setdefault(line["row"], []).append(pair)
        if len(found) >= 4:
            rho = spearman(
                *np.array([np.mean(own, axis=0) for own in found.values()]).T
            )
            yield f"  DCI and EDIT by {way}: rho {rho:.2f} over {len(found)} rows"


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", type=natural, default=32, help="pixels; 0 is whole")
    parser.add_argument("--split", default="comp", help="'' asks of all pictures")
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the budgets")
    parser.add_argument("--requests", type=positive, default=500)
    parser.add_argument("--labels", type=positive, default=500)
    parser.add_argument("--gallery", type=positive, default=5_000)
    parser.add_argument("--attributes", default="", help="comma-separated; '' is all")
    parser.add_argument("--oracle-steps", type=positive, default=STEPS)
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; '' is all")
    parser.add_argument("--out", type=Path, default=Path("runs/edit_table"))
    results_flag(parser, "edit_table")
    given = parser.parse_args()
    rows = chosen(parser, given.rows, ROWS)
    attributes = tuple(n.strip() for n in given.attributes.split(",") if n.strip())
    numbers = given.requests, given.split, attributes, given.labels, given.gallery
    data, asking = dt.load(given.data, size=given.size), Asking(*numbers)
    judges = judges_of(data, steps=given.oracle_steps)
    columns = [data.space.position(n) for n in attributes or data.space.names]
    judges.require(columns, data.space.names)
    path = given.results
    for seed in range(given.seeds):
        budget = seed, given.scale
        asked = asking, given.oracle_steps, given.out
        job = Job(data, given.split, given.size, *budget, *asked)
        for name in rows:
            lines = known(path, job.key)
            if name in lines:
                continue
            print(f"{name}, seed {seed}", flush=True)
            are_there = any("render" in line["ways"] for line in lines.values())
            keep(path, work(job, name, judges, not are_there), data)
    print("\n".join(table(held(path))))


if __name__ == "__main__":
    execute(main)
