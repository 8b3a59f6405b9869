"""Which dimensions tell of a factor: planted codes."""

import numpy as np

from disentangle.metrics.forest_importance import dimensions, forest_importance
from disentangle.metrics.importance import disentanglement


def test_the_factors_themselves_are_a_perfect_code():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, (4, 3, 6), (300, 3))
    codes = np.concatenate([factors[:, ::-1], rng.normal(size=(300, 1))], axis=1)
    found = forest_importance(codes, factors)
    assert found.shape == (4, 3) and np.allclose(found.sum(0), 1)
    assert disentanglement(found) > 0.97
    chunks, without = dimensions(found)
    assert [own[0] for own in chunks] == [2, 1, 0] and without == []
    one = forest_importance(codes, factors * [1, 1, 0])  # one value: nothing is told
    assert (one[:, 2] == 0).all()


def test_a_factor_without_a_dimension_has_the_one_that_tells_most():
    found, without = dimensions(np.array([[0.9, 0.6], [0.1, 0.0], [0.0, 0.0]]))
    assert [own.tolist() for own in found] == [[0, 1], [0]] and without == [1]
