"""The control of set completion: a turned code must lose what an axis-aligned one wins.

    python -m benchmarks.set_completion --data=shapes3d --split=rand --labels=1000

A code of pictures is asked to complete sets; "rotated" is the same one times a random
orthogonal matrix of its seed. "learned" and "attention" weigh columns or chunks, and
win by where an attribute is: a rotation must take that away, and leave "whole" as it
is. A layer F per chunk may undo it: of ADDE-O only the agreement tells, how often most
attention is on the attribute that two items share.

one-hot labels        the attributes with noise, without a network
ADDE stage 1          trained on the labels
beta-VAE, Ada-GVAE    trained on all pictures, or pairs of them, without labels
heads                 ADDE-O's attention, alone or with F, on fixed codes of stage 1
ADDE-O (without F)    all of it trained on from ADDE stage 1
CSA-Net, type-aware   masks of pairs of categories, and an encoder of their own

All have the same sets and the same labelled pictures, the first --labels that ADDE is
trained on: from these are "learned" and, where no method fixes them, the columns of an
attribute, so of rotated codes. The seeds of a row are one population, which shares its
ADDE stage 1. Printed are means over seeds with half of their 95 % interval, also of the
difference between rotated and straight rows of a seed. What --results has stays there.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import disentangle as dt
from benchmarks import kept_lines
from benchmarks.command import execute, flags_of, natural, positive
from disentangle.data.samplers import Split, draw
from disentangle.methods import adde_outfits
from disentangle.methods.adde_losses import outfit_ranking
from disentangle.methods.diffusion_model import rotation
from disentangle.methods.set_batches import distances, items, sets, told_mean
from disentangle.retrieval import TASKS, Asking
from disentangle.retrieval.encoder import Encoder, from_labels
from disentangle.study.searches import Searches, assigned, models_of
from disentangle.study.subjects import Subject, subject_of

COLUMNS = [
    *("learned fitb hard", "whole fitb hard", "attention fitb hard"),
    *("learned recall@10", "whole recall@10", "learned auc hard"),
    *("learned agreement", "attention agreement"),
]
TASK, ROTATED = TASKS["complete"], ", rotated"
HEADS = {"head without F": 0, "head with F": 32}  # the width of F
HEAD_STEPS, HEAD_RATE = 2_000, 1e-2  # its attention moves slowly
NOISE, RATE = 0.15, 1e-3  # of one-hot labels; of learning
BATCH, SETS, NEGATIVES = 64, 32, 4  # pictures a step; sets a step, and to each


class Job(NamedTuple):
    """What is trained and asked; a model per seed."""

    given: Any  # the flags
    data: Any
    asking: Asking
    subject: Subject
    seeds: range


def train(job: Job, method: str, **fields: Any) -> Any:
    """One training of a job, of all of its seeds together."""
    given = {name: vars(job.given)[name] for name in ("steps", "split", "encoder")}
    given |= {"train_size": job.given.labels, "batch_size": BATCH} | fields
    given |= {"seed": job.seeds.start, "seeds": len(job.seeds), "learning_rate": RATE}
    return dt.train(method, job.data, progress=False, **given)


def codes_of(job: Job, run: Any) -> list[Encoder]:
    """What each model of a run is asked with."""
    found = Searches(models_of(run), job.data, job.asking)
    found.prepare(["complete"])
    own = found.subject("complete")
    assert np.array_equal(own.labelled, job.subject.labelled)
    return [found.encoder(member, own) for member in range(len(job.seeds))]


def one_hot(job: Job, seed: int) -> Encoder:
    """The attributes themselves, with other noise for every picture."""
    of, ends = job.subject, np.cumsum((0, *job.subject.sizes))
    noise = NOISE * np.random.default_rng(seed).normal(size=(4093, ends[-1]))

    def encode(images: np.ndarray) -> np.ndarray:
        ones = (of.values(images) + ends[:-1])[..., None] == np.arange(ends[-1])
        return (ones.sum(1) + noise[images % len(noise)]).astype(np.float32)

    chunks = np.split(np.arange(ends[-1]), ends[1:-1])
    return from_labels(encode, of.labelled, of.values(of.labelled), of.sizes, chunks)


def rotated(job: Job, made: Encoder, seed: int) -> Encoder:
    """The same codes times a random orthogonal matrix, compared whole as they were."""
    turn = np.float32(rotation(made.encode(made.labels).shape[1], seed + 1))
    encode = lambda images: made.encode(images) @ turn
    chunks = assigned(encode(made.labels), made.values)
    found = from_labels(encode, made.labels, made.values, job.subject.sizes, chunks)
    return replace(found, whole=lambda codes: made.compared(codes @ turn.T))


def head(job: Job, made: Encoder, width: int, seed: int) -> Encoder:
    """Attention over chunks of fixed codes, and F where width > 0, trained on sets."""
    settings = adde_outfits.Settings(width=width, encoder=job.given.encoder)
    model = adde_outfits.model(settings, job.data.space, job.data.shape)
    order, optimizer = np.sort(made.labels), optax.adam(HEAD_RATE)
    split, collate = Split(job.data, jnp.asarray(order)), sets(model.slots, NEGATIVES)

    def loss(params: Any, codes: jax.Array, key: jax.Array) -> jax.Array:
        first, second = jax.random.split(key)
        batch = collate(split, draw(split, first, SETS), second)
        rows = jnp.searchsorted(order, job.data.space.index(batch["factors"]))
        labels = model.slots.attributes.of_batch(batch)
        found = items(model.slots, codes[rows], labels, batch["slot"])
        near, far = distances(functools.partial(model.pair, params), found)
        return told_mean(jax.vmap(outfit_ranking)(near, far), batch["told"])

    def step(held: Any, key: jax.Array) -> tuple[Any, None]:
        params, memory, codes = held
        moves, memory = optimizer.update(jax.grad(loss)(params, codes, key), memory)
        return (optax.apply_updates(params, moves), memory, codes), None

    first, second, rest = jax.random.split(jax.random.key(seed), 3)
    params = {"layers": model.nets["layers"].init(first)}
    params |= {"weights": model.nets["weights"].init(second)}
    held = params, optimizer.init(params), jnp.asarray(made.encode(order))
    keys = jax.random.split(rest, HEAD_STEPS)
    params = jax.jit(functools.partial(jax.lax.scan, step))(held, keys)[0][0]
    attention = np.asarray(model.attention(params))

    def pair(codes: np.ndarray, own: int, other: int) -> np.ndarray:
        chunks = codes.reshape(len(codes), attention.shape[-1], 1, -1)
        if width:
            chunks = chunks @ np.asarray(params["layers"]["kernel"])
        return (chunks * attention[own, other][:, None, None]).reshape(len(codes), -1)

    return replace(made, pair=pair, attention=attention)


def rows_of(job: Job) -> dict[str, Callable[[], list[Encoder]]]:
    """name -> what computes a code per seed; rows share ADDE stage 1."""
    first = functools.cache(lambda: train(job, "adde", learns="attributes"))
    vae = functools.partial(train, job, steps=job.given.vae_steps, train_size=0)
    of_sets = functools.partial(train, job, batch_size=SETS)
    adde_o = functools.partial(of_sets, "adde_outfits")
    return {
        "one-hot labels": lambda: [one_hot(job, seed) for seed in job.seeds],
        "ADDE stage 1": lambda: codes_of(job, first()),
        "beta-VAE": lambda: codes_of(job, vae("beta_vae")),
        "Ada-GVAE": lambda: codes_of(job, vae("ada_gvae")),
        "heads": lambda: codes_of(job, first()),
        "ADDE-O": lambda: codes_of(job, adde_o(init_from=first())),
        "ADDE-O without F": lambda: codes_of(job, adde_o(init_from=first(), width=0)),
        "CSA-Net": lambda: codes_of(job, of_sets("csa_net")),
        "type-aware": lambda: codes_of(job, of_sets("type_aware")),
    }


def values_of(job: Job, name: str, made: Encoder, seed: int) -> dict[str, Any]:
    """Numbers of a row: of the code and, if it has no trained pairs, of it rotated."""
    parts = {name: made}
    if made.pair is None:
        parts[name + ROTATED] = rotated(job, made, seed)
    if name == "heads":
        kinds = [(kind, end) for kind in HEADS for end in ("", ROTATED)]
        parts = {k + e: head(job, parts[name + e], HEADS[k], seed) for k, e in kinds}
    asked = job.subject.questions()
    rows = {k: TASK.answer(asked, one, job.asking).rows for k, one in parts.items()}
    return {k: {f"{r.way} {r.score}": r.value for r in of} for k, of in rows.items()}


def work(job: Job, names: list[str]) -> None:
    """Computes what is not there of a job, and keeps each row; its seeds together."""
    rows = functools.cache(lambda seeds: rows_of(job._replace(seeds=seeds)))
    keys, path = {seed: key_of(job, seed) for seed in job.seeds}, job.given.results
    for name in names:
        lacking = [s for s, k in keys.items() if name not in kept_lines.known(path, k)]
        seeds = range(lacking[0], lacking[-1] + 1) if lacking else range(0)
        for seed, made in zip(seeds, rows(seeds)[name]() if seeds else (), strict=True):
            if seed in lacking:
                line = {"key": keys[seed], "row": name}
                values = values_of(job, name, made, seed)
                kept_lines.keep(path, line | {"values": values}, job.data)
                print(f"{keys[seed]}  {name}", flush=True)


def key_of(job: Job, seed: int) -> str:
    """What a result depends on, as a line says it."""
    of, side = job.given, job.data.shape[0]
    return (
        f"{of.data} {of.split} {of.labels} labels, steps {of.steps}, of VAEs "
        f"{of.vae_steps}, {of.encoder} at {side}x{side}, {of.sets} sets, seed {seed}"
    )


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """A block per setting: means over seeds, then rotated less straight rows."""
    for setting, own in kept_lines.by_setting(lines).items():
        rows: dict[str, list[Any]] = {}
        less: dict[str, list[Any]] = {}
        for values in (line["values"] for line in own):
            for name, of in values.items():
                rows.setdefault(name, []).append(of)
                if name.endswith(ROTATED):
                    start = values[name.removesuffix(ROTATED)]
                    apart = {c: of[c] - start[c] for c in of}
                    less.setdefault(f"{name}, less straight", []).append(apart)
            chance = {c: of[f"chance {c.partition(' ')[2]}"] for c in COLUMNS}
        yield f"\n{kept_lines.heading(setting, own)}"
        for words in zip(*(c.split(" ", 1) for c in COLUMNS), strict=True):
            yield f"  {'':40s} {' '.join(f'{word:>13s}' for word in words)}"
        for name, found in (rows | {"chance": [chance]} | less).items():
            cells = [[one[c] for one in found if c in one] for c in COLUMNS]
            shown = [kept_lines.plus_minus(c) if c else "-" for c in cells]
            yield f"  {name:40s} {' '.join(f'{c:>13s}' for c in shown)} ({len(found)})"


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--split", default="rand")
    parser.add_argument(
        "--size", type=natural, default=32, help="pixels a side; 0: as is"
    )
    parser.add_argument("--labels", type=natural, default=1_000)
    parser.add_argument("--steps", type=positive, default=600)
    parser.add_argument("--vae-steps", type=positive, default=1_500)
    parser.add_argument("--seeds", type=positive, default=3)
    parser.add_argument("--sets", type=positive, default=1_000)
    parser.add_argument("--encoder", default="locatello")
    parser.add_argument("--rows", default="", help="comma-separated; '' is all")
    kept_lines.results_flag(parser, "set_completion")
    given = parser.parse_args()
    data = dt.load(given.data, size=given.size)
    asking = Asking(given.split, labels=given.labels, sets=given.sets, bootstrap=0)
    subject = subject_of("complete", data, asking, None)
    TASK.check(subject.questions(), subject.values(subject.labelled))
    job = Job(given, data, asking, subject, range(given.seeds))
    work(job, kept_lines.chosen(parser, given.rows, rows_of(job)))
    print("\n".join(table(kept_lines.held(given.results))))


if __name__ == "__main__":
    execute(main)
