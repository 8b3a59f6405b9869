"""Every sampled step of a run, kept whole: statistics afterwards, without training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.affinity.accumulate import pairs_of
from disentangle.affinity.base import Affinity
from disentangle.errors import UserError, unknown
from disentangle.files import read_arrays, reading, write_arrays

FILE = "affinity_samples.npz"
REDRAWS = 200
TASKS, STEPS, LOSSES = "tasks", "steps", "losses"  # of the file, beside estimators


class Log(NamedTuple):
    """The samples of one member while it trains: a pytree for the loop to carry.

    Attributes:
      seen: () int32, samples so far, also those beyond the room.
      losses: (S, N) float32 task losses; S is the room there is.
      values: by estimator (S, N, N) float32, or (S, 2^N - 1, N).
    """

    seen: jax.Array
    losses: jax.Array
    values: dict[str, jax.Array]


def room(shapes: Mapping[str, tuple[int, int]], n_tasks: int, samples: int) -> Log:
    """An empty Log for so many samples of estimators of these shapes."""
    values = {
        name: jnp.zeros((samples, *shape), jnp.float32)
        for name, shape in shapes.items()
    }
    losses = jnp.zeros((samples, n_tasks), jnp.float32)
    return Log(jnp.int32(0), losses, values)


def append(log: Log, losses: jax.Array, values: Mapping[str, jax.Array]) -> Log:
    """The log with one more sample; one beyond its room is counted, not kept."""
    put = lambda rows, row: rows.at[log.seen].set(row.astype(rows.dtype), mode="drop")
    kept = {name: put(rows, values[name]) for name, rows in log.values.items()}
    return Log(log.seen + 1, put(log.losses, losses), kept)


class Samples(NamedTuple):
    """What one network's training was seen to do, sample by sample.

    Attributes:
      tasks: the N names.
      steps: (S,) int64, the training steps that were sampled, in order.
      losses: (S, N) float32 task losses L.
      values: by estimator (S, N, N) float32 [sample, source, target], or
        (S, 2^N - 1, N) of an estimator of groups. Not finite where it could not be
        measured.
    """

    tasks: tuple[str, ...]
    steps: np.ndarray
    losses: np.ndarray
    values: dict[str, np.ndarray]

    def window(self, start: float = 0.0, stop: float = 1.0, stride: int = 1) -> Samples:
        """The samples between two shares of the run, every `stride`-th of them.

        `window(0, .25)` is the first quarter, `window(stride=5)` every fifth sample.

        Raises:
          UserError: not 0 <= start < stop <= 1, a stride below 1, or no sample there.
        """
        if not 0 <= start < stop <= 1:
            raise UserError(f"the window {start} to {stop} must lie in 0 to 1")
        if stride < 1:
            raise UserError(f"stride={stride} must be at least 1")
        count = len(self.steps)
        rows = slice(round(start * count), round(stop * count), stride)
        if not len(self.steps[rows]):
            raise UserError(f"no sample of {count} is between {start} and {stop}")
        values = {name: value[rows] for name, value in self.values.items()}
        return Samples(self.tasks, self.steps[rows], self.losses[rows], values)


def of_log(log: Log, tasks: Sequence[str], every: int, member: int) -> Samples:
    """The samples of a member of a population whose logs have a leading axis P."""
    count = min(int(log.seen[member]), log.losses.shape[1])
    cut = lambda rows: np.asarray(rows[member][:count])
    values = {name: cut(rows) for name, rows in log.values.items()}
    return Samples(tuple(tasks), np.arange(count) * every, cut(log.losses), values)


def save(path: Path, members: Sequence[Samples]) -> None:
    """Writes the samples of the members of a run; each array has their axis first.

    A member that stopped earlier has NaN behind its last sample.
    """
    longest = max(members, key=lambda one: len(one.steps))
    count = len(longest.steps)

    def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
        whole = np.full((len(arrays), count, *arrays[0].shape[1:]), np.nan, np.float32)
        for row, array in zip(whole, arrays, strict=True):
            row[: len(array)] = array
        return whole

    arrays = {
        TASKS: np.asarray(longest.tasks),
        STEPS: longest.steps,
        LOSSES: stacked([one.losses for one in members]),
    }
    for name in longest.values:
        arrays[name] = stacked([one.values[name] for one in members])
    write_arrays(path, arrays)


def load(path: Path) -> list[Samples]:
    """What `save` wrote, a Samples per member.

    Raises:
      UserError: naming the file, if it is missing or damaged.
    """
    with reading(path):
        arrays = read_arrays(path)
        tasks = tuple(str(task) for task in arrays.pop(TASKS))
        steps, losses = arrays.pop(STEPS), arrays.pop(LOSSES)
        found = []
        for member, of_member in enumerate(losses):
            there = np.isfinite(of_member).any(axis=1)
            count = int(np.flatnonzero(there)[-1]) + 1 if there.any() else 0
            values = {name: value[member][:count] for name, value in arrays.items()}
            found.append(Samples(tasks, steps[:count], of_member[:count], values))
        return found


# (values (S, N, N), losses (S, N)) -> (N, N)
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mean(values: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The mean over samples, as `accumulate.finish`; NaN where none is finite."""
    del losses
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(axis=0, dtype=np.float64)
    count = finite.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def median(values: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The median over samples: a few wild steps change nothing."""
    del losses
    held = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    empty = np.isnan(held).all(axis=0)
    return np.where(empty, np.nan, np.nanmedian(np.where(empty, 0, held), axis=0))


def ratio_of_sums(values: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """sum (L - L') / sum L, for estimators of the form (L - L') / L.

    Late steps, in which an easy task's L is nearly 0, do not dominate as in the mean.
    """
    before = losses[:, None, :].astype(np.float64)
    finite = np.isfinite(values) & np.isfinite(before)
    saved = np.where(finite, values * before, 0).sum(axis=0)
    total = np.where(finite, before, 0).sum(axis=0)
    return np.where(total > 0, saved / np.where(total > 0, total, 1), np.nan)


STATISTICS: dict[str, Statistic] = {
    "mean": mean,
    "median": median,
    "ratio_of_sums": ratio_of_sums,
}


def block_bootstrap(
    statistic: Statistic,
    values: np.ndarray,
    losses: np.ndarray,
    *,
    seed: int,
    block: int = 0,
    redraws: int = REDRAWS,
) -> np.ndarray:
    """Standard error of a statistic of neighbouring samples that are alike.

    Circular block bootstrap (Politis & Romano 1992): redraws of whole runs of `block`
    neighbours, the last sample followed by the first.

    Args:
      statistic: of STATISTICS, or alike.
      values, losses: of `Samples`.
      seed: of the redraws.
      block: samples in a block; 0 is S^(1/3), rounded up (Kuensch 1989's order).
      redraws: how many.

    Returns:
      (N, N) float64; NaN where fewer than two redraws gave a finite number.

    Raises:
      UserError: fewer than two samples, or a block longer than all of them.
    """
    count = len(values)
    size = block or math.ceil(count ** (1 / 3))
    if count < 2 or not 1 <= size <= count:
        raise UserError(f"blocks of {size} cannot be drawn from {count} samples")
    rng = np.random.default_rng(seed)
    blocks = math.ceil(count / size)
    starts = rng.integers(0, count, (redraws, blocks))
    rows = (starts[:, :, None] + np.arange(size)) % count
    rows = rows.reshape(redraws, -1)[:, :count]
    drawn = np.stack([statistic(values[row], losses[row]) for row in rows])
    finite = np.isfinite(drawn)
    times = finite.sum(axis=0)
    centre = np.where(finite, drawn, 0).sum(axis=0) / np.maximum(times, 1)
    squares = np.where(finite, (drawn - centre) ** 2, 0).sum(axis=0)
    return np.where(times > 1, np.sqrt(squares / np.maximum(times - 1, 1)), np.nan)


def affinity(
    samples: Samples,
    name: str,
    *,
    statistic: str = "mean",
    block: int = 0,
    seed: int = 0,
) -> Affinity:
    """The Affinity of an estimator's samples, with block-bootstrap standard errors.

    Of an estimator of groups it is that of the pairs, see `accumulate.finish`.

    Raises:
      UserError: an estimator that was not sampled, an unknown statistic, or an entry
        that never had a finite value.
    """
    if name not in samples.values:
        raise unknown("sampled estimator", name, samples.values)
    if statistic not in STATISTICS:
        raise unknown("statistic", statistic, STATISTICS)
    values, n = samples.values[name], len(samples.tasks)
    values = values if values.shape[1] == n else pairs_of(values)
    compute, count = STATISTICS[statistic], len(values)
    error = None
    if count > 1:
        error = block_bootstrap(compute, values, samples.losses, seed=seed, block=block)
        error = error if np.isfinite(error).all() else None
    found = compute(values, samples.losses)
    return Affinity(found, samples.tasks, name, error, count)
