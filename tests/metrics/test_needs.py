"""What a metric needs is said in METRICS, and it is given that or says why not."""

import numpy as np
import pytest
from recipes import agreement, correlation, neighbours

from disentangle.errors import UserError
from disentangle.metrics import METRICS, Metric, Part, Result, Settings, score_details
from disentangle.metrics.base import Images, Population
from disentangle.metrics.metric import NEEDS
from disentangle.metrics.score import INPUTS

SIZES = (3, 4)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 240) for k in SIZES], axis=1)
    return factors + 0.1 * rng.normal(size=factors.shape), factors


def test_every_part_has_words_and_a_direction():
    heads = [part.head for metric in METRICS.values() for part in metric.parts.values()]
    for name, metric in METRICS.items():
        assert metric.parts, name
        for key, part in metric.parts.items():
            assert part.words.endswith("."), (name, key)
            own = [p.head for p in metric.parts.values()]
            assert own.count(part.head) == 1, (name, key)
    assert len(heads) > 60


def test_directions_are_those_of_perfect_and_random_codes(table):
    """What is better is what codes that are the factors have more, or less, of."""
    codes, factors = table
    noise = np.random.default_rng(1).normal(size=codes.shape)
    chosen = ["mig", "jemmig", "r2", "dci_lasso", "mcc", "modularity", "rmig"]
    good = score_details(codes, factors, chosen)
    poor = score_details(noise, factors, chosen)
    for name in chosen:
        for key, value in good[name].values.items():
            sign = {"higher": 1, "lower": -1}[METRICS[name].parts[key].better]
            assert sign * (value - poor[name].values[key]) > 0, (name, key)


def test_a_direction_or_a_need_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"unknown direction 'hihger'.*'higher'"):
        Part("x", "y.", "hihger")
    with pytest.raises(UserError, match="unknown need of a metric 'populaton'"):
        Metric(lambda table, settings: Result({}), needs="populaton")
    assert set(NEEDS) == {*INPUTS, "population"}


def test_a_metric_that_searches_is_given_test_rows_to_search_with(monkeypatch, table):
    monkeypatch.setitem(METRICS, "neighbours", neighbours.METRIC)
    codes, factors = table
    found = score_details(codes, factors, "neighbours", num_train=160)["neighbours"]
    by_hand = [
        factors[np.argmin(((codes[:160] - query) ** 2).sum(1))] == wanted
        for query, wanted in zip(codes[160:], factors[160:], strict=True)
    ]
    assert found.per_factor["score"] == pytest.approx(np.mean(by_hand, axis=0))
    assert found.values["score"] > 0.95
    bounds = score_details(
        codes, factors, "neighbours", Settings(bootstrap=20), num_train=160
    )["neighbours"].intervals["score"]
    assert bounds[0] <= found.values["score"] <= bounds[1]
    with pytest.raises(UserError, match="neighbours needs test rows"):
        score_details(codes, factors, "neighbours", num_train=240)


def test_a_metric_of_a_data_set_draws_images_or_says_that_there_are_none(
    monkeypatch, table
):
    def whole_grid(given, settings):
        rows = np.stack(np.unravel_index(np.arange(12), SIZES), axis=1)
        return Result({"score": float(given.images.encode(rows).mean())})

    monkeypatch.setitem(METRICS, "grid", Metric(whole_grid, needs="data set"))
    with pytest.raises(UserError, match=r"grid draws images.*evaluate a run"):
        score_details(*table, "grid")
    both = score_details(*table, "grid,mig")
    assert both["grid"].why_not and both["mig"].values
    images = Images(SIZES, lambda factors: factors * 2.0)
    found = score_details(*table, "grid", images=images)["grid"]
    assert found.values["score"] == pytest.approx(2 * (1.0 + 1.5) / 2)


def test_models_that_turn_the_same_code_agree():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(200, 3))
    turned = codes @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    other = rng.normal(size=(200, 3))
    several = Population(np.stack([codes, turned, other]), np.ones((3, 3)))
    scores = agreement.METRIC.compute(several, Settings()).values["score"]
    grams = [c @ c.T for c in np.stack(several.codes) - several.codes.mean(1)[:, None]]
    alike = lambda a, b: (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    expected = [
        np.mean([alike(grams[i], grams[j]) for j in range(3) if j != i])
        for i in range(3)
    ]
    assert scores == pytest.approx(expected)
    assert scores[0] > 0.45 > 0.1 > scores[2]


def test_a_score_that_looks_at_no_factor_has_a_table_without_any(monkeypatch, table):
    codes, factors = table
    still = np.zeros_like(factors)
    found = score_details(codes, still, ["unsupervised", "mig"])
    assert found["unsupervised"].values
    assert "no factor to score" in found["mig"].why_not
    monkeypatch.setitem(METRICS, "blind", Metric(correlation.METRIC.compute))
    both = score_details(codes, still, "blind,unsupervised")
    assert "no factor" in both["blind"].why_not
