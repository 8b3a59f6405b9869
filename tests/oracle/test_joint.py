"""Gains beside scores: planted relations, and the size of a group taken out."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.oracle import TaskTable
from disentangle.oracle.joint import joint, matched, mean_gains, partial
from disentangle.oracle.rank import mid_ranks
from disentangle.oracle.train import every_group

GROUPS = every_group(5)
SIZES = GROUPS.sum(1)


def table(gains):
    """Losses of 5 tasks whose mean gains per group are `gains` (S, G)."""
    loss = np.where(GROUPS, 1.0, np.nan)[None] - gains[:, :, None]
    loss[:, SIZES == 1] = np.where(GROUPS[SIZES == 1], 1.0, np.nan)[None]
    return TaskTable(tuple("abcde"), GROUPS, tuple(range(len(gains))), loss)


def drawn(seed=0, seeds=4):
    return np.random.default_rng(seed).normal(size=(seeds, len(GROUPS)))


def test_mean_gains_are_the_planted_ones():
    gains = drawn()
    found = mean_gains(table(gains))
    assert np.allclose(found[:, SIZES > 1], gains[:, SIZES > 1])
    assert np.allclose(found[:, SIZES == 1], 0)


def test_a_score_that_is_size_alone_says_nothing_once_size_is_fixed():
    gains = -SIZES[None] + 0.3 * drawn()
    score = -SIZES[None] + 0.3 * drawn(1)
    found = joint(table(gains), score)
    assert found.raw.mean > 0.8
    assert found.size_gain.mean < -0.8
    assert found.size_score.mean < -0.8
    assert found.partial.low < 0 < found.partial.high
    assert abs(found.matched.mean) < 0.25


def test_a_score_that_is_the_gain_stays_so_whatever_the_size():
    gains = drawn() - SIZES[None]
    found = joint(table(gains), gains**3)
    for one in (found.raw, found.partial, found.matched):
        assert one.mean == pytest.approx(1.0)
        assert one.low <= one.mean <= one.high


def test_the_sign_can_turn_once_size_is_fixed():
    """Simpson: larger groups have both less gain and lower scores."""
    inside = drawn()
    gains, score = inside - 10 * SIZES[None], -inside - 10 * SIZES[None]
    found = joint(table(gains), score)
    assert found.raw.mean > 0.5
    assert found.partial.mean < -0.5
    assert found.matched.mean == pytest.approx(-1.0)


def test_partial_is_the_correlation_of_what_ranks_leave_of_size():
    one, other, fixed = np.random.default_rng(2).normal(size=(3, 40))
    one, other = one + fixed, other - fixed
    left = []
    for values in (one, other):
        ranks, by = mid_ranks(values), mid_ranks(fixed)
        slope, start = np.polyfit(by, ranks, 1)
        left.append(ranks - slope * by - start)
    assert partial(one, other, fixed) == pytest.approx(np.corrcoef(left)[0, 1])
    assert np.isnan(partial(one, other, one))
    assert np.isnan(partial(np.zeros(40), other, fixed))


def test_matched_by_hand():
    sizes = np.array([2, 2, 2, 3, 3, 3, 4, 4])
    one = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 5.0, 6.0])
    other = np.array([1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 0.0, 9.0])
    assert matched(one, other, sizes) == pytest.approx(0.0)
    assert matched(one[:3], other[:3], sizes[:3]) == pytest.approx(1.0)
    assert np.isnan(matched(one[6:], other[6:], sizes[6:]))


def test_a_group_without_a_score_is_left_out():
    gains = drawn()
    score = gains.copy()
    score[:, 20:] = np.nan
    assert joint(table(gains), score).raw.mean == pytest.approx(1.0)
    with pytest.raises(UserError, match=r"scores must be \(4, 31\)"):
        joint(table(gains), score[:, :5])
