"""What a fashion project says of its generators, asked on rendered garments.

    python -m benchmarks.fashion_claims
    python -m benchmarks.fashion_claims --rows="conditional VAE,conditional GAN"

Its document (hg1722/fashionista) claims, without code for most of it: a conditional GAN
draws crisper images than a conditional VAE; colour is learned before the type of a
garment; with class labels alone the inception score is higher than with all attributes,
and CDPGGAN's is higher than CPGGAN's (.784 and .737 with the class, .628 and .602 with
all). Here the same order is looked for on FashionSprites, and what the score hides:
pixel consistency pulls all images of a class into one. As there, one classifier scores
all rows: here it is the oracle's of the category, whatever a row was told.

Rows are trainings of experiments/bench.py, told the category ("class") or category,
colour and pattern ("all"); --scale multiplies the budgets. "conditional GAN" is judged
at MARKS of its training too, and what it draws then, by category and colour from one
noise, goes to fashion_marks.png beside this file. Trainings have workdirs in --out,
results are kept in --results: what was stopped goes on.

Printed are means over seeds with half of their 95 % interval, by an oracle:
obeys      conditional accuracy, mean over what was told, and above chance:
           (accuracy - 1/K) / (1 - 1/K), per attribute behind it
joint      all of it at once
IS         inception score of the category, in nats (as the document) and exponentiated
FD         Frechet distance of the oracle's features
alike      diversity within a class over that of real images; 0 is one picture per class
sharp      mean squared difference of neighbouring pixels over that of real images
P@1, P@10  real images nearest to a generated one that have what was told; "real" is
           P@10 of real images, "most" the largest that there is
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import disentangle as dt
from benchmarks.command import execute, flags_of, natural, positive
from benchmarks.edit_table import counted, seconds_of
from benchmarks.figures import written
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
from disentangle.metrics import Settings
from disentangle.report.drawn import grid_figure
from disentangle.study.drawn import SIDE, drawn_of, said, shown_values
from disentangle.study.evaluate import score_run
from disentangle.study.judges import STEPS, Judges, judges_of, pictures
from disentangle.training.run import Run, fit
from experiments.bench import SIZES, training

CLASS = ("category",)
ALL = ("category", "colour", "pattern")
MARKS = (0.05, 0.1, 0.2, 0.4)  # of the training of MARKED
MARKED = "conditional GAN"
IMAGES = 20_000  # that are generated, and real ones beside them
CODES = 1_000  # images that are encoded, which no score here reads
SHARP = 1_000  # images whose sharpness is asked
SCORES = ("conditional_accuracy", "inception", "frechet", "class_diversity")
COLUMNS = (
    *("obeys", "joint", "IS", "exp IS", "FD", "alike", "sharp"),
    *("P@1", "P@10", "real", "most"),
)


class Row(NamedTuple):
    """A training: a row of experiments/bench.py, what it is told, further fields."""

    bench: str
    told: tuple[str, ...]
    fields: dict[str, Any]


ROWS = {
    "conditional VAE": Row("conditional_vae", ALL, {}),
    MARKED: Row("conditional_gan", ALL, {}),
    "CPGGAN (class)": Row("cpggan", CLASS, {}),
    "CDPGGAN (class)": Row("cdpggan", CLASS, {}),
    "CPGGAN (all)": Row("cpggan", ALL, {}),
    "CDPGGAN (all)": Row("cdpggan", ALL, {}),
    "CDPGGAN on features (class)": Row("cdpggan", CLASS, {"phi": "features"}),
}


class Job(NamedTuple):
    """One setting of the table."""

    data: Any
    judges: Judges
    oracle_steps: int
    seed: int
    scale: float
    out: Path

    @property
    def key(self) -> str:
        """What a result depends on, as a line says it."""
        return (
            f"{self.data.name} {self.data.shape[0]} px, budget x {self.scale:g}, "
            f"oracle of {self.oracle_steps} steps, {IMAGES} images, seed {self.seed}"
        )

    @property
    def place(self) -> Path:
        """Where rows are trained."""
        return self.out / f"{self.data.name}-{self.data.shape[0]}-x{self.scale:g}"

    def grid_file(self, share: float) -> Path:
        """What MARKED draws after a share of its training."""
        return self.place / f"grid-{share:g}-{self.seed}.npy"


def columns_of(data: Any, names: Sequence[str]) -> list[int]:
    """The places of factors."""
    return [data.space.position(name) for name in names]


def config_of(job: Job, name: str, share: float) -> dict[str, Any]:
    """The config of a row, trained for a share of its steps."""
    row = ROWS[name]
    size = SIZES["cpu"]._replace(pixels=job.data.shape[0])
    names = job.data.space.names
    config = training(job.data.name, names, row.bench, size, job.scale).to_dict()
    config["method"] |= {"condition": row.told, **row.fields}
    config["steps"] = max(2, round(share * config["steps"]))
    config["data"] |= {"size": 0}
    return config | {"seed": job.seed}


def sharpness(images: np.ndarray) -> float:
    """Mean squared difference of neighbouring pixels of (N, H, W, C) in [0, 1]."""
    x = np.asarray(images, np.float64)
    return float(sum(np.square(np.diff(x, axis=axis)).mean() for axis in (1, 2)))


def crispness(drawn: np.ndarray, data: Any, index: np.ndarray) -> float:
    """Sharpness of drawn images in [0, 1] over that of images of the data set."""
    return sharpness(drawn) / sharpness(pictures(data, index))


def judged(job: Job, run: Run) -> dict[str, float]:
    """All numbers of a run, by their columns, and "obeys" per attribute told."""
    oracle = job.judges.each[0].run
    asked = [*SCORES, "generated_queries"]
    rows = CODES, IMAGES
    (found,) = score_run(run, job.data, asked, Settings(0), rows, oracle)
    accuracy = found["conditional_accuracy"].per_factor["mean"]
    told, sizes = run.config["method"]["condition"], job.data.space.sizes
    above = {
        name: (accuracy[i] - 1 / sizes[i]) / (1 - 1 / sizes[i])
        for name, i in zip(told, columns_of(job.data, told), strict=True)
    }
    index = np.random.default_rng(0).integers(0, len(job.data), SHARP)
    drawn = run.generate(job.data.factors(index), seed=0)[0]
    value = lambda score, part: float(found[score].values[part])
    (category,) = columns_of(job.data, CLASS)
    of_category = {k: v[category] for k, v in found["inception"].per_factor.items()}
    return {
        "obeys": value("conditional_accuracy", "mean"),
        "joint": value("conditional_accuracy", "joint"),
        "IS": of_category["kl"],
        "exp IS": of_category["exponentiated"],
        "IS of all told": value("inception", "kl"),
        "FD": value("frechet", "distance"),
        "alike": value("class_diversity", "ratio"),
        "sharp": crispness(drawn, job.data, index),
        "P@1": value("generated_queries", "p_1"),
        "P@10": value("generated_queries", "p_10"),
        "real": value("generated_queries", "real"),
        "most": value("generated_queries", "bound"),
    } | above


def work(job: Job, name: str, path: Path) -> None:
    """Trains a row, judges it at its marks and at its end, and keeps the lines."""
    folder = job.place / f"{re.sub('[^a-zA-Z]+', '-', name)}-{job.seed}"
    for share in (*(MARKS if name == MARKED else ()), 1.0):
        config = config_of(job, name, share)
        steps = sum(one["steps"] for one in config["stages"] or [config])
        title = name if share == 1.0 else f"{name}, {share:g} of it"
        if title in known(path, job.key):
            continue
        spent = folder.with_suffix(".seconds")
        with counted(spent):
            run = fit(config, job.data, workdir=folder)
        values = judged(job, run)
        if name == MARKED:
            np.save(job.grid_file(share), drawn_of(run).table)
        line = {"key": job.key, "row": title, "steps": steps, "values": values}
        keep(path, line | {"seconds": seconds_of(spent)}, job.data)
        print(f"{job.key}: {title}, {steps} steps: {values}", flush=True)


def marks_figure(job: Job) -> Figure | None:
    """Categories from top to bottom, colours from left to right, mark after mark."""
    paths = {share: job.grid_file(share) for share in (*MARKS, 1.0)}
    if not all(path.exists() for path in paths.values()):
        return None
    parts, names = [], []
    for share, path in paths.items():
        grid = np.load(path)
        gap = np.ones((len(grid), 1, *grid.shape[2:]), grid.dtype)
        parts += [gap, grid] if parts else [grid]
        names += [""] * (len(names) > 0) + [f"{share:.0%}"] + [""] * (len(grid[0]) - 1)
    up, across = (job.data.space[name] for name in ALL[:2])
    return grid_figure(
        np.concatenate(parts, axis=1),
        rows=[said(up, value) for value in shown_values(up, SIDE)],
        columns=names,
        up=up.name,
        across=f"{across.name}, after so much of the training",
    )


def table(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A block per setting, a line per row."""
    for setting, own in by_setting(lines).items():
        yield f"\n{heading(setting, own)}"
        head = " ".join(f"{column:>14s}" for column in COLUMNS)
        yield f"  {'row':28s} {'seeds':>5s} {'steps':>6s} {'cpu s':>6s} {head}"
        for name in dict.fromkeys(line["row"] for line in own):
            found = [line for line in own if line["row"] == name]
            of = lambda part, found=found: [line["values"][part] for line in found]
            cells = " ".join(f"{plus_minus(of(c)):>14s}" for c in COLUMNS)
            counts = f"{len(found):5d} {found[0]['steps']:6d} {cpu_seconds(found)}"
            yield f"  {name:28s} {counts} {cells}"
            told = [part for part in found[0]["values"] if part in ALL]
            each = ", ".join(f"{part} {plus_minus(of(part))}" for part in told)
            yield f"  {'':28s} above chance: {each}"


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--size", type=natural, default=32, help="pixels; 0 is whole")
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the budgets")
    parser.add_argument("--oracle-steps", type=positive, default=STEPS)
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; '' is all")
    parser.add_argument("--out", type=Path, default=Path("runs/fashion_claims"))
    results_flag(parser, "fashion_claims")
    given = parser.parse_args()
    rows = chosen(parser, given.rows, ROWS)
    data = dt.load("fashion_sprites", size=given.size)
    judges = judges_of(data, steps=given.oracle_steps)
    accuracy = judges.each[0].accuracy[columns_of(data, ALL)]
    right = ", ".join(f"{n} {a:.3f}" for n, a in zip(ALL, accuracy, strict=True))
    print(f"the oracle is right on held-out images: {right}", flush=True)
    judges.require(columns_of(data, ALL), data.space.names)
    place = given.scale, given.out
    for seed in range(given.seeds):
        for name in rows:
            job = Job(data, judges, given.oracle_steps, seed, *place)
            work(job, name, given.results)
    figure = marks_figure(Job(data, judges, given.oracle_steps, 0, *place))
    if figure:
        print(written("fashion_marks", figure))
    print("\n".join(table(held(given.results))))


if __name__ == "__main__":
    execute(main)
