"""Samples kept whole: statistics by hand, errors by simulation, files bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.affinity import samples
from disentangle.affinity.accumulate import pairs_of
from disentangle.affinity.samples import STATISTICS, Samples, block_bootstrap
from disentangle.errors import UserError


def made(count=20, tasks=3, seed=0):
    rng = np.random.default_rng(seed)
    values = {"lookahead": rng.normal(size=(count, tasks, tasks)).astype(np.float32)}
    values["lookahead_groups"] = rng.normal(size=(count, 2**tasks - 1, tasks)).astype(
        np.float32
    )
    losses = rng.uniform(0.1, 2, (count, tasks)).astype(np.float32)
    return Samples(tuple("abc"[:tasks]), np.arange(count) * 10, losses, values)


def test_a_log_keeps_what_fits_and_counts_the_rest():
    log = samples.room({"x": (2, 2)}, 2, 3)
    rows = np.random.default_rng(0).normal(size=(5, 2, 2)).astype(np.float32)

    @jax.jit
    def fill(log):
        for row in rows:
            log = samples.append(log, jnp.asarray(row[0]), {"x": jnp.asarray(row)})
        return log

    one = fill(log)
    assert int(one.seen) == 5
    np.testing.assert_array_equal(one.values["x"], rows[:3])
    population = jax.tree.map(lambda x: x[None], one)
    found = samples.of_log(population, ("a", "b"), 4, 0)
    np.testing.assert_array_equal(found.steps, [0, 4, 8])
    np.testing.assert_array_equal(found.losses, rows[:3, 0])


def test_files_come_back_bit_for_bit(tmp_path):
    both = [made(), made(seed=1).window(0, 0.6)]  # the second stopped earlier
    samples.save(tmp_path / "s.npz", both)
    for one, back in zip(both, samples.load(tmp_path / "s.npz"), strict=True):
        assert back.tasks == one.tasks
        np.testing.assert_array_equal(back.steps, one.steps)
        np.testing.assert_array_equal(back.losses, one.losses)
        for name, values in one.values.items():
            np.testing.assert_array_equal(back.values[name], values)


def test_windows():
    whole = made()
    assert list(whole.window(0, 0.25).steps) == [0, 10, 20, 30, 40]
    assert list(whole.window(0.5, stride=4).steps) == [100, 140, 180]
    part = whole.window(0.5, stride=4)
    np.testing.assert_array_equal(part.losses, whole.losses[10::4])
    np.testing.assert_array_equal(
        part.values["lookahead"], whole.values["lookahead"][10::4]
    )
    with pytest.raises(UserError, match="must lie in 0 to 1"):
        whole.window(0.5, 0.5)
    with pytest.raises(UserError, match="no sample of 20"):
        whole.window(0.0, 0.01)
    with pytest.raises(UserError, match="stride=0"):
        whole.window(stride=0)


def test_statistics_by_hand():
    one = made()
    values, losses = one.values["lookahead"], one.losses
    values[3, 0, 1], values[7, 2, 2] = np.nan, np.inf
    for source in range(3):
        for target in range(3):
            z = [float(v) for v in values[:, source, target]]
            rows = [i for i, v in enumerate(z) if np.isfinite(v)]
            kept = sorted(z[i] for i in rows)
            middle = (kept[(len(kept) - 1) // 2] + kept[len(kept) // 2]) / 2
            before = [float(losses[i, target]) for i in rows]
            after = [b * (1 - z[i]) for b, i in zip(before, rows, strict=True)]
            by_hand = {
                "mean": sum(kept) / len(kept),
                "median": middle,
                "ratio_of_sums": 1 - sum(after) / sum(before),
            }
            for name, statistic in STATISTICS.items():
                found = statistic(values, losses)[source, target]
                assert found == pytest.approx(by_hand[name], abs=1e-6), name
    values[:, 1, 1] = np.nan
    for statistic in STATISTICS.values():
        assert np.isnan(statistic(values, losses)).sum() == 1


def test_block_bootstrap_knows_that_neighbours_are_alike():
    """AR(1) with rho = .8: the error of the mean is three times that of S draws."""
    rng, rho, count = np.random.default_rng(0), 0.8, 4000
    noise = rng.normal(size=(count, 4))
    chain = np.zeros((count, 4))
    for t in range(1, count):
        chain[t] = rho * chain[t - 1] + noise[t]
    values = chain.reshape(count, 2, 2)
    truth = 1 / (1 - rho) / np.sqrt(count)  # of the mean of an AR(1)
    losses = np.ones((count, 2))
    blocks = block_bootstrap(samples.mean, values, losses, seed=0, block=60)
    single = block_bootstrap(samples.mean, values, losses, seed=0, block=1)
    np.testing.assert_allclose(blocks.mean(), truth, rtol=0.15)
    assert single.mean() < 0.5 * truth
    again = block_bootstrap(samples.mean, values, losses, seed=0, block=60)
    np.testing.assert_array_equal(blocks, again)
    with pytest.raises(UserError, match="blocks of 2 cannot be drawn from 1"):
        block_bootstrap(samples.mean, values[:1], losses[:1], seed=0, block=2)


def test_the_affinity_of_samples():
    one = made()
    found = samples.affinity(one, "lookahead", statistic="median")
    assert (found.method, found.samples, found.tasks) == ("lookahead", 20, one.tasks)
    np.testing.assert_allclose(found.matrix, np.median(one.values["lookahead"], 0))
    assert found.standard_error.shape == (3, 3)
    of_groups = samples.affinity(one, "lookahead_groups")
    table = one.values["lookahead_groups"].astype(np.float64).mean(0)
    assert of_groups.matrix[0, 2] == pytest.approx(table[0b101 - 1, 2], abs=1e-6)
    assert of_groups.matrix[2, 0] == pytest.approx(table[0b101 - 1, 0], abs=1e-6)
    assert of_groups.matrix[1, 1] == pytest.approx(table[0b010 - 1, 1], abs=1e-6)
    assert pairs_of(table).shape == (3, 3)
    assert samples.affinity(one.window(0, 0.05), "lookahead").standard_error is None
    with pytest.raises(UserError, match="Did you mean 'lookahead'"):
        samples.affinity(one, "lookahed")
    with pytest.raises(UserError, match="unknown statistic 'men'"):
        samples.affinity(one, "lookahead", statistic="men")
