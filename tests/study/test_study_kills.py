"""A study that is killed at random moments ends as one that is not."""

import pytest

from benchmarks.study_kills import loop


@pytest.mark.slow
@pytest.mark.timeout(6000)
@pytest.mark.parametrize("writers", [1, 2])
def test_a_few_kills_change_nothing(writers, tmp_path):
    assert loop(3, 0, tmp_path, steps=200, writers=writers).total() >= 3
