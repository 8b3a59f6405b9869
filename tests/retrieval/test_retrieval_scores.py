"""What is counted of ranked rows: by hand, in closed form and against libraries."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from disentangle.errors import UserError
from disentangle.retrieval import scores
from disentangle.retrieval.search import matches, search

RNG = np.random.default_rng(0)


def test_published_and_true_gain_by_hand():
    relevance = np.array([[1.0, 0.5, 0.0]])
    gain = 1 / np.log(2) + (2**0.5 - 1) / np.log(3)
    ones = 1 / np.log(2) + 1 / np.log(3) + 1 / np.log(4)
    assert scores.ndcg(relevance) == pytest.approx([gain / ones])
    ideal = np.array([[1.0, 1.0, 0.5]])
    best = 1 / np.log(2) + 1 / np.log(3) + (2**0.5 - 1) / np.log(4)
    assert scores.ndcg(relevance, ideal) == pytest.approx([gain / best])
    assert scores.ndcg(ideal, ideal) == pytest.approx([1.0])


def test_true_gain_is_that_of_scikit_learn():
    """With its linear gain, on what 2^rel - 1 is of ours; all rows are ranked."""
    relevance = RNG.integers(0, 4, (6, 9)) / 3
    order = RNG.normal(size=relevance.shape)
    ranked = np.take_along_axis(relevance, np.argsort(-order, axis=1), axis=1)
    ideal = -np.sort(-relevance, axis=1)
    each = [
        ndcg_score(2.0 ** rel[None] - 1, row[None])
        for rel, row in zip(relevance, order, strict=True)
    ]
    assert scores.ndcg(ranked, ideal) == pytest.approx(each)


def test_the_best_rows_of_a_gallery():
    counts = np.array([[5, 2, 1], [8, 0, 0], [0, 0, 3]])
    found = scores.sorted_relevance(counts, 5)
    np.testing.assert_allclose(found, [[1, 0.5, 0.5, 0, 0], [0] * 5, [1, 1, 1, 0, 0]])


def test_chance_by_drawing_orders():
    rows, right = 12, 3
    places = np.array([np.sort(RNG.permutation(rows)[:right]) for _ in range(40_000)])
    for k in (1, 4):
        drawn = (places[:, 0] < k).mean()
        assert scores.chance_hit(rows, right, k) == pytest.approx(drawn, abs=0.01)
    drawn = (1 / (places[:, 0] + 1)).mean()
    assert scores.chance_reciprocal(rows, right) == pytest.approx(drawn, abs=0.01)
    harmonic = (1 / np.arange(1, 32_000)).sum() / 31_999
    assert scores.chance_reciprocal(31_999, 1) == pytest.approx(harmonic)
    assert scores.chance_hit(31_999, 1, 10) == pytest.approx(10 / 31_999)
    assert scores.chance_reciprocal(5, 0) == 0
    assert scores.chance_hit(2, 1, 5) == 1


def test_average_precision_is_that_of_scikit_learn_and_ties_are_no_merit():
    distances = RNG.integers(0, 6, (5, 40)).astype(np.float32)
    right = RNG.random((5, 40, 2)) < 0.3
    distances[:, 7] = np.inf
    found = scores.average_precision(distances, right)
    for i, a in np.ndindex(5, 2):
        keep = np.arange(40) != 7
        expected = average_precision_score(right[i, keep, a], -distances[i, keep])
        assert found[i, a] == pytest.approx(expected)
    same = scores.average_precision(np.zeros((1, 40)), right[:1])
    assert same[0] == pytest.approx(right[0].mean(0))
    assert np.isnan(scores.average_precision(np.ones((1, 3)), np.zeros((1, 3, 1))))[0]


def test_area_is_that_of_scikit_learn_and_its_error_that_of_resampling():
    positive = np.arange(600) < 250
    values = np.round(RNG.normal(size=600) + 0.7 * positive, 1)
    found, error = scores.roc_auc(values, positive)
    assert found == pytest.approx(roc_auc_score(positive, values))
    drawn = []
    for _ in range(300):
        rows = np.r_[RNG.integers(0, 250, 250), RNG.integers(250, 600, 350)]
        drawn.append(scores.roc_auc(values[rows], positive[rows])[0])
    assert error == pytest.approx(np.std(drawn), rel=0.15)
    with pytest.raises(UserError, match="two positives"):
        scores.roc_auc(np.arange(3), np.array([True, False, False]))


def test_ties_are_shared():
    distances = np.array([[1.0, 1.0, 2.0, 1.0], [3.0, 0.0, 1.0, 2.0]])
    assert scores.chosen_first(distances, np.array([1, 1])).tolist() == [1 / 3, 1]
    assert scores.tied_hit(distances, np.array([1, 3]), 2).tolist() == [2 / 3, 0]
    assert scores.tied_hit(distances, np.array([2, 3]), 3).tolist() == [0, 1]
    near = scores.nearer(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 1.0]))
    assert near.tolist() == [1, 0.5, 0]


def test_intervals_have_the_width_of_the_closed_form():
    groups = [RNG.random((400, 2)), RNG.random((200, 2))]
    mean, low, high = scores.intervals(groups, 2_000)
    expected = np.mean([g.mean(0) for g in groups], axis=0)
    np.testing.assert_allclose(mean, expected)
    variance = sum(g.var(0) / len(g) for g in groups) / 4
    np.testing.assert_allclose((high - low) / 2, 1.96 * np.sqrt(variance), rtol=0.08)
    assert np.isnan(scores.intervals(groups, 0)[1]).all()


@pytest.mark.parametrize("product", [False, True])
@pytest.mark.parametrize("values", [0, 1, 2])
def test_ranks_and_matches_are_those_of_sorting_everything(
    monkeypatch, product, values
):
    """Codes of real numbers, of one number (all tied), and of two numbers."""
    monkeypatch.setattr("disentangle.retrieval.nearest.COLUMNS", 37)
    monkeypatch.setattr("disentangle.retrieval.nearest.ROWS", 8)
    queries, gallery = RNG.normal(size=(21, 5)), RNG.normal(size=(90, 5))
    if values:
        queries = np.floor(values * RNG.random((21, 5)))
        gallery = np.floor(values * RNG.random((90, 5)))
    labels, wanted = RNG.integers(0, 3, (90, 3)), RNG.integers(0, 3, (21, 3))
    wanted[5] = 7  # nobody has it
    own = np.where(np.arange(21) % 3, np.arange(21), -1)
    found = search(queries, wanted, gallery, labels, 4, excluded=own, product=product)
    counted = matches(wanted, labels, own)
    for q in range(21):
        by = -queries[q] @ gallery.T
        if not product:
            by = ((queries[q] - gallery) ** 2).sum(1)
        if own[q] >= 0:
            by[own[q]] = np.inf
        order = np.argsort(by, kind="stable")[: 90 - (own[q] >= 0)]
        np.testing.assert_array_equal(found.nearest[q], order[:4])
        right = np.flatnonzero((labels[order] == wanted[q]).all(1))
        assert found.rank[q] == (right[0] if len(right) else len(order)) + 1
        same = (labels[order] == wanted[q]).sum(1)
        np.testing.assert_array_equal(counted[q], np.bincount(same, minlength=4))


def test_labels_that_do_not_go_with_the_rows_are_a_sentence():
    with pytest.raises(UserError, match=r"do not go with 2 queries and 3 rows"):
        search(np.ones((2, 2)), np.ones((2, 2)), np.ones((3, 2)), np.ones((2, 2)), 1)
