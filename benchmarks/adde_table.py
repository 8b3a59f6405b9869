"""What ADDE's losses, its prototypes and its baselines do to edits, from shared starts.

    python -m benchmarks.adde_table --data=shapes3d --split=rand --labels=1000
    python -m benchmarks.adde_table --data=fashion_sprites --labels=100,1000 --seeds=3

Per seed one training of stage 1; every row of stage 2 starts from it. A row is EX@1:
how often the nearest picture of the gallery (without the reference's own) has every
attribute of the edit, the mean over attributes, in percent. Printed are means over the
seeds and 95 % intervals (Student's t). Results are kept in --out, a line per row and
seed, and what is there is not trained again.

Rows: `chance`; `nothing` (the unedited code); classify-then-filter `ctf hard`
(pictures whose predicted labels are the wanted ones, drawn at random) and `ctf
expected` (the wanted distribution against log-probabilities); `add` and `replace` of
class means after stage 1, `add label` with the true old values; `from ...`, replace by
prototypes that are read off the classifier and unlabelled pictures; stage 2 whole, with
each loss left out, cross-entropies alone on the same images, and as published; stage 1
without its triplets, and with those of whole rows; AMNet, FashionSearchNet, CSN, and a
VAE without labels, each with class means where it learns no edit.
"""

import argparse
import functools
import json
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import disentangle as dt
from disentangle.data.queries import Edits, edits
from disentangle.data.worlds import World, split_world, world
from disentangle.methods.prototypes import PROTOTYPES, Evidence, memory
from disentangle.retrieval.nearest import nearest

T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365}
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
    tuples: np.ndarray  # of the gallery


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


def by_means(job: Job, asked: Asked, seen: Seen, mode: str) -> float:
    """EX@1 of edits by class means: of chunks, or of the whole code without them."""
    table = (
        chunk_table(job, seen, "class_means") if seen.run.method.attributes else None
    )
    sizes = job.world.attributes.sizes
    starts = np.cumsum((0, *sizes[:-1]))

    def query(one: Edits, a: int) -> np.ndarray:
        codes = seen.queries[a]
        if table is None:
            mean = lambda v: whole_means(seen, a, sizes[a])[v]
            return codes + mean(one.value) - mean(one.old)
        d = codes.shape[1] // len(sizes)
        new, chunk = codes.copy(), slice(a * d, (a + 1) * d)
        if mode == "replace":
            new[:, chunk] = table[:, starts[a] + one.value].T
        else:
            old = predicted_old(job, seen, a) if mode == "add" else one.old
            step = table[:, starts[a] + one.value] - table[:, starts[a] + old]
            new[:, chunk] += step.T
        return unit(new)

    gallery = unit(seen.gallery) if table is not None else seen.gallery
    return exact(job, asked, gallery, query)


def whole_means(seen: Seen, a: int, size: int) -> np.ndarray:
    """(K, D) mean codes of the values of an attribute; of one without any, of all."""
    own, middle = seen.labels[:, a], seen.labelled.mean(0)
    rows = [seen.labelled[own == v] for v in range(size)]
    return np.stack([x.mean(0) if len(x) else middle for x in rows])


def predicted_old(job: Job, seen: Seen, a: int) -> np.ndarray:
    """(n,) values that the classifiers see in the queries of an attribute."""
    return sliced(job, seen.run.classify(seen.queries[a])[0])[a].argmax(1)


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


def by_prototypes(job: Job, asked: Asked, seen: Seen, kind: str) -> float:
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


def by_model(job: Job, asked: Asked, seen: Seen, mode: str) -> float:
    """EX@1 of the edits that a model has learned."""
    run, is_chunked = seen.run, seen.run.method.attributes is not None

    def query(one: Edits, a: int) -> np.ndarray:
        new = run.edit_codes(seen.queries[a], one.attribute, one.value, mode=mode)[0]
        return unit(new) if is_chunked else new

    gallery = unit(seen.gallery) if is_chunked else seen.gallery
    return exact(job, asked, gallery, query)


def filtered(job: Job, asked: Asked, seen: Seen) -> dict[str, float]:
    """Classify-then-filter, hard and expected, without codes."""
    logs = sliced(job, seen.run.classify(seen.gallery)[0])
    labels = np.stack([part.argmax(1) for part in logs], axis=1)
    held = np.concatenate(logs, axis=1).astype(np.float32)
    hard, soft = [], []
    for a, one in enumerate(asked.edits):
        own = sliced(job, seen.run.classify(seen.queries[a])[0])
        wanted = np.stack([part.argmax(1) for part in own], axis=1)
        wanted[:, a] = one.value
        share = [np.exp(part) for part in own]
        share[a] = np.eye(own[a].shape[1])[one.value]
        scores = np.concatenate(share, axis=1).astype(np.float32) @ held.T
        rows, ref = np.arange(len(scores)), asked.row[one.reference]
        target = asked.row[one.target]
        scores[rows, ref] = -np.inf
        soft.append((scores.argmax(1) == target).mean())
        fits = (labels[None] == wanted[:, None]).all(2)
        fits[rows, ref] = False
        hard.append((fits[rows, target] / np.maximum(fits.sum(1), 1)).mean())
    means = {"ctf hard": hard, "ctf expected": soft}
    return {name: 100 * float(np.mean(part)) for name, part in means.items()}


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


def rows_of(job: Job) -> dict[str, Callable[[Asked, Any], dict[str, float]]]:
    """name -> what computes it from the questions and `first()`, the shared stage 1."""
    own = {"encoder": job.encoder}
    second = functools.partial(train, job, steps=job.edit_steps, **own)

    def stage_1(asked: Asked, first: Any) -> dict[str, float]:
        seen, n = see(job, asked, first()), len(asked.gallery)
        code = unit(seen.gallery)
        found = {"chance": 100 / (n - 1)}
        found["nothing"] = exact(job, asked, code, lambda _, a: unit(seen.queries[a]))
        found |= filtered(job, asked, seen)
        for mode in ("add label", "add", "replace"):
            found[mode] = by_means(job, asked, seen, mode)
        for kind in PROTOTYPES:
            found[f"from {kind}"] = by_prototypes(job, asked, seen, kind)
        return found

    def learned(name: str, method: str = "adde", **weights: Any) -> Any:
        def row(asked: Asked, first: Any) -> dict[str, float]:
            seen = see(job, asked, second(method, start=first(), **weights))
            return {name: by_model(job, asked, seen, "replace")}

        return row

    def entropies(asked: Asked, first: Any) -> dict[str, float]:
        weights = dict.fromkeys((*PARTS, "off_block"), 0.0)
        seen = see(job, asked, second("adde", start=first(), **weights))
        name = "cross-entropy, same images"
        return {name: by_means(job, asked, seen, "replace")}

    def alone(name: str, method: str, **fields: Any) -> Any:
        def row(asked: Asked, first: Any) -> dict[str, float]:
            del first
            run = train(job, method, job.steps, **fields)
            seen = see(job, asked, run)
            mode = "replace" if run.method.attributes else "add"
            return {name: by_means(job, asked, seen, mode)}

        return row

    def amnet(asked: Asked, first: Any) -> dict[str, float]:
        del first
        start = train(job, "amnet", job.steps, learns="attributes", **own)
        seen = see(job, asked, second("amnet", start=start))
        return {"AMNet": by_model(job, asked, seen, "replace")}

    pred = {"learns": "attributes", **own}
    return {
        "stage 1": stage_1,
        "stage 2": learned("stage 2"),
        "as published": learned("as published", "adde_paper"),
        **{f"less {p}": learned(f"less {p}", **{p: 0.0}) for p in PARTS},
        "cross-entropy, same images": entropies,
        "stage 1, no triplets": alone(
            "stage 1, no triplets", "adde", attribute_triplet=0.0, **pred
        ),
        "stage 1, whole rows": alone(
            "stage 1, whole rows", "adde", whole_triplet=1.0, **pred
        ),
        "AMNet": amnet,
        "FashionSearchNet": alone("FashionSearchNet", "fashion_search_net"),
        "CSN": alone("CSN", "csn", **own),
        "beta-VAE": alone("beta-VAE", "beta_vae", **own),
    }


def held(path: Path) -> list[dict[str, Any]]:
    """The lines of the results, those of a stopped program too."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def work(job: Job, path: Path, chosen: list[str]) -> None:
    """Computes the rows of a job that are not there, and keeps each."""
    asked = Asked.of(job)
    pred = {"learns": "attributes", "encoder": job.encoder}
    first = functools.cache(lambda: train(job, "adde", job.steps, **pred))
    key = key_of(job)
    for name, row in rows_of(job).items():
        done = any(line["key"] == key and line["row"] == name for line in held(path))
        if done or (chosen and name not in chosen):
            continue
        values = row(asked, first)
        with path.open("a") as file:
            line = {"key": key, "row": name, "values": values}
            file.write(json.dumps(line) + "\n")
        for part, value in values.items():
            print(f"{key}  {part:28s} {value:6.2f}", flush=True)


def key_of(job: Job) -> str:
    """What a result depends on, as a line says it."""
    return (
        f"{job.data.name} {job.split} {job.labels} labels, steps {job.steps} + "
        f"{job.edit_steps}, {job.encoder}, {len(job.tuples)} pictures, seed {job.seed}"
    )


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """The means over seeds with their intervals, a block per setting."""
    found: dict[str, dict[str, list[float]]] = {}
    for line in lines:
        setting = line["key"].rpartition(", seed")[0]
        for name, value in line["values"].items():
            found.setdefault(setting, {}).setdefault(name, []).append(value)
    for setting, rows in found.items():
        yield f"\n{setting}: EX@1 in percent"
        for name, values in rows.items():
            n, mean = len(values), statistics.mean(values)
            half = "" if n < 2 else f" +- {interval(values):5.2f}"
            yield f"  {name:28s} {mean:6.2f}{half}  ({n} seeds)"


def interval(values: list[float]) -> float:
    """Half the 95 % interval of a mean by Student's t."""
    n = len(values)
    return T95.get(n - 1, 1.96) * statistics.stdev(values) / math.sqrt(n)


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
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--mini", action="store_true", help="the small gallery")
    parser.add_argument("--rows", default="", help="comma-separated; '' is all")
    parser.add_argument("--out", type=Path, default=Path("adde_table.jsonl"))
    given = parser.parse_args()
    asked, data = world(given.data), dt.load(given.data)
    tuples = asked.mini() if given.mini else np.arange(asked.attributes.tuples)
    chosen = [name.strip() for name in given.rows.split(",") if name.strip()]
    for labels in (int(n) for n in given.labels.split(",")):
        for seed in range(given.seeds):
            sizes = (given.steps, given.edit_steps, given.encoder, given.queries)
            job = Job(data, asked, given.split, labels, seed, *sizes, tuples)
            work(job, given.out, chosen)
    print("\n".join(table(held(given.out))))


if __name__ == "__main__":
    main()
