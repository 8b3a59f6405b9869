"""Every family of methods asked the same: change this attribute, keep the rest.

    python -m benchmarks.edit_table --data=shapes3d --size=32 --split=comp
    python -m benchmarks.edit_table --rows=conditional_vae,conditional_gan --seeds=3

A row is one training of a method within a budget of steps, and the edit bench on it
(disentangle/editing): targets of --split are combinations that were never trained on.
Trainings have workdirs in --out, the numbers are kept in --results, a line per row and
seed: what was stopped goes on, and what is there is not done again. --scale
multiplies the budgets, which are about ten minutes of one core at 32x32 each.

Printed: of every way to edit, what the method was told, its steps, CPU seconds and
parameters, the scores of the bench as means over the seeds (with half of the 95 %
interval over requests of one seed, or the standard deviation of several), DCI
disentanglement where codes have at most 64 numbers, or where scores read principal
components of them (Glow); of generators the conditional
accuracy and the Frechet distance; the rows known in advance; and over the rows of
methods with a decoder Spearman's correlation of DCI and EDIT.
"""

import argparse
import contextlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import disentangle as dt
from benchmarks.kept_lines import (
    by_setting,
    chosen,
    held,
    keep,
    known,
    results_flag,
)
from disentangle.editing import REFERENCES, Asking
from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.study.editing import Edits, judge_edits
from disentangle.study.judges import STEPS, Judges, judges_of
from disentangle.training.run import Run

SCORES = ("edit", "hit", "pres", "exact", "rec", "nn", "psnr", "frechet", "asked")
GENERATED = {
    "joint": "conditional_accuracy/joint",
    "accuracy": "conditional_accuracy/mean",
    "FD": "frechet/distance",
    "diversity": "class_diversity/ratio",
}
WIDEST = 64  # numbers of a code that trees are grown on
NARROW = {"num_train": 2_000, "num_test": 1_000}


class Recipe(NamedTuple):
    """How a row is trained.

    Attributes:
      method: in METHODS.
      steps: of each of its stages.
      fields: of the method; the value "factors" is replaced by the names of all.
      stages: what each stage has otherwise.
      rate: the learning rate, 0 for that of the method's own optimisers.
      batch: images per step.
    """

    method: str
    steps: tuple[int, ...] = (4_000,)
    fields: dict[str, Any] = {}  # noqa: RUF012
    stages: tuple[dict[str, Any], ...] = ({},)
    rate: float = 1e-3
    batch: int = 64


TOLD = {"condition": "factors"}
RESOLUTIONS = tuple({"method.resolution": n} for n in (4, 8, 16, 0))
GROWN = ((1_000, 2_000, 1_500, 500), TOLD, RESOLUTIONS)
CAPTIONS = {"draws": 10, "code": "text", "conditioning": "attention"}
STYLED = {"width": 12, "encoder": "small"}
ROWS: dict[str, Recipe] = {
    "autoencoder": Recipe("autoencoder"),
    "vae": Recipe("vae"),
    "beta_vae": Recipe("beta_vae", fields={"beta": 4.0}),
    "beta_tcvae": Recipe("beta_tcvae", fields={"beta": 4.0}),
    "factor_vae": Recipe("factor_vae", (3_000,)),
    "dip_vae_ii": Recipe("dip_vae_ii"),
    "control_vae": Recipe("control_vae"),
    "jacobian_l1_vae": Recipe("jacobian_l1_vae", (2_500,), {"columns": 1}),
    "lie_group_vae": Recipe("lie_group_vae", (3_000,)),
    "factor_qvae": Recipe("factor_qvae", (2_000,)),
    "ada_gvae": Recipe("ada_gvae", (2_500,)),
    "ml_vae": Recipe("ml_vae", (2_500,)),
    "cycle_vae": Recipe("cycle_vae", (2_000,)),
    "class_content_style": Recipe("class_content_style", (2_500,)),
    "dna_gan": Recipe("dna_gan", (3_000,), {"attributes": "factors"}, rate=0, batch=32),
    "slow_vae": Recipe("slow_vae", (2_500,)),
    "s2_beta_vae": Recipe("s2_beta_vae", (3_000,)),
    "supervised_vae": Recipe("supervised_vae"),
    "ivae": Recipe("ivae", fields=TOLD),
    "conditional_vae": Recipe("conditional_vae", fields=TOLD),
    "conditional_gan": Recipe("conditional_gan", (6_000,), TOLD, rate=0, batch=32),
    "multi_conditional_gan": Recipe(
        "multi_conditional_gan", (6_000,), TOLD, rate=0, batch=32
    ),
    "cpggan": Recipe("cpggan", *GROWN, rate=0, batch=32),
    "cdpggan": Recipe("cdpggan", *GROWN, rate=0, batch=32),
    "stack_gan": Recipe(
        "stack_gan",
        (5_000, 2_000),
        TOLD,
        ({"method.stage": 1}, {"method.stage": 2}),
        rate=0,
        batch=32,
    ),
    "conditional_diffusion": Recipe(
        "conditional_diffusion", (2_000,), {"draws": 10}, rate=0, batch=32
    ),
    "captioned_diffusion": Recipe(
        "conditional_diffusion", (2_000,), CAPTIONS, rate=0, batch=32
    ),
    "diffusion_on_codes": Recipe(
        "diffusion_on_codes",
        (1_500, 2_000),
        {"draws": 10},
        ({"method.name": "ada_gvae", "optimizer.learning_rate": 1e-3}, {}),
        rate=0,
        batch=32,
    ),
    "enc_diff": Recipe("enc_diff", (2_000,), {"draws": 10}, rate=0, batch=32),
    "enc_diff_film": Recipe(
        "enc_diff",
        (2_000,),
        {"draws": 10, "conditioning": "film"},
        rate=0,
        batch=32,
    ),
    "munit": Recipe("munit", (1_500,), {"domain": "shape"}, rate=0, batch=8),
    "style_gan": Recipe("style_gan", (4_000,), STYLED, rate=0, batch=16),
    "conditional_style_gan": Recipe(
        "conditional_style_gan", (4_000,), TOLD | STYLED, rate=0, batch=16
    ),
    "glow": Recipe("glow", (1_500,), {"adamax_learning_rate": 2e-3}, rate=0, batch=32),
    "supervised": Recipe("supervised", fields={"tasks": "classes", "subspace": 16}),
    "adde": Recipe(
        "adde",
        (1_500, 800),
        {"attributes": "factors"},
        ({"method.learns": "attributes"}, {"method.learns": "edits"}),
        batch=32,
    ),
    "csn": Recipe("csn", (2_000,), {"attributes": "factors"}),
    "fashion_search_net": Recipe(
        "fashion_search_net", (2_000,), {"attributes": "factors"}
    ),
}


class Job(NamedTuple):
    """One setting of the table."""

    data: Any
    split: str
    size: int
    seed: int
    scale: float
    asking: Asking
    out: Path

    @property
    def key(self) -> str:
        """What a result depends on, as a line says it."""
        asked, names = self.asking, ",".join(self.asking.attributes) or "all"
        return (
            f"{self.data.name} {self.size} px, split {self.split or 'none'}, budget x "
            f"{self.scale:g}, {asked.requests} requests of {names}, {asked.labels} "
            f"labels, seed {self.seed}"
        )

    def folder(self, name: str) -> Path:
        """Where a row is trained."""
        split = self.split or "none"
        setting = f"{self.data.name}-{self.size}-{split}-x{self.scale:g}"
        return self.out / setting / f"{name}-{self.seed}"


def stages_of(recipe: Recipe, scale: float) -> list[dict[str, Any]]:
    """The stages of a job, with their steps."""
    steps = [max(2, round(n * scale)) for n in recipe.steps]
    return [stage | {"steps": n} for stage, n in zip(recipe.stages, steps, strict=True)]


def fields_of(recipe: Recipe, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a method, the names of factors put in."""
    words = {
        "factors": names,
        "classes": tuple(f"{name}:classification" for name in names),
    }
    return {
        k: words.get(v, v) if isinstance(v, str) else v
        for k, v in recipe.fields.items()
    }


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


def train(job: Job, name: str) -> Run:
    """The run of a row."""
    recipe = ROWS[name]
    stages = stages_of(recipe, job.scale)
    steps = stages[-1]["steps"] if len(stages) == 1 else 1
    return dt.train(
        recipe.method,
        job.data,
        split=job.split,
        steps=steps,
        seed=job.seed,
        batch_size=recipe.batch,
        learning_rate=recipe.rate or None,
        stages=stages if len(stages) > 1 else (),
        workdir=job.folder(name),
        **fields_of(recipe, job.data.space.names),
    )


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
        "supervision": METHODS[ROWS[name].method].supervision,
        "steps": sum(stage["steps"] for stage in stages_of(ROWS[name], job.scale)),
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
        yield f"\n{setting}"
        head = " ".join(f"{score:>14s}" for score in SCORES)
        yield f"  {'row, way':44s} {'told':>9s} {'steps':>6s} {'cpu s':>6s} {head}"
        for way in REFERENCES:
            asked = [line for line in own if way in line["ways"]]
            yield f"  {way:44s} {'':23s} {_cells(asked, way)}"
        for name in dict.fromkeys(line["row"] for line in own):
            yield from _row(name, [line for line in own if line["row"] == name])
        yield from _correlation(own)


def _row(name: str, lines: list[dict[str, Any]]) -> Iterator[str]:
    """The ways of one row, and what else is known of it."""
    first, seconds = lines[0], np.mean([line["seconds"] for line in lines])
    for way in first["ways"]:
        if way in REFERENCES:
            continue
        words = f"{name}, {way}"
        told = f"{first['supervision']:>9s} {first['steps']:6d} {seconds:6.0f}"
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
    """The scores of a way, each with its spread."""
    cells = []
    for score in SCORES:
        found = [line["ways"].get(way, {}).get(score) for line in lines]
        values = [part[0] for part in found if part and part[0] is not None]
        if not values:
            cells.append(f"{'-':>14s}")
            continue
        mean = float(np.mean(values))
        half = f"±{np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        if len(values) == 1 and found[0] and found[0][2] is not None:
            half = f"±{found[0][2] - mean:.3f}"
        cells.append(f"{mean:7.3f}{half:>7s}")
    return " ".join(cells)


def _correlation(lines: list[dict[str, Any]]) -> Iterator[str]:
    """Spearman's correlation of DCI and EDIT over rows that have both."""
    for way in ("dimensions", "exchange", "directions"):
        pairs = [
            (line["dci"], line["ways"][way]["edit"][0])
            for line in lines
            if line["dci"] is not None and way in line["ways"]
        ]
        if len(pairs) >= 4:
            ranks = np.argsort(np.argsort(np.array(pairs), axis=0), axis=0)
            rho = np.corrcoef(ranks.T)[0, 1]
            yield f"  DCI and EDIT by {way}: rho {rho:.2f} over {len(pairs)} models"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", type=int, default=32, help="pixels; 0 is whole")
    parser.add_argument("--split", default="comp", help="'' asks of all pictures")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the budgets")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--gallery", type=int, default=5_000)
    parser.add_argument("--attributes", default="", help="comma-separated; '' is all")
    parser.add_argument("--oracle-steps", type=int, default=STEPS)
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
        job = Job(data, given.split, given.size, seed, given.scale, asking, given.out)
        for name in rows:
            lines = known(path, job.key)
            if name in lines:
                continue
            print(f"{name}, seed {seed}", flush=True)
            are_there = any("render" in line["ways"] for line in lines.values())
            keep(path, work(job, name, judges, not are_there))
    print("\n".join(table(held(path))))


if __name__ == "__main__":
    main()
