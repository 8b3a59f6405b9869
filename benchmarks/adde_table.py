"""What ADDE's losses, its prototypes and its baselines do to edits, from shared starts.

    python -m benchmarks.adde_table --data=shapes3d --split=rand --labels=1000
    python -m benchmarks.adde_table --data=fashion_sprites --labels=100,1000 --seeds=3

Per seed one training of stage 1; every row of stage 2 starts from it. A row is EX@1:
how often the nearest picture of the gallery (without the reference's own) has every
attribute of the edit, the mean over attributes, in percent, as `disentangle retrieve`
counts it. Printed are means over the seeds and 95 % intervals, and behind them those of
the difference from stage 2's `replace` of the same seed. Results are kept in
--results, a line per row and seed, and what is there is not trained again.

Rows: the ways of `retrieve` after stage 1 (`chance`, `nothing`, `filter`, `expected`,
and edits by class means); `from ...`, replace by prototypes that are read off the
classifier and unlabelled pictures; stage 2 whole, by edits and by what its own
classifiers say of the gallery (`filter`, `expected`), with each loss left out,
cross-entropies alone on the same images (with class means, and what these classifiers
say), and as published; stage 1 without its triplets, and with those of whole rows;
AMNet, FashionSearchNet, CSN, a VAE without labels, by class means if they do not edit.
"""

import argparse
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import disentangle as dt
from benchmarks.kept_lines import (
    by_setting,
    chosen,
    held,
    keep,
    known,
    results_flag,
    shown,
)
from disentangle.data.queries import Edits, edits
from disentangle.data.worlds import World, split_world, world
from disentangle.methods.prototypes import PROTOTYPES, Evidence, memory
from disentangle.retrieval import Asking
from disentangle.retrieval.asking import tuples_of
from disentangle.retrieval.nearest import nearest

PARTS = ("label_triplet", "compositional", "consistency")
AT_ONCE = 2000  # pictures encoded at a time


class Job(NamedTuple):
    """What is trained and asked, for one budget and seed."""

    data: Any
    world: World
    split: str
    labels: int
    seed: int
    steps: int
    edit_steps: int
    encoder: str
    queries: int
    gallery: str  # "tuples" or "mini"

    @property
    def tuples(self) -> np.ndarray:
        """Of the gallery, those of `disentangle retrieve`."""
        return tuples_of(self.world, Asking(self.split, self.gallery))


class Asked(NamedTuple):
    """The pictures of the gallery and the questions, by numbers of images."""

    gallery: np.ndarray  # (G,)
    row: np.ndarray  # (T,) of each tuple in the gallery, -1 outside
    edits: list[Edits]

    @classmethod
    def of(cls, job: Job) -> "Asked":
        """The questions of a job, the same for all of its rows."""
        row = np.full(job.world.attributes.tuples, -1)
        row[job.tuples] = np.arange(len(job.tuples))
        ask = functools.partial(edits, job.world, count=job.queries, split=job.split)
        names = job.world.attributes.names
        found = [ask(name, gallery=job.tuples) for name in names]
        return cls(job.world.view("gallery", job.tuples), row, found)


def unit(codes: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return codes / np.maximum(np.linalg.norm(codes, axis=-1, keepdims=True), 1e-12)


def images_through(job: Job, function: Callable, index: np.ndarray) -> np.ndarray:
    """function(images) of the first model, some pictures at a time."""
    parts = range(0, len(index), AT_ONCE)
    return np.concatenate(
        [function(job.data.images(index[i : i + AT_ONCE]))[0] for i in parts]
    )


def exact(job: Job, asked: Asked, gallery: np.ndarray, query: Callable) -> float:
    """EX@1 in percent; `query(edits, a)` gives codes (n, D) of one attribute."""
    hits = []
    for a, one in enumerate(asked.edits):
        own = asked.row[one.reference]
        found, _ = nearest(query(one, a), gallery, 1, excluded=own)
        hits.append((found[:, 0] == asked.row[one.target]).mean())
    return 100 * float(np.mean(hits))


def sliced(job: Job, table: np.ndarray) -> list[np.ndarray]:
    """(n, S) -> A arrays (n, K_a)."""
    return np.split(table, np.cumsum(job.world.attributes.sizes)[:-1], axis=1)


class Seen(NamedTuple):
    """A trained model's codes of the gallery, the queries and labelled pictures."""

    run: Any
    gallery: np.ndarray
    queries: list[np.ndarray]  # (n, D) of each attribute's edits
    labelled: np.ndarray  # (n, D)
    labels: np.ndarray  # (n, A)


def see(job: Job, asked: Asked, run: Any) -> Seen:
    """Codes of all that is asked."""
    code = lambda index: images_through(job, run.encode, np.asarray(index))
    split, _ = split_world(job.data, job.split, job.labels, 1)
    index = np.asarray(split.subset)[:10_000]
    return Seen(
        run,
        code(asked.gallery),
        [code(one.image) for one in asked.edits],
        code(index),
        np.asarray(job.world.attributes.labels(index)),
    )


def retrieved(job: Job, run: Any) -> dict[str, float]:
    """Way of `disentangle retrieve` -> EX@1 in percent."""
    found = dt.retrieve(
        run,
        job.data,
        "edit",
        split=job.split,
        gallery=job.gallery,
        labels=job.labels,
        queries=job.queries,
        bootstrap=0,
        progress=False,
    )
    rows = found[(found["attribute"] == "all") & (found["score"] == "exact@1")]
    return {
        str(way): 100 * float(v)
        for way, v in zip(rows["way"], rows["value"], strict=True)
    }


def edited(job: Job, run: Any) -> float:
    """EX@1 of the edits of a run: by values put in place, or else by differences."""
    found = retrieved(job, run)
    return found.get("replace", found.get("add", math.nan))


def chunk_table(job: Job, seen: Seen, kind: str) -> np.ndarray:
    """(d, S) prototypes, a name in PROTOTYPES, of the gallery without its labels."""
    sizes = job.world.attributes.sizes
    codes = seen.labelled if kind == "class_means" else seen.gallery
    chunks = codes.reshape(len(codes), len(sizes), -1)
    labels = seen.labels if kind == "class_means" else np.full((len(codes), 1), -1)
    labels = np.broadcast_to(labels, (len(codes), len(sizes)))
    logits = sliced(job, seen.run.classify(codes)[0])
    own = np.stack([part.argmax(1) for part in logits], axis=1)
    heads = seen.run.member(0)["heads"]
    kernels = tuple(
        jnp.asarray(heads[f"prediction_{a}"]["kernel"]) for a in range(len(sizes))
    )
    given = Evidence(
        jnp.asarray(chunks), jnp.asarray(labels, jnp.int32), jnp.asarray(own), kernels
    )
    return np.asarray(PROTOTYPES[kind](given))


def by_prototypes(job: Job, run: Any) -> dict[str, float]:
    """EX@1 of replacing by each kind of prototypes."""
    asked = Asked.of(job)
    seen = see(job, asked, run)
    return {f"from {kind}": by_kind(job, asked, seen, kind) for kind in PROTOTYPES}


def by_kind(job: Job, asked: Asked, seen: Seen, kind: str) -> float:
    """EX@1 of replacing by prototypes of a kind."""
    sizes = job.world.attributes.sizes
    matrix = np.asarray(memory(jnp.asarray(chunk_table(job, seen, kind)), sizes))
    starts = np.cumsum((0, *sizes[:-1]))

    def query(one: Edits, a: int) -> np.ndarray:
        new, d = seen.queries[a].copy(), len(matrix) // len(sizes)
        own = matrix[a * d : (a + 1) * d, starts[a] + one.value]
        new[:, a * d : (a + 1) * d] = own.T
        return unit(new)

    return exact(job, asked, unit(seen.gallery), query)


def train(job: Job, method: str, steps: int, start: Any = None, **fields: Any) -> Any:
    """One training of a job."""
    return dt.train(
        method,
        job.data,
        split=job.split,
        train_size=job.labels,
        steps=steps,
        seed=job.seed,
        batch_size=min(64 if start is None else 32, job.labels or 64),
        learning_rate=1e-3,
        init_from=start,
        progress=False,
        **fields,
    )


def rows_of(job: Job) -> dict[str, Callable[[Any], float | dict[str, float]]]:
    """name -> what computes it from `first()`, the shared stage 1."""
    own = {"encoder": job.encoder}
    pred = {"learns": "attributes", **own}
    second = functools.partial(train, job, steps=job.edit_steps, **own)

    def stage_1(first: Any) -> dict[str, float]:
        return retrieved(job, first()) | by_prototypes(job, first())

    def stage_2(method: str, **weights: Any) -> Callable[[Any], float]:
        return lambda first: edited(job, second(method, start=first(), **weights))

    def whole(first: Any) -> dict[str, float]:
        found = retrieved(job, second("adde", start=first()))
        known = ("replace", "add", "filter", "expected")
        return {f"stage 2, {way}": found[way] for way in known}

    def alone(method: str, **fields: Any) -> Callable[[Any], float]:
        return lambda first: edited(job, train(job, method, job.steps, **fields))

    def amnet(first: Any) -> float:
        del first
        start = train(job, "amnet", job.steps, **pred)
        return edited(job, second("amnet", start=start))

    def entropies(first: Any) -> dict[str, float]:
        weights = dict.fromkeys((*PARTS, "off_block"), 0.0)
        asked, run = Asked.of(job), second("adde", start=first(), **weights)
        name, found = "cross-entropy on the same images", retrieved(job, run)
        means = by_kind(job, asked, see(job, asked, run), "class_means")
        return {name: means} | {
            f"{name}, {way}": found[way] for way in ("filter", "expected")
        }

    return {
        "stage 1": stage_1,
        "stage 2": whole,
        "as published": stage_2("adde_paper"),
        **{f"less {part}": stage_2("adde", **{part: 0.0}) for part in PARTS},
        "cross-entropy on the same images": entropies,
        "stage 1 without triplets": alone("adde", attribute_triplet=0.0, **pred),
        "stage 1 with whole rows": alone("adde", whole_triplet=1.0, **pred),
        "AMNet": amnet,
        "FashionSearchNet": alone("fashion_search_net"),
        "CSN": alone("csn", **own),
        "beta-VAE": alone("beta_vae", **own),
    }


def work(job: Job, path: Path, names: list[str]) -> None:
    """Computes the rows of a job that are not there, and keeps each."""
    pred = {"learns": "attributes", "encoder": job.encoder}
    first = functools.cache(lambda: train(job, "adde", job.steps, **pred))
    key = key_of(job)
    for name, row in rows_of(job).items():
        if name in known(path, key) or name not in names:
            continue
        found = row(first)
        values = found if isinstance(found, dict) else {name: found}
        keep(path, {"key": key, "row": name, "values": values})
        for part, value in values.items():
            print(f"{key}  {part:28s} {value:6.2f}", flush=True)


def key_of(job: Job) -> str:
    """What a result depends on, as a line says it."""
    return (
        f"{job.data.name} {job.split} {job.labels} labels, steps {job.steps} + "
        f"{job.edit_steps}, {job.encoder} at {job.data.shape[0]}x{job.data.shape[1]}, "
        f"{len(job.tuples)} pictures, {job.queries} queries, seed {job.seed}"
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
        yield f"\n{setting}: EX@1 in percent"
        whole = rows.get("stage 2, replace", {})
        for name, values in rows.items():
            apart = [value - whole[s] for s, value in values.items() if s in whole]
            first = shown(values.values(), span=(0.0, 100.0))
            cells = f"{first:24s} {shown(apart, '+'):24s}"
            yield f"  {name:44s} {cells} ({len(values)} seeds)"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--split", default="rand")
    parser.add_argument("--labels", default="1000", help="comma-separated; 0 is all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--edit-steps", type=int, default=300)
    parser.add_argument("--encoder", default="locatello")
    parser.add_argument("--size", type=int, default=0, help="pixels a side; 0: as is")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--mini", action="store_true", help="the small gallery")
    parser.add_argument("--rows", default="", help="comma-separated; '' is all")
    results_flag(parser, "adde_table")
    given = parser.parse_args()
    asked, data = world(given.data), dt.load(given.data, size=given.size)
    sizes = (given.steps, given.edit_steps, given.encoder, given.queries)
    gallery = "mini" if given.mini else "tuples"
    jobs = [
        Job(data, asked, given.split, int(labels), seed, *sizes, gallery)
        for labels in given.labels.split(",")
        for seed in range(given.seeds)
    ]
    names = chosen(parser, given.rows, rows_of(jobs[0]))
    for job in jobs:
        work(job, given.results, names)
    print("\n".join(table(held(given.results))))


if __name__ == "__main__":
    main()
