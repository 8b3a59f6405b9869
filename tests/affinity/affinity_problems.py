"""Small problems whose affinity is known, and all estimators of them in one program."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.affinity import ESTIMATORS, accumulate, probe
from disentangle.affinity.accumulate import pairs_of
from disentangle.affinity.needs import needs_of

KEYS = 4000  # that an estimator which draws is averaged over


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def quadratic_losses(data, rows, shared, private):
    """s_j / 2 |A_j theta - b_j|^2 over some of its rows."""
    A, b = data["A"][:, rows], data["b"][:, rows]
    residual = jnp.einsum("jrs,s->jr", A, shared) - b
    return data["scale"] * 0.5 * jnp.sum(residual**2, axis=1)


def quadratic(tasks=4, order=(0, 1, 2, 3), scale=(1, 1, 1, 1), stretch=1.0):
    """Quadratic tasks with 6 rows, in two halves of 3, and an optimiser's memory."""
    order = list(order)
    data = {"A": normal(0, tasks, 6, 5)[order], "b": normal(1, tasks, 6)[order]}
    data |= {"scale": np.float32(scale), "rate": np.float32(0.05)}
    data |= {"drift": normal(90, 5), "memory": normal(91, 5)}
    return quadratic_losses, 6, data, np.float32(stretch) * normal(2, 5), ()


def linear_losses(data, rows, shared, private):
    """Mean squared errors of linear tasks over some of the batch."""
    x, y = data["x"][rows], data["y"][rows]
    return jnp.mean((x @ shared @ private - y) ** 2, axis=0)


def linear(targets, noise=(0, 0, 0, 0), seed=5):
    """Four linear tasks with equal heads, on an encoder that starts at 0.

    The targets are x @ targets + noise normal numbers, per task; the inputs are
    orthonormal in each half of the batch.
    """
    rng = np.random.default_rng(seed)
    x = [np.linalg.qr(rng.normal(size=(32, 6)))[0] for _ in range(2)]
    x = np.float32(np.concatenate(x) * np.sqrt(32))
    y = x @ np.float32(targets) + np.float32(noise) * normal(100 + seed, 64, 4)
    shared, heads = np.zeros((6, 3), np.float32), np.ones((3, 4), np.float32) / 3
    data = {"x": x, "y": y, "rate": np.float32(1e-3)}
    data |= {"drift": 0 * shared, "memory": 0 * shared}
    return linear_losses, 64, data, shared, heads


@partial(jax.jit, static_argnums=(0, 1), static_argnames="chunk")
def every_estimate(losses, rows, data, shared, private, *, chunk=1):
    """By name; of estimators that draw, the mean over many keys."""
    of = lambda rows: lambda shared, private: losses(data, rows, shared, private)
    rate = data["rate"]

    def seen(key):
        return probe(
            of(slice(None)),
            shared,
            private,
            learning_rate=rate,
            chunk=chunk,
            needs=accumulate.needs(ESTIMATORS),
            halves=(of(slice(rows // 2)), of(slice(rows // 2, None))),
            drift=lambda: data["drift"],
            update=lambda g: shared - rate * (0.5 * g + data["memory"]),
            key=key,
        )

    keys, found = jax.random.split(jax.random.key(0), KEYS), {}
    for name, estimate in ESTIMATORS.items():
        found[name] = estimate(seen(keys[0]))
        if "key" in needs_of(estimate).point:
            draws = jax.vmap(lambda key, e=estimate: e(seen(key)))(keys)
            found[name] = draws.mean(axis=0)
    return found


def estimate(name, problem, chunk=1):
    return np.asarray(every_estimate(*problem, chunk=chunk)[name], np.float64)


def pairwise(name, problem):
    """(N, N) of every estimator: of groups, what the source adds to the target."""
    found = estimate(name, problem)
    if not needs_of(ESTIMATORS[name]).groups:
        return found
    pairs = pairs_of(found)
    own = np.diagonal(pairs)
    return np.where(np.eye(len(pairs), dtype=bool), pairs, pairs - own[None])
