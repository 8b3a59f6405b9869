"""Intervention scores read from a table, against votes drawn from a generator."""

import numpy as np
import pytest
from scipy.stats import chisquare
from sklearn.linear_model import LogisticRegression

from disentangle.errors import UserError
from disentangle.metrics import Settings, read_representation
from disentangle.metrics.base import Images
from disentangle.metrics.beta_vae import beta_vae
from disentangle.metrics.factor_vae import factor_vae
from disentangle.metrics.interventions import (
    chunks,
    draw_partner,
    draw_shared,
    groups,
    local_variances,
    majority,
)
from disentangle.metrics.z_max_variance import z_max_variance

SIZES = (3, 6, 8, 5)
SCORES = (factor_vae, beta_vae, z_max_variance)


def encode(factors, kind):
    """Codes that are functions of the factors, as an encoder's are."""
    x = factors / np.array(SIZES)
    turn = np.random.default_rng(8).normal(size=(4, 6))
    return {
        "clean": np.hstack([x, 0.0 * x[:, :2]]),
        "mixed": np.tanh(x @ turn),
        "partly": np.hstack([x[:, :2], x[:, 2:] @ turn[2:, :3], 0.01 * x[:, :1]]),
    }[kind]


def draw(rng, rows):
    return np.stack([rng.integers(0, k, rows) for k in SIZES], axis=1)


def literal_factor_vae(kind, rng, votes=4000, judged=2000):
    """Locatello et al. 2019's procedure: new factors, encoded anew, for every vote."""
    scale = np.var(encode(draw(rng, 10_000), kind), axis=0, ddof=1)
    active = np.sqrt(scale) >= 0.05

    def table(count):
        found = np.zeros((4, active.sum()), int)
        for _ in range(count):
            k, factors = rng.integers(4), draw(rng, 64)
            factors[:, k] = factors[0, k]
            local = np.var(encode(factors, kind), axis=0, ddof=1)
            found[k, np.argmin(local[active] / scale[active])] += 1
        return found

    decide, judge = table(votes), table(judged)
    names = np.argmax(decide, axis=0)
    return judge[names, np.arange(len(names))].sum() / judged


def literal_beta_vae(kind, rng, points=4000, judged=2000):
    def sample(count):
        x, y = [], []
        for _ in range(count):
            k, left, right = rng.integers(4), draw(rng, 64), draw(rng, 64)
            right[:, k] = left[:, k]
            apart = np.abs(encode(left, kind) - encode(right, kind))
            x.append(apart.mean(axis=0))
            y.append(k)
        return np.array(x), np.array(y)

    return LogisticRegression().fit(*sample(points)).score(*sample(judged))


def literal_z_max(kind, rng):
    scale = np.var(encode(draw(rng, 10_000), kind), axis=0, ddof=1)
    found = np.zeros((4, 6), int)
    for _ in range(2000):
        k, factors = rng.integers(4), draw(rng, 100)
        free = factors[:, k].copy()
        factors[:] = factors[0]
        factors[:, k] = free
        local = np.var(encode(factors, kind), axis=0, ddof=1)
        found[k, np.argmax(local / (scale + 1e-20))] += 1
    return found.max(axis=0).sum() / found.sum()


LITERAL = {
    factor_vae: literal_factor_vae,
    beta_vae: literal_beta_vae,
    z_max_variance: literal_z_max,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clean", "mixed", "partly"])
@pytest.mark.parametrize("metric", SCORES)
def test_the_table_gives_what_new_images_give(metric, kind):
    rng = np.random.default_rng(1)
    factors = draw(rng, 15_000)
    found = metric(read_representation(encode(factors, kind), factors), Settings())
    expected = LITERAL[metric](kind, rng)
    # Three deviations of the 2,000 votes that `expected` is a mean of.
    tolerance = 3 * np.sqrt(max(expected * (1 - expected), 1e-4) / 2000) + 0.01
    assert found.values["score"] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("metric", SCORES)
def test_the_seed_fixes_all_and_threads_nothing(metric):
    factors = draw(np.random.default_rng(2), 6000)
    noise = np.random.default_rng(3).normal(size=(6000, 6))
    table = read_representation(encode(factors, "mixed") + noise, factors)
    one = metric(table, Settings(seed=3, jobs=1))
    assert metric(table, Settings(seed=3, jobs=2)).values == one.values
    assert metric(table, Settings(seed=4)).values != one.values


@pytest.mark.parametrize("metric", [factor_vae, beta_vae])
def test_tiny_tables_and_values_that_only_test_rows_have(metric):
    factors = np.array([[0, 1], [1, 1], [2, 0], [3, 1], [4, 0], [7, 9]])
    codes = np.random.default_rng(4).normal(size=(6, 3))
    parts = metric(read_representation(codes, factors, num_train=5), Settings()).values
    assert all(0 <= value <= 1 for value in parts.values())


@pytest.mark.parametrize("metric", [factor_vae, beta_vae])
def test_one_factor_is_always_guessed_and_test_rows_are_needed(metric):
    factors = draw(np.random.default_rng(5), 600)[:, 1:2]
    codes = np.hstack([factors, factors])
    assert (
        metric(read_representation(codes, factors), Settings()).values["score"] == 1.0
    )
    table = read_representation(codes, factors, num_train=600)
    with pytest.raises(UserError, match=f"{metric.__name__} needs test rows"):
        metric(table, Settings())


def test_factor_vae_leaves_collapsed_codes_out():
    factors = draw(np.random.default_rng(6), 3000)
    clean = encode(factors, "clean")
    # A dead code that is still in every batch of one value would win all votes.
    quiet = np.hstack([clean[:, :4], 0.04 * (factors[:, :1] == 0)])
    found = factor_vae(read_representation(quiet, factors), Settings())
    assert (found.values["score"], found.metadata["active_codes"]) == (1.0, 4)
    assert np.all(found.arrays["votes"][:, 4] == 0)
    assert found.arrays["votes"].sum() == 10_000
    nothing = factor_vae(read_representation(0.01 * clean, factors), Settings())
    assert nothing.values["score"] == 0.0


def test_paper_votes_are_800():
    factors = draw(np.random.default_rng(7), 900)
    table = read_representation(encode(factors, "clean"), factors)
    found = factor_vae(table, Settings(protocol="paper"))
    assert found.arrays["votes"].sum() == 800
    assert (found.metadata["batch"], found.metadata["judged_votes"]) == (200, 800)


GRID = (3, 6, 40, 32, 32)


def grid_codes(factors):
    """dSprites' factors, standardised and mixed linearly with noise in their sum."""
    sizes = np.array(GRID)
    x = (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
    turn = np.random.default_rng(1).normal(size=(5, 5)) / 2 + np.eye(5)
    return np.tanh(x @ turn)


def test_z_max_draws_the_images_that_its_votes_need():
    """The literal definition in float64 on dSprites' grid, vote by vote."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, GRID, (4000, 5))
    asked = []

    def encoded(rows):
        asked.append(len(rows))
        return grid_codes(rows)

    table = read_representation(
        grid_codes(factors), factors, images=Images(GRID, encoded)
    )
    found = z_max_variance(table, Settings())
    scale = np.var(grid_codes(rng.integers(0, GRID, (5000, 5))), axis=0, ddof=1)
    votes = np.zeros((5, 5), int)
    for k in range(5):
        for _ in range(600):
            rows = np.tile(rng.integers(0, GRID), (GRID[k], 1))
            rows[:, k] = np.arange(GRID[k])
            votes[k, np.argmax(np.var(grid_codes(rows), axis=0) / scale)] += 1
    expected = votes.max(axis=0).sum() / votes.sum()
    assert 0.5 < expected < 0.95
    assert found.values["score"] == pytest.approx(expected, abs=0.04)
    assert asked == [160 * sum(GRID)]  # at once
    assert found.metadata["estimator"].startswith("images drawn anew")


def test_z_max_refuses_a_table_of_pairs():
    factors = np.random.default_rng(0).integers(0, GRID, (4000, 5))
    table = read_representation(grid_codes(factors), factors)
    with pytest.raises(UserError, match=r"have 1 of its 3 values \(median\), and 3 is"):
        z_max_variance(table, Settings())
    line = np.arange(40)
    factors = np.stack([line, line[::-1]], axis=1)
    with pytest.raises(UserError, match=r"have 1 of its 40 values .*, and 10 is the"):
        z_max_variance(
            read_representation(factors * 1.0, factors, num_train=40), Settings()
        )


def test_z_max_refuses_a_table_by_its_median_group():
    """Ten values of many, or all of few; half of few biased the score by .09."""
    grid = np.stack([axis.ravel() for axis in np.indices((4, 30))], axis=1)

    def scored(factors):
        table = read_representation(1.0 * factors, factors, num_train=len(factors))
        return z_max_variance(table, Settings()).values["score"]

    assert scored(grid[grid[:, 1] % 3 == 0]) == 1.0  # 10 of 30, 4 of 4
    held = (grid[:, 1] + grid[:, 0]) % 4 < 2  # 15 of 30, but 2 of 4
    with pytest.raises(UserError, match=r"have 2 of its 4 values \(median\), and 4 is"):
        scored(grid[held])
    rare = grid[(grid[:, 1] % 4 == 0) | (grid[:, 0] == 3)]
    assert scored(rare) == 1.0  # 22 rows are alone, but the median row is not
    rare = grid[(grid[:, 1] % 6 == 0) | (grid[:, 0] == 3)]
    with pytest.raises(UserError, match=r"have 1 of its 4 values"):
        scored(rare)


def test_factor_vae_of_a_table_is_not_lower_than_of_new_images():
    """Mean over tables of 15,000 rows; orientation has 125 test rows a value."""
    rng = np.random.default_rng(3)
    scale = np.var(grid_codes(rng.integers(0, GRID, (10_000, 5))), axis=0, ddof=1)

    def literal(votes):
        table = np.zeros((5, 5))
        for k in range(5):
            rows = rng.integers(0, GRID, (votes, 64, 5))
            rows[:, :, k] = rows[:, :1, k]
            local = np.var(grid_codes(rows), axis=1, ddof=1) / scale
            table[k] = np.bincount(local.argmin(axis=1), minlength=5)
        return table

    names, judge = literal(1000).argmax(axis=0), literal(2000)
    expected = judge[names, np.arange(5)].sum() / judge.sum()
    scores = []
    for seed in range(4):
        factors = rng.integers(0, GRID, (15_000, 5))
        table = read_representation(grid_codes(factors), factors)
        scores.append(factor_vae(table, Settings(seed=seed)).values["score"])
    assert "note" not in factor_vae(table, Settings()).metadata
    assert np.mean(scores) == pytest.approx(expected, abs=0.015)


def test_factor_vae_takes_the_images_it_needs_or_says_that_it_is_low():
    factors = np.random.default_rng(0).integers(0, GRID, (3000, 5))
    few = read_representation(grid_codes(factors), factors)
    assert "the score comes out low" in factor_vae(few, Settings()).metadata["note"]
    source = Images(GRID, grid_codes)
    more = factor_vae(
        read_representation(grid_codes(factors), factors, images=source), Settings()
    )
    assert more.metadata["images_drawn"] == 2 * 64 * 40
    assert "note" not in more.metadata


def test_a_batch_holds_different_rows_where_there_are_enough():
    rng = np.random.default_rng(9)
    within = groups(np.arange(40) % 2)
    drawn = draw_shared(within, np.repeat([0, 1], 20_000), 15, rng)
    assert all(len(set(row)) == 15 for row in drawn[:500])
    counts = np.bincount(drawn[:20_000].ravel(), minlength=40)[::2]
    assert chisquare(counts).pvalue > 1e-3
    pairs = np.zeros((40, 40))
    for row in drawn[:20_000]:
        pairs[np.ix_(row, row)] += 1
    together = pairs[::2, ::2][~np.eye(20, dtype=bool)]
    assert together.min() > 0.9 * together.mean()  # no pair is rare
    assert draw_shared(within, np.zeros(3, int), 30, rng).shape == (3, 30)


def test_groups_and_draws_share_the_value_and_are_uniform():
    rng = np.random.default_rng(9)
    keys = rng.integers(0, 4, 50) ** 2
    within = groups(keys)
    rows = np.repeat(np.arange(50), 400)
    for drawn in (draw_shared(within, rows, 3, rng), draw_partner(within, rows, rng)):
        same = keys[drawn].reshape(len(rows), -1) == keys[rows][:, None]
        assert same.all()
    partners = draw_partner(within, np.full(60_000, 7), rng)
    others = np.flatnonzero((keys == keys[7]) & (np.arange(50) != 7))
    counts = np.bincount(partners, minlength=50)
    assert counts.sum() == counts[others].sum() and counts[7] == 0
    assert chisquare(counts[others]).pvalue > 1e-3
    shared = draw_shared(within, np.full(600, 7), 100, rng)
    counts = np.bincount(shared.ravel(), minlength=50)[keys == keys[7]]
    assert chisquare(counts).pvalue > 1e-3
    alone = groups(np.arange(5))
    np.testing.assert_array_equal(draw_partner(alone, np.arange(5), rng), np.arange(5))


def test_groups_of_several_columns():
    keys = np.array([[1, 2], [0, 5], [1, 2], [1, 3]])
    np.testing.assert_array_equal(groups(keys).size, [2, 1, 2, 1])
    np.testing.assert_array_equal(groups(keys[:, :0]).size, [4] * 4)


def test_local_variances_are_those_inside_the_groups():
    rng = np.random.default_rng(10)
    codes, kind = rng.normal(size=(30, 2)), np.arange(30) % 3
    found = local_variances(codes, groups(kind), np.arange(20), 30_000, 5, rng)
    assert found.shape == (30_000, 2)
    inside = [codes[kind == kind[row]].var(axis=0, ddof=1) for row in range(20)]
    np.testing.assert_allclose(found.mean(axis=0), np.mean(inside, axis=0), rtol=0.03)


def test_chunks_sum_to_all_votes():
    assert sum(chunks(10_000, 64)) == 10_000
    assert max(chunks(10_000, 64)) == 1024
    assert chunks(3, 10**9) == [1, 1, 1]


def test_majority_by_hand():
    train = np.array([[5, 0, 2], [4, 9, 2], [0, 0, 0]])
    test = np.array([[3, 1, 2], [1, 4, 0], [0, 0, 4]])
    accuracy, each = majority(train, test)  # codes stand for factors 0, 1, 0
    assert accuracy == pytest.approx(9 / 15)
    np.testing.assert_allclose(each, [5 / 6, 4 / 5, 0])
