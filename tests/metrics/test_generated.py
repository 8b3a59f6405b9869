"""Scores of generated images on closed cases, and through an oracle."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.metrics import METRICS, Generated, Settings, score_details
from disentangle.metrics.class_diversity import class_distances
from disentangle.metrics.frechet import gaussian_distance, root
from disentangle.metrics.inception import combined, kl_to_mean
from disentangle.metrics.precision_recall import covered
from disentangle.study.judged import reader
from disentangle.study.judges import _readers, pictures

RNG = np.random.default_rng(0)
SIZES = (2, 3, 4)
NAMES = ("a", "b", "c")
OF_GIVEN = ("conditional_accuracy", "inception", "class_diversity", "generated_queries")
JUDGES = [name for name, metric in METRICS.items() if metric.needs == "generator"]


def one_hot(column, size):
    """Log-probabilities of an oracle that has no doubt."""
    return np.log(np.where(np.eye(size)[column] > 0, 1.0, 1e-30))


def ideal(rows=600, given=(0, 1)):
    """A generator that draws what is asked, from the data's own distribution."""
    factors = np.stack([RNG.integers(0, k, rows) for k in SIZES], 1)
    real = np.stack([RNG.integers(0, k, rows) for k in SIZES], 1)
    pixels = lambda f: (f / 4 + 0.05 * RNG.random((len(f), 3))).reshape(-1, 3, 1, 1)
    features = lambda f: f + 0.1 * RNG.normal(size=f.shape)
    return Generated(
        wanted=factors,
        given=given,
        log_probabilities=tuple(
            one_hot(f, k) for f, k in zip(factors.T, SIZES, strict=True)
        ),
        features=features(factors),
        real_features=features(real),
        real_factors=real,
        pixels=pixels(factors),
        real_pixels=pixels(real),
        accuracy=(1.0, 0.99, 0.9),
        factor_names=NAMES,
    )


def values(name, given):
    return METRICS[name].compute(given, Settings()).values


def test_the_ideal_generator_has_the_best_of_all_scores():
    given = ideal()
    found = values("conditional_accuracy", given)
    assert found["mean"] == found["joint"] == 1.0
    assert found["chance"] == pytest.approx((1 / 2 + 1 / 3) / 2, abs=0.05)
    assert found["oracle"] == pytest.approx((1.0 + 0.99) / 2)
    found = values("inception", given)
    assert found["kl"] == pytest.approx(np.log(6), abs=0.05)
    assert found["bound"] == pytest.approx(np.log(6))
    assert found["exponentiated"] == pytest.approx(6, abs=0.3)
    found = values("frechet", given)
    assert found["distance"] < 0.05 and found["halves"] < 0.1
    found = values("precision_recall", given)
    assert found["precision"] > 0.8 and found["recall"] > 0.8
    assert values("class_diversity", given)["ratio"] == pytest.approx(1, abs=0.1)
    assert values("free_entropy", given)["mean"] > 0.98


def test_a_generator_that_draws_one_picture_is_seen_by_all():
    given = ideal()
    still = np.zeros_like(given.wanted)
    collapsed = replace(
        given,
        log_probabilities=tuple(
            one_hot(f, k) for f, k in zip(still.T, SIZES, strict=True)
        ),
        features=0.01 * RNG.normal(size=given.features.shape),
        pixels=np.zeros_like(given.pixels),
    )
    assert values("conditional_accuracy", collapsed)["mean"] < 0.5
    assert values("inception", collapsed)["kl"] == pytest.approx(0, abs=1e-9)
    assert values("frechet", collapsed)["distance"] > 1
    assert values("precision_recall", collapsed)["recall"] < 0.1
    assert values("class_diversity", collapsed)["ratio"] == 0.0
    assert values("free_entropy", collapsed)["mean"] == 0.0


def test_one_picture_per_class_has_the_best_inception_score_and_no_diversity():
    given = ideal()
    alike = given.wanted * np.array([1, 1, 0])
    collapsed = replace(
        given,
        log_probabilities=(
            *given.log_probabilities[:2],
            one_hot(alike[:, 2], 4),
        ),
        pixels=(alike / 4).reshape(-1, 3, 1, 1),
    )
    assert values("inception", collapsed) == values("inception", given)
    assert values("class_diversity", collapsed)["ratio"] == 0.0
    assert values("free_entropy", collapsed)["mean"] == 0.0


def test_accuracies_by_hand():
    given = ideal(rows=4)
    readings = np.array([[0, 1, 0], [1, 2, 3], [1, 0, 2], [0, 0, 0]])
    wanted = np.array([[0, 1, 1], [1, 1, 3], [0, 0, 1], [0, 0, 1]])
    logs = tuple(one_hot(f, k) for f, k in zip(readings.T, SIZES, strict=True))
    given = replace(given, wanted=wanted, log_probabilities=logs)
    found = METRICS["conditional_accuracy"].compute(given, Settings())
    assert found.per_factor["mean"] == (0.75, 0.75, 0.25)
    assert found.values["mean"] == 0.75 and found.values["joint"] == 0.5
    assert found.values["chance"] == (0.75 + 0.5) / 2


def test_values_are_the_same_as_the_data_set_says():
    """c up to a step of its four values: a constant is right in three of four."""
    wanted = np.stack([np.zeros(8, int), np.zeros(8, int), np.arange(8) % 4], axis=1)
    readings = wanted + np.array([0, 1, 1])
    readings[:, 2] %= 4  # 3 is read as 0, three steps away
    logs = tuple(one_hot(f, k) for f, k in zip(readings.T, SIZES, strict=True))
    near = lambda found, to: np.abs(found - to) <= np.array([0, 0, 1])
    given = replace(
        ideal(rows=8), wanted=wanted, log_probabilities=logs, given=(2,), equal=near
    )
    found = METRICS["conditional_accuracy"].compute(given, Settings())
    assert found.per_factor["mean"] == (1.0, 0.0, 0.75)
    assert found.values["mean"] == 0.75 and found.values["chance"] == 0.75


def test_inception_on_closed_cases():
    assert kl_to_mean(np.full((7, 5), 0.2)) == pytest.approx(0, abs=1e-12)
    assert kl_to_mean(np.eye(5)[np.arange(20) % 5]) == pytest.approx(np.log(5))
    p = RNG.dirichlet(np.ones(4), 9)
    truth = np.mean([np.sum(row * np.log(row / p.mean(0))) for row in p])
    assert kl_to_mean(p) == pytest.approx(truth)
    q = RNG.dirichlet(np.ones(3), 9)
    both = combined([np.log(p), np.log(q)])
    assert both.shape == (9, 12)
    np.testing.assert_allclose(both.reshape(9, 4, 3), p[:, :, None] * q[:, None])
    # Five splits, each by itself, in the order of the rows.
    given = replace(
        ideal(rows=10),
        given=(0,),
        log_probabilities=(np.log(RNG.dirichlet([1, 1], 10)),) * 3,
    )
    parts = [
        kl_to_mean(np.exp(given.log_probabilities[0][i : i + 2]))
        for i in range(0, 10, 2)
    ]
    found = values("inception", given)
    assert found["kl"] == pytest.approx(np.mean(parts))
    assert found["spread"] == pytest.approx(np.std(parts))
    assert found["exponentiated"] == pytest.approx(np.mean(np.exp(parts)))
    # Of a factor alone the same, also where it was not given.
    alone = METRICS["inception"].compute(replace(given, given=(0, 2)), Settings())
    assert alone.per_factor["kl"] == pytest.approx((np.mean(parts),) * 3)
    assert alone.per_factor["exponentiated"][1] == pytest.approx(np.mean(np.exp(parts)))


def test_the_distance_of_two_gaussians():
    """Along shared axes it is sum (mu - mu')^2 + (sigma - sigma')^2, in any turn."""
    mean, other = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    s, t = np.array([0.5, 2.0, 1.0]), np.array([1.5, 1.0, 0.0])
    truth = ((mean - other) ** 2).sum() + ((s - t) ** 2).sum()
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    cov, other_cov = ((turn * (v**2)) @ turn.T for v in (s, t))
    found = gaussian_distance(turn @ mean, cov, turn @ other, other_cov)
    assert found == pytest.approx(truth)
    # Without shared axes, against SciPy's root of the product.
    a, b = (m @ m.T for m in RNG.normal(size=(2, 3, 3)))
    import scipy.linalg

    plain = np.trace(a + b - 2 * np.real(scipy.linalg.sqrtm(a @ b)))
    assert gaussian_distance(mean, a, mean, b) == pytest.approx(plain)
    assert gaussian_distance(mean, a, mean, a) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(root(a) @ root(a), a)


def test_precision_and_recall_by_hand():
    """On a line, k = 1: reach of 0, 1, 5 are 1, 1, 4."""
    line = lambda *x: np.array(x, float)[:, None]
    by = line(0, 1, 5)
    assert covered(line(-1.01, -1, 2, 8.9, 9.1), by, 1) == 3 / 5
    given = replace(ideal(), features=ideal().real_features + 100)
    assert values("precision_recall", given) == {"precision": 0.0, "recall": 0.0}


def test_distances_within_classes_by_hand():
    pixels = np.array([0.0, 0.5, 1.0, 0.2, 0.2])[:, None]
    found = class_distances(pixels, np.array([0, 0, 0, 1, 2]))
    pairs = [abs(a - b) for a, b in itertools.combinations([0, 0.5, 1.0], 2)]
    assert found == {0: pytest.approx(np.mean(pairs))}


def test_queries_by_hand():
    """A gallery on a line: 12 images at 0, 1, ..., 11, of values (i mod 2, i div 6)."""
    place = np.arange(12)
    gallery = np.stack([place % 2, place // 6, 0 * place], 1)
    given = replace(
        ideal(rows=2),
        real_features=place[:, None].astype(float),
        real_factors=gallery,
        features=np.array([[-1.0], [11.0]]),  # nearest: 0 .. 9, and 11 .. 2
        wanted=np.array([[0, 0, 0], [0, 1, 0]]),
    )
    found = values("generated_queries", given)
    assert found["p_1"] == 1 / 2  # 0 is (0, 0); 11 is (1, 1), and (0, 1) was asked for
    # (0, 0) at 0, 2, 4; (0, 1) at 6, 8, 10; each has three images.
    assert found["p_10"] == found["bound"] == pytest.approx(0.3)
    # Values alone: five of ten are 0; of the first six of ten are 0, of the second 6
    # of ten are 1.
    assert found["agree"] == pytest.approx((0.5 + 0.6) / 2)
    assert found["agree_chance"] == pytest.approx(0.5)
    # Without itself: which row an image leaves out is one of the two farthest or not.
    truth = []
    for i in place:
        near = sorted((abs(i - j), j) for j in place if j != i)[:10]
        truth += [(gallery[j] == gallery[i])[:2].all() for _, j in near]
    assert found["real"] == pytest.approx(np.mean(truth))


def test_a_query_that_obeys_finds_what_was_asked_for():
    found = values("generated_queries", ideal())
    assert (
        found["p_10"] == pytest.approx(found["real"], abs=0.02) and found["p_1"] > 0.95
    )
    assert found["bound"] == 1.0 and found["p_10"] > 0.95
    shuffled = replace(ideal(), wanted=RNG.permutation(ideal().wanted))
    lost = values("generated_queries", shuffled)
    assert lost["p_10"] == pytest.approx(1 / 6, abs=0.05)
    assert lost["agree"] == pytest.approx(lost["agree_chance"], abs=0.04)


@pytest.mark.parametrize("name", JUDGES)
def test_every_score_is_finite_named_and_refuses_what_it_cannot_say(name):
    found = METRICS[name].compute(ideal(), Settings())
    assert set(found.values) == set(METRICS[name].parts)
    assert np.isfinite(list(found.values.values())).all()
    assert all(len(each) == 3 for each in found.per_factor.values())
    assert found.metadata["definition"] and found.metadata["estimator"]
    if name in OF_GIVEN:
        with pytest.raises(UserError, match=f"{name} is of the factors.*given none"):
            METRICS[name].compute(ideal(given=()), Settings())
    if name == "free_entropy":
        with pytest.raises(UserError, match="was given all"):
            METRICS[name].compute(ideal(given=(0, 1, 2)), Settings())
    few = ideal(rows=3)
    if name in ("inception", "frechet", "precision_recall", "generated_queries"):
        with pytest.raises(UserError, match=f"{name} needs .* 3"):
            METRICS[name].compute(few, Settings())


def test_too_many_combinations_are_refused():
    given = replace(ideal(), log_probabilities=(np.zeros((600, 2000)),) * 3)
    with pytest.raises(UserError, match="4,000,000, more than 4,096"):
        METRICS["inception"].compute(given, Settings())


def test_a_table_has_no_images_to_judge_and_all_does_not_ask():
    codes, factors = RNG.normal(size=(90, 3)), np.arange(90)[:, None] % [2, 3, 4]
    with pytest.raises(UserError, match=r"frechet judges images.*oracle="):
        score_details(codes, factors, "frechet")
    found = score_details(codes, factors, ["frechet", "mig"], drawn=ideal)
    assert found["frechet"].values["distance"] < 0.1


@pytest.mark.slow
def test_a_run_is_judged_by_an_oracle(toy):
    """A conditional VAE of a few steps, and an oracle that reads one factor badly."""
    quick = {"batch_size": 32, "progress": False}
    tasks = [f"{name}:classification" for name in toy.space.names]
    oracle = dt.train(
        "supervised", toy, steps=150, encoder="dense", tasks=tasks, **quick
    )
    dense = {"encoder": "dense", "decoder": "dense"}
    run = dt.train("conditional_vae", toy, steps=3, seeds=2, **dense, **quick)
    sample = {"num_train": 50, "num_test": 40, "progress": False}
    table = dt.evaluate(run, JUDGES, data=toy, oracle=oracle, **sample)
    names = {f"{name}/{part}" for name in JUDGES for part in METRICS[name].parts}
    assert set(table.metric) == names
    assert table.value.notna().all() and (table.groupby("metric").size() == 2).all()
    plain = dt.train("vae", toy, steps=3, **dense, **quick)
    found = dt.evaluate(plain, ["frechet"], data=toy, oracle=oracle, **sample)
    assert len(found) == 2
    with pytest.raises(UserError, match="given none"):
        dt.evaluate(plain, ["inception"], data=toy, oracle=oracle, **sample)
    with pytest.raises(UserError, match="with oracle="):
        dt.evaluate(run, ["frechet"], data=toy, **sample)
    with pytest.raises(UserError, match="does not classify size, x:"):
        dt.evaluate(run, ["frechet"], data=toy, oracle=other_oracle(toy), **sample)


@pytest.mark.slow
def test_an_oracle_of_the_edit_bench_reads_angles(toy):
    """The same values as the bench has of it, in log-probabilities without a doubt."""
    words = ["shape:classification", "size:classification", "turn:circular"]
    fields = {"encoder": "dense", "batch_size": 32, "progress": False}
    tasks = [*words, "x:classification"]
    oracle = dt.train("supervised", toy, steps=30, tasks=tasks, **fields)
    images = pictures(toy, np.arange(96))
    _, logs = reader(oracle, toy)(images)
    found = np.stack([own.argmax(1) for own in logs], axis=1)
    np.testing.assert_array_equal(found, _readers(oracle, toy)[0](images))
    assert set(np.exp(logs[2]).round(6).ravel().tolist()) == {0.0, 1.0}
    assert [own.shape[1] for own in logs] == [2, 3, 4, 4]


def other_oracle(toy):
    fields = {"encoder": "dense", "batch_size": 8, "progress": False}
    return dt.train("supervised", toy, steps=1, **fields)
