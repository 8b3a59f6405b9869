"""All groups from a few: tables whose truth is known, and by hand."""

import itertools

import numpy as np
import pytest

from disentangle.affinity import FROM_GROUPS
from disentangle.affinity.from_groups import calibration, kernel, trained
from disentangle.affinity.from_groups.ridge import ridge
from disentangle.affinity.one_model.linearised import every_group
from disentangle.errors import UserError

GROUPS = every_group(4)
ALL = np.arange(15)


def additive(seed=0, curve=lambda x: x):
    """L_t(S) = curve(a_t + sum b_it): what a surrogate can say, NaN outside."""
    rng = np.random.default_rng(seed)
    alone, pairs = rng.uniform(1, 2, 4), rng.normal(size=(4, 4))
    np.fill_diagonal(pairs, 0)
    return np.where(GROUPS, curve(alone + GROUPS @ pairs), np.nan), alone, pairs


def row(*members):
    return sum(1 << i for i in members) - 1


def trained_for(name):
    if name in ("surrogate", "kernel"):
        return ALL[::2]
    return trained.pairs(GROUPS, alone=True)


def test_the_sum_of_pairs_and_the_surrogate_know_an_additive_truth():
    losses, _, _ = additive()
    pairs = trained.pairs(GROUPS, alone=True)
    found = FROM_GROUPS["pairs_sum"](GROUPS, losses, pairs)
    np.testing.assert_allclose(found, losses)
    few = np.delete(ALL, [row(0, 1, 2, 3), row(0, 1, 2)])
    found = FROM_GROUPS["surrogate"](GROUPS, losses, few)
    np.testing.assert_allclose(found, losses, atol=1e-3)
    mean = FROM_GROUPS["pairs_mean"](GROUPS, losses, few)
    assert np.nanmax(np.abs(mean - losses)) > 1


def test_the_kernel_is_the_posterior_mean_of_the_joint_gaussian():
    """From the definition: the conditional mean, at the best of ALIKE and NOISE."""
    losses, _, _ = additive()
    rows = np.delete(ALL, [row(0, 1), row(1, 2, 3), row(0, 1, 2, 3)])
    found = FROM_GROUPS["kernel"](GROUPS, losses, rows)
    own = np.array([r for r in rows if GROUPS[r, 1]])

    def conditional(known, at, alike, noise):
        k = lambda a, b: alike ** (GROUPS[a, None] != GROUPS[None, b]).sum(2)
        cover = k(known, known) + noise * np.eye(len(known))
        ones, y = np.ones(len(known)), losses[known, 1]
        mean = np.linalg.solve(cover, y).sum() / np.linalg.solve(cover, ones).sum()
        return mean + k(at, known) @ np.linalg.solve(cover, y - mean)

    errors = {}
    for alike, noise in itertools.product(kernel.ALIKE, kernel.NOISE):
        k = alike ** (GROUPS[own, None] != GROUPS[None, own]).sum(2)
        cover, ones = k + noise * np.eye(len(own)), np.ones(len(own))
        y = losses[own, 1]
        mean = np.linalg.solve(cover, y).sum() / np.linalg.solve(cover, ones).sum()
        left = []  # at the mean of all, each without itself
        for i in range(len(own)):
            rest = np.delete(np.arange(len(own)), i)
            inner = np.linalg.solve(cover[np.ix_(rest, rest)], y[rest] - mean)
            left.append(y[i] - mean - k[i, rest] @ inner)
        errors[alike, noise] = np.mean(np.square(left))
    alike, noise = min(errors, key=errors.get)
    at = np.flatnonzero(GROUPS[:, 1])
    expected = conditional(own, at, alike, noise)
    np.testing.assert_allclose(found[at, 1], expected, rtol=1e-9)


def test_the_mean_of_pairs_by_hand():
    losses, alone, pairs = additive()
    rows = trained.pairs(GROUPS, alone=True)
    found = FROM_GROUPS["pairs_mean"](GROUPS, losses, rows)
    expected = alone[2] + (pairs[0, 2] + pairs[1, 2] + pairs[3, 2]) / 3
    assert found[row(0, 1, 2, 3), 2] == pytest.approx(expected)
    assert found[row(1, 3), 3] == pytest.approx(alone[3] + pairs[1, 3])
    assert found[row(2), 2] == pytest.approx(alone[2])
    without = FROM_GROUPS["pairs_mean"](GROUPS, losses, trained.pairs(GROUPS, alone=0))
    assert np.isnan(without[row(2), 2])
    np.testing.assert_array_equal(without[row(0, 1, 2)], found[row(0, 1, 2)])


def test_averaging_by_hand():
    losses, _, _ = additive()
    rows = np.array([row(0, 1, 2), row(0, 1, 3), row(1, 2, 3), row(0)])
    found = FROM_GROUPS["averaging"](GROUPS, losses, rows)
    of = lambda *m: losses[row(*m), 0]
    theta = [np.mean([of(0, 1, 2), of(0, 1, 3)]), of(0, 1, 2), of(0, 1, 3)]
    assert found[row(0, 1), 0] == pytest.approx(theta[0])
    assert found[row(0, 1, 2, 3), 0] == pytest.approx(np.mean(theta))
    assert found[row(0), 0] == pytest.approx(losses[row(0), 0])
    assert np.isnan(found[row(1), 1])


@pytest.mark.parametrize("name", FROM_GROUPS)
def test_only_trained_groups_are_read(name):
    losses, _, _ = additive()
    rows = trained_for(name)
    hidden = np.full_like(losses, 1e9)
    hidden[rows] = losses[rows]
    predict = FROM_GROUPS[name]
    found = predict(GROUPS, losses, rows)
    np.testing.assert_array_equal(predict(GROUPS, hidden, rows), found)
    hidden[~np.isin(ALL, rows)] = np.nan
    np.testing.assert_array_equal(predict(GROUPS, hidden, rows), found)
    assert np.isnan(found[~GROUPS]).all()


@pytest.mark.parametrize("name", FROM_GROUPS)
def test_permuting_tasks_permutes_the_predictions(name):
    losses, _, _ = additive()
    order = [2, 0, 3, 1]
    rows = trained_for(name)
    found = FROM_GROUPS[name](GROUPS, losses, rows)
    turned = FROM_GROUPS[name](GROUPS[:, order], losses[:, order], rows)
    np.testing.assert_allclose(turned, found[:, order], rtol=1e-9)
    again = np.random.default_rng(0).permutation(15)  # the groups in another order
    places = np.argsort(again)[rows]
    shuffled = FROM_GROUPS[name](GROUPS[again], losses[again], places)
    np.testing.assert_allclose(shuffled, found[again], rtol=1e-9)


@pytest.mark.parametrize("name", FROM_GROUPS)
def test_the_scale_of_a_target_is_the_scale_of_its_column(name):
    losses, _, _ = additive()
    rows, scale = trained_for(name), np.array([1, 1, 7, 1])
    found = FROM_GROUPS[name](GROUPS, losses * scale, rows)
    expected = FROM_GROUPS[name](GROUPS, losses, rows) * scale
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", FROM_GROUPS)
def test_planted_twins_and_a_harmful_task(name):
    """0 and 1 are twins that help each other, 3 hurts all and is hurt by none."""
    pairs = np.zeros((4, 4))
    pairs[0, 1] = pairs[1, 0] = -0.3
    pairs[3, :3] = 0.4
    losses = np.where(GROUPS, 1 + GROUPS @ pairs, np.nan)
    found = FROM_GROUPS[name](GROUPS, losses, ALL[row(0, 1, 2) != ALL])
    assert found[row(0, 1), 0] < found[row(0, 2), 0] < found[row(0, 3), 0]
    best = np.nanargmin(found[:, 1])
    assert GROUPS[best, 0] and not GROUPS[best, 3]


def test_the_ridge_by_brute_force():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 4)), rng.normal(size=9)
    strengths = (0.01, 1.0, 100.0)

    def fit(x, y, strength):
        wide = np.column_stack([np.ones(len(x)), x])
        penalty = strength * np.diag([0, 1, 1, 1, 1])
        return np.linalg.solve(wide.T @ wide + penalty, wide.T @ y)

    errors = []
    for strength in strengths:
        gaps = []
        for i in range(9):
            kept = np.arange(9) != i
            w = fit(x[kept], y[kept], strength)
            gaps.append(y[i] - w[0] - x[i] @ w[1:])
        errors.append(np.mean(np.square(gaps)))
    found = ridge(x, y, strengths)
    assert found.strength == strengths[int(np.argmin(errors))]
    assert found.error == pytest.approx(min(errors))
    w = fit(x, y, found.strength)
    np.testing.assert_allclose([found.intercept, *found.weights], w, atol=1e-10)
    one = ridge(x[:1], y[:1])
    assert one(x)[3] == y[0]


def test_calibration_bends_a_score_into_losses():
    """The truth is a curve of the score: no straight line, no surrogate has it."""
    rng = np.random.default_rng(1)
    groups = every_group(5)
    scores = rng.uniform(-1, 1, groups.shape)
    losses = np.where(groups, np.exp(-2 * scores), np.nan)
    rows = trained.drawn(groups, 24, seed=0)
    found = calibration.predict(groups, losses, rows, scores)
    error = np.nanmean((found - losses) ** 2)
    plain = np.nanmean((FROM_GROUPS["surrogate"](groups, losses, rows) - losses) ** 2)
    assert error < 0.05 * plain
    same = calibration.predict(groups, losses, rows, 3 - 1000 * scores)
    np.testing.assert_allclose(same, found, rtol=1e-6)  # any unit, either direction
    flat = calibration.predict(groups, losses, rows, np.ones(groups.shape))
    assert np.isfinite(flat[groups]).all()
    gone = np.where(np.arange(31)[:, None] == 6, np.nan, scores)
    assert np.isnan(calibration.predict(groups, losses, rows, gone)[6]).all()
    with pytest.raises(UserError, match="scores must be"):
        calibration.predict(groups, losses, rows, scores[:3])


def test_draws():
    assert sorted(GROUPS[trained.pairs(GROUPS, alone=False)].sum(1)) == [2] * 6
    assert len(trained.pairs(GROUPS, alone=True)) == 10
    one = trained.drawn(GROUPS, 6, seed=3)
    assert len(set(one.tolist())) == 6
    np.testing.assert_array_equal(one, trained.drawn(GROUPS, 6, seed=3))
    with pytest.raises(UserError, match="16 of 15 groups"):
        trained.drawn(GROUPS, 16, seed=0)


@pytest.mark.parametrize(
    ("groups", "rows", "words"),
    [
        (GROUPS.astype(int), [0], "must be"),
        (GROUPS, [], "one or more trained"),
        (GROUPS, [15], "names the group 15, there are 15"),
        (GROUPS, [-1], "names the group -1"),
        (GROUPS, [0.5], "places"),
    ],
)
def test_mistakes_get_a_sentence(groups, rows, words):
    losses, _, _ = additive()
    with pytest.raises(UserError, match=words):
        FROM_GROUPS["surrogate"](groups, losses, rows)


def test_a_trained_group_must_have_its_losses():
    losses, _, _ = additive()
    losses[row(0, 2), 2] = np.nan
    with pytest.raises(UserError, match=r"group 4 has no finite loss.*member 2"):
        FROM_GROUPS["surrogate"](GROUPS, losses, ALL)
