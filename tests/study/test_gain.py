"""Delta_m by hand, and what is said without a reference."""

import pytest

from disentangle.report.runs import _add_gain
from disentangle.study.gain import beside_members, beside_single, delta_m


def test_delta_m_is_the_mean_relative_decrease():
    assert delta_m([0.5, 0.9], [1.0, 0.6]) == pytest.approx((0.5 - 0.5) / 2)
    assert delta_m([0.25, 0.5], [0.5, 1.0]) == pytest.approx(0.5)
    assert delta_m([0.6], [0.5]) == pytest.approx(-0.2)  # worse than alone: below 0
    assert delta_m([None, 0.5], [0.5, 1.0]) is None
    assert delta_m([0.1, 0.5], [0.0, 1.0]) is None


def test_ways_of_sharing_beside_single_task_networks():
    networks = {
        "single-task": [[0.4, 0.8], [0.5, 1.0]],
        "grouped": [[0.2, 0.8], [None, 1]],
    }
    assert beside_single(networks) == {"grouped": [pytest.approx(0.25), None]}
    assert beside_single({"grouped": [[0.2, 0.8]]}) == {}


def test_members_of_one_run_beside_its_single_task_members():
    """Of the same seed alone; a group's own tasks alone; none for the references."""
    swept = {
        f"{w}-{seed}": {"weights": [float(c) for c in w], "seed": seed}
        for w in ("100", "010", "110", "111")
        for seed in (0, 1)
    }
    losses = {name: [0.5, 1.0, 9.0] for name in swept}
    losses["100-1"] = [0.25, 9.0, 9.0]
    losses["110-0"] = [0.25, 1.0, 7.0]
    found = beside_members(losses, swept)
    assert found.pop("110-0") == pytest.approx((0.5 + 0.0) / 2)
    assert found.pop("110-1") == pytest.approx((-1.0 + 0.0) / 2)
    assert set(found.values()) == {None}  # "111" has no reference for its last task


def test_a_run_without_a_reference_says_so():
    table = [["a", "10"]]
    said = _add_gain({"a": {"task_losses": [0.5, 0.5]}}, {}, table)
    assert "no single-task reference" in said
    assert table == [["a", "10"]]
