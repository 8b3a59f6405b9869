"""Averages over steps and members against float64 NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle import affinity
from disentangle.affinity import accumulate, probe
from disentangle.errors import UserError

TASKS = ("a", "b", "c")


def losses(shared, private):
    """Three losses that depend on the step's data, `private`."""
    return jnp.stack(
        [((shared - private) ** 2).sum(), (shared**2).sum(), jnp.cosh(shared).sum()]
    )


def steps(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)


def seen(data):
    return probe(losses, jnp.asarray([1.0, -1.0, 0.5, 2.0]), data, learning_rate=0.05)


@jax.jit
def measured(data):
    """All of the data in one program: a `fori_loop` that samples every second step."""

    def body(i, carry):
        return jax.lax.cond(
            i % 2 == 0,
            lambda c: accumulate.update(c, seen(data[i])),
            lambda c: c,
            carry,
        )

    start = accumulate.init(["lookahead", "cosine"], 3)
    return jax.lax.fori_loop(0, data.shape[0], body, start)


def every(name, data):
    one = jax.jit(lambda row: affinity.ESTIMATORS[name](seen(row)))
    each = [one(row) for row in data]
    return np.asarray(each, np.float64)


@pytest.mark.parametrize("name", ["lookahead", "cosine"])
def test_mean_and_standard_error_over_steps(name):
    data = steps(40)
    result = accumulate.finish(measured(data), TASKS)[name]
    sampled = every(name, data[::2])
    np.testing.assert_allclose(result.matrix, sampled.mean(0), rtol=1e-4, atol=1e-6)
    error = sampled.std(axis=0, ddof=1) / np.sqrt(20)
    np.testing.assert_allclose(result.standard_error, error, rtol=1e-3, atol=1e-7)
    assert (result.samples, result.method, result.tasks) == (20, name, TASKS)


def test_a_population_is_averaged_over_its_members():
    data = np.stack([steps(10, seed) for seed in range(4)])
    carry = jax.vmap(measured)(data)
    result = accumulate.finish(carry, TASKS)["lookahead"]
    means = np.stack([every("lookahead", member[::2]).mean(0) for member in data])
    np.testing.assert_allclose(result.matrix, means.mean(0), rtol=1e-4, atol=1e-6)
    error = means.std(axis=0, ddof=1) / 2
    np.testing.assert_allclose(result.standard_error, error, rtol=1e-3, atol=1e-7)
    assert result.samples == 20
    kept = accumulate.finish(carry, TASKS, keep=np.array([True, False, True, False]))
    some = means[[0, 2]].mean(0)
    np.testing.assert_allclose(kept["lookahead"].matrix, some, rtol=1e-4, atol=1e-6)


def test_members_map_one_at_a_time_too():
    data = np.stack([steps(6, seed) for seed in range(2)])
    mapped = jax.jit(lambda d: jax.lax.map(measured, d))(data)
    batched = jax.vmap(measured)(data)
    for a, b in zip(jax.tree.leaves(mapped), jax.tree.leaves(batched), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_step_that_is_not_finite_does_not_count():
    data = steps(10)
    data[4] = np.nan
    result = accumulate.finish(measured(data), TASKS)["lookahead"]
    sampled = every("lookahead", data[[0, 2, 6, 8]])
    np.testing.assert_allclose(result.matrix, sampled.mean(0), rtol=1e-4, atol=1e-6)
    assert result.samples == 4


def test_many_steps_stay_accurate_in_float32():
    truth = 1000 + np.random.default_rng(0).normal(size=20_000).astype(np.float32)

    def body(i, moments):
        return accumulate._add(moments, jnp.asarray(truth)[i][None, None])

    start = accumulate.init(["lookahead"], 1)["lookahead"]
    end = jax.jit(lambda: jax.lax.fori_loop(0, len(truth), body, start))()
    result = accumulate.finish({"lookahead": end}, ["a"])["lookahead"]
    exact = truth.astype(np.float64)
    assert abs(result.matrix[0, 0] - exact.mean()) < 1e-2
    error = exact.std(ddof=1) / np.sqrt(len(exact))
    np.testing.assert_allclose(result.standard_error[0, 0], error, rtol=1e-2)


def test_one_step_has_no_standard_error():
    result = accumulate.finish(measured(steps(1)), TASKS)["lookahead"]
    assert result.standard_error is None
    assert result.samples == 1


def test_mistakes_get_a_sentence():
    with pytest.raises(UserError, match="Did you mean 'lookahead'"):
        accumulate.init(["lookahed"], 3)
    empty = accumulate.init(["cosine"], 3)
    with pytest.raises(UserError, match="source 'a' on target 'a' had no finite"):
        accumulate.finish(empty, TASKS)


def test_a_new_estimator_is_one_line(monkeypatch):
    monkeypatch.setitem(
        affinity.ESTIMATORS, "toy", lambda p: jnp.outer(*[p.losses] * 2)
    )
    carry = accumulate.update(accumulate.init(["toy"], 3), seen(jnp.ones(4)))
    result = accumulate.finish(carry, TASKS)["toy"]
    values = np.asarray(seen(jnp.ones(4)).losses)
    np.testing.assert_allclose(result.matrix, np.outer(values, values), rtol=1e-5)
