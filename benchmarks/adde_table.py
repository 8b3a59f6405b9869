"""What ADDE's losses, its prototypes and its baselines do to edits, from shared starts.

    python -m benchmarks.adde_table --data=shapes3d --split=rand --labels=1000
    python -m benchmarks.adde_table --data=fashion_sprites --labels=100,1000 --seeds=3

Per seed one training of stage 1; every row of stage 2 starts from it. The seeds are one
population, each model the one that is trained alone. A row is EX@1: how often the
nearest picture of the gallery (without the reference's own) has every attribute of the
edit, the mean over attributes, in percent, as `disentangle retrieve` counts it. Printed
are means over the seeds and 95 % intervals, and behind them those of the difference
from stage 2's `replace` of the same seed. Results are kept in --results, a line per row
and seed, and what is there is not trained again.

Rows: the ways of `retrieve` after stage 1 (`chance`, `nothing`, `filter`, `expected`,
and edits by class means); `from ...`, replace by prototypes that are read off the
classifier and the gallery's pictures without labels; stage 2 whole, by edits and by
what its own classifiers say of the gallery (`filter`, `expected`), with each loss left
out, cross-entropies alone on the same images (with class means, and what these
classifiers say), as published, also without the loss of its memory; stage 1 without
each of its losses, and with triplets of whole rows; AMNet, FashionSearchNet, CSN, a VAE
without labels of all images, which edit by class means of the labelled images if not of
their own. No row reads more labels than those of its training images, the VAE those of
the same.
"""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import disentangle as dt
from benchmarks.adde_asked import (
    Asked,
    Job,
    Values,
    by_kind,
    by_prototypes,
    edited,
    retrieved,
    see,
)
from benchmarks.command import execute, flags_of, natural, naturals, positive
from benchmarks.kept_lines import (
    by_setting,
    chosen,
    heading,
    held,
    keep,
    known,
    results_flag,
    shown,
)
from disentangle.data.worlds import world

PARTS = ("entropy", "label_triplet", "compositional", "consistency")


def train(job: Job, method: str, steps: int, start: Any = None, **fields: Any) -> Any:
    """One training of a job, of all of its seeds together."""
    return dt.train(
        method,
        job.data,
        split=job.split,
        train_size=job.labels,
        steps=steps,
        seed=job.seeds.start,
        seeds=len(job.seeds),
        batch_size=min(64 if start is None else 32, job.labels or 64),
        learning_rate=1e-3,
        init_from=start,
        progress=False,
        **fields,
    )


Rows = dict[str, Callable[[Any], list[float] | list[Values]]]


def rows_of(job: Job) -> Rows:
    """name -> what computes it from `first()`, the shared stage 1: one per seed."""
    own = {"encoder": job.encoder}
    pred = {"learns": "attributes", **own}
    second = functools.partial(train, job, steps=job.edit_steps, **own)

    def stage_1(first: Any) -> list[Values]:
        found = zip(retrieved(job, first()), by_prototypes(job, first()), strict=True)
        return [ways | prototypes for ways, prototypes in found]

    def stage_2(method: str, **weights: Any) -> Callable[[Any], list[float]]:
        return lambda first: edited(job, second(method, start=first(), **weights))

    def whole(first: Any) -> list[Values]:
        known = ("replace", "add", "filter", "expected")
        found = retrieved(job, second("adde", start=first()))
        return [{f"stage 2, {way}": of[way] for way in known} for of in found]

    def alone(method: str, **fields: Any) -> Callable[[Any], list[float]]:
        return lambda first: edited(job, train(job, method, job.steps, **fields))

    def unlabelled(method: str) -> Any:
        return train(job._replace(labels=0), method, job.steps, **own)

    def amnet(first: Any) -> list[float]:
        del first
        start = train(job, "amnet", job.steps, **pred)
        return edited(job, second("amnet", start=start))

    def entropies(first: Any) -> list[Values]:
        weights = dict.fromkeys((*PARTS[1:], "off_block"), 0.0)
        asked, run = Asked.of(job), second("adde", start=first(), **weights)
        name, found = "cross-entropy on the same images", retrieved(job, run)
        means = [by_kind(job, asked, of, "class_means") for of in see(job, asked, run)]
        return [
            {name: mean} | {f"{name}, {way}": of[way] for way in ("filter", "expected")}
            for mean, of in zip(means, found, strict=True)
        ]

    return {
        "stage 1": stage_1,
        "stage 2": whole,
        "as published": stage_2("adde_paper"),
        "as published less off_block": stage_2("adde_paper", off_block=0.0),
        **{f"less {part}": stage_2("adde", **{part: 0.0}) for part in PARTS},
        "cross-entropy on the same images": entropies,
        "stage 1 without cross-entropies": alone("adde", entropy=0.0, **pred),
        "stage 1 without triplets": alone("adde", attribute_triplet=0.0, **pred),
        "stage 1 with whole rows": alone("adde", whole_triplet=1.0, **pred),
        "AMNet": amnet,
        "FashionSearchNet": alone("fashion_search_net"),
        "CSN": alone("csn", **own),
        "beta-VAE of all images": lambda first: edited(job, unlabelled("beta_vae")),
    }


def work(job: Job, path: Path, names: list[str]) -> None:
    """Computes what is not there of a job, and keeps each row; its seeds together."""

    @functools.cache
    def first(seeds: range) -> Any:
        own = job._replace(seeds=seeds)
        return train(own, "adde", job.steps, learns="attributes", encoder=job.encoder)

    for name in names:
        lacking = [s for s in job.seeds if name not in known(path, key_of(job, s))]
        if not lacking:
            continue
        seeds = range(lacking[0], lacking[-1] + 1)
        row = rows_of(job._replace(seeds=seeds))[name]
        for seed, found in zip(
            seeds, row(functools.partial(first, seeds)), strict=True
        ):
            if seed not in lacking:
                continue
            values = found if isinstance(found, dict) else {name: found}
            line = {"key": key_of(job, seed), "row": name, "values": values}
            keep(path, line, job.data)
            for part, value in values.items():
                print(f"{key_of(job, seed)}  {part:28s} {value:6.2f}", flush=True)


def key_of(job: Job, seed: int) -> str:
    """What a result depends on, as a line says it."""
    return (
        f"{job.data.name} {job.split} {job.labels} labels, steps {job.steps} + "
        f"{job.edit_steps}, {job.encoder} at {job.data.shape[0]}x{job.data.shape[1]}, "
        f"{len(job.tuples)} pictures, {job.queries} queries, seed {seed}"
    )


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """The means over seeds with their intervals, a block per setting.

    Behind each its difference from stage 2's `replace` of the same seed.
    """
    for setting, own in by_setting(lines).items():
        rows: dict[str, dict[str, float]] = {}
        for line in own:
            for name, value in line["values"].items():
                rows.setdefault(name, {})[line["key"].rpartition(" ")[2]] = value
        yield f"\n{heading(setting, own)}: EX@1 in percent"
        whole = rows.get("stage 2, replace", {})
        for name, values in rows.items():
            apart = [value - whole[s] for s, value in values.items() if s in whole]
            first = shown(values.values(), span=(0.0, 100.0))
            cells = f"{first:24s} {shown(apart, '+'):24s}"
            yield f"  {name:44s} {cells} ({len(values)} seeds)"


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--split", default="rand")
    says = "comma-separated; 0 is all"
    parser.add_argument("--labels", type=naturals, default="1000", help=says)
    parser.add_argument("--seeds", type=positive, default=3)
    parser.add_argument("--steps", type=positive, default=600)
    parser.add_argument("--edit-steps", type=positive, default=300)
    parser.add_argument("--encoder", default="locatello")
    parser.add_argument(
        "--size", type=natural, default=0, help="pixels a side; 0: as is"
    )
    parser.add_argument("--queries", type=positive, default=500)
    parser.add_argument("--mini", action="store_true", help="the small gallery")
    parser.add_argument("--rows", default="", help="comma-separated; '' is all")
    results_flag(parser, "adde_table")
    given = parser.parse_args()
    asked, data = world(given.data), dt.load(given.data, size=given.size)
    sizes = (given.steps, given.edit_steps, given.encoder, given.queries)
    gallery = "mini" if given.mini else "tuples"
    seeds = range(given.seeds)
    jobs = [
        Job(data, asked, given.split, labels, seeds, *sizes, gallery)
        for labels in given.labels
    ]
    names = chosen(parser, given.rows, rows_of(jobs[0]))
    for job in jobs:
        work(job, given.results, names)
    print("\n".join(table(held(given.results))))


if __name__ == "__main__":
    execute(main)
