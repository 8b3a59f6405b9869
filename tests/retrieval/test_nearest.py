"""Exact nearest rows against NumPy in float64, ties and rounding included."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.retrieval import nearest as module
from disentangle.retrieval.nearest import nearest


def brute(queries, gallery, k, excluded=None):
    q, g = (np.asarray(x, np.float32).astype(np.float64) for x in (queries, gallery))
    distances = ((q[:, None] - g[None]) ** 2).sum(2)
    if excluded is not None:
        for row, index in enumerate(excluded):
            if index >= 0:
                distances[row, index] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_rows_are_those_of_numpy_in_float64(monkeypatch, shift):
    monkeypatch.setattr(module, "COLUMNS", 37)
    monkeypatch.setattr(module, "ROWS", 11)
    rng = np.random.default_rng(0)
    queries, gallery = (
        rng.normal(size=(30, 8)) + shift,
        rng.normal(size=(200, 8)) + shift,
    )
    indices, distances = nearest(queries, gallery, 9)
    expected, far = brute(queries, gallery, 9)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(distances, far, rtol=1e-4)


def test_equal_rows_come_in_their_order_across_parts(monkeypatch):
    monkeypatch.setattr(module, "COLUMNS", 5)
    gallery = np.repeat(np.eye(3), 4, axis=0)[[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]]
    indices, distances = nearest(np.eye(3), gallery, 4)
    np.testing.assert_array_equal(indices, [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]])
    assert not distances.any()


def test_an_own_image_is_left_out():
    rows = np.random.default_rng(1).normal(size=(20, 4))
    own = np.arange(20)
    own[3] = -1
    indices, _ = nearest(rows, rows, 19, excluded=own)
    np.testing.assert_array_equal(indices, brute(rows, rows, 19, own)[0])
    assert indices[3, 0] == 3
    assert all(i not in indices[i] for i in range(20) if i != 3)


@pytest.mark.parametrize(
    ("queries", "gallery", "k", "excluded", "message"),
    [
        (np.ones((2, 3)), np.ones((4, 2)), 1, None, "3 numbers, the gallery 2"),
        (np.ones((2, 3)), np.ones((4, 3)), 5, None, "k=5 must be .* at most 4"),
        (np.ones((2, 3)), np.ones((4, 3)), 4, np.zeros(2, int), "at most 3"),
        (np.ones((2, 3)), np.ones((4, 3)), 1, np.zeros(3, int), r"must be \(2,\)"),
        (np.full((2, 3), np.nan), np.ones((4, 3)), 1, None, "not finite"),
        (np.ones(3), np.ones((4, 3)), 1, None, "queries must be"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(queries, gallery, k, excluded, message):
    with pytest.raises(UserError, match=message):
        nearest(queries, gallery, k, excluded=excluded)
