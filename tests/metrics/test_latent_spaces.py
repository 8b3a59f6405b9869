"""Path length and linear separability in closed cases; ways between latents."""

from dataclasses import replace

import numpy as np
import pytest
from editing.exact import small

import disentangle as dt
from disentangle.errors import UserError
from disentangle.metrics import METRICS, LatentSpaces, Settings, score_details
from disentangle.metrics.latent_spaces import Steps
from disentangle.metrics.linear_separability import (
    conditional_entropy,
    entropy,
    labels_of,
)
from disentangle.metrics.path_length import length
from disentangle.study.latent_spaces import between, on_circle

RNG = np.random.default_rng(0)
EPSILON = 1e-4


def linear_generator(count=400, spread=(1.0, 2.0, 0.5)):
    """Features A w, on straight lines: |A (w2 - w1)|^2, at every t the same."""
    a = RNG.normal(size=(3, 5))
    w1, w2 = RNG.normal(size=(2, count, 3)) * np.array(spread)
    t = RNG.random(count)
    steps = Steps(between(w1, w2, t) @ a, between(w1, w2, t + EPSILON) @ a)
    return steps, np.square((w2 - w1) @ a).sum(1), a, np.array(spread)


def test_the_path_length_of_a_linear_generator_is_its_closed_form():
    steps, lengths, a, spread = linear_generator()
    kept = np.sort(lengths)[3:-3]  # at 1 and 99 % of 399 gaps, outwards: 3.99 below
    assert length(steps, EPSILON) == pytest.approx(kept.mean(), rel=1e-6)
    # E |A (w2 - w1)|^2 = 2 tr(A' Cov A), to what 400 draws tell of it.
    closed = 2 * np.trace(a.T @ np.diag(spread**2) @ a)
    assert lengths.mean() == pytest.approx(closed, rel=0.2)
    equal = Steps(np.zeros((50, 2)), np.tile([3 * EPSILON, 4 * EPSILON], (50, 1)))
    assert length(equal, EPSILON) == pytest.approx(25.0)


def test_great_circles_turn_evenly_from_one_latent_to_the_other():
    a, b = RNG.normal(size=(2, 40, 6))
    zero, one, half = np.zeros(40), np.ones(40), np.full(40, 0.5)
    np.testing.assert_allclose(on_circle(a, b, zero), a, atol=1e-12)
    np.testing.assert_allclose(on_circle(a, b, one), b, atol=1e-12)
    unit = lambda x: x / np.sqrt((x**2).sum(1, keepdims=True))
    middle = unit(unit(a) + unit(b))
    np.testing.assert_allclose(unit(on_circle(a, b, half)), middle, atol=1e-12)
    # Of length 1 and a generator that is its latent: the squared angle.
    a, b = unit(a), unit(b)
    t = 0.9 * RNG.random(40)
    steps = Steps(on_circle(a, b, t), on_circle(a, b, t + EPSILON))
    angles = np.square(np.arccos((a * b).sum(1)))
    gaps = np.square(steps.after - steps.before).sum(1) / EPSILON**2
    np.testing.assert_allclose(gaps, angles, rtol=1e-4)


def spaces(count=600, told=(True, True, True)):
    """Three factors of (2, 4, 5) values; in w each is a coordinate, in z nothing."""
    w, z = RNG.normal(size=(2, count, 3))
    logs = []
    for column, (size, known) in enumerate(zip((2, 4, 5), told, strict=True)):
        level = w[:, column] if known else RNG.normal(size=count)
        upper = 1 / (1 + np.exp(-5 * level))
        low = size // 2
        p = np.concatenate(
            [
                np.tile((1 - upper)[:, None] / low, (1, low)),
                np.tile(upper[:, None] / (size - low), (1, size - low)),
            ],
            axis=1,
        )
        logs.append(np.log(p))
    steps, _, _, _ = linear_generator()
    ways = {"z": steps, "w": steps}
    codes = {"z": z, "w": w}
    return LatentSpaces(codes, tuple(logs), ways, ways, EPSILON, ("a", "b", "c"))


def separability(given):
    return METRICS["linear_separability"].compute(given, Settings())


def test_separability_is_1_of_planted_labels_and_2_to_the_f_of_independent_ones():
    found = separability(spaces())
    assert found.values["w"] == pytest.approx(1.0, abs=0.05)
    # Independent and balanced: H(Y|X) = H(Y) = 1 bit each.
    assert found.values["untold"] == pytest.approx(8.0, rel=0.02)
    assert found.values["z"] == pytest.approx(8.0, rel=0.05)
    found = separability(spaces(told=(True, False, True)))
    assert found.values["w"] == pytest.approx(2.0, rel=0.1)
    assert found.per_factor["w"][1] > 0.95 and found.per_factor["w"][0] < 0.05


def test_a_generator_of_one_picture_has_nothing_to_tell():
    given = spaces()
    still = tuple(np.tile(logs[:1], (600, 1)) for logs in given.log_probabilities)
    found = separability(replace(given, log_probabilities=still)).values
    assert found == {"untold": 1.0, "z": 1.0, "w": 1.0}


def test_entropies_and_the_confident_half_by_hand():
    labels = np.array([True, True, False, False, True, False])
    told = np.array([True, True, True, False, False, False])
    h = entropy(np.array([True, True, False]))
    assert h == pytest.approx(-(2 / 3) * np.log2(2 / 3) - (1 / 3) * np.log2(1 / 3))
    assert conditional_entropy(labels, told) == pytest.approx(h)
    assert conditional_entropy(labels, labels) == 0.0
    p = np.array([[0.5, 0.1, 0.4], [0.9, 0.1, 0.0], [0.2, 0.1, 0.7], [0.3, 0.6, 0.1]])
    rows, found = labels_of(np.log(p + 1e-30))  # upper: values 1 and 2
    assert rows.tolist() == [1, 2] and found.tolist() == [False, True]


def test_what_cannot_be_said_is_one_sentence():
    few = Steps(np.zeros((3, 2)), np.zeros((3, 2)))
    given = replace(spaces(), full={"z": few, "w": few})
    with pytest.raises(UserError, match="at least 10 steps, not 3"):
        METRICS["path_length"].compute(given, Settings())
    with pytest.raises(UserError, match="at least 20 pictures, not 8"):
        separability(spaces(8))
    codes, factors = RNG.normal(size=(90, 3)), np.arange(90)[:, None] % [2, 3, 4]
    with pytest.raises(UserError, match=r"path_length judges the latents.*oracle="):
        score_details(codes, factors, "path_length")
    found = score_details(codes, factors, ["path_length", "mig"], spaces=spaces)
    assert set(found["path_length"].values) == set(METRICS["path_length"].parts)


@pytest.mark.slow
def test_a_run_is_judged_by_an_oracle(toy):
    toy = small(toy)  # 16x16
    quick = {"batch_size": 16, "progress": False, "steps": 3}
    nets = {"encoder": "dense", "critic": "dense", "width": 2, "latents": 5}
    tasks = [f"{name}:classification" for name in toy.space.names]
    oracle = dt.train("supervised", toy, encoder="dense", tasks=tasks, **quick)
    run = dt.train("conditional_style_gan", toy, seeds=2, **nets, **quick)
    sample = {"num_train": 50, "num_test": 40, "progress": False}
    names = ["path_length", "linear_separability"]
    table = dt.evaluate(run, names, data=toy, oracle=oracle, **sample)
    parts = {f"{name}/{part}" for name in names for part in METRICS[name].parts}
    assert set(table.metric) == parts
    assert table.value.notna().all() and (table.groupby("metric").size() == 2).all()
    plain = dt.train("vae", toy, encoder="dense", decoder="dense", **quick)
    with pytest.raises(UserError, match="'vae' does not say what its pictures"):
        dt.evaluate(plain, ["path_length"], data=toy, oracle=oracle, **sample)
