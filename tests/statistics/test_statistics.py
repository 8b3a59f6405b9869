"""Statistics of studies against closed forms, loops and planted truth."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from disentangle.errors import UserError
from disentangle.statistics import (
    between_data,
    between_scores,
    choose_by,
    correlation,
    intervals,
    transfer,
    variance_shares,
)
from disentangle.statistics.variance import sums_of_squares

RNG = np.random.default_rng(0)


def study(data=("a", "b"), methods=3, strengths=2, seeds=4, score=None, seed=0):
    """Models of a full grid; `score(d, m, h, rng)` of each."""
    rng = np.random.default_rng(seed)
    rows = [
        {"data": d, "method": f"m{m}", "strength": float(h), "seed": s}
        | {"score": float(score(d, m, h, rng))}
        for d, m, h, s in itertools.product(
            data, range(methods), range(strengths), range(seeds)
        )
    ]
    return pd.DataFrame(rows)


# -- intervals


def test_the_interval_of_one_cells_mean_is_students():
    y = RNG.normal(size=5)
    (found,) = intervals(lambda rows: y[rows].mean(), np.zeros(5), draws=20_000)
    low, high = scipy.stats.t.interval(0.95, 4, y.mean(), scipy.stats.sem(y))
    assert found.value == y.mean()
    assert found.low == pytest.approx(low, abs=0.02 * (high - low))
    assert found.high == pytest.approx(high, abs=0.02 * (high - low))


def test_the_interval_of_a_mean_over_cells_holds_the_cells_apart():
    """Cells 100 apart: the spread is that within them, pooled over both."""
    y = np.concatenate([RNG.normal(size=4), 100 + RNG.normal(size=4)])
    cells = np.repeat([0, 1], 4)
    (found,) = intervals(lambda rows: y[rows].mean(), cells, draws=20_000)
    variance = (y[:4].var(ddof=1) + y[4:].var(ddof=1)) / 2
    half = scipy.stats.t.ppf(0.975, 6) * np.sqrt(variance / 8)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.02)


@pytest.mark.slow
def test_intervals_cover_the_mean_in_95_of_100():
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(1000):
        y = rng.normal(size=6) + np.repeat([0.0, 5.0], 3)
        mean = lambda rows, y=y: y[rows].mean()
        (found,) = intervals(mean, np.repeat([0, 1], 3), draws=200, seed=trial)
        inside += found.low <= 2.5 <= found.high
    assert 925 <= inside <= 970


def test_an_interval_is_cut_at_the_range_and_absent_for_single_seeds():
    y = np.array([0.0, 1.0])
    (found,) = intervals(lambda rows: y[rows].mean(), np.zeros(2), least=0.0, most=1.0)
    assert (found.low, found.high) == (0.0, 1.0)
    (found,) = intervals(lambda rows: y[rows].mean(), np.arange(2))
    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()
    with pytest.raises(UserError, match="no model"):
        intervals(lambda rows: 0.0, np.array([]))
    with pytest.raises(UserError, match="at least 2"):
        intervals(lambda rows: 0.0, np.zeros(2), draws=1)


# -- shares of variance


def test_shares_by_hand():
    """Means 0 and 4 of methods, 0 and 2 of strengths around them, seeds +-1."""
    y = np.array([-1, 1, 1, 3, 3, 5, 5, 7.0])
    method, cell = np.repeat([0, 1], 4), np.repeat(np.arange(4), 2)
    sums, freedom = sums_of_squares(y, method, cell)
    assert sums.tolist() == [8 * 4.0, 8 * 1.0, 8 * 1.0]
    assert freedom.tolist() == [1, 2, 4]
    models = pd.DataFrame(
        {"data": "a", "method": method, "strength": cell % 2, "seed": [0, 1] * 4}
    ).assign(score=y)
    found = variance_shares(models, "score", draws=2)
    assert [s.value for s in found.published] == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    # The mean square of seeds is 8 / 4 = 2: 32 - 2, 8 - 4, and what is left of 48.
    assert [s.value for s in found.corrected] == pytest.approx(
        [30 / 48, 4 / 48, 14 / 48]
    )


def test_published_shares_are_r_squared_of_regressions_on_uneven_cells():
    models = study(("a",), score=lambda d, m, h, rng: m + h * m + rng.normal())
    models = models.drop(index=[1, 5, 6, 20])
    found = variance_shares(models, "score", draws=2).published
    y = models["score"].to_numpy()

    def r_squared(keys):
        dummies = pd.get_dummies(models.groupby(keys).ngroup()).to_numpy(float)
        rest = y - dummies @ np.linalg.lstsq(dummies, y, rcond=None)[0]
        return 1 - (rest @ rest) / np.square(y - y.mean()).sum()

    method, both = r_squared(["method"]), r_squared(["method", "strength"])
    expected = [method, both - method, 1 - both]
    assert [share.value for share in found] == pytest.approx(expected)


def test_methods_that_sweep_nothing_have_one_strength():
    models = study(("a",), strengths=1, score=lambda d, m, h, rng: m + rng.normal())
    found = variance_shares(models, "score", draws=2)
    alone = variance_shares(models.assign(strength=np.nan), "score", draws=2)
    assert alone == found


def test_only_the_corrected_shares_of_noise_are_all_the_seeds():
    shares = [
        variance_shares(
            study(("a",), 6, 3, 5, lambda d, m, h, rng: rng.normal(), seed=seed),
            "score",
            draws=2,
        )
        for seed in range(20)
    ]
    published = np.mean([[s.value for s in found.published] for found in shares], 0)
    corrected = np.mean([[s.value for s in found.corrected] for found in shares], 0)
    assert published[:2] == pytest.approx([5 / 89, 12 / 89], abs=0.03)
    assert corrected[2] > 0.93


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (study(score=lambda d, m, h, rng: rng.normal()), "one data set, not of a, b"),
        (study(("a",), 1, score=lambda d, m, h, rng: rng.normal()), "two methods"),
        (study(("a",), seeds=1, score=lambda *a: a[-1].normal()), "two seeds"),
        (study(("a",), score=lambda d, m, h, rng: 0.5), "0.5 for every model"),
        (study(("a",), score=lambda d, m, h, rng: np.nan), "no model has"),
    ],
)
def test_shares_that_are_no_numbers_are_refused(models, words):
    with pytest.raises(UserError, match=words):
        variance_shares(models, "score")


def test_a_model_that_stands_twice_is_refused_and_a_column_guessed():
    models = study(score=lambda d, m, h, rng: rng.normal())
    with pytest.raises(UserError, match="stands twice"):
        correlation(pd.concat([models, models[:1]]), "score", "score")
    with pytest.raises(UserError, match="score"):
        correlation(models, "scor", "score")


# -- rank correlations


def test_correlations_are_scipys_and_leave_out_what_is_missing():
    models = study(score=lambda d, m, h, rng: rng.integers(5))
    models["other"] = (
        np.random.default_rng(3).integers(5, size=len(models)).astype(float)
    )
    models.loc[4, "other"] = np.nan
    kept = models.drop(index=4)
    expected = scipy.stats.spearmanr(kept["score"], kept["other"]).statistic
    found = between_scores(models, ["score"], ["other", "score"])
    assert found[0] == pytest.approx([expected, 1.0])
    interval = correlation(models, "score", "other")
    assert interval.value == pytest.approx(expected)
    assert -1 <= interval.low < expected < interval.high <= 1


def test_what_is_good_on_one_data_set_is_good_on_its_twin_and_bad_on_its_mirror():
    signs = {"a": 1, "b": 1, "mirror": -1}
    models = study(
        tuple(signs),
        score=lambda d, m, h, rng: signs[d] * (2 * m + h) + 1e-3 * rng.random(),
    )
    names, matrix = between_data(models, "score")
    assert names == ["a", "b", "mirror"]
    assert matrix == pytest.approx(np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]]))


# -- choices without labels


def test_choices_of_seeds_perfect_reversed_and_blind():
    models = study(seeds=6, score=lambda d, m, h, rng: 10 * m + rng.normal())
    models["same"] = 3 * models["score"] + 1
    models["method"] = models["method"].astype(str)
    models["strengths"] = models["strength"]
    perfect = choose_by(models, "same", "score")
    assert (perfect.rho.value, perfect.gain.value) == pytest.approx((1.0, 1.0))
    assert perfect.cells == 12
    worst = choose_by(models, "same", "score", lower=True)
    assert worst.rho.value == pytest.approx(-1.0)
    assert worst.gain.value < 0
    # One number per cell tells strengths apart, and no seeds.
    blind = choose_by(models, "strengths", "score")
    assert (blind.rho.value, blind.gain.value) == pytest.approx((0.0, 0.0))


def test_the_gain_of_a_choice_by_hand():
    models = pd.DataFrame(
        {"data": "a", "method": "m", "strength": [1, 1, 1, 2, 2], "seed": range(5)}
        | {"u": [3.0, 2, 1, 0, 5], "y": [0.2, 0.8, 0.5, 0.4, 0.6]}
    )
    found = choose_by(models, "u", "y")
    assert found.gain.value == pytest.approx(((0.2 - 0.5) + 0.1) / (0.3 + 0.1))
    assert found.rho.value == pytest.approx((-0.5 + 1.0) / 2)


def test_there_is_nothing_to_choose_among_single_seeds():
    with pytest.raises(UserError, match="no seed to choose"):
        choose_by(study(seeds=1, score=lambda *a: a[-1].normal()), "score", "score")


# -- transfer


def test_transfer_counts_all_comparisons():
    models = study(score=lambda d, m, h, rng: round(rng.normal() + m, 1), strengths=1)
    models["other"] = (
        np.random.default_rng(5).integers(4, size=len(models)).astype(float)
    )
    names = ["score", "other"]
    found = transfer(models, names)
    value = models.set_index(["data", "method", "seed"])
    for (i, d), (k, name), (j, e), (q, judged) in itertools.product(
        enumerate("ab"), enumerate(names), enumerate("ab"), enumerate(names)
    ):
        won = []
        for s in range(4):
            best = max(range(3), key=lambda m: (value.loc[d, f"m{m}", s][name], -m))
            for t in set(range(4)) - {s}:
                chosen = value.loc[e, f"m{best}", t][judged]
                among = value.loc[e][judged].to_numpy()
                won.append(np.mean(among < chosen) + np.mean(among == chosen) / 2)
        assert found.wins[i, k, j, q] == pytest.approx(np.mean(won))


def test_a_choice_that_transfers_wins_and_a_blind_one_wins_half():
    clear = study(
        methods=10, strengths=1, score=lambda d, m, h, rng: m + 0.01 * rng.random()
    )
    summary = transfer(clear, ["score"]).summary()
    assert summary["same data, same score"] == pytest.approx(0.95)
    assert summary["other data, same score"] == pytest.approx(0.95)
    assert np.isnan(summary["same data, other score"])
    means = [
        transfer(study(seed=s, score=lambda *a: a[-1].normal()), ["score"]).wins.mean()
        for s in range(30)
    ]
    assert np.mean(means) == pytest.approx(0.5, abs=0.04)


def test_transfer_needs_two_seeds_of_two_methods_on_every_data_set():
    models = study(methods=2, strengths=1, score=lambda *a: a[-1].normal())
    with pytest.raises(UserError, match="needs two of each"):
        transfer(models[(models["data"] == "a") | (models["seed"] == 0)], ["score"])
    models.loc[0, "score"] = np.nan  # its cell takes no part
    with pytest.raises(UserError, match="1 methods and strengths"):
        transfer(models, ["score"])
