"""Which source a factor follows, counted by hand."""

import numpy as np

from disentangle.data.space import Factor, FactorSpace
from disentangle.editing.following import following

SPACE = FactorSpace(
    (
        Factor("colour", 3, "categorical", (0.0, 1.0, 2.0)),
        Factor("place", 5, "ordinal", (0.0, 1.0, 2.0, 3.0, 4.0), tolerance=1),
    )
)


def test_shares_are_of_pictures_whose_sources_differ_and_all_oracles_agree():
    first = np.array([[0, 0], [0, 1], [1, 4], [2, 2]])
    second = np.array([[1, 4], [2, 2], [1, 0], [0, 2]])
    # colour differs in rows 0, 1, 3; place by more than a step in rows 0 and 2.
    one = np.array([[1, 0], [0, 0], [1, 1], [0, 2]])
    two = np.array([[1, 1], [0, 3], [2, 3], [1, 2]])
    found = following(SPACE, np.stack([one, two]), first, second)
    assert found.asked.tolist() == [3, 2]
    np.testing.assert_allclose(found.second, [1 / 3, 0])  # row 0; row 3 once only
    np.testing.assert_allclose(found.first, [1 / 3, 1 / 2])  # row 1; row 0
    alone = following(SPACE, one[None], first, second)
    np.testing.assert_allclose(alone.second, [2 / 3, 1 / 2])
    assert (alone.first + alone.second <= 1).all()
    sure = np.array([[True, True], [False, True], [True, False], [True, True]])
    found = following(SPACE, np.stack([one, two]), first, second, sure)
    assert found.asked.tolist() == [2, 1]
    np.testing.assert_allclose(found.second, [1 / 2, 0])
    np.testing.assert_allclose(found.first, [0, 1])


def test_sources_that_never_differ_say_nothing():
    rows = np.zeros((4, 2), int)
    found = following(SPACE, rows[None], rows, rows)
    assert np.isnan(found.first).all() and np.isnan(found.second).all()
    assert found.asked.tolist() == [0, 0]
