"""Whether grouping helped, by hand."""

import json

import numpy as np
import pytest

from disentangle.report import verdict


def write(folder, single, grouped, seeds=1):
    losses = {
        "tasks": ["a", "b"],
        "networks": {"single-task": single, "grouped": grouped},
    }
    (folder / "losses.json").write_text(json.dumps(losses))
    config = {"supervised": {"seeds": seeds, "steps": 600}}
    (folder / "config.json").write_text(json.dumps(config))
    said = verdict.verdict(folder)
    return " ".join([said.answer, *(words for _, words in said.parts)])


def test_one_seed_is_not_called_a_win(tmp_path):
    """Maninis et al. 2019: (0.95 - 0.25) / 0.95 and -0.1 / 0.2, their mean."""
    said = write(tmp_path, [[0.95, 0.2]], [[0.25, 0.3]])
    assert said.startswith("Whether grouping helps is not known yet")
    assert "lower on a, higher on b" in said
    assert "+11.8 %" in said  # 100 (0.7368 - 0.5) / 2
    assert "single-task on a" in said
    assert "Without a Δm is −50.0 %" in said
    command = verdict.next_run(tmp_path)
    assert "--config.supervised.seeds=3" in command
    assert "--config.supervised.steps=2400" in command


@pytest.mark.parametrize(
    ("factor", "words"),
    [(0.8, "Grouping helped"), (1.25, "Grouping hurt"), (1.0, "No effect of grouping")],
)
def test_with_seeds_the_interval_decides(tmp_path, factor, words):
    single = 0.3 + 0.01 * np.random.default_rng(0).normal(size=(4, 2))
    noise = 1 + 0.01 * np.random.default_rng(1).normal(size=(4, 2))
    said = write(tmp_path, single.tolist(), (factor * noise * single).tolist(), 4)
    assert said.startswith(words)
    assert "95 % interval" in said


def test_the_interval_is_students():
    """Mean 2, sd 1, three values: 2 -+ 4.303 / sqrt 3."""
    low, high = verdict.interval(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2 - 2.4843, 2 + 2.4843), abs=1e-3)
    assert verdict.interval(np.array([1.0])) is None


def test_the_mean_loss_and_the_relative_gain_may_differ(tmp_path):
    """A fifth off the large loss, two fifths on the small one: Δm = -10 %."""
    noise = 0.001 * np.array([[0, 0], [1, 0], [-1, 0]])
    single = np.array([0.5, 0.005]) + noise
    grouped = single * np.array([0.8, 1.4])
    said = write(tmp_path, single.tolist(), grouped.tolist(), 3)
    assert said.startswith(
        "Grouping lowered the mean loss; by the tasks' relative losses it hurt"
    )
    assert "−10.0 %" in said
    assert "Mean test loss 0.049 lower, 95 % interval of the difference −0.0492" in said
