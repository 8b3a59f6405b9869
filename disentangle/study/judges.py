"""Two oracles of a data set: networks that read its factors off any picture.

They differ in seed and in architecture, and an event of the edit bench counts only
where both see it. They are trained on all images but some thousand that are held out,
half of them blurred, of other contrast and noisy (methods/augment.py), once per data
set and size of its images: the cache folder keeps them, and a training that was
stopped goes on. An oracle that reads a factor of held-out images rightly less often
than 0.99 judges nothing.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import cache
from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.data.samplers import scaled
from disentangle.editing.equality import equal
from disentangle.errors import UserError
from disentangle.training import encode
from disentangle.training.config import default_config
from disentangle.training.run import Run, fit, prepare

GATE = 0.99
HELD, SHARE = 4_000, 10  # images held out: so many, or one of SHARE
STEPS = 1_500
AT_ONCE = 1_000  # images read at a time
DRAWN = 512  # images drawn at a time


class Oracle(NamedTuple):
    """How an oracle is made; the settings of 32x32 images, by Adam with a cosine."""

    encoder: str
    batch_size: int
    seed: int
    learning_rate: float = 2e-3


ORACLES: dict[str, Oracle] = {
    "reader": Oracle("reader", 128, 11),
    "patches": Oracle("patches", 96, 12),
}


class Judge(NamedTuple):
    """One oracle.

    Attributes:
      name: in ORACLES.
      run: its training.
      read: images (n, H, W, C) in [0, 1] -> (n, F) int values.
      features: images -> (n, E), its last hidden ones.
      accuracy: (F,) how often it is right on held-out images, up to tolerance.
    """

    name: str
    run: Run
    read: Callable[[np.ndarray], np.ndarray]
    features: Callable[[np.ndarray], np.ndarray]
    accuracy: np.ndarray


class Judges(NamedTuple):
    """The oracles of a data set.

    Attributes:
      each: J of them.
      accuracy: (F,) how often all of them are right on held-out images.
    """

    each: tuple[Judge, ...]
    accuracy: np.ndarray

    def read(self, images: np.ndarray) -> np.ndarray:
        """(J, n, F) readings."""
        return np.stack([judge.read(images) for judge in self.each])

    def require(self, columns: Sequence[int], names: Sequence[str]) -> None:
        """Raises UserError, naming the least accuracy, if one is below the gate."""
        worst = min(
            (float(judge.accuracy[column]), judge.name, names[column], judge.run.step)
            for judge in self.each
            for column in columns
        )
        if worst[0] < GATE:
            accuracy, name, factor, steps = worst
            raise UserError(
                f"the oracle {name!r} reads {factor!r} of held-out images rightly with "
                f"accuracy {accuracy:.4f} after {steps:,} steps, below {GATE}: it "
                "judges nothing; give it more steps (oracle_steps), or leave the "
                "factor out of the attributes"
            )


def oracle_config(data: Dataset, oracle: Oracle, steps: int) -> dict[str, Any]:
    """The training config of an oracle.

    Raises:
      UserError: no labels.
    """
    data.space.require_labels("an oracle")
    config = default_config(data.name, "supervised").to_dict()
    tasks = [
        f"{factor.name}:{'circular' if factor.symmetry else 'classification'}"
        for factor in data.space.items
        if factor.size > 1
    ]
    config["method"] |= {"tasks": tasks, "encoder": oracle.encoder, "augment": True}
    config["method"] |= {"subspace": 32, "hidden": 128}
    held = max(1, min(HELD, len(data) // SHARE))
    config["data"] |= {"train_size": len(data) - held, "test_size": held}
    config["optimizer"] |= {
        "learning_rate": oracle.learning_rate,
        "b2": 0.99,
        "schedule": "cosine",
    }
    return config | {
        "steps": steps,
        "seed": oracle.seed,
        "batch_size": min(oracle.batch_size, len(data) - held),
        "eval_every": 0,
        "checkpoint_every": max(1, steps // 5),
    }


def judges_of(
    data: Dataset, *, steps: int = STEPS, cache_dir: Any = None, progress: bool = True
) -> Judges:
    """The oracles of a data set, from the cache folder or trained now.

    Args:
      data: with labels; a missing one is never read rightly.
      steps: updates of each.
      cache_dir: where they are kept; None for the cache folder.
      progress: whether to show it.

    Raises:
      UserError: no labels, or a folder that cannot be written.
    """
    height, width, _ = data.shape
    base = cache.folder(cache_dir) / "oracles"
    base = base / f"{data.name}-{height}x{width}-{data.digest[:12]}"
    each = []
    for name, oracle in ORACLES.items():
        config = oracle_config(data, oracle, steps)
        told = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        folder = cache.writable_folder(base / f"{name}-{told[:12]}")
        run = fit(config, data, workdir=folder, progress=progress)
        each.append((name, run, *_readers(run, data)))
    index = held_out(each[0][1], data)
    right = np.stack([_right(read, data, index) for _, _, read, _ in each])
    judges = [Judge(*own, part.mean(0)) for own, part in zip(each, right, strict=True)]
    return Judges(tuple(judges), right.all(0).mean(0))


def held_out(run: Run, data: Dataset) -> np.ndarray:
    """(n,) images that an oracle was not trained on."""
    return np.asarray(prepare(run.config, data)[3])


def _right(
    read: Callable[[np.ndarray], np.ndarray], data: Dataset, index: np.ndarray
) -> np.ndarray:
    """(n, F) bool: which factors of some images are read rightly, up to tolerance."""
    parts = [index[i : i + AT_ONCE] for i in range(0, len(index), AT_ONCE)]
    return np.concatenate(
        [
            equal(data.space, read(pictures(data, rows)), data.factors(rows))
            for rows in parts
        ]
    )


def pictures(data: Dataset, index: np.ndarray) -> np.ndarray:
    """(n,) image numbers -> (n, H, W, C) float32 in [0, 1].

    Drawn `DRAWN` at a time, by one compiled program.
    """
    rows = np.asarray(data.space.checked(np.asarray(index)))
    if data.is_streamed or not len(rows):
        found = np.asarray(data.images(rows), np.float32)
        return found / np.float32(data.max_value)
    filled = np.resize(rows, -(-len(rows) // DRAWN) * DRAWN)
    parts = [
        np.asarray(_drawn(data, jnp.asarray(filled[i : i + DRAWN], jnp.int32)))
        for i in range(0, len(filled), DRAWN)
    ]
    return np.concatenate(parts)[: len(rows)]


@jax.jit
def _drawn(data: Dataset, index: jax.Array) -> jax.Array:
    return scaled(data.images(index), data.max_value)


def _readers(
    run: Run, data: Dataset
) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """(images -> (n, F) values, images -> (n, E) features)."""
    nets, params = run.method.nets, jax.tree.map(lambda x: x[:1], run.params)
    assert run.method.tasks is not None
    told = [name.partition(":")[0] for name in run.method.tasks.names]

    def both(params: Any, images: jax.Array) -> Any:
        h = nets["encoder"].apply(params["encoder"], images)
        return h, nets["heads"].apply(params["heads"], h).predictions

    @float32()
    def seen(images: np.ndarray) -> Any:
        """(features, predictions), of at least a whole batch: one compiled program."""
        given = np.clip(np.asarray(images, np.float32), 0.0, 1.0)
        rows = max(len(given), encode.BATCH) if len(given) else 0
        filled = np.resize(given, (rows, *given.shape[1:]))
        found = encode.batched(both, params, filled, 1)
        return jax.tree.map(lambda part: part[0, : len(given)], found)

    def read(images: np.ndarray) -> np.ndarray:
        parts = dict(zip(told, seen(images)[1], strict=True))
        return values_of(data, parts, len(images))

    return read, lambda images: np.asarray(seen(images)[0])


def values_of(data: Dataset, parts: dict[str, np.ndarray], count: int) -> np.ndarray:
    """(n, F) the likeliest values of predictions by factor.

    An angle of a factor with a symmetry is read with the symmetry of what is read
    there: of the values that give it any one, as they are equal (editing/equality.py).
    """
    space = data.space
    found = np.zeros((count, len(space.items)), np.int64)
    for i, factor in enumerate(space.items):
        if factor.symmetry is None and factor.name in parts:
            found[:, i] = parts[factor.name].argmax(1)
    for i, factor in enumerate(space.items):
        if factor.symmetry is None or factor.steps_per_turn is None:
            continue
        by = found[:, space.position(factor.symmetry.by)]
        order = np.asarray(factor.symmetry.orders)[by]
        turns = order[:, None] * np.arange(factor.size) / factor.steps_per_turn
        own = parts[factor.name]
        angle = np.arctan2(own[:, 1], own[:, 0])[:, None]
        found[:, i] = np.cos(2 * np.pi * turns - angle).argmax(1)
    return found
