"""What the ADDE table asks of trained models, and prototypes read off one of them.

Questions are those of `disentangle retrieve` (`retrieved`); of `by_prototypes`, edits
that put a kind of prototypes in the place of an attribute's part of the code.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import disentangle as dt
from disentangle.data.queries import Edits, edits
from disentangle.data.worlds import World, split_world
from disentangle.methods.prototypes import PROTOTYPES, Evidence, memory
from disentangle.retrieval import Asking
from disentangle.retrieval.asking import tuples_of
from disentangle.retrieval.nearest import nearest
from disentangle.study.encoding import encode_images

Values = dict[str, float]


class Job(NamedTuple):
    """What is trained and asked, for one budget; a model per seed."""

    data: Any
    world: World
    split: str
    labels: int
    seeds: range
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
    member: int
    gallery: np.ndarray
    queries: list[np.ndarray]  # (n, D) of each attribute's edits
    labelled: np.ndarray  # (n, D)
    labels: np.ndarray  # (n, A)


def see(job: Job, asked: Asked, run: Any) -> list[Seen]:
    """Codes of all that is asked, of each model."""
    split, _ = split_world(job.data, job.split, job.labels, 1)
    index = np.asarray(split.subset)[:10_000]
    labels = np.asarray(job.world.attributes.labels(index))
    wanted = [asked.gallery, index, *(np.asarray(one.image) for one in asked.edits)]
    gallery, labelled, *queries = (
        encode_images(run, job.data, part) for part in wanted
    )
    return [
        Seen(run, m, gallery[m], [part[m] for part in queries], labelled[m], labels)
        for m in range(len(job.seeds))
    ]


def retrieved(job: Job, run: Any) -> list[Values]:
    """Way of `disentangle retrieve` -> EX@1 in percent, of each model."""
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
    models = [rows[rows["member"] == name] for name in run.members]
    return [
        {
            str(way): 100 * float(value)
            for way, value in zip(own["way"], own["value"], strict=True)
        }
        for own in models
    ]


def edited(job: Job, run: Any) -> list[float]:
    """EX@1 of each model's edits: by values put in place, or else by differences."""
    return [of.get("replace", of.get("add", math.nan)) for of in retrieved(job, run)]


def chunk_table(job: Job, seen: Seen, kind: str) -> np.ndarray:
    """(d, S) prototypes, a name in PROTOTYPES, of the gallery without its labels."""
    sizes = job.world.attributes.sizes
    codes = seen.labelled if kind == "class_means" else seen.gallery
    chunks = codes.reshape(len(codes), len(sizes), -1)
    labels = seen.labels if kind == "class_means" else np.full((len(codes), 1), -1)
    labels = np.broadcast_to(labels, (len(codes), len(sizes)))
    logits = sliced(job, seen.run.classify(codes)[seen.member])
    own = np.stack([part.argmax(1) for part in logits], axis=1)
    heads = seen.run.member(seen.member)["heads"]
    kernels = tuple(
        jnp.asarray(heads[f"prediction_{a}"]["kernel"]) for a in range(len(sizes))
    )
    given = Evidence(
        jnp.asarray(chunks), jnp.asarray(labels, jnp.int32), jnp.asarray(own), kernels
    )
    return np.asarray(PROTOTYPES[kind](given))


def by_prototypes(job: Job, run: Any) -> list[Values]:
    """EX@1 of replacing by each kind of prototypes, of each model."""
    asked = Asked.of(job)
    return [
        {f"from {kind}": by_kind(job, asked, seen, kind) for kind in PROTOTYPES}
        for seen in see(job, asked, run)
    ]


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
