"""What one training on all tasks says: every per-step sample, every one-model estimate.

The oracle's all-together network of a seed is trained once more and looked at on the
way; all estimates that need no group to be trained are in what comes out, with what
each cost.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.affinity import ESTIMATORS, ONE_MODEL
from disentangle.affinity.needs import needs_of
from disentangle.affinity.one_model import grad_tag
from disentangle.affinity.one_model.linearised import Linearised, linearise
from disentangle.affinity.rates import AT, estimates_at, name_at
from disentangle.affinity.samples import Samples
from disentangle.errors import UserError, unknown
from disentangle.files import read_arrays, reading, write_arrays
from disentangle.oracle.examples import Examples, Parts
from disentangle.oracle.network import Batch, Params
from disentangle.oracle.regime import Regime
from disentangle.oracle.train import Program, Sample, all_together, keys_of
from disentangle.training.observer import momentum

RATES = (0.01, 0.1, 0.5)  # etas; the sign of the rank correlation depends on them
RIDGES = (0.01, 0.1, 1.0)  # lambdas of what is fitted on projected gradients
DIRECTIONS, IMAGES = 64, 500  # of one-model estimates
RELEASED = "grad_tag_released"
WATCHED = 0x0B5E  # folded into a seed's key for what estimators draw


class Measured(NamedTuple):
    """One seed.

    Attributes:
      samples: (S, N, N) or (S, 2^N - 1, N) by name, "lookahead@0.1" where eta counts;
        each is the mean over the batches of its step.
      predicted: (2^N - 1, N) validation losses by name, "grad_tag@0.1" at a ridge.
      batches: of a sample.
    """

    samples: Samples
    predicted: dict[str, np.ndarray]
    batches: int


def measure(
    program: Program,
    parts: Parts,
    seed: int,
    *,
    every: int = 100,
    batches: int = 4,
    rates: Sequence[float] = RATES,
    ridges: Sequence[float] = RIDGES,
) -> Measured:
    """Trains the all-together network of a seed and measures everything on the way.

    Args:
      program: of the regime.
      parts: the examples of the seed.
      seed: of parameters and batches, as in the oracle.
      every: steps between samples.
      batches: per sample, each drawn independently.
      rates: etas of the lookaheads.
      ridges: lambdas of one-model estimates.
    """
    tasks = tuple(task.name for task in program.network.tasks)
    look = _looker(program, tuple(rates), len(tasks))
    steps, losses = [], []
    values: dict[str, list[np.ndarray]] = {}
    last: Sample | None = None
    for sample in all_together(program, parts, seed, every=every, batches=batches):
        last = sample
        if sample.step == program.regime.steps:
            break
        key = jax.random.fold_in(keys_of(seed)[1], sample.step)
        found, own = look(
            sample.shared,
            sample.private,
            sample.optimizer,
            sample.batches,
            jax.random.fold_in(key, WATCHED),
        )
        steps.append(sample.step)
        losses.append(np.asarray(own))
        for name, value in found.items():
            values.setdefault(name, []).append(np.asarray(value))
    assert last is not None
    stacked = {name: np.stack(held) for name, held in values.items()}
    samples = Samples(tasks, np.array(steps), np.stack(losses), stacked)
    predicted = one_model(program, last, parts, seed, ridges=ridges)
    return Measured(samples, predicted, batches)


def names_for(tasks: int) -> list[str]:
    """The estimators of one step that so many tasks allow."""
    most = {name: needs_of(estimate).most for name, estimate in ESTIMATORS.items()}
    return [name for name in ESTIMATORS if not most[name] or tasks <= most[name]]


@functools.cache
def _looker(program: Program, rates: tuple[float, ...], tasks: int) -> Callable:
    """(parameters, optimiser's state, batches (M, ...), key) -> means over batches."""
    network, names = program.network, names_for(tasks)

    def one(
        shared: Params, private: Params, held: Any, batch: Batch, key: jax.Array
    ) -> tuple[dict[str, jax.Array], jax.Array]:
        whole = lambda s, p: network.losses(s, p, batch)
        half = batch.images.shape[0] // 2
        both = [_rows(batch, slice(half)), _rows(batch, slice(half, None))]

        def update(gradient: Params) -> Params:
            still = (gradient, jax.tree.map(jnp.zeros_like, private))
            with jax.numpy_dtype_promotion("standard"):  # optax: float ** int count
                moved, _ = program.optimizer.update(still, held, (shared, private))
            return jax.tree.map(jnp.add, shared, moved[0])

        offers = {
            "halves": tuple(lambda s, p, b=b: network.losses(s, p, b) for b in both),
            "update": update,
            "drift": lambda: momentum(program.optimizer, held, (shared, private))[0],
            "key": key,
        }
        found = estimates_at(
            names, whole, shared, private, rates=rates, chunk=tasks, offers=offers
        )
        return found, whole(shared, private)

    def look(
        shared: Params, private: Params, held: Any, batches: Batch, key: jax.Array
    ) -> Any:
        keys = jax.random.split(key, batches.images.shape[0])
        each = jax.lax.map(
            lambda given: one(shared, private, held, *given), (batches, keys)
        )
        return jax.tree.map(lambda leaf: leaf.mean(axis=0), each)

    return jax.jit(look)


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(batch.images[rows], batch.factors[:, rows], batch.known[:, rows])


def one_model(
    program: Program,
    trained: Sample,
    parts: Parts,
    seed: int,
    *,
    ridges: Sequence[float],
) -> dict[str, np.ndarray]:
    """(2^N - 1, N) predicted validation losses, by estimator and ridge."""
    params = (trained.shared, trained.private)
    key = jax.random.fold_in(keys_of(seed)[1], WATCHED)
    compute = _one_model(program, tuple(ridges))
    found = compute(params, _first(parts.train), _first(parts.validation), key)
    return {name: np.asarray(table) for name, table in found.items()}


@functools.cache
def _one_model(program: Program, ridges: tuple[float, ...]) -> Callable:
    """(parameters, training batch, held batch, key) -> tables by name."""

    def compute(
        params: tuple[Params, Params], train: Batch, held: Batch, key: jax.Array
    ) -> dict[str, jax.Array]:
        drawn, flips = jax.random.split(key)
        both = [linear_part(program, batch, params, drawn) for batch in (train, held)]
        found: dict[str, jax.Array] = {}
        for name, estimate in ONE_MODEL.items():
            each = jax.lax.map(
                lambda ridge, e=estimate: e(*both, ridge=ridge), jnp.asarray(ridges)
            )
            found |= {name_at(name, r): t for r, t in zip(ridges, each, strict=True)}
        return found | {RELEASED: grad_tag.released(*both, key=flips)}

    return jax.jit(compute)


def linear_part(
    program: Program, batch: Batch, params: tuple[Params, Params], key: jax.Array
) -> Linearised:
    """The oracle's network on some images, linearised at its parameters."""
    network = program.network

    def outputs(params: tuple[Params, Params]) -> jax.Array:
        shared, private = params
        return network.predict(private, network.encode(shared, batch.images))

    losses = functools.partial(network.losses_of, batch=batch)
    return linearise(outputs, losses, params, directions=DIRECTIONS, key=key)


def _first(examples: Examples) -> Batch:
    return examples.batch(jnp.arange(min(IMAGES, examples.size)))


def cost(name: str, regime: Regime, measured: Measured) -> float:
    """What an estimate cost, in trainings of the network on all tasks.

    Counted in forward passes over images; a training step takes three. A per-step
    estimate is one training and its samples (`Needs.passes`); a one-model estimate one
    training and two passes per direction for the projected gradients. The fits to them
    do not run the network and are left out.

    Args:
      name: of a sample or a prediction of `measured`.
      regime: whose batches and steps.
      measured: how many samples and batches there were.

    Raises:
      UserError: another name.
    """
    kind, tasks = name.partition(AT)[0], len(measured.samples.tasks)
    training = 3 * regime.steps * regime.batch_size
    if name in measured.samples.values:
        looks = len(measured.samples.steps) * measured.batches * regime.batch_size
        return 1 + looks * needs_of(ESTIMATORS[kind]).passes(tasks) / training
    if name in measured.predicted:
        return 1 + 2 * DIRECTIONS * 2 * IMAGES / training
    raise unknown("estimate", name, (*measured.samples.values, *measured.predicted))


def save(path: Path, seeds: Mapping[int, Measured]) -> None:
    """Writes the measurements of several seeds of one regime."""
    arrays: dict[str, Any] = {}
    for seed, one in seeds.items():
        arrays |= {
            f"{seed}/tasks": np.asarray(one.samples.tasks),
            f"{seed}/steps": one.samples.steps,
            f"{seed}/losses": one.samples.losses,
            f"{seed}/batches": np.asarray(one.batches),
        }
        arrays |= {f"{seed}/sample/{n}": v for n, v in one.samples.values.items()}
        arrays |= {f"{seed}/predicted/{n}": v for n, v in one.predicted.items()}
    write_arrays(path, arrays)


def load(path: Path) -> dict[int, Measured]:
    """What `save` wrote.

    Raises:
      UserError: naming the file, if it is missing or damaged.
    """
    with reading(path):
        arrays = read_arrays(path)
        found = {}
        for seed in sorted({int(name.partition("/")[0]) for name in arrays}):
            of = lambda part, seed=seed: {
                name.removeprefix(f"{seed}/{part}/"): value
                for name, value in arrays.items()
                if name.startswith(f"{seed}/{part}/")
            }
            samples = Samples(
                tuple(str(task) for task in arrays[f"{seed}/tasks"]),
                arrays[f"{seed}/steps"],
                arrays[f"{seed}/losses"],
                of("sample"),
            )
            batches = int(arrays[f"{seed}/batches"])
            found[seed] = Measured(samples, of("predicted"), batches)
    if not found:
        raise UserError(f"{path} holds no seed")
    return found
