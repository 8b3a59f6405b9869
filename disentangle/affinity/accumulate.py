"""Averages estimators over the sampled steps of a training run, on the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# The table is read when called, so that a new estimator is one line there.
from disentangle import affinity
from disentangle.affinity.base import Affinity, check_tasks
from disentangle.affinity.needs import Needs, check_tasks_count, rows_of, together
from disentangle.affinity.probe import Probe
from disentangle.errors import UserError, unknown


class Moments(NamedTuple):
    """Running moments of one estimator, entry by entry.

    Attributes:
      seen: (N, N) int32, finite values seen; (2^N - 1, N) of an estimator of groups.
      mean: float32 of them, of the same shape.
      squares: float32, their sum of squared deviations from the mean.
    """

    seen: jax.Array
    mean: jax.Array
    squares: jax.Array


Carry = dict[str, Moments]


def init(names: Sequence[str], n_tasks: int) -> Carry:
    """Nothing seen yet: a pytree to carry through the training loop.

    Args:
      names: the estimators to average, keys of `ESTIMATORS`.
      n_tasks: N.

    Raises:
      UserError: an unknown estimator, or one that is for fewer tasks.
    """
    carry = {}
    for name in names:
        if name not in affinity.ESTIMATORS:
            raise unknown("affinity estimator", name, affinity.ESTIMATORS)
        estimate = affinity.ESTIMATORS[name]
        check_tasks_count(name, estimate, n_tasks)
        shape = (rows_of(estimate, n_tasks), n_tasks)
        zeros = jnp.zeros(shape, jnp.float32)
        carry[name] = Moments(jnp.zeros(shape, jnp.int32), zeros, zeros)
    return carry


def needs(names: Iterable[str]) -> Needs:
    """What these estimators need of one probe, together."""
    return together([affinity.ESTIMATORS[name] for name in names])


def estimates(names: Iterable[str], probe: Probe) -> dict[str, jax.Array]:
    """Every estimator's value at one sampled step, float32."""
    return {
        name: affinity.ESTIMATORS[name](probe).astype(jnp.float32) for name in names
    }


def update(carry: Carry, probe: Probe) -> Carry:
    """One sampled step: estimates every affinity and adds it to the moments.

    Pure, for use inside jit, `lax.cond`, `lax.fori_loop` and `vmap`.
    """
    return add(carry, estimates(carry, probe))


def add(carry: Carry, values: Mapping[str, jax.Array]) -> Carry:
    """The moments with the values of one more step."""
    return {name: _add(moments, values[name]) for name, moments in carry.items()}


def _add(moments: Moments, value: jax.Array) -> Moments:
    """B. P. Welford's update (1962), which float32 survives where sums do not.

    A value that is not finite (a loss that reached 0, a step that overflowed) is left
    out and not counted, so that one bad step does not take the run's affinity with it.
    """
    finite = jnp.isfinite(value)
    count = moments.seen + finite.astype(jnp.int32)
    change = jnp.where(finite, value - moments.mean, 0)
    mean = moments.mean + change / jnp.maximum(count, 1).astype(jnp.float32)
    squares = moments.squares + change * jnp.where(finite, value - mean, 0)
    return Moments(count, mean, squares)


def finish(
    carry: Carry, tasks: Sequence[str], keep: np.ndarray | None = None
) -> dict[str, Affinity]:
    """The averaged matrices, with standard errors.

    Args:
      carry: from `update`; (N, N) moments, or (P, N, N) of a population whose members
        differ only in their seed.
      tasks: the N task names.
      keep: (P,) bool, the members to average (leave out those that diverged); all by
        default.

    Returns:
      For each estimator its Affinity. The matrix is the mean over sampled steps, then
      over members. The standard error is that of independent members where there are
      two or more, else that of independent steps (neighbouring steps of one run are
      not quite independent, so it is then a lower bound; `samples.affinity` has block
      bootstraps), else None. Of an estimator of groups the matrix is that of the pairs:
      [source, target] of the group of both, and of each task alone on the diagonal.

    Raises:
      UserError: an entry never had a finite value.
    """
    names = check_tasks(tasks)
    return {name: _finish(name, carry[name], names, keep) for name in carry}


def _finish(
    name: str, moments: Moments, tasks: tuple[str, ...], keep: np.ndarray | None
) -> Affinity:
    n = len(tasks)
    held = [np.asarray(m) for m in moments]
    count, mean, squares = (m.reshape(-1, *m.shape[-2:]) for m in held)
    if count.shape[1] != n:
        count, mean, squares = (pairs_of(m) for m in (count, mean, squares))
    if keep is not None:
        count, mean, squares = (m[np.asarray(keep)] for m in (count, mean, squares))
    seen = count > 0
    members = seen.sum(axis=0)
    for source, target in np.argwhere(members == 0):
        raise UserError(
            f"the {name} affinity of source {tasks[source]!r} on target "
            f"{tasks[target]!r} had no finite value in any sampled step"
        )
    mean = np.where(seen, mean, 0).astype(np.float64)
    matrix = mean.sum(axis=0) / members
    error = None
    if members.min() > 1:
        spread = np.where(seen, (mean - matrix) ** 2, 0).sum(axis=0)
        error = np.sqrt(spread / (members - 1) / members)
    elif len(count) == 1 and count.min() > 1:
        times = count[0].astype(np.float64)
        error = np.sqrt(squares[0] / (times - 1) / times)
    if error is not None and not np.isfinite(error).all():
        error = None  # float32 could not hold the squares: the spread is not known
    samples = int(count.max(axis=(1, 2)).sum())
    return Affinity(matrix, tasks, name, error, samples)


def pairs_of(table: np.ndarray) -> np.ndarray:
    """The (..., N, N) pairs of a (..., 2^N - 1, N) table of groups, see `finish`."""
    n = table.shape[-1]
    source, target = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    return np.asarray(table[..., (1 << source | 1 << target) - 1, target])
