"""Group against seed in gains, by the sums of squares written out."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.oracle import TaskTable
from disentangle.oracle.train import every_group
from disentangle.oracle.variance import by_task, clear_cells, pair_gains, variance


def planted(seeds=4, noise=0.03, seed=0):
    """Three tasks: 0 gains from 1 and loses by 2; noise on every loss."""
    groups = every_group(3)
    draw = np.random.default_rng(seed)
    loss = np.ones((seeds, 7, 3)) + noise * draw.normal(size=(seeds, 7, 3))
    loss[:, groups[:, 1], 0] -= 0.5
    loss[:, groups[:, 2], 0] += 0.25
    loss[:, ~groups] = np.nan
    return TaskTable(("a", "b", "c"), groups, tuple(range(seeds)), loss)


def test_against_sums_of_squares_in_loops():
    gains = np.random.default_rng(1).normal(size=(5, 6)) + np.arange(6)[None] / 3
    seeds, groups = gains.shape
    total = ms_rest = 0.0
    for g in range(groups):
        total += seeds * (gains[:, g].mean() - gains.mean()) ** 2
        for s in range(seeds):
            expected = gains[s].mean() + gains[:, g].mean() - gains.mean()
            ms_rest += (gains[s, g] - expected) ** 2
    ms_group, ms_rest = total / (groups - 1), ms_rest / (groups - 1) / (seeds - 1)
    found = variance(gains)
    assert found.f == pytest.approx(ms_group / ms_rest)
    assert found.icc == pytest.approx(1 - 1 / found.f)
    assert found.seed == pytest.approx(np.sqrt(ms_rest))
    assert found.group == pytest.approx(np.sqrt((ms_group - ms_rest) / seeds))


def test_seeds_that_agree_and_groups_that_do_not_matter():
    rows = np.repeat(np.array([[0.1, 0.5, -0.2]]), 4, 0) + np.arange(4)[:, None]
    assert variance(rows).icc == pytest.approx(1.0)
    assert variance(rows).f > 1e20
    noise = np.random.default_rng(3).normal(size=(40, 30))
    assert variance(noise).icc < 0.5
    assert variance(noise).f == pytest.approx(1.0, abs=0.5)
    with pytest.raises(UserError, match="1 seeds and 30 groups"):
        variance(noise[:1])


def test_pairs_and_clear_cells_of_planted_gains():
    table = planted()
    mean = pair_gains(table).mean(0)
    assert mean[1, 0] == pytest.approx(0.5, abs=0.1)
    assert mean[2, 0] == pytest.approx(-0.25, abs=0.1)
    assert abs(mean[0, 1]) < 0.1
    assert np.isnan(np.diag(mean)).all()
    exact = planted(noise=1e-6)
    up, down, cells = clear_cells(exact)
    assert cells == 9  # three pairs and the group of all
    assert up >= 2 and down >= 1
    assert by_task(table)["a"].icc > 0.9
